/** Whether the same bytes stand at two addresses. Up to fifteen more are looked at behind them. */
export function isSame(a: i32, b: i32, length: i32): bool {
  let left = length;
  for (; left >= 16; left -= 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
    a += 16;
    b += 16;
  }
  return (~i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b))) & ((1 << left) - 1)) === 0;
}

/**
 * The same for at least sixteen bytes; up to 64 of them are looked at in four overlapping blocks, whatever their number:
 * a loop's end would be guessed wrong for every other text.
 */
export function isSameText(a: i32, b: i32, length: i32): bool {
  const last = length - 16;
  const second = min(16, last);
  const third = min(32, last);
  const fourth = min(48, last);
  const different = v128.or(
    v128.or(v128.xor(v128.load(a), v128.load(b)), v128.xor(v128.load(a + second), v128.load(b + second))),
    v128.or(
      v128.xor(v128.load(a + third), v128.load(b + third)),
      v128.xor(v128.load(a + fourth), v128.load(b + fourth)),
    ),
  );
  if (v128.any_true(different)) return false;
  return length <= 64 || isSame(a + 64, b + 64, length - 64);
}

/** The first sixteen bytes. */
export function isSame16(a: i32, b: i32): bool {
  return !v128.any_true(v128.xor(v128.load(a), v128.load(b)));
}

/** Copies up to fifteen bytes more. */
export function copy(from: i32, length: i32, to: i32): void {
  for (let at = 0; at < length; at += 16) v128.store(to + at, v128.load(from + at));
}
