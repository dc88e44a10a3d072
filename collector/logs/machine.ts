import type { Holes } from "./grammar.ts";
import { ENDS, ENTRY_BYTES, FREE, HEADER_BYTES, HOLES_MAX, REGISTERS, STARTS } from "./layout.ts";
import { type Tables, unpackTables } from "./tables.ts";

/** What the machine is made of; both are built with keepwatch. */
export interface MachineParts {
  /** assembly/, compiled: threads may share it. */
  readonly code: Code;
  /** `packTables` of the grammar's automaton, and what its templates mean. */
  readonly tables: Uint8Array<ArrayBuffer>;
}

/** A number of the machine's. */
interface Register {
  readonly value: number;
}

/** What assembly/index.ts exports, and says what it means. */
interface MachineExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly place: (tables: number, byTemplate: number) => void;
  readonly begin: (from: number, end: number) => void;
  readonly run: () => number;
  readonly settle: (what: number) => void;
  readonly skip: () => void;
  readonly numberOfHost: (length: number) => number;
  readonly numberOfInstance: (length: number) => number;
  readonly addState: (key: number, times: number) => void;
  readonly clearStates: () => void;
  readonly lines: Register;
  readonly firstTs: Register;
  readonly lastTs: Register;
  readonly elsewhere: Register;
  readonly statesUsed: Register;
}

/** A module of WebAssembly, which neither this TypeScript library nor Node's types declare. */
export type Code = object & { readonly isCode?: never };

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => Code;
  readonly Instance: new (module: Code) => { readonly exports: object };
};

export const compile = (bytes: Uint8Array<ArrayBuffer>): Code => new WebAssembly.Module(bytes);

/** The machine of assembly/ with its memory, in which there is room for a chunk of a log. */
export class LogMachine {
  readonly exports: MachineExports;
  readonly tables: Tables;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ints: Int32Array;
  readonly floats: Float64Array;
  /** Where the f64 of each template are. */
  readonly byTemplate: number;
  /** Bytes are put here, at most `capacity` of them. */
  readonly start: number;
  readonly capacity: number;

  constructor({ code, tables }: MachineParts, capacity: number) {
    this.exports = new WebAssembly.Instance(code).exports as MachineExports;
    const { memory, place } = this.exports;
    const templates = unpackTables(tables).withoutInstance.length;
    this.byTemplate = aligned(FREE + tables.length);
    this.start = aligned(this.byTemplate + templates * 8) + BEFORE;
    this.capacity = capacity;
    memory.grow(Math.ceil((this.start + capacity + BEHIND) / PAGE));
    this.bytes = new Uint8Array(memory.buffer);
    this.ints = new Int32Array(memory.buffer);
    this.floats = new Float64Array(memory.buffer);
    this.bytes.set(tables, FREE);
    this.bytes[this.start - 1] = NEWLINE;
    this.tables = unpackTables(this.bytes.subarray(FREE));
    place(FREE, this.byTemplate);
  }

  /** What it tells of the place where it stopped. */
  register(name: number): number {
    return this.ints[REGISTERS / 4 + name] as number;
  }

  /** Where what was matched last has its holes, counted from an address. */
  holes(from: number): Holes {
    const places = (at: number): Int32Array => this.ints.slice(at / 4, at / 4 + HOLES_MAX).map((place) => place - from);
    return { starts: places(STARTS), ends: places(ENDS) };
  }

  /** The bytes of a name by its number. @param names  HOSTS or INSTANCES */
  nameOf(names: number, limit: number, number: number): Uint8Array {
    const entry = (names + HEADER_BYTES + limit * 8 + number * ENTRY_BYTES) / 4;
    const at = this.ints[entry + 1] as number;
    return this.bytes.subarray(at, at + (this.ints[entry + 2] as number));
  }
}

const PAGE = 65_536;
const NEWLINE = 0x0a;
/** Room for a newline before the first line. */
const BEFORE = 64;
/** What a look at 64 bytes and eight more may read behind the last line. */
const BEHIND = 128;
const aligned = (address: number): number => Math.ceil(address / 64) * 64;
