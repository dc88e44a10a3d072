import type { Daemon, EventBody } from "../events/event.ts";
import { LineColumns, NOT_OURS, READ } from "./columns.ts";
import type { Observation } from "../events/observation.ts";
import { US_PER_SECOND } from "../core/time.ts";
import { GrammarTable, takePrefixes, UNRECOGNISED } from "./grammar.ts";
import { allGrammars } from "./grammars/all.ts";
import { type Envelope, looksLikeConsole, readEnvelope, withoutConsoleEnvelope } from "./syslog.ts";
import { cut, harmless, LINE_MAX_CHARS } from "./text.ts";
import { ZoneClock } from "./zone.ts";

const table = new GrammarTable(allGrammars);

/** How far off the instant of a keepalived line with an unreadable timestamp may be, in microseconds: it is taken from the line before. */
export const UNREADABLE_TIME_UNCERTAINTY_US = 3600 * US_PER_SECOND;
/** Longest host name kept: the event contract's bound on a node's name. */
export const HOST_MAX_CHARS = 255;

/**
 * Program tags: `Keepalived_vrrp`, `Keepalived_healthcheckers_<namespace>_<instance>`, …; `keepalived` is what a supervisor
 * calls it whose journal or pipe takes keepalived's console, all processes in one.
 */
const TAG = /^(?:Keepalived(?:_(vrrp|healthcheckers|bfd))?(?:_.*)?|keepalived(?:_(vrrp|healthcheckers|bfd)(?:_.*)?)?)$/;
const CHILDREN: Readonly<Record<string, Daemon>> = {
  vrrp: "vrrp",
  healthcheckers: "checker",
  check: "checker",
  bfd: "bfd",
};
/** keepalived's own log files (`-g FILE`): one a process, `_vrrp`, `_check` or `_bfd` before the extension. */
const CHILD_FILE = /_(vrrp|check|bfd)(?:_[^/]*)?(?:\.[^/]*)?$/;
const REPEATED = /^message repeated \d+ times: \[ ?(.*)\]$/s;

/** Whether a program tag is one of keepalived's. */
export const isKeepalived = (tag: string): boolean => TAG.test(tag);

/** The process that writes under a tag of keepalived's; undefined when the tag does not say. */
export function daemonOf(tag: string): Daemon | undefined {
  const match = TAG.exec(tag);
  if (!match || tag === "keepalived") return undefined;
  return CHILDREN[match[1] ?? match[2] ?? ""] ?? "parent";
}

/**
 * Reads the message of one keepalived process. What no row claims is `log.unrecognised`, and kept.
 * @param daemon  undefined when it is not known who wrote it
 */
export function readMessage(message: string, daemon: Daemon | undefined): EventBody {
  // rsyslog gathers repeated lines: what was repeated is worth reading once.
  const written = withoutConsoleEnvelope(REPEATED.exec(message)?.[1] ?? message);
  const { words, context } = takePrefixes(written, daemon);
  return table.read(words, context) ?? table.read(written, { ...context, instance: undefined }) ?? unclaimed(written);
}

/** keepalived indents what belongs to a line before it: the rest of a long one, and the whole of a configuration dump. */
const unclaimed = (written: string): EventBody =>
  /^\s+\S/.test(written) ? { kind: "log.notice", code: "indented" } : UNRECOGNISED;

/** Whose a tag is. @returns undefined when it is not keepalived's */
const writerOf = (tag: string): { daemon: Daemon | undefined } | undefined =>
  isKeepalived(tag) ? { daemon: daemonOf(tag) } : undefined;

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
const decoder = new TextDecoder("utf-8");

/**
 * Reads the lines of one log file. Pure but for its counters and the instant of the line before.
 * @throws OperatorError when there is no such zone
 */
export function createLogReader({ path, fingerprint, zone }: LogReaderOptions): LogReader {
  const clock = new ZoneClock(zone);
  const stampOf = (text: string, reference: number): Envelope | undefined => readEnvelope(text, clock, reference);
  const columns = new LineColumns({ table, stampOf, writerOf });
  const counts = { lines: 0, keepalivedLines: 0, unrecognised: 0, malformed: 0 };
  const daemonOfFile = CHILDREN[CHILD_FILE.exec(path)?.[1] ?? ""];
  let lastTs: number | undefined;

  function observe(text: string, place: LinePlace, reference: number): Observation | undefined {
    const envelope = stampOf(text, reference);
    if (envelope === undefined || (envelope.tag !== undefined && !isKeepalived(envelope.tag))) return undefined;
    const daemon = envelope.tag === undefined ? daemonOfFile : daemonOf(envelope.tag);
    const body = envelope.ts === undefined ? UNRECOGNISED : readMessage(envelope.message, daemon);
    return observation(text, place, reference, envelope, body);
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
    const body = table.event(columns.template, text, line, {
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
    };
  }

  return {
    read(line, place, reference) {
      counts.lines += 1;
      const named = typeof line === "string" ? line.includes(NEEDLE_TEXT) : includesNeedle(line);
      if (named && typeof line !== "string") {
        const verdict = columns.read(line, 0, line.length, reference);
        if (verdict === NOT_OURS) return undefined;
        const seen = verdict === READ ? observeColumns(line, textOf(line), place, reference) : undefined;
        if (seen) return seen;
      }
      const text = named ? textOf(line) : looksLikeConsole(line) ? textOf(line) : undefined;
      return text === undefined ? undefined : observe(text, place, reference);
    },
    counts: () => ({ ...counts }),
  };
}

/** What is read of a line. A file cut short under its writer (copytruncate) goes on after a hole, which reads as NULs. */
function textOf(line: Uint8Array | string): string {
  if (typeof line === "string") return harmless(line.replace(/^\0+/, "").slice(0, LINE_MAX_CHARS));
  const start =
    line[0] === 0
      ? Math.max(
          0,
          line.findIndex((byte) => byte !== 0),
        )
      : 0;
  return harmless(decoder.decode(line.subarray(start, start + LINE_MAX_CHARS)).replace(/\r$/, ""));
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
