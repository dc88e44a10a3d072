import type { EventBody, VrrpState } from "../events/event.ts";
import { US_PER_SECOND } from "../core/time.ts";
import {
  CONTEXT,
  CONTEXTS,
  COUNTED,
  COUNTED_BYTES,
  COUNTED_INSTANCE,
  COUNTED_STATE,
  DONE,
  FILLING,
  HOSTS,
  HOSTS_MAX,
  HOST_MAX_CHARS,
  HOUR,
  HOUR_BASE,
  HOUR_END,
  HOUR_SINCE,
  HOUR_SLOT,
  HOUR_TEXT,
  HOUR_UNTIL,
  INSTANCES,
  INSTANCES_MAX,
  INSTANCE_END,
  INSTANCE_FROM,
  KNOWN_FILLINGS,
  LINE_FROM,
  LINE_TO,
  MEANING,
  MESSAGE_END,
  MESSAGE_FROM,
  OF_LINE,
  SCRATCH,
  SCRATCH_BYTES,
  STATES,
  STATES_MAX,
  STATES_OF_INSTANCE,
  STATE_BYTES,
  TAG,
  TAG_END,
  TAG_FROM,
  TAG_SLOT,
  TAG_TEXT,
  TAG_WHOSE,
  TEMPLATE,
  ZONE_END,
  ZONE_FROM,
} from "./layout.ts";
import { LogMachine, type MachineParts } from "./machine.ts";
import { DAEMONS, type Names, VRRP_STATES } from "./meanings.ts";
import type { LineReader, ReadLine } from "./reader.ts";
import { beginningOf, hourOf, minuteOf, type Span } from "./span.ts";
import { readEnvelope } from "./syslog.ts";
import { namesIn } from "./tables.ts";
import { writerOf } from "./tags.ts";
import { cut, harmless, textOf } from "./text.ts";
import { ZoneClock } from "./zone.ts";

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const HOUR_SECONDS = 3600;
const MINUTE_SECONDS = 60;
/** The tag is nobody's of keepalived's. */
const NOBODY = -1;

/** What is counted of a message. How often is in the machine. */
interface Counted {
  readonly kind: EventBody["kind"];
  /** Index in VRRP_STATES, or -1. */
  readonly state: number;
  /** The instance is the one in front of the message. */
  readonly isOfLine: boolean;
}

export interface LogTallyOptions {
  readonly path: string;
  readonly zone: string;
  /** The last line was written at or before this, epoch microseconds. */
  readonly reference: number;
  readonly parts: MachineParts;
  /** How many bytes are looked at together. */
  readonly capacity: number;
}

/**
 * Counts what keepalived says in a log. The machine does it by itself; here it is told what it does not know: a row is
 * asked once what a template of its means, or once for each filling of its holes when it looks at those. The rows are
 * loaded when the first is asked, which few logs come to.
 */
export class LogTally {
  readonly machine: LogMachine;
  private readonly path: string;
  private readonly zone: string;
  private readonly clock: ZoneClock;
  private readonly reference: number;
  private reader: LineReader | undefined;
  private readonly names: Names;
  private lines = 0;
  private malformed = 0;
  /** Of lines that were read as text. */
  private from = Number.POSITIVE_INFINITY;
  private to = Number.NEGATIVE_INFINITY;
  private readonly rows = new Map<string, number>();
  private readonly counted: Counted[] = [];
  /** By the machine's key, what it has no room for any more. */
  private readonly states = new Map<number, number>();
  private statesElsewhere = 0;

  /** @throws OperatorError when there is no such zone */
  constructor({ path, zone, reference, parts, capacity }: LogTallyOptions) {
    this.machine = new LogMachine(parts, capacity);
    this.path = path;
    this.zone = zone;
    this.clock = new ZoneClock(zone);
    this.reference = reference;
    this.names = namesIn(this.machine.tables);
    for (const { kind, state } of this.names.counted) this.newlyCounted({ kind, state, isOfLine: true }, OF_LINE);
  }

  /** Whole lines are in the machine, from `start` on; the last of them ends in a newline at `end - 1`. */
  async read(end: number): Promise<void> {
    const { machine } = this;
    const { begin, run, skip, settle, lines } = machine.exports;
    begin(machine.start, end);
    for (let why = run(); why !== DONE; why = run()) {
      if (why === TAG) this.learnTag();
      else if (why !== HOUR || !this.learnHour()) {
        this.reader ??= await this.loadReader();
        if (why === MEANING) settle(this.meaning(this.reader));
        else {
          this.readText(this.reader);
          skip();
        }
      }
    }
    this.lines += lines.value;
    if (machine.exports.statesUsed.value > STATES_MAX / 2) this.takeStates();
  }

  /** Reads lines as text, without the machine. @param lines  harmless */
  async readTexts(lines: readonly string[]): Promise<void> {
    this.reader ??= await this.loadReader();
    this.lines += lines.length;
    for (const line of lines) {
      const read = this.reader.readText(line, this.reference);
      if (read) this.addRead(read);
    }
    if (this.machine.exports.statesUsed.value > STATES_MAX / 2) this.takeStates();
  }

