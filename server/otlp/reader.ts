import { createHash } from "node:crypto";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { type Identity, type Observation, toEvent } from "../../collector/events/observation.ts";
import { HOST_MAX_CHARS, LINE_MAX_CHARS } from "../../collector/logs/layout.ts";
import {
  createLogReader,
  type LogReader,
  readMessage,
  repeatedIn,
  UNREADABLE_TIME_UNCERTAINTY_US,
} from "../../collector/logs/reader.ts";
import { daemonOf, isKeepalived } from "../../collector/logs/tags.ts";
import { cut, harmless, textOf } from "../../collector/logs/text.ts";
import { namesAHost } from "../intake/names.ts";
import { Occurrences } from "../intake/occurrences.ts";
import { type Fields, type LogRecord, NO_FIELDS, RECORDS_MAX, type Value } from "./record.ts";

/**
 * Names under which forwarders keep what a line of syslog or an entry of the journal says, in the record's attributes or in a map that
 * is its body: the Collector's syslog and journald receivers, Fluent Bit's systemd and syslog inputs and its parsers, Vector's sources.
 */
const TAG = ["appname", "SYSLOG_IDENTIFIER", "syslog_identifier", "ident", "program", "_COMM"];
const HOST = ["hostname", "_HOSTNAME", "HOSTNAME", "host.name", "host"];
const PID = ["proc_id", "procid", "SYSLOG_PID", "_PID", "pid", "process.pid"];
const MESSAGE = ["message", "MESSAGE", "log", "msg"];
const FILE = ["log.file.path", "log.file.name", "file", "filename"];
/** Of the resource: whose logs they are. */
const PROGRAM = ["service.name", "process.executable.name"];
/** What makes a line unique in its file, or a record anywhere. */
const PLACE = ["log.file.record_offset", "log.file.record_number", "log.record.uid", "offset"];

/** A log file of keepalived's own (`-g FILE`): it names nobody in its lines. */
const OWN_FILE = /^keepalived[\w.-]*$/i;
/** Zones are off UTC by multiples of this, microseconds. */
const ZONE_STEP_US = 900 * US_PER_SECOND;
/** Files whose lines are told apart in one request; of one more no line says how often the one before it came. */
const FILES_MAX = 1_024;
/** Longest cursor of the journal, and longest name of a file; the real ones are 150 characters. */
const NAME_MAX_CHARS = 1_024;
/** The kernel's own bound (PID_MAX_LIMIT). */
const PID_MAX = 2 ** 22;
/** 2255: up to here a double counts microseconds one by one. */
const TS_MAX = BigInt(Number.MAX_SAFE_INTEGER);

export interface RequestReaderOptions {
  /** Of who sends it. */
  readonly address: string;
  /** Zone of timestamps that name none. */
  readonly zone: string;
  readonly arrivedUs: number;
  readonly identify: (called: string | undefined, address: string) => Identity;
}

/**
 * Makes events of the records of one request. Their ids are made of what the record says, with the times that the forwarder gave it, and of
 * how many of the same came before it in the request: what is sent again is the same events.
 */
export class RequestReader {
  private readonly options: RequestReaderOptions;
  private readonly files = new Map<string, LogReader>();
  private readonly before = new Occurrences(RECORDS_MAX);

  constructor(options: RequestReaderOptions) {
    this.options = options;
  }

  /** @returns undefined when the record is not keepalived's; isCut when its text is longer than what is read of one */
  read(record: LogRecord, resource: Fields): { readonly event: Event; readonly isCut: boolean } | undefined {
    const { address, arrivedUs, identify } = this.options;
    const said = saidIn(record, resource);
    const seen = this.observe(said);
    if (!seen) return undefined;
    const hosts = [textIn(resource, ["host.name"]), said.host, seen.host].filter((host) => host !== undefined);
    const host = hosts.find(namesAHost) ?? hosts[0];
    const event = toEvent(
      {
        ...(said.pid === undefined ? {} : { pid: said.pid }),
        ...seen,
        ...this.idOf(said, record),
      },
      identify(host === undefined ? undefined : cut(harmless(host), HOST_MAX_CHARS), address),
      arrivedUs,
    );
    return { event, isCut: said.text.length > LINE_MAX_CHARS };
  }

  private observe(said: Said): Observation | undefined {
    const { text, tag, observedUs, occurredUs } = said;
    if (tag !== undefined && !isKeepalived(tag)) return undefined;
    // journalctl leaves out a message that is longer than it likes: the entry is kept all the same.
    if (text.trim() === "" && said.cursor === undefined) return undefined;
    const { arrivedUs } = this.options;
    const reader = this.readerOf(said.file);
    const line = reader.read(text, { offset: 0 }, occurredUs ?? observedUs ?? arrivedUs);
    const isDated = line !== undefined && line.tsUncertaintyUs !== UNREADABLE_TIME_UNCERTAINTY_US;
    if (line && isDated) return this.atBestTime(line, occurredUs);
    const undated = said.isOurs ? observationOf(said) : line;
    if (!undated) return undefined;
    return occurredUs === undefined
      ? { ...undated, ts: observedUs ?? arrivedUs, tsUncertaintyUs: UNREADABLE_TIME_UNCERTAINTY_US }
      : { ...undated, ts: occurredUs, tsUncertaintyUs: said.resolutionUs };
  }

