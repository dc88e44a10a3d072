/**
 * ClickHouse's Native format: a block of rows column by column, as its servers keep them and send them to each other. It is read several
 * times faster than any text, and made faster too: of a column of few different texts each is written once.
 * https://clickhouse.com/docs/interfaces/formats/Native
 */

/** The column's type cannot hold it: tried again, it fails again. */
export class Unstorable extends RangeError {
  override readonly name = "Unstorable";

  constructor(column: string, row: number) {
    // Not the value: what nodes write is not to stand in our log.
    super(`the column ${column} cannot hold the value of row ${row}`);
  }
}

/** A column of a block, and where its values are in a row. */
export interface Column<Row> {
  readonly name: string;
  /** As ClickHouse writes it. */
  readonly type: string;
  write(rows: readonly Row[], out: Bytes): void;
  /** Every one of these rows has the value that the engine fills in by itself: the column can be left out. */
  isDefault?(rows: readonly Row[]): boolean;
}

/** Of a block the columns that say something. */
export const columnsOf = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly Column<Row>[] =>
  columns.filter((column) => column.isDefault?.(rows) !== true);

/** @throws {Unstorable} */
export function nativeBlock<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Buffer {
  const out = new Bytes(1024 + rows.length * 64);
  out.count(columns.length);
  out.count(rows.length);
  for (const column of columns) {
    out.text(column.name);
    out.text(column.type);
    column.write(rows, out);
  }
  return out.written();
}

type Get<Row, Value> = (row: Row) => Value;

const INTEGERS = { UInt8: Uint8Array, UInt16: Uint16Array, UInt32: Uint32Array } as const;

export function integers<Row>(name: string, type: keyof typeof INTEGERS, get: Get<Row, number>): Column<Row> {
  const max = 2 ** (8 * INTEGERS[type].BYTES_PER_ELEMENT) - 1;
  const write = (rows: readonly Row[], out: Bytes): void => {
    const values = new INTEGERS[type](rows.length);
    rows.forEach((row, at) => {
      const value = get(row);
      if (!Number.isInteger(value) || value < 0 || value > max) throw new Unstorable(name, at);
      values[at] = value;
    });
    out.raw(values);
  };
  return { name, type, write };
}

/** Of 64 bits as many as a number can be exact with. */
export function longIntegers<Row>(name: string, type: "Int64" | "UInt64", get: Get<Row, number>): Column<Row> {
  const min = type === "Int64" ? Number.MIN_SAFE_INTEGER : 0;
  const write = (rows: readonly Row[], out: Bytes): void => {
    // Each by its halves: a BigInt a value is most of the work.
    const halves = new Uint32Array(2 * rows.length);
    rows.forEach((row, at) => {
      const value = get(row);
      if (!Number.isSafeInteger(value) || value < min) throw new Unstorable(name, at);
      const high = Math.floor(value / 2 ** 32);
      halves[2 * at] = value - high * 2 ** 32;
      halves[2 * at + 1] = high;
    });
    out.raw(halves);
  };
  return { name, type, write };
}

export function booleans<Row>(name: string, get: Get<Row, boolean>): Column<Row> {
  const write = (rows: readonly Row[], out: Bytes): void => {
    const values = new Uint8Array(rows.length);
    rows.forEach((row, at) => (values[at] = Number(get(row))));
    out.raw(values);
  };
  return { name, type: "Bool", write };
}

export function texts<Row>(name: string, get: Get<Row, string>): Column<Row> {
  const write = (rows: readonly Row[], out: Bytes): void =>
    rows.forEach((row, at) => out.text(wellFormed(get(row), name, at)));
  return { name, type: "String", write, isDefault: (rows) => rows.every((row) => get(row) === "") };
}

/** Of one byte a character. A shorter one is filled up with zero bytes. */
export function fixedTexts<Row>(name: string, size: number, get: Get<Row, string>): Column<Row> {
  const write = (rows: readonly Row[], out: Bytes): void => {
    const values = Buffer.alloc(rows.length * size);
    rows.forEach((row, at) => {
      const value = get(row);
      if (value === "") return;
      if (value.length > size || !ONE_BYTE_EACH.test(value)) throw new Unstorable(name, at);
      values.write(value, at * size, "latin1");
    });
    out.raw(values);
  };
  return { name, type: `FixedString(${size})`, write, isDefault: (rows) => rows.every((row) => get(row) === "") };
}

