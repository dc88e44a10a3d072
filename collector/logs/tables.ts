import type { Automaton } from "./automaton.ts";
import type { Meanings, Names } from "./meanings.ts";

/** The automaton of all templates, and what they mean, as one piece of memory, which is made once, when keepwatch is built. */

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
  ["known", Int32Array],
  ["decisions", Int32Array],
  /** Names, as JSON. */
  ["names", Uint8Array],
] as const;
/** Where each array begins, the number of classes, and how many elements each array has. */
const HEADER_INTS = ARRAYS.length * 2 + 1;
const ALIGNMENT = 16;
/** What is read behind the last array by a look at several bytes at a time. */
const BEHIND_BYTES = 32;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export type Tables = Automaton & Pick<Meanings, "known" | "decisions"> & { readonly names: Uint8Array };

export function packTables(automaton: Automaton, { known, decisions, names }: Meanings): Uint8Array<ArrayBuffer> {
  return pack({ ...automaton, known, decisions, names: new TextEncoder().encode(JSON.stringify(names)) });
}

function pack(tables: Tables): Uint8Array<ArrayBuffer> {
  const header = new Int32Array(HEADER_INTS);
  let at = aligned(header.byteLength);
  ARRAYS.forEach(([name], i) => {
    header[i] = at;
    header[ARRAYS.length + 1 + i] = tables[name].length;
    at = aligned(at + tables[name].byteLength);
  });
  header[ARRAYS.length] = tables.classes;
  const packed = new Uint8Array(at + BEHIND_BYTES);
  packed.set(new Uint8Array(header.buffer));
  ARRAYS.forEach(([name], i) => {
    const { buffer, byteOffset, byteLength } = tables[name];
    packed.set(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), header[i]);
  });
  return packed;
}

/** The arrays where they are. @param packed  begins at a multiple of four bytes of its buffer */
export function unpackTables(packed: Uint8Array<ArrayBuffer>): Tables {
  const header = new Int32Array(packed.buffer, packed.byteOffset, HEADER_INTS);
  const arrays = ARRAYS.map(([name, Kind], i) => [
    name,
    new Kind(packed.buffer, packed.byteOffset + (header[i] as number), header[ARRAYS.length + 1 + i]),
  ]);
  return { ...Object.fromEntries(arrays), classes: header[ARRAYS.length] } as Tables;
}

export const namesIn = ({ names }: Tables): Names => JSON.parse(new TextDecoder().decode(names)) as Names;
