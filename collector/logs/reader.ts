import type { Daemon, EventBody } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { US_PER_SECOND } from "../core/time.ts";
import { GrammarTable, takePrefixes } from "./grammar.ts";
import { configGrammars } from "./grammars/config.ts";
import { daemonGrammars } from "./grammars/daemon.ts";
import { noiseGrammars } from "./grammars/noise.ts";
import { vrrpGrammars } from "./grammars/vrrp.ts";
import { looksLikeConsole, readEnvelope } from "./syslog.ts";
import { ZoneClock } from "./zone.ts";

export const allGrammars = [...daemonGrammars, ...vrrpGrammars, ...configGrammars, ...noiseGrammars];

const table = new GrammarTable(allGrammars);

/** How far off the instant of a keepalived line with an unreadable timestamp may be, in microseconds: it is taken from the line before. */
export const UNREADABLE_TIME_UNCERTAINTY_US = 3600 * US_PER_SECOND;

/** What keepalived says of itself in a program tag: `Keepalived_vrrp`, `Keepalived_healthcheckers_<namespace>_<instance>`, … */
export function daemonOf(tag: string): Daemon | undefined {
  const match = /^[Kk]eepalived(?:_(vrrp|healthcheckers|bfd))?(?:_.*)?$/.exec(tag);
  if (!match) return undefined;
  return match[1] === undefined ? "parent" : match[1] === "healthcheckers" ? "checker" : (match[1] as Daemon);
}

/** Reads the message of one keepalived process. What no row claims is `log.unrecognised`, and kept. */
export function readMessage(message: string, daemon: Daemon): EventBody {
  // rsyslog gathers repeated lines: what was repeated is worth reading once.
  const repeated = /^message repeated \d+ times: \[ ?(.*)\]$/s.exec(message);
  const { words, context } = takePrefixes(repeated?.[1] ?? message, daemon);
  return (
    table.read(words, context) ??
    table.read(context.message, { ...context, instance: undefined }) ?? { kind: "log.unrecognised" }
  );
}

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
  /** IANA zone of timestamps that name none. */
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

const NEEDLE = new TextEncoder().encode("eepalived");
const decoder = new TextDecoder("utf-8");

/** Reads the lines of one log file. Pure but for its counters and the instant of the line before. */
export function createLogReader({ path, fingerprint, zone }: LogReaderOptions): LogReader {
  const clock = new ZoneClock(zone);
  const counts = { lines: 0, keepalivedLines: 0, unrecognised: 0, malformed: 0 };
  let lastTs: number | undefined;

  function observe(text: string, place: LinePlace, reference: number): Observation | undefined {
    const envelope = readEnvelope(text, clock, reference);
    if (envelope === undefined) return undefined;
    const daemon = daemonOf(envelope.tag);
    if (daemon === undefined) return undefined;
    counts.keepalivedLines += 1;
    const timed = envelope.ts !== undefined;
    const body: EventBody = timed ? readMessage(envelope.message, daemon) : { kind: "log.unrecognised" };
    if (!timed) counts.malformed += 1;
    if (body.kind === "log.unrecognised") counts.unrecognised += 1;
    lastTs = envelope.ts ?? lastTs;
    return {
      source: "log",
      ts: envelope.ts ?? lastTs ?? reference,
      tsUncertaintyUs: timed ? envelope.resolutionUs : UNREADABLE_TIME_UNCERTAINTY_US,
      idParts: [fingerprint, place.offset],
      at: place.lineNumber === undefined ? `${path}@${place.offset}` : `${path}:${place.lineNumber}`,
      raw: text,
      body,
      ...(envelope.host === undefined ? {} : { host: envelope.host }),
      ...(envelope.pid === undefined ? {} : { pid: envelope.pid }),
    };
  }

  return {
    read(line, place, reference) {
      counts.lines += 1;
      const named = typeof line === "string" ? line.includes("eepalived") : includesNeedle(line);
      if (!named && !looksLikeConsole(line)) return undefined;
      return observe(typeof line === "string" ? line : decoder.decode(line), place, reference);
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
