import { type Code, instantiate, type Local, Locals, moduleOf, wasm as w } from "../core/wasm.ts";

/**
 * Finds the lines of a log that may be keepalived's: those that hold `eepalived`, and those that begin as its own
 * console does, which does not name it (`Tue Mar  5 10:00:00 …`). Nearly all lines of a system's log are neither, and
 * are only counted, 64 bytes at a time with the vector instructions of WebAssembly.
 */
export class LineFinder {
  /** Bytes are put here from `START` on, at most `capacity` of them. */
  readonly bytes: Uint8Array;
  readonly capacity: number;
  private readonly out: number;
  private readonly found: Int32Array;
  private readonly run: (from: number, end: number, out: number) => number;

  constructor(capacity: number) {
    this.capacity = capacity;
    const out = Math.ceil((START + capacity + BEHIND) / 8) * 8;
    const { run, memory } = instantiate(assemble(Math.ceil((out + capacity + 8) / PAGE)));
    this.run = run;
    this.bytes = new Uint8Array(memory.buffer, 0, START + capacity + BEHIND);
    this.out = out;
    this.found = new Int32Array(memory.buffer, out);
    this.bytes[START - 1] = NEWLINE;
  }

  /**
   * Looks through whole lines, the last of which ends in a newline at `end - 1`.
   * @returns how many lines are found, in order, at `startOf(i)` and `endOf(i)`
   */
  find(end: number): number {
    return this.run(START, end, this.out);
  }

  /** How many lines there were in all. */
  lines(): number {
    return this.found[0] as number;
  }

  startOf(i: number): number {
    return this.found[1 + i * 2] as number;
  }

  /** Where its newline stands. */
  endOf(i: number): number {
    return this.found[2 + i * 2] as number;
  }
}

/** Room for a newline before the first line. */
export const START = 64;
/** What a look at 64 bytes and eight more may read behind the last line. */
const BEHIND = 128;
const PAGE = 65_536;
const NEWLINE = 0x0a;
/** `eepalive`, the first byte lowest. */
const NEEDLE_START = 0x6576_696c_6170_6565n;
/** Bytes of newline counts hold 4 a turn: after 63 turns they are added up. */
const TURNS = 63;

/**
 * run(from, end, out): writes at `out` the number of lines and behind it start and end of each line found, and returns
 * how many were found.
 *
 * A turn looks at 64 bytes from `at`, which is a newline when a line has just been found. A candidate is a `p` with a
 * `v` four bytes on, or a newline with a blank eight bytes on: the one rare in any text, the other in a log whose lines
 * begin with the usual times.
 */
