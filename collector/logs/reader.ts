import type { Daemon, EventBody } from "../events/event.ts";
import type { Automaton } from "./automaton.ts";
import { LineColumns, NOT_OURS, READ } from "./columns.ts";
import type { Observation } from "../events/observation.ts";
import { US_PER_SECOND } from "../core/time.ts";
import { GrammarTable, type Meaning, takePrefixes, UNRECOGNISED } from "./grammar.ts";
import { allGrammars } from "./grammars/all.ts";
import { Pieces } from "./pieces.ts";
import { type Envelope, looksLikeConsole, readEnvelope, readRepetition, withoutConsoleEnvelope } from "./syslog.ts";
import { HOST_MAX_CHARS } from "./layout.ts";
import { CHILDREN, daemonOf, isKeepalived, writerOf } from "./tags.ts";
import { cut, harmless, textOf } from "./text.ts";
import { ZoneClock } from "./zone.ts";

const table = new GrammarTable(allGrammars);

/** How far off the instant of a keepalived line with an unreadable timestamp may be, in microseconds: it is taken from the line before. */
export const UNREADABLE_TIME_UNCERTAINTY_US = 3600 * US_PER_SECOND;

/** keepalived's own log files (`-g FILE`): one a process, `_vrrp`, `_check` or `_bfd` before the extension. */
const CHILD_FILE = /_(vrrp|check|bfd)(?:_[^/]*)?(?:\.[^/]*)?$/;
/** rsyslog's line for several of the same; what it says how often is the rest of them, as the first was written before. */
const REPEATED = /^message repeated (\d{1,9}) times: \[ ?(.*)\]$/s;

/**
 * Reads the message of one keepalived process. What no row claims is `log.unrecognised`, and kept.
 * @param daemon  undefined when it is not known who wrote it
 */
export const readMessage = (message: string, daemon: Daemon | undefined): EventBody =>
  meaningOf(message, daemon, table).body;

function meaningOf(message: string, daemon: Daemon | undefined, table: GrammarTable): Meaning {
  // rsyslog gathers repeated lines: what was repeated is worth reading once.
  const written = withoutConsoleEnvelope(REPEATED.exec(message)?.[2] ?? message);
  const { words, context } = takePrefixes(written, daemon);
  return table.read(words, context) ?? table.read(written, { ...context, instance: undefined }) ?? unclaimed(written);
}

/** How many lines a message stands for that its writer gathered into one; undefined when it stands for itself. */
export function repeatedIn(message: string): number | undefined {
  const times = Number(REPEATED.exec(message)?.[1] ?? 0);
  return times > 0 ? times : undefined;
}

/** keepalived indents what belongs to a line before it: the rest of a long one, and the whole of a configuration dump. */
const unclaimed = (written: string): Meaning =>
  /^\s+\S/.test(written) ? { body: { kind: "log.notice", code: "indented" }, row: "log.notice.indented" } : NO_ROW;

const NO_ROW: Meaning = { body: UNRECOGNISED, row: "log.unrecognised" };

export interface LogCounts {
  readonly lines: number;
  readonly keepalivedLines: number;
  readonly unrecognised: number;
  /** Keepalived lines whose envelope could not be read. */
  readonly malformed: number;
}

export interface LogReaderOptions {
  /** How the file is called in what people see. */
  readonly path: string;
  /** `fingerprintOf` its head: the file's name in the ids of its lines. */
  readonly fingerprint: string;
  /** Zone of timestamps that name none: an IANA name, `UTC`, or an offset such as `+02:00`. */
  readonly zone: string;
}

export interface LinePlace {
  /** Byte at which the line begins. */
  readonly offset: number;
  /** From 1, when it is known. */
  readonly lineNumber?: number;
}

