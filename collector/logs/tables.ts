import type { Automaton } from "./automaton.ts";

/** The automaton of all templates as one piece of memory, which is made once, when keepwatch is built. */

/** What the machine in WebAssembly reads in this order (assembly/matcher.ts): where an array begins, and behind all of them the number of classes. */
const ARRAYS = [
  ["classOf", Uint8Array],
  ["next", Uint16Array],
  ["labels", Int32Array],
  ["lists", Int32Array],
  ["order", Int32Array],
  ["text", Uint8Array],
  ["templates", Int32Array],
  ["program", Int32Array],
  ["withoutInstance", Uint8Array],
] as const;
/** Where each array begins, the number of classes, and how many elements each array has. */
const HEADER_INTS = ARRAYS.length * 2 + 1;
const ALIGNMENT = 16;
/** What is read behind the last array by a look at several bytes at a time. */
const BEHIND_BYTES = 32;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export function packTables(automaton: Automaton): Uint8Array<ArrayBuffer> {
  const header = new Int32Array(HEADER_INTS);
  let at = aligned(header.byteLength);
  ARRAYS.forEach(([name], i) => {
    header[i] = at;
    header[ARRAYS.length + 1 + i] = automaton[name].length;
    at = aligned(at + automaton[name].byteLength);
  });
  header[ARRAYS.length] = automaton.classes;
  const packed = new Uint8Array(at + BEHIND_BYTES);
  packed.set(new Uint8Array(header.buffer));
  ARRAYS.forEach(([name], i) => {
    const { buffer, byteOffset, byteLength } = automaton[name];
    packed.set(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), header[i]);
  });
  return packed;
}

/** The arrays where they are. @param packed  begins at a multiple of four bytes of its buffer */
export function unpackTables(packed: Uint8Array<ArrayBuffer>): Automaton {
  const header = new Int32Array(packed.buffer, packed.byteOffset, HEADER_INTS);
  const arrays = ARRAYS.map(([name, Kind], i) => [
    name,
    new Kind(packed.buffer, packed.byteOffset + (header[i] as number), header[ARRAYS.length + 1 + i]),
  ]);
  return { ...Object.fromEntries(arrays), classes: header[ARRAYS.length] } as Automaton;
}
