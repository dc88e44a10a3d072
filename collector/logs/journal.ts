import type { Observation } from "../events/observation.ts";
import { daemonOf, readMessage } from "./reader.ts";

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
  const daemon = daemonOf(field("SYSLOG_IDENTIFIER") ?? "");
  if (daemon === undefined) return undefined;
  const ts = Number(field("__REALTIME_TIMESTAMP"));
  const cursor = field("__CURSOR");
  if (!Number.isSafeInteger(ts) || ts < 0 || cursor === undefined)
    return { fault: "it has no __REALTIME_TIMESTAMP or no __CURSOR" };
  const message = field("MESSAGE") ?? "";
  const pid = Number(field("SYSLOG_PID") ?? field("_PID"));
  const host = field("_HOSTNAME");
  return {
    source: "log",
    ts,
    // The journal's own clock stamps the entry when it arrives, microseconds after it was written.
    tsUncertaintyUs: 0,
    idParts: ["journal", cursor],
    at: `journal:${cursor}`.slice(0, 4352),
    raw: message,
    body: readMessage(message, daemon),
    ...(Number.isSafeInteger(pid) && pid >= 0 ? { pid } : {}),
    ...(host === undefined ? {} : { host }),
  };
}

/** A field is text, or an array of bytes when it is not UTF-8. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((byte) => typeof byte === "number"))
    return new TextDecoder("utf-8").decode(Uint8Array.from(value));
  return undefined;
}
