import type { EventBody } from "../events/event.ts";

/** Properties asked of systemd, systemctl(1) `show`. */
export const UNIT_PROPERTIES = ["LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts"] as const;

/**
 * Reads what `systemctl show -p …` prints: one `Name=value` a line, in systemd's own order.
 * @returns undefined for a unit that systemd does not know, or a text that is none of it
 */
export function parseUnit(unit: string, text: string): EventBody<"process.unit"> | undefined {
  const values = new Map<string, string>();
  for (const line of text.slice(0, 4_096).split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const activeState = word(values.get("ActiveState"));
  if (activeState === undefined || values.get("LoadState") === "not-found") return undefined;
  const result = word(values.get("Result"));
  const mainPid = count(values.get("MainPID"));
  const restarts = count(values.get("NRestarts"));
  return {
    kind: "process.unit",
    unit,
    activeState,
    subState: word(values.get("SubState")) ?? "",
    ...(result === undefined ? {} : { result }),
    // 0: there is none.
    ...(mainPid === undefined || mainPid === 0 ? {} : { mainPid }),
    ...(restarts === undefined ? {} : { restarts }),
  };
}

const word = (value: string | undefined): string | undefined =>
  value !== undefined && /^[a-z-]{1,64}$/.test(value) ? value : undefined;
const count = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
