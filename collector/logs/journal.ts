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

/**
 * Reads one line of `journalctl -o json`.
 * @returns undefined when it is not keepalived's
 */
export function readJournalEntry(jsonLine: string): Observation | JournalFault | undefined {
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
  const cursor = field("__CURSOR");
  if (!/^\d+$/.test(stamp) || !Number.isSafeInteger(ts) || cursor === undefined)
    return { fault: "it has no __REALTIME_TIMESTAMP or no __CURSOR" };
  // journalctl leaves a message out (null) that is longer than it likes: the entry is kept all the same.
  const message = harmless((field("MESSAGE") ?? "").slice(0, LINE_MAX_CHARS));
  const pid = Number(field("SYSLOG_PID") ?? field("_PID"));
  const host = field("_HOSTNAME");
  const repeated = repeatedIn(message);
  return {
    source: "log",
    ts,
    tsUncertaintyUs: 1,
    idParts: ["journal", cursor],
    at: `journal:${cut(cursor, CURSOR_MAX_CHARS)}`,
    raw: message,
    body: readMessage(message, daemonOf(tag)),
    ...(Number.isSafeInteger(pid) && pid >= 0 && pid <= PID_MAX ? { pid } : {}),
    ...(repeated === undefined ? {} : { repeated }),
    ...(host === undefined ? {} : { host: cut(harmless(host), HOST_MAX_CHARS) }),
  };
}

/** A field is text, or an array of bytes when it is not UTF-8. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((byte) => typeof byte === "number"))
    return new TextDecoder("utf-8").decode(Uint8Array.from(value));
  return undefined;
}