function assemble(pages: number): Uint8Array<ArrayBuffer> {
  const locals = new Locals();
  const i32 = (): Local => locals.add("i32");
  const [from, end, out] = [i32(), i32(), i32()];
  const [at, turns, count, lines, cursor, place, start, mask] = [
    i32(),
    i32(),
    i32(),
    i32(),
    i32(),
    i32(),
    i32(),
    i32(),
  ];
  const [newlines, candidates] = [locals.add("i64"), locals.add("i64")];
  const sum = locals.add("v128");
  const quarters = [0, 16, 32, 48].map((offset) => ({
    offset,
    newline: locals.add("v128"),
    candidate: locals.add("v128"),
  }));
  const same = (address: Code, offset: number, byte: number): Code =>
    w.eqBytes(w.loadVector(address, offset), w.splat(byte));
  const isByte = (address: Code, offset: number, byte: number): Code => w.eq(w.load8(address, offset), w.i32(byte));

  const look = quarters.flatMap(({ offset, newline, candidate }) => [
    newline.set(same(at.get, offset, NEWLINE)),
    candidate.set(
      w.orVector(
        w.andVector(same(at.get, offset, 0x70), same(at.get, offset + 4, 0x76)),
        w.andVector(newline.get, same(at.get, offset + 8, 0x20)),
      ),
    ),
  ]);
  const combined = (vectors: readonly Local[], operation: (a: Code, b: Code) => Code): Code =>
    vectors.map(({ get }) => get).reduce((a, b) => operation(a, b));
  const maskOf = (vectors: readonly Local[]): Code =>
    vectors
      .map(({ get }, i) => w.shl64(w.i64OfI32(w.bitmask(get)), w.i64(BigInt(i * 16))))
      .reduce((a, b) => w.or64(a, b));
  const newlineVectors = quarters.map(({ newline }) => newline);
  const candidateVectors = quarters.map(({ candidate }) => candidate);
  const left = w.sub(end.get, at.get);
  /** The bits of what stands before an address, which is no more than 63 bytes on. */
  const before = (address: Code): Code => w.sub64(w.shl64(w.i64(1n), w.i64OfI32(w.sub(address, at.get))), w.i64(1n));
  /** The same with the address itself. */
  const upTo = (address: Code): Code => w.sub64(w.shl64(w.i64(2n), w.i64OfI32(w.sub(address, at.get))), w.i64(1n));
  /** Counts of newlines are bytes, and become one number before they overflow. */
  const addUp = [
    sum.set(w.addPairs16(w.addPairs8(sum.get))),
    lines.set([0, 1, 2, 3].reduce((total, lane) => w.add(total, w.lane32(sum.get, lane)), lines.get)),
    sum.set(w.zeroVector),
    turns.set(w.i32(0)),
  ];
  const isOurs = w.or(
    w.and(w.eq64(w.load64(w.sub(place.get, w.i32(2)), 0), w.i64(NEEDLE_START)), isByte(place.get, 6, 0x64)),
    w.and(
      w.and(isByte(place.get, 0, NEWLINE), isByte(place.get, 4, 0x20)),
      w.and(isByte(place.get, 14, 0x3a), isByte(place.get, 17, 0x3a)),
    ),
  );
  /** The line around `place` is noted, and its newline is where the next turn begins. */
  const take = [
    w.whenElse(
      isByte(place.get, 0, NEWLINE),
      [start.set(w.add(place.get, w.i32(1))), newlines.set(w.and64(newlines.get, upTo(place.get)))],
      [
        newlines.set(w.and64(newlines.get, before(place.get))),
        start.set(w.add(at.get, w.sub(w.i32(64), w.i32OfI64(w.clz64(newlines.get))))),
        w.block(
          w.loop(
            w.leaveIf(1, isByte(w.sub(start.get, w.i32(1)), 0, NEWLINE)),
            start.set(w.sub(start.get, w.i32(1))),
            w.leave(0),
          ),
        ),
      ],
    ),
    lines.set(w.add(lines.get, w.i32OfI64(w.popcnt64(newlines.get)))),
    at.set(w.add(place.get, w.i32(1))),
    w.block(
      w.loop(
        mask.set(w.bitmask(same(at.get, 0, NEWLINE))),
        w.leaveIf(1, mask.get),
        at.set(w.add(at.get, w.i32(16))),
        w.leave(0),
      ),
    ),
    at.set(w.add(at.get, w.ctz(mask.get))),
    w.store32(cursor.get, 0, start.get),
    w.store32(cursor.get, 4, at.get),
    cursor.set(w.add(cursor.get, w.i32(8))),
    count.set(w.add(count.get, w.i32(1))),
  ];
  const NEXT_TURN = 1;
  const examine = [
    newlines.set(maskOf(newlineVectors)),
    candidates.set(maskOf(candidateVectors)),
    w.when(w.lessUnsigned(left, w.i32(64)), newlines.set(w.and64(newlines.get, before(end.get)))),
    // Behind the last newline there is no line.
    w.when(w.lessUnsigned(left, w.i32(65)), candidates.set(w.and64(candidates.get, before(w.sub(end.get, w.i32(1)))))),
    w.loop(
      w.when(
        w.eq(w.isZero64(candidates.get), w.i32(0)),
        place.set(w.add(at.get, w.i32OfI64(w.ctz64(candidates.get)))),
        w.when(isOurs, ...take, w.leave(NEXT_TURN + 3)),
        candidates.set(w.and64(candidates.get, w.sub64(candidates.get, w.i64(1n)))),
        w.leave(1),
      ),
    ),
    lines.set(w.add(lines.get, w.i32OfI64(w.popcnt64(newlines.get)))),
    at.set(w.add(at.get, w.i32(64))),
    w.leave(NEXT_TURN),
  ];
  return moduleOf(
    3,
    locals,
    [
      at.set(w.sub(from.get, w.i32(1))),
      // The newline before the first line ends none of them.
      lines.set(w.i32(-1)),
      cursor.set(w.add(out.get, w.i32(4))),
      w.block(
        w.loop(
          w.leaveIf(1, w.lessUnsigned(w.sub(end.get, w.i32(1)), at.get)),
          ...look,
          w.when(w.or(w.anyTrue(combined(candidateVectors, w.orVector)), w.lessUnsigned(left, w.i32(64))), ...examine),
          sum.set(w.subBytes(sum.get, combined(newlineVectors, w.addBytes))),
          at.set(w.add(at.get, w.i32(64))),
          turns.set(w.add(turns.get, w.i32(1))),
          w.when(w.eq(turns.get, w.i32(TURNS)), ...addUp),
          w.leave(0),
        ),
      ),
      ...addUp,
      w.store32(out.get, 0, lines.get),
      count.get,
    ],
    pages,
  );
}