export interface LogReader {
  /**
   * Reads one line.
   * @param referenceEpochUs  the line was written at or before this; decides the year of a classic syslog timestamp
   * @returns undefined when it is not keepalived's
   */
  read(line: Uint8Array | string, place: LinePlace, referenceEpochUs: number): Observation | undefined;
  counts(): LogCounts;
}

const NEEDLE_TEXT = "eepalived";
const NEEDLE = new TextEncoder().encode(NEEDLE_TEXT);
const REPETITION_TEXT = "ast message ";

/** A line of keepalived's, read as text. */
export interface ReadLine extends Pick<Envelope, "ts" | "resolutionUs" | "host" | "pid"> {
  readonly meaning: Meaning;
  /** How many lines it stands for; undefined when it stands for itself. */
  readonly repeated: number | undefined;
}

/** What is left of a line of keepalived's whose last piece never came. */
export const UNREADABLE: ReadLine = {
  ts: undefined,
  resolutionUs: 0,
  host: undefined,
  pid: undefined,
  meaning: NO_ROW,
  repeated: undefined,
};

/**
 * Reads single lines as text.
 * @throws OperatorError when there is no such zone
 */
export class LineReader {
  readonly table: GrammarTable;
  readonly clock: ZoneClock;
  private readonly daemonOfFile: Daemon | undefined;

  constructor({ path, zone, automaton }: Pick<LogReaderOptions, "path" | "zone"> & { readonly automaton?: Automaton }) {
    this.table = automaton ? new GrammarTable(allGrammars, automaton) : table;
    this.clock = new ZoneClock(zone);
    this.daemonOfFile = CHILDREN[CHILD_FILE.exec(path)?.[1] ?? ""];
  }

  /** The envelope of a line in a time of the usual form. */
  stampOf(text: string, reference: number, previous?: number): Pick<Envelope, "ts"> | undefined {
    return readEnvelope(text, this.clock, reference, previous);
  }

  /** @returns undefined when the line is not keepalived's */
  readText(text: string, reference: number, previous?: number): ReadLine | undefined {
    const envelope = readEnvelope(text, this.clock, reference, previous);
    if (envelope === undefined || (envelope.tag !== undefined && !isKeepalived(envelope.tag))) return undefined;
    const { ts, resolutionUs, host, pid, tag, message } = envelope;
    const daemon = tag === undefined ? this.daemonOfFile : daemonOf(tag);
    const meaning = ts === undefined ? NO_ROW : meaningOf(message, daemon, this.table);
    return { ts, resolutionUs, host, pid, meaning, repeated: repeatedIn(message) };
  }
}

/**
 * Reads the lines of one log file. Pure but for its counters and the instant of the line before.
 * @throws OperatorError when there is no such zone
 */
