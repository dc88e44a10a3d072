import type { Daemon, EventBody, VrrpState } from "../events/event.ts";
import { ASK, NOT_OURS } from "./columns.ts";
import { Interner } from "./interner.ts";
import { HOST_MAX_CHARS, LineReader, type ReadLine, textOf } from "./reader.ts";
import { cut, harmless } from "./text.ts";

/** How often one instance on one host said that it is in one state. */
export interface StateCount {
  /** Undefined in a log that names no host. */
  readonly host: string | undefined;
  readonly instance: string;
  readonly state: VrrpState;
  readonly count: number;
}

/** What a log holds, in numbers: those of two parts of it can be added. */
export interface Tally {
  readonly lines: number;
  readonly keepalivedLines: number;
  readonly unrecognised: number;
  /** Keepalived lines whose envelope could not be read. */
  readonly malformed: number;
  /** Epoch microseconds of the first and the last keepalived line in time; undefined when there is none. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly kinds: ReadonlyMap<EventBody["kind"], number>;
  /** By id of the grammar's row. */
  readonly rows: ReadonlyMap<string, number>;
  readonly states: readonly StateCount[];
  /** Messages of a state that are in no `states`, as there are too many hosts or instances. */
  readonly statesElsewhere: number;
}

/** How many hosts and instances are told apart: memory is bounded, whatever a log holds. */
const HOSTS_MAX = 4_096;
const INSTANCES_MAX = 16_384;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How many different fillings of the holes are remembered, and how many bytes they may have. */
const FILLINGS_MAX = 32_768;
const FILLING_MAX_BYTES = 256;

const STATES: readonly VrrpState[] = ["MASTER", "BACKUP", "FAULT"];
const DAEMONS: readonly (Daemon | undefined)[] = [undefined, "parent", "vrrp", "checker", "bfd"];
/** Contexts of a template: a daemon, with and without an instance. */
const CONTEXTS = DAEMONS.length * 2;

/** What is counted of a message. */
interface Counted {
  readonly kind: EventBody["kind"];
  /** Index in STATES, or -1. */
  readonly state: number;
  /** The instance that is in it; undefined when it is the one in front of the message. */
  readonly instance: Uint8Array | undefined;
  count: number;
}

/**
 * Counts what keepalived says in a log, without an object or a string a line: a row is asked once what a template of its
 * means, or once for each filling of its holes when it looks at those.
 */
export class LogTally {
  private readonly reader: LineReader;
  private readonly reference: number;
  private lines = 0;
  private malformed = 0;
  private from = Number.POSITIVE_INFINITY;
  private to = Number.NEGATIVE_INFINITY;
  private readonly counted: Counted[] = [];
  /** By template and context: 1 + the index in `counted`; 0 when it was not asked yet, -1 when it depends on the holes. */
  private readonly known: Int32Array;
  private readonly fillings = new Interner(FILLINGS_MAX);
  /** By filling: 1 + the index in `counted`. */
  private readonly knownFillings = new Int32Array(FILLINGS_MAX);
  private readonly filling = new Uint8Array(FILLING_MAX_BYTES);
  private readonly byTemplate: Float64Array;
  private readonly rows = new Map<string, number>();
  private readonly hosts = new Interner(HOSTS_MAX);
  private readonly instances = new Interner(INSTANCES_MAX);
  private readonly states = new Map<number, number>();
  private statesElsewhere = 0;

  /**
   * @param reference  the last line was written at or before this, epoch microseconds
   * @throws OperatorError when there is no such zone
   */
  constructor({ path, zone, reference }: { path: string; zone: string; reference: number }) {
    this.reader = new LineReader({ path, zone });
    this.reference = reference;
    const templates = this.reader.table.templates.length;
    this.known = new Int32Array(templates * CONTEXTS);
    this.byTemplate = new Float64Array(templates);
  }

  /** Lines that need no look at them. */
  pass(lines: number): void {
    this.lines += lines;
  }