  /**
   * A line that has its own time was written then; what a forwarder says may be when it read it. Unless it is the line's own time in
   * another zone: then somebody read it who knew the zone.
   */
  private atBestTime(line: Observation, occurredUs: number | undefined): Observation {
    const isRezoned = occurredUs !== undefined && (occurredUs - line.ts) % ZONE_STEP_US === 0;
    return isRezoned ? { ...line, ts: occurredUs } : line;
  }

  private readerOf(file: string): LogReader {
    const known = this.files.get(file);
    if (known) return known;
    const made = createLogReader({ path: file, fingerprint: "otlp", zone: this.options.zone });
    if (this.files.size < FILES_MAX) this.files.set(file, made);
    return made;
  }

  private idOf(said: Said, { timeNs, observedNs }: LogRecord): Pick<Observation, "idParts" | "at"> {
    const { cursor } = said;
    // As the collector's own journal source has it: who is read there as well is there once.
    if (cursor !== undefined) return { idParts: ["journal", cursor], at: `journal:${cursor}` };
    const { host = "", tag = "", pid = -1, file, place } = said;
    const parts = [timeNs.toString(), observedNs.toString(), harmless(said.text), host, tag, pid, file, place];
    const content = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
    return { idParts: ["otlp", content, this.before.count(content)], at: `otlp:${this.options.address}` };
  }
}

/** What a record says, wherever its forwarder has put it. */
interface Said {
  readonly text: string;
  readonly tag: string | undefined;
  /** Something beside the text says that it is keepalived's. */
  readonly isOurs: boolean;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  readonly cursor: string | undefined;
  readonly file: string;
  readonly place: string;
  readonly occurredUs: number | undefined;
  readonly resolutionUs: number;
  readonly observedUs: number | undefined;
}

function saidIn({ body, attributes, timeNs, observedNs }: LogRecord, resource: Fields): Said {
  const map = body instanceof Map ? (body as Fields) : NO_FIELDS;
  const find = (names: readonly string[]): string | undefined => textIn(attributes, names) ?? textIn(map, names);
  const tag = find(TAG);
  const program = textIn(resource, PROGRAM);
  const file = cut(find(FILE) ?? textIn(resource, FILE) ?? "", NAME_MAX_CHARS);
  const pid = Number(find(PID) ?? Number.NaN);
  const cursor = find(["__CURSOR"]);
  const journalUs = find(["__REALTIME_TIMESTAMP"]);
  const occurredNs =
    timeNs === 0n && journalUs !== undefined && /^\d{1,16}$/.test(journalUs) ? BigInt(journalUs) * 1_000n : timeNs;
  return {
    text: find(MESSAGE) ?? plain(body) ?? "",
    tag,
    isOurs: tag !== undefined || isKeepalived(program ?? "") || OWN_FILE.test(file.split("/").at(-1) ?? ""),
    host: find(HOST),
    pid: Number.isSafeInteger(pid) && pid >= 0 && pid <= PID_MAX ? pid : undefined,
    cursor: cursor === undefined ? undefined : cut(harmless(cursor), NAME_MAX_CHARS),
    file,
    place: PLACE.map((name) => textIn(attributes, [name]) ?? "").join("\0"),
    occurredUs: microseconds(occurredNs),
    resolutionUs: resolutionOf(occurredNs),
    observedUs: microseconds(observedNs),
  };
}

function observationOf({ text, tag }: Said): Observation {
  const message = harmless(textOf(text));
  const repeated = repeatedIn(message);
  return {
    source: "log",
    ts: 0,
    tsUncertaintyUs: 0,
    idParts: [],
    raw: message,
    body: readMessage(message, tag === undefined ? undefined : daemonOf(tag)),
    ...(repeated === undefined ? {} : { repeated }),
  };
}

/** The first of the names that stands for something. */
function textIn(fields: Fields, names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = plain(fields.get(name));
    if (text !== undefined && text !== "") return text;
  }
  return undefined;
}

const decoder = new TextDecoder("utf-8");

/** The journal's messages that are not UTF-8 are bytes, or a list of numbers. */
function plain(value: Value): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return decoder.decode(value);
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "bigint"))
    return decoder.decode(Uint8Array.from(value as bigint[], Number));
  return undefined;
}

/** Epoch microseconds; undefined when it is not known, or out of all bounds. */
function microseconds(ns: bigint): number | undefined {
  const us = ns / 1_000n;
  return us > 0n && us <= TS_MAX ? Number(us) : undefined;
}

/** A forwarder does not say how exact its time is: whole seconds were seconds. Microseconds, at least 1. */
function resolutionOf(ns: bigint): number {
  if (ns % 1_000_000_000n === 0n) return US_PER_SECOND;
  return ns % 1_000_000n === 0n ? 1_000 : 1;
}