  /** Lines of keepalived's that cannot be read, as pieces of them are missing. */
  async addUnreadable(count: number): Promise<void> {
    if (count === 0) return;
    const { UNREADABLE } = await import("./reader.ts");
    for (let i = 0; i < count; i++) this.addRead(UNREADABLE);
  }

  tally(): Tally {
    const { machine } = this;
    const { firstTs, lastTs, elsewhere } = machine.exports;
    this.takeStates();
    const kinds = new Map<EventBody["kind"], number>();
    let keepalivedLines = 0;
    this.counted.forEach(({ kind }, i) => {
      const count = machine.floats[countOf(i)] as number;
      kinds.set(kind, (kinds.get(kind) ?? 0) + count);
      keepalivedLines += count;
    });
    const rows = new Map(this.rows);
    this.names.rowOf.forEach((row, template) => {
      const count = machine.floats[machine.byTemplate / 8 + template] as number;
      if (count > 0) add(rows, this.names.rows[row] as string, count);
    });
    const [from, to] = [Math.min(this.from, firstTs.value), Math.max(this.to, lastTs.value)];
    return {
      lines: this.lines,
      keepalivedLines,
      unrecognised: kinds.get("log.unrecognised") ?? 0,
      malformed: this.malformed,
      from: Number.isFinite(from) ? from : undefined,
      to: Number.isFinite(to) ? to : undefined,
      kinds,
      rows,
      states: [...this.states].map(([key, count]) => this.stateCount(key, count)),
      statesElsewhere: this.statesElsewhere + elsewhere.value,
    };
  }

  private async loadReader(): Promise<LineReader> {
    const { LineReader } = await import("./reader.ts");
    return new LineReader({ path: this.path, zone: this.zone, automaton: this.machine.tables });
  }

  /** The hour that the machine is at, or the minute, when a clock is changed in that hour. @returns false when the line's time is to be read in full */
  private learnHour(): boolean {
    const { machine } = this;
    const { bytes, ints, floats } = machine;
    const [from, end, slot] = [machine.register(LINE_FROM), machine.register(HOUR_END), machine.register(HOUR_SLOT)];
    const [zoneFrom, zoneEnd] = [machine.register(ZONE_FROM), machine.register(ZONE_END)];
    const zone = latin1(bytes, zoneFrom, zoneEnd);
    const instant = (span: Span): number | undefined =>
      beginningOf(
        span,
        (line, reference, previous) => readEnvelope(line, this.clock, reference, previous),
        this.reference,
      );
    let since = 0;
    let until = HOUR_SECONDS - 1;
    let base = instant(hourOf(latin1(bytes, from, end), zone));
    if (base === undefined) {
      const minute = instant(minuteOf(latin1(bytes, from, end + 3), zone));
      if (minute === undefined) return false;
      since = Number(latin1(bytes, end + 1, end + 3)) * MINUTE_SECONDS;
      until = since + MINUTE_SECONDS - 1;
      base = minute - since * US_PER_SECOND;
    }
    bytes.copyWithin(slot + HOUR_TEXT, from, end);
    bytes.copyWithin(slot + HOUR_TEXT + end - from, zoneFrom, zoneEnd);
    ints[slot / 4] = end - from + zone.length;
    ints[(slot + HOUR_SINCE) / 4] = since;
    ints[(slot + HOUR_UNTIL) / 4] = until;
    floats[(slot + HOUR_BASE) / 8] = base;
    return true;
  }

  private learnTag(): void {
    const { machine } = this;
    const { bytes, ints } = machine;
    const [from, end, slot] = [machine.register(TAG_FROM), machine.register(TAG_END), machine.register(TAG_SLOT)];
    const writer = writerOf(latin1(bytes, from, end));
    bytes.copyWithin(slot + TAG_TEXT, from, end);
    ints[(slot + TAG_WHOSE) / 4] = writer ? DAEMONS.indexOf(writer.daemon) : NOBODY;
    ints[slot / 4] = end - from;
  }

  private readText(reader: LineReader): void {
    const { machine } = this;
    const line = machine.bytes.subarray(machine.register(LINE_FROM), machine.register(LINE_TO));
    const read = reader.readText(harmless(textOf(line)), this.reference);
    if (read) this.addRead(read);
  }