  /** A line that names keepalived or begins as its console does. It is not counted among the lines. */
  add(bytes: Uint8Array, from: number, end: number): void {
    const { columns } = this.reader;
    const verdict = columns.read(bytes, from, end, this.reference);
    if (verdict === NOT_OURS) return;
    if (verdict === ASK) {
      const read = this.reader.readText(harmless(textOf(bytes.subarray(from, end))), this.reference);
      if (read) this.addRead(read);
      return;
    }
    const { template, ts } = columns;
    if (ts < this.from) this.from = ts;
    if (ts > this.to) this.to = ts;
    (this.byTemplate[template] as number) += 1;
    const context = template * CONTEXTS + DAEMONS.indexOf(columns.daemon) * 2 + (columns.instanceFrom < 0 ? 0 : 1);
    const known = this.known[context] as number;
    const counted = this.counted[(known > 0 ? known : this.ask(bytes, context, known)) - 1] as Counted;
    counted.count += 1;
    if (counted.state >= 0) this.addState(bytes, counted);
  }

  tally(): Tally {
    const kinds = new Map<EventBody["kind"], number>();
    for (const { kind, count } of this.counted) kinds.set(kind, (kinds.get(kind) ?? 0) + count);
    const rows = new Map(this.rows);
    this.byTemplate.forEach((count, template) => {
      if (count === 0) return;
      const { id } = this.reader.table.rowOf(template);
      rows.set(id, (rows.get(id) ?? 0) + count);
    });
    return {
      lines: this.lines,
      keepalivedLines: this.counted.reduce((sum, { count }) => sum + count, 0),
      unrecognised: kinds.get("log.unrecognised") ?? 0,
      malformed: this.malformed,
      from: Number.isFinite(this.from) ? this.from : undefined,
      to: Number.isFinite(this.to) ? this.to : undefined,
      kinds,
      rows,
      states: [...this.states].map(([key, count]) => this.stateCount(key, count)),
      statesElsewhere: this.statesElsewhere,
    };
  }

  /** What the message in the columns means: asked of its row. @returns 1 + the index in `counted` */
  private ask(bytes: Uint8Array, context: number, known: number): number {
    const filling = known < 0 ? this.fillingOf(bytes, context) : -1;
    const before = filling < 0 ? 0 : (this.knownFillings[filling] as number);
    if (before > 0) return before;
    const { columns, table } = this.reader;
    const text = (from: number, end: number): string => harmless(textOf(bytes.subarray(from, end)));
    const instance = columns.instanceFrom < 0 ? undefined : text(columns.instanceFrom, columns.instanceEnd);
    const body = table.event(columns.template, undefined, bytes, {
      daemon: columns.daemon,
      instance,
      file: undefined,
      line: undefined,
      message: text(columns.messageFrom, columns.end),
    });
    const index = this.indexOf(body, instance, filling >= 0);
    if (!table.askedWords) this.known[context] = index;
    else if (known === 0) this.known[context] = -1;
    if (filling >= 0) this.knownFillings[filling] = index;
    return index;
  }

  /** The number of what fills the holes of the message in the columns; -1 when it is too long, or one too many. */
  private fillingOf(bytes: Uint8Array, context: number): number {
    const { table, columns } = this.reader;
    const { starts, ends } = table.matcher;
    const { filling } = this;
    filling[0] = context;
    filling[1] = context >>> 8;
    filling[2] = context >>> 16;
    let length = 3;
    for (let hole = table.holesOf(columns.template) - 1; hole >= 0; hole--) {
      const end = ends[hole] as number;
      let at = starts[hole] as number;
      if (length + end - at >= FILLING_MAX_BYTES) return -1;
      for (; at < end; at++) filling[length++] = bytes[at] as number;
      // No byte of a line: what is written on both sides of it is told apart.
      filling[length++] = 0x0a;
    }
    return this.fillings.get(filling, 0, length);
  }

