import { ENTRY_BYTES, HEADER_BYTES, NAME_BYTES } from "../layout";

/**
 * Names by number, told apart by their bytes. In the header: how many there are, how many there may be, and how many
 * bytes they have; behind it twice as many slots as there may be names (0, or 1 + a number), then the entries (hash,
 * place, length), then the bytes, each name filled up to eight.
 */
const LIMIT: i32 = 4;
const USED: i32 = 8;

/** @param limit  a power of two */
export function placeNames(names: i32, limit: i32): void {
  store<i32>(names + LIMIT, limit);
}

/** The first bytes of the eight at an address. */
function first(at: i32, length: i32): u64 {
  return length === 0 ? 0 : load<u64>(at) & (<u64>-1 >> ((<u64>(8 - length)) << 3));
}

/** @returns the number of the name at these bytes, or -1 when it is new and there is no room for it */
export function numberOf(names: i32, from: i32, length: i32): i32 {
  let hash: u64 = <u64>length;
  let at = from;
  let left = length;
  for (; left > 8; left -= 8) {
    hash = (hash ^ load<u64>(at)) * 0x9e37_79b9_7f4a_7c15;
    hash ^= hash >> 29;
    at += 8;
  }
  hash = (hash ^ first(at, left)) * 0x9e37_79b9_7f4a_7c15;
  const short = <i32>(hash >> 32);
  const limit = load<i32>(names + LIMIT);
  const mask = limit * 2 - 1;
  const slots = names + HEADER_BYTES;
  const entries = slots + limit * 8;
  let slot = (short ^ (short >>> 15)) & mask;
  while (true) {
    const name = load<i32>(slots + slot * 4);
    if (name === 0) break;
    const entry = entries + (name - 1) * ENTRY_BYTES;
    if (load<i32>(entry) === short && load<i32>(entry + 8) === length && isSame(load<i32>(entry + 4), from, length))
      return name - 1;
    slot = (slot + 1) & mask;
  }
  const size = load<i32>(names);
  const used = load<i32>(names + USED);
  const room = (length + 7) & -8;
  if (size === limit || used + room > limit * NAME_BYTES) return -1;
  const entry = entries + size * ENTRY_BYTES;
  const place = entries + limit * ENTRY_BYTES + used;
  store<i32>(entry, short);
  store<i32>(entry + 4, place);
  store<i32>(entry + 8, length);
  memory.copy(place, from, length);
  store<i32>(names + USED, used + room);
  store<i32>(slots + slot * 4, size + 1);
  store<i32>(names, size + 1);
  return size;
}

function isSame(a: i32, b: i32, length: i32): bool {
  let left = length;
  for (; left > 8; left -= 8) {
    if (load<u64>(a) !== load<u64>(b)) return false;
    a += 8;
    b += 8;
  }
  return first(a, left) === first(b, left);
}