  /** What the message means that the machine is at: asked of its row. @returns 1 + the index in `counted` */
  private meaning({ table }: LineReader): number {
    const { machine } = this;
    const { bytes, ints } = machine;
    const [template, context, filling] = [
      machine.register(TEMPLATE),
      machine.register(CONTEXT),
      machine.register(FILLING),
    ];
    const [from, end] = [machine.register(MESSAGE_FROM), machine.register(MESSAGE_END)];
    const [instanceFrom, instanceEnd] = [machine.register(INSTANCE_FROM) - from, machine.register(INSTANCE_END) - from];
    const message = harmless(textOf(bytes.subarray(from, end)));
    // Nothing that is written in front of a message holds anything but ASCII.
    const instance = instanceFrom < 0 ? undefined : message.slice(instanceFrom, instanceEnd);
    const body = table.event(
      template,
      machine.holes(from),
      // Where each byte is one character, places among the bytes are places in the text.
      message.length === end - from ? message : undefined,
      bytes.subarray(from, end),
      { daemon: DAEMONS[(context % CONTEXTS) >> 1], instance, file: undefined, line: undefined, message },
    );
    const what = this.indexOf(body, instance, filling >= 0);
    const { known } = machine.tables;
    if (!table.askedWords) known[context] = what;
    else if (known[context] === 0) known[context] = -1;
    if (filling >= 0) ints[KNOWN_FILLINGS / 4 + filling] = what;
    return what;
  }

  /** @param remembered  the answer is asked for once; without that an instance of its own has no place to be kept */
  private indexOf(body: EventBody, instance: string | undefined, remembered: boolean): number {
    const own = body.kind === "vrrp.state" && body.instance !== instance ? body.instance : undefined;
    const state =
      body.kind === "vrrp.state" && (own === undefined || remembered) ? VRRP_STATES.indexOf(body.state) : -1;
    if (own !== undefined && !remembered) this.statesElsewhere += 1;
    if (own === undefined || !remembered) {
      const same = this.counted.findIndex(
        (counted) => counted.kind === body.kind && counted.state === state && counted.isOfLine,
      );
      if (same >= 0) return same + 1;
    }
    const isOfLine = state < 0 || own === undefined;
    return this.newlyCounted({ kind: body.kind, state, isOfLine }, isOfLine ? OF_LINE : this.instance(own));
  }

  /** @returns 1 + its number */
  private newlyCounted(counted: Counted, instance: number): number {
    const at = (COUNTED + this.counted.length * COUNTED_BYTES) / 4;
    this.machine.ints[at + COUNTED_STATE / 4] = counted.state;
    this.machine.ints[at + COUNTED_INSTANCE / 4] = instance;
    return this.counted.push(counted);
  }

  /** A line that was read as text. */
  private addRead({ ts, host, meaning: { body, row } }: ReadLine): void {
    if (ts === undefined) this.malformed += 1;
    else {
      this.from = Math.min(this.from, ts);
      this.to = Math.max(this.to, ts);
    }
    add(this.rows, row, 1);
    const instance = body.kind === "vrrp.state" ? body.instance : undefined;
    const index = this.indexOf(body, instance, false) - 1;
    (this.machine.floats[countOf(index)] as number) += 1;
    const state = this.counted[index]?.state ?? -1;
    if (state >= 0 && instance !== undefined) this.countState(host, instance, state);
  }

  private countState(host: string | undefined, name: string, state: number): void {
    const { numberOfHost, addState } = this.machine.exports;
    const instance = this.instance(name);
    const named = host === undefined ? HOSTS_MAX : numberOfHost(this.write(cut(host, HOST_MAX_CHARS)));
    if (named < 0 || instance < 0) this.statesElsewhere += 1;
    else addState((named * INSTANCES_MAX + instance) * STATES_OF_INSTANCE + state, 1);
  }

  private instance(name: string): number {
    return this.machine.exports.numberOfInstance(this.write(name));
  }

  /** Puts a name where the machine reads it. @returns how many bytes it has */
  private write(name: string): number {
    return encoder.encodeInto(name, this.machine.bytes.subarray(SCRATCH, SCRATCH + SCRATCH_BYTES)).written;
  }

  /** Takes the counts of states out of the machine, whose room for them is limited. */
  private takeStates(): void {
    const { ints, floats, exports } = this.machine;
    if (exports.statesUsed.value === 0) return;
    for (let at = STATES; at < STATES + STATES_MAX * STATE_BYTES; at += STATE_BYTES) {
      const key = (ints[at / 4] as number) - 1;
      if (key >= 0) add(this.states, key, floats[at / 8 + 1] as number);
    }
    exports.clearStates();
  }

  private stateCount(key: number, count: number): StateCount {
    const place = Math.floor(key / STATES_OF_INSTANCE);
    const host = Math.floor(place / INSTANCES_MAX);
    const { machine } = this;
    return {
      host: host === HOSTS_MAX ? undefined : decoder.decode(machine.nameOf(HOSTS, HOSTS_MAX, host)),
      instance: decoder.decode(machine.nameOf(INSTANCES, INSTANCES_MAX, place % INSTANCES_MAX)),
      state: VRRP_STATES[key % STATES_OF_INSTANCE] as VrrpState,
      count,
    };
  }
}

/** Where the machine has the count of what is counted, as a place among its floats. */
const countOf = (index: number): number => (COUNTED + index * COUNTED_BYTES) / 8;

const latin1 = (bytes: Uint8Array, from: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(from, end));

function add<Name>(counts: Map<Name, number>, name: Name, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
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
  for (const [name, count] of b) add(sum, name, count);
  return sum;
}