  /** @param remembered  the answer is asked for once; without that an instance of its own has no place to be kept */
  private indexOf(body: EventBody, instance: string | undefined, remembered: boolean): number {
    const own = body.kind === "vrrp.state" && body.instance !== instance ? body.instance : undefined;
    const state = body.kind === "vrrp.state" && (own === undefined || remembered) ? STATES.indexOf(body.state) : -1;
    if (own !== undefined && !remembered) this.statesElsewhere += 1;
    if (own === undefined || !remembered) {
      const same = this.counted.findIndex(
        (counted) => counted.kind === body.kind && counted.state === state && counted.instance === undefined,
      );
      if (same >= 0) return same + 1;
    }
    return this.counted.push({
      kind: body.kind,
      state,
      instance: state < 0 || own === undefined ? undefined : encoder.encode(own),
      count: 0,
    });
  }

  /** A line that was read as text. */
  addRead({ ts, host, meaning: { body, row } }: ReadLine): void {
    if (ts === undefined) this.malformed += 1;
    else {
      this.from = Math.min(this.from, ts);
      this.to = Math.max(this.to, ts);
    }
    this.rows.set(row, (this.rows.get(row) ?? 0) + 1);
    const instance = body.kind === "vrrp.state" ? body.instance : undefined;
    const counted = this.counted[this.indexOf(body, instance, false) - 1] as Counted;
    counted.count += 1;
    if (counted.state < 0 || instance === undefined) return;
    this.countState(
      host === undefined ? HOSTS_MAX : this.numberOf(this.hosts, cut(host, HOST_MAX_CHARS)),
      this.numberOf(this.instances, instance),
      counted.state,
    );
  }

  private numberOf(names: Interner, name: string): number {
    const bytes = encoder.encode(name);
    return names.get(bytes, 0, bytes.length);
  }

  private addState(bytes: Uint8Array, { state, instance }: Counted): void {
    const { hostFrom, hostEnd, instanceFrom, instanceEnd } = this.reader.columns;
    const host = this.hosts.get(bytes, hostFrom, Math.min(hostEnd, hostFrom + HOST_MAX_CHARS));
    const named =
      instance === undefined
        ? this.instances.get(bytes, instanceFrom, instanceEnd)
        : this.instances.get(instance, 0, instance.length);
    this.countState(host, named, state);
  }

  private countState(host: number, instance: number, state: number): void {
    if (host < 0 || instance < 0) {
      this.statesElsewhere += 1;
      return;
    }
    const key = (host * INSTANCES_MAX + instance) * STATES.length + state;
    this.states.set(key, (this.states.get(key) ?? 0) + 1);
  }

  private stateCount(key: number, count: number): StateCount {
    const place = Math.floor(key / STATES.length);
    const host = Math.floor(place / INSTANCES_MAX);
    return {
      host: host === HOSTS_MAX ? undefined : decoder.decode(this.hosts.nameOf(host)),
      instance: decoder.decode(this.instances.nameOf(place % INSTANCES_MAX)),
      state: STATES[key % STATES.length] as VrrpState,
      count,
    };
  }
}

/** What two parts of a log hold together. */
export function addTallies(a: Tally, b: Tally): Tally {
  const states = new Map<string, StateCount>();
  for (const counted of [...a.states, ...b.states]) {
    const key = JSON.stringify([counted.host, counted.instance, counted.state]);
    states.set(key, { ...counted, count: counted.count + (states.get(key)?.count ?? 0) });
  }
  return {
    lines: a.lines + b.lines,
    keepalivedLines: a.keepalivedLines + b.keepalivedLines,
    unrecognised: a.unrecognised + b.unrecognised,
    malformed: a.malformed + b.malformed,
    from: a.from === undefined || b.from === undefined ? (a.from ?? b.from) : Math.min(a.from, b.from),
    to: a.to === undefined || b.to === undefined ? (a.to ?? b.to) : Math.max(a.to, b.to),
    kinds: addCounts(a.kinds, b.kinds),
    rows: addCounts(a.rows, b.rows),
    states: [...states.values()],
    statesElsewhere: a.statesElsewhere + b.statesElsewhere,
  };
}

function addCounts<Name>(a: ReadonlyMap<Name, number>, b: ReadonlyMap<Name, number>): ReadonlyMap<Name, number> {
  const sum = new Map(a);
  for (const [name, count] of b) sum.set(name, (sum.get(name) ?? 0) + count);
  return sum;
}