export function createLogReader({ path, fingerprint, zone }: LogReaderOptions): LogReader {
  const reader = new LineReader({ path, zone });
  const { clock } = reader;
  const columns = new LineColumns({ table, stampOf: (...line) => reader.stampOf(...line), writerOf });
  const counts = { lines: 0, keepalivedLines: 0, unrecognised: 0, malformed: 0 };
  let lastTs: number | undefined;
  /** What keepalived said in the line before, when that was keepalived's: a line that only counts repetitions is about it. */
  let before: Observation | undefined;
  const pieces = new Pieces(abandoned);

  function observe(text: string, place: LinePlace, reference: number): Observation | undefined {
    const read = reader.readText(text, reference, lastTs);
    return read && observation(text, place, reference, read, read.meaning.body, read.repeated);
  }

  /** The same for a line whose columns are read, without taking its text apart. @returns undefined when its text is not just its bytes */
  function observeColumns(
    line: Uint8Array,
    text: string,
    place: LinePlace,
    reference: number,
  ): Observation | undefined {
    const { messageFrom, end, instanceFrom, instanceEnd, hostFrom, hostEnd, pid, ts, resolutionUs, daemon } = columns;
    if (text.length !== end) return undefined;
    const body = table.event(columns.template, table.matcher, text, line, {
      daemon,
      instance: instanceFrom < 0 ? undefined : text.slice(instanceFrom, instanceEnd),
      file: undefined,
      line: undefined,
      message: text.slice(messageFrom),
    });
    const host = text.slice(hostFrom, hostEnd);
    return observation(text, place, reference, { ts, resolutionUs, host, pid: pid < 0 ? undefined : pid }, body);
  }

  function observation(
    text: string,
    place: LinePlace,
    reference: number,
    { ts, resolutionUs, host, pid }: Pick<Envelope, "ts" | "resolutionUs" | "host" | "pid">,
    body: EventBody,
    repeated?: number,
  ): Observation {
    counts.keepalivedLines += 1;
    if (ts === undefined) counts.malformed += 1;
    if (body.kind === "log.unrecognised") counts.unrecognised += 1;
    lastTs = ts ?? lastTs;
    return {
      source: "log",
      ts: lastTs ?? reference,
      tsUncertaintyUs: ts === undefined ? UNREADABLE_TIME_UNCERTAINTY_US : resolutionUs,
      idParts: [fingerprint, place.offset],
      at: place.lineNumber === undefined ? `${path}@${place.offset}` : `${path}:${place.lineNumber}`,
      raw: text,
      body,
      ...(host === undefined ? {} : { host: cut(host, HOST_MAX_CHARS) }),
      ...(pid === undefined ? {} : { pid }),
      ...(repeated === undefined ? {} : { repeated }),
    };
  }

  /** The line of keepalived's just before, as often again as this one says; of when each was written only the last is known. */
  function again(text: string, said: Observation, place: LinePlace, reference: number): Observation | undefined {
    const repetition = readRepetition(text, clock, reference, lastTs);
    if (!repetition || (repetition.host !== undefined && repetition.host !== said.host)) return undefined;
    const { ts, resolutionUs, times } = repetition;
    return observation(text, place, reference, { ts, resolutionUs, host: said.host, pid: said.pid }, said.body, times);
  }

  /** A line whose last piece never came: it is counted and cannot be read. */
  function abandoned(): void {
    counts.keepalivedLines += 1;
    counts.unrecognised += 1;
    counts.malformed += 1;
  }

  function readLine(
    line: Uint8Array | string,
    place: LinePlace,
    reference: number,
    said: Observation | undefined,
  ): Observation | undefined {
    const named = typeof line === "string" ? line.includes(NEEDLE_TEXT) : includesNeedle(line);
    if (named && typeof line !== "string") {
      const verdict = columns.read(line, 0, line.length, reference);
      if (verdict === NOT_OURS) return undefined;
      const seen = verdict === READ ? observeColumns(line, harmless(textOf(line)), place, reference) : undefined;
      if (seen) return seen;
    }
    const mayBeOurs = named || pieces.areAwaited || looksLikeConsole(line);
    if (!mayBeOurs && !said) return undefined;
    const decoded = pieces.whole(textOf(line));
    if (decoded === undefined) return undefined;
    const text = harmless(decoded);
    const repetition = said && text.includes(REPETITION_TEXT) ? again(text, said, place, reference) : undefined;
    return repetition ?? (mayBeOurs ? observe(text, place, reference) : undefined);
  }

  return {
    read(line, place, reference) {
      counts.lines += 1;
      before = readLine(line, place, reference, before);
      return before;
    },
    counts: () => ({ ...counts }),
  };
}

/** Most lines of a system's log are not keepalived's: they are told apart before they are decoded. */
function includesNeedle(line: Uint8Array): boolean {
  const [first] = NEEDLE;
  for (let at = line.indexOf(first ?? 0); at >= 0; at = line.indexOf(first ?? 0, at + 1)) {
    let same = 1;
    while (same < NEEDLE.length && line[at + same] === NEEDLE[same]) same += 1;
    if (same === NEEDLE.length) return true;
  }
  return false;
}
