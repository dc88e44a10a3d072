/**
 * Finds the lines of a log that may be keepalived's: those that hold `eepalived`, and those that begin as its own
 * console does, which does not name it (`Tue Mar  5 10:00:00 …`). Nearly all lines of a system's log are neither, and
 * are only counted, 64 bytes at a time.
 */

/** How many lines were passed when a line was last looked for. */
export let passed: i32 = 0;
/** Where the line that was found begins, and where its newline stands. */
export let foundFrom: i32 = 0;
export let foundEnd: i32 = 0;

const NEWLINE: u8 = 0x0a;
/** `eepalive`, the first byte lowest. */
const NEEDLE_START: u64 = 0x6576_696c_6170_6565;
/** Bytes of newline counts hold 4 a turn: after 63 turns they are added up. */
const TURNS: i32 = 63;

/**
 * @param from  where a line begins, behind a newline
 * @param end   behind the newline of the last line
 * @returns whether there is such a line; the lines before it are passed
 *
 * A turn looks at 64 bytes from `at`, the first of them the newline before the line. A candidate is a `p` with a `v`
 * four bytes on, or a newline with a blank eight bytes on: the one rare in any text, the other in a log whose lines
 * begin with the usual times.
 */
export function find(from: i32, end: i32): bool {
  let at = from - 1;
  // That newline ends none of the lines looked at.
  let lines: i32 = -1;
  let turns: i32 = 0;
  let sums = i64x2.splat(0);
  const newline = i8x16.splat(NEWLINE);
  const p = i8x16.splat(0x70);
  const v = i8x16.splat(0x76);
  const blank = i8x16.splat(0x20);
  while (at < end) {
    const newlines0 = i8x16.eq(v128.load(at), newline);
    const newlines1 = i8x16.eq(v128.load(at, 16), newline);
    const newlines2 = i8x16.eq(v128.load(at, 32), newline);
    const newlines3 = i8x16.eq(v128.load(at, 48), newline);
    const candidates0 = v128.or(
      v128.and(i8x16.eq(v128.load(at), p), i8x16.eq(v128.load(at, 4), v)),
      v128.and(newlines0, i8x16.eq(v128.load(at, 8), blank)),
    );
    const candidates1 = v128.or(
      v128.and(i8x16.eq(v128.load(at, 16), p), i8x16.eq(v128.load(at, 20), v)),
      v128.and(newlines1, i8x16.eq(v128.load(at, 24), blank)),
    );
    const candidates2 = v128.or(
      v128.and(i8x16.eq(v128.load(at, 32), p), i8x16.eq(v128.load(at, 36), v)),
      v128.and(newlines2, i8x16.eq(v128.load(at, 40), blank)),
    );
    const candidates3 = v128.or(
      v128.and(i8x16.eq(v128.load(at, 48), p), i8x16.eq(v128.load(at, 52), v)),
      v128.and(newlines3, i8x16.eq(v128.load(at, 56), blank)),
    );
    if (end - at < 64 || v128.any_true(v128.or(v128.or(candidates0, candidates1), v128.or(candidates2, candidates3)))) {
      let ended = mask(newlines0, newlines1, newlines2, newlines3);
      let candidates = mask(candidates0, candidates1, candidates2, candidates3);
      if (end - at < 64) ended &= before(at, end);
      // Behind the last newline there is no line.
      if (end - at < 65) candidates &= before(at, end - 1);
      for (; candidates !== 0; candidates &= candidates - 1) {
        const place = at + <i32>ctz(candidates);
        if (!mayBeOurs(place)) continue;
        if (load<u8>(place) === NEWLINE) {
          foundFrom = place + 1;
          // With the newline itself.
          ended &= ((<u64>2) << (<u64>(place - at))) - 1;
        } else {
          ended &= before(at, place);
          foundFrom = at + 64 - <i32>clz(ended);
          while (load<u8>(foundFrom - 1) !== NEWLINE) foundFrom -= 1;
        }
        passed = lines + <i32>popcnt(ended) + total(sums);
        foundEnd = lineEnd(place + 1);
        return true;
      }
      lines += <i32>popcnt(ended);
    } else {
      sums = i8x16.sub(sums, i8x16.add(i8x16.add(newlines0, newlines1), i8x16.add(newlines2, newlines3)));
      turns += 1;
      if (turns === TURNS) {
        lines += total(sums);
        sums = i64x2.splat(0);
        turns = 0;
      }
    }
    at += 64;
  }
  passed = lines + total(sums);
  return false;
}

/** Where the next newline stands, from an address on: most lines end within 64 bytes. */
export function lineEnd(from: i32): i32 {
  let at = from;
  let newlines = newlinesAt(at);
  while (newlines === 0) {
    at += 64;
    newlines = newlinesAt(at);
  }
  return at + <i32>ctz(newlines);
}

function mayBeOurs(place: i32): bool {
  if (load<u8>(place) === NEWLINE)
    return load<u8>(place, 4) === 0x20 && load<u8>(place, 14) === 0x3a && load<u8>(place, 17) === 0x3a;
  return load<u64>(place - 2) === NEEDLE_START && load<u8>(place, 6) === 0x64;
}

function newlinesAt(at: i32): u64 {
  const newline = i8x16.splat(NEWLINE);
  return mask(
    i8x16.eq(v128.load(at), newline),
    i8x16.eq(v128.load(at, 16), newline),
    i8x16.eq(v128.load(at, 32), newline),
    i8x16.eq(v128.load(at, 48), newline),
  );
}

/** The highest bits of 64 bytes. */
function mask(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>i8x16.bitmask(a) |
    ((<u64>i8x16.bitmask(b)) << 16) |
    ((<u64>i8x16.bitmask(c)) << 32) |
    ((<u64>i8x16.bitmask(d)) << 48)
  );
}

/** The bits of what stands before an address, which is no more than 63 bytes on. */
function before(at: i32, address: i32): u64 {
  return ((<u64>1) << (<u64>(address - at))) - 1;
}

/** The sum of sixteen bytes. */
function total(bytes: v128): i32 {
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  );
}
