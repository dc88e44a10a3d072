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

/** Copies up to fifteen bytes more. */
export function copy(from: i32, length: i32, to: i32): void {
  for (let at = 0; at < length; at += 16) v128.store(to + at, v128.load(from + at));
}