/** Texts of which few are different: LowCardinality(String). */
export function repeatedTexts<Row>(name: string, get: Get<Row, string>): Column<Row> {
  const write = (rows: readonly Row[], out: Bytes): void => {
    out.long(KEYS_IN_THE_BLOCK);
    const dictionary = new Dictionary(name, rows.length);
    rows.forEach((row, at) => dictionary.add(get(row), at));
    dictionary.write(out);
  };
  return { name, type: "LowCardinality(String)", write };
}

export function repeatedTextLists<Row>(name: string, get: Get<Row, readonly string[]>): Column<Row> {
  const write = (rows: readonly Row[], out: Bytes): void => {
    out.long(KEYS_IN_THE_BLOCK);
    let total = 0;
    const ends = new Uint32Array(rows.length);
    rows.forEach((row, at) => (ends[at] = total += get(row).length));
    out.longs(ends);
    if (total === 0) return;
    const dictionary = new Dictionary(name, total);
    rows.forEach((row, at) => {
      for (const value of get(row)) dictionary.add(value, at);
    });
    dictionary.write(out);
  };
  return { name, type: "Array(LowCardinality(String))", write };
}

const ONE_BYTE_EACH = /^[\0-\x7f]*$/;
/** Half a character: no text of UTF-8 has it. */
const HALF = /\p{Surrogate}/u;

function wellFormed(value: string, column: string, row: number): string {
  if (value !== "" && HALF.test(value)) throw new Unstorable(column, row);
  return value;
}

/** Version of how LowCardinality is written: ClickHouse knows this one alone. */
const KEYS_IN_THE_BLOCK = 1;
/** The texts stand with the numbers that name them. */
const HAS_KEYS = 0x600;

/** The different texts of a column, and which one each row has. ClickHouse wants the empty one first. */
class Dictionary {
  private readonly column: string;
  private readonly numbers = new Map<string, number>([["", 0]]);
  private readonly used: Uint32Array;
  private count = 0;

  constructor(column: string, values: number) {
    this.column = column;
    this.used = new Uint32Array(values);
  }

  add(value: string, row: number): void {
    let number = this.numbers.get(value);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(wellFormed(value, this.column, row), number);
    }
    this.used[this.count] = number;
    this.count += 1;
  }

  write(out: Bytes): void {
    if (this.count === 0) return;
    const width = this.numbers.size <= 2 ** 8 ? 0 : this.numbers.size <= 2 ** 16 ? 1 : 2;
    out.long(width | HAS_KEYS);
    out.long(this.numbers.size);
    for (const text of this.numbers.keys()) out.text(text);
    out.long(this.count);
    out.raw([Uint8Array, Uint16Array, Uint32Array][width]?.from(this.used) ?? this.used);
  }
}

/** Bytes that grow as they are written. Numbers are little-endian, as in the memory of every machine that the engine runs on. */
class Bytes {
  private buffer: Buffer;
  private length = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  /** Seven bits a byte, the lowest first. */
  count(value: number): void {
    this.room(10);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest & 127) | 128;
    this.buffer[this.length++] = rest;
  }

  text(value: string): void {
    if (value === "") return this.count(0);
    const bytes = Buffer.byteLength(value);
    this.count(bytes);
    this.room(bytes);
    this.length += this.buffer.write(value, this.length);
  }

  /** 64 bits. */
  long(value: number): void {
    this.longs(Uint32Array.of(value));
  }

  longs(values: Uint32Array): void {
    const halves = new Uint32Array(2 * values.length);
    values.forEach((value, at) => (halves[2 * at] = value));
    this.raw(halves);
  }

  raw({ buffer, byteOffset, byteLength }: Uint8Array | Uint16Array | Uint32Array): void {
    this.room(byteLength);
    this.buffer.set(new Uint8Array(buffer, byteOffset, byteLength), this.length);
    this.length += byteLength;
  }

  written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * this.buffer.length + bytes);
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
