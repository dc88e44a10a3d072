/**
 * As much of a WebAssembly assembler as one function over a memory needs: instructions are arrays of bytes, and an
 * operation is written with its operands inside it, as in the text format.
 * @see https://webassembly.github.io/spec/core/binary/
 */
export type Code = readonly number[];

const flat = (parts: readonly Code[]): Code => parts.flat();

/** LEB128. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: bigint): Code {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

const TYPES = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
const NO_RESULT = 0x40;

const plain =
  (opcode: number) =>
  (...operands: readonly Code[]): Code => [...flat(operands), opcode];
const simd =
  (opcode: number) =>
  (...operands: readonly Code[]): Code => [...flat(operands), 0xfd, ...unsigned(opcode)];
const access =
  (...opcode: readonly number[]) =>
  (address: Code, offset: number, ...value: readonly Code[]): Code => [
    ...address,
    ...flat(value),
    ...opcode,
    0,
    ...unsigned(offset),
  ];

export const wasm = {
  i32: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  i64: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  /** Sixteen times the same byte. */
  splat: (byte: number): Code => [0x41, ...signed(BigInt(byte)), 0xfd, 0x0f],
  add: plain(0x6a),
  sub: plain(0x6b),
  and: plain(0x71),
  or: plain(0x72),
  eq: plain(0x46),
  ne: plain(0x47),
  lessUnsigned: plain(0x49),
  greaterUnsigned: plain(0x4b),
  i32OfI64: plain(0xa7),
  i64OfI32: plain(0xad),
  isZero64: plain(0x50),
  eq64: plain(0x51),
  clz64: plain(0x79),
  ctz64: plain(0x7a),
  popcnt64: plain(0x7b),
  sub64: plain(0x7d),
  and64: plain(0x83),
  or64: plain(0x84),
  shl64: plain(0x86),
  ctz: plain(0x68),
  load8: access(0x2d),
  load64: access(0x29),
  store32: access(0x36),
  loadVector: access(0xfd, 0),
  eqBytes: simd(0x23),
  andVector: simd(0x4e),
  orVector: simd(0x50),
  anyTrue: simd(0x53),
  /** The highest bit of each byte, as a number of sixteen bits. */
  bitmask: simd(0x64),
  addBytes: simd(0x6e),
  subBytes: simd(0x71),
  /** Pairs of bytes, and then of sixteen bits, without sign, added. */
  addPairs8: simd(0x7d),
  addPairs16: simd(0x7f),
  lane32: (vector: Code, lane: number): Code => [...vector, 0xfd, 0x1b, lane],
  zeroVector: [0xfd, 0x0c, ...Array.from({ length: 16 }, () => 0)] as Code,
  block: (...body: readonly Code[]): Code => [0x02, NO_RESULT, ...flat(body), 0x0b],
  loop: (...body: readonly Code[]): Code => [0x03, NO_RESULT, ...flat(body), 0x0b],
  when: (condition: Code, ...body: readonly Code[]): Code => [...condition, 0x04, NO_RESULT, ...flat(body), 0x0b],
  whenElse: (condition: Code, then: readonly Code[], otherwise: readonly Code[]): Code => [
    ...condition,
    0x04,
    NO_RESULT,
    ...flat(then),
    0x05,
    ...flat(otherwise),
    0x0b,
  ],
  /** To the end of the enclosing block of that depth, or to the start of the enclosing loop. */
  leave: (depth: number): Code => [0x0c, ...unsigned(depth)],
  leaveIf: (depth: number, condition: Code): Code => [...condition, 0x0d, ...unsigned(depth)],
} as const;

/** A local variable of the function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** Names the locals of a function, of which the first `parameters` are what it is called with. */
export class Locals {
  private readonly types: number[] = [];

  add(type: keyof typeof TYPES): Local {
    const index = unsigned(this.types.push(TYPES[type]) - 1);
    return { get: [0x20, ...index], set: (value) => [...value, 0x21, ...index] };
  }

  /** Declarations of those that are no parameters. */
  declared(parameters: number): Code {
    const rest = this.types.slice(parameters);
    return [...unsigned(rest.length), ...rest.flatMap((type) => [1, type])];
  }
}

/** A module that exports one function from `parameters` times i32 to i32, as `run`, and the memory it works on, as `memory`. */
export function moduleOf(
  parameters: number,
  locals: Locals,
  body: readonly Code[],
  pages: number,
): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
  const name = (text: string): Code => [text.length, ...new TextEncoder().encode(text)];
  const code = [...locals.declared(parameters), ...flat(body), 0x0b];
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, [1, 0x60, parameters, ...Array.from({ length: parameters }, () => TYPES.i32), 1, TYPES.i32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...name("run"), 0, 0, ...name("memory"), 2, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

/** What this project uses of WebAssembly, which neither this TypeScript library nor Node's types declare. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

/** Makes a module of `moduleOf` ready to run. */
export function instantiate(bytes: Uint8Array<ArrayBuffer>): {
  readonly run: (...parameters: number[]) => number;
  readonly memory: { readonly buffer: ArrayBuffer };
} {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as ReturnType<typeof instantiate>;
}
