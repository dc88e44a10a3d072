import { type EpochUs, formatEpochUs } from "../core/time.ts";
import type { Observation } from "../events/observation.ts";
import { readMessage, repeatedIn } from "./reader.ts";
import { daemonOf, isKeepalived } from "./tags.ts";
import { HOST_MAX_CHARS, LINE_MAX_CHARS } from "./layout.ts";
import { cut, harmless } from "./text.ts";

/** Longest cursor shown; journald's own are 150 characters. */
const CURSOR_MAX_CHARS = 1024;
/** The kernel's own bound (PID_MAX_LIMIT). */
const PID_MAX = 2 ** 22;

/** A journal entry that is none. */
export interface JournalFault {
  readonly fault: string;
}

/** What an entry of keepalived's says. */
interface Entry {
  /** Epoch microseconds. */
  readonly ts: number;
  readonly cursor: string | undefined;
  readonly tag: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  readonly message: string;
}

/**
 * Reads one line of `journalctl -o json`.
 * @returns undefined when it is not keepalived's
 */
export function readJournalEntry(jsonLine: string): Observation | JournalFault | undefined {
  const entry = entryOf(jsonLine);
  if (entry === undefined || "fault" in entry) return entry;
  if (entry.cursor === undefined) return { fault: "it has no __CURSOR" };
  return observation(entry, ["journal", entry.cursor], `journal:${cut(entry.cursor, CURSOR_MAX_CHARS)}`);
}

/**
 * Reads one line of a file that `journalctl -o json` wrote, maybe with some fields only: what it says stands for a missing
 * `__CURSOR`.
 * @returns undefined when it is not keepalived's
 */
export function readExportedEntry(jsonLine: string): Observation | JournalFault | undefined {
  const entry = entryOf(jsonLine);
  if (entry === undefined || "fault" in entry || entry.cursor !== undefined) return readJournalEntry(jsonLine);
  const { ts, tag, host, pid, message } = entry;
  return observation(entry, ["journal", ts, tag, host ?? "", pid ?? -1, message], `journal:${ts}`);
}

/** An entry as a line of syslog; undefined when it is none of keepalived's. */
export function journalLine(jsonLine: string): string | undefined {
  const entry = entryOf(jsonLine);
  if (entry === undefined || "fault" in entry) return undefined;
  const { ts, host, tag, pid, message } = entry;
  const named = host === undefined ? tag : `${host} ${tag}`;
  return `${formatEpochUs(ts as EpochUs)} ${named}${pid === undefined ? "" : `[${pid}]`}: ${message.replaceAll("\n", " ")}`;
}

function observation(entry: Entry, idParts: Observation["idParts"], at: string): Observation {
  const { ts, tag, host, pid, message } = entry;
  const repeated = repeatedIn(message);
  return {
    source: "log",
    ts,
    tsUncertaintyUs: 1,
    idParts,
    at,
    raw: message,
    body: readMessage(message, daemonOf(tag)),
    ...(pid === undefined ? {} : { pid }),
    ...(repeated === undefined ? {} : { repeated }),
    ...(host === undefined ? {} : { host }),
  };
}

function entryOf(jsonLine: string): Entry | JournalFault | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(jsonLine);
  } catch {
    return jsonLine.trim() === "" ? undefined : { fault: "it is not JSON" };
  }
  if (typeof entry !== "object" || entry === null) return { fault: "it is not a JSON object" };
  const field = (name: string): string | undefined => textOf((entry as Record<string, unknown>)[name]);
  const tag = field("SYSLOG_IDENTIFIER") ?? "";
  if (!isKeepalived(tag)) return undefined;
  const stamp = field("__REALTIME_TIMESTAMP") ?? "";
  const ts = Number(stamp);
  if (!/^\d+$/.test(stamp) || !Number.isSafeInteger(ts))
    return { fault: "it has no __REALTIME_TIMESTAMP in microseconds" };
  const pid = Number(field("SYSLOG_PID") ?? field("_PID"));
  const host = field("_HOSTNAME");
  return {
    ts,
    cursor: field("__CURSOR"),
    tag,
    host: host === undefined ? undefined : cut(harmless(host), HOST_MAX_CHARS),
    pid: Number.isSafeInteger(pid) && pid >= 0 && pid <= PID_MAX ? pid : undefined,
    // journalctl leaves a message out (null) that is longer than it likes: the entry is kept all the same.
    message: harmless((field("MESSAGE") ?? "").slice(0, LINE_MAX_CHARS)),
  };
}

/** A field is text, or an array of bytes when it is not UTF-8. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((byte) => typeof byte === "number"))
    return new TextDecoder("utf-8").decode(Uint8Array.from(value));
  return undefined;
}
