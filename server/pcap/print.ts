import { type EpochUs, formatEpochUs } from "../../collector/core/time.ts";
import type { ScanCounts } from "../../collector/pcap/advert-scan.ts";
import type { Jitter, MasterReport } from "../../collector/pcap/master-watch.ts";
import type { StreamCount } from "../../collector/pcap/stream-tally.ts";

/** A capture that was read, or why it was not. */
export interface ScannedCapture {
  readonly path: string;
  readonly counts?: ScanCounts;
  readonly streams?: readonly StreamCount[];
  readonly masters?: MasterReport;
  /** What is wrong with it; with `counts`, behind what was read. */
  readonly error?: string;
}

const instant = (us: number): string => formatEpochUs(Math.floor(us) as EpochUs);

export const printCaptures = (captures: readonly ScannedCapture[], format: "text" | "json"): string =>
  format === "json"
    ? `${JSON.stringify({ captures: captures.map(asJson) }, null, 2)}\n`
    : captures.map(text).join("\n");

function asJson({ path, counts, streams = [], masters, error }: ScannedCapture) {
  return {
    path,
    ...(error === undefined ? {} : { error }),
    ...(counts ? { ...counts, reasons: Object.fromEntries(counts.reasons) } : {}),
    streams: streams.map(({ firstTs, lastTs, ...stream }, at) => ({
      ...stream,
      first: instant(firstTs),
      last: instant(lastTs),
      ...(masters ? { jitterUs: jitterOf(masters, at) } : {}),
    })),
    ...(masters
      ? {
          changes: masters.changes.map(({ ts, ...change }) => ({ at: instant(ts), ...change })),
          overlaps: masters.overlaps.map(({ from, to, ...overlap }) => ({
            from: instant(from),
            to: instant(to),
            ...overlap,
          })),
          untold: masters.untold,
          clockSteps: masters.clockSteps,
        }
      : {}),
  };
}

function jitterOf({ jitter }: MasterReport, at: number): Omit<Jitter, "stream"> | undefined {
  const { stream: _, ...one } = jitter[at] ?? {};
  return one as Omit<Jitter, "stream">;
}

function text({ path, counts, streams = [], masters, error }: ScannedCapture): string {
  if (!counts) return "";
  const rows = streams.map((one, at) => [
    String(one.adverts),
    one.interface + (one.outgoing ? " out" : ""),
    `${one.family} v${one.version} VRID ${one.vrid}`,
    `${one.source} > ${one.destination}`,
    `prio ${one.priority}`,
    `${one.advertIntervalUs / 1e6} s`,
    one.authType === "none" ? "" : one.authType,
    Object.entries(one.checksums)
      .filter(([name]) => name !== "standard")
      .map(([name, count]) => `${count} ${name}`)
      .join(", "),
    ...(masters ? [jitterText(masters.jitter[at])] : []),
  ]);
  const malformed = [...counts.reasons].map(([reason, count]) => `${count} ${reason}`).join(", ");
  const total = [
    `${counts.adverts} adverts in ${counts.packets} packets`,
    malformed === "" ? "" : `malformed: ${malformed}`,
    counts.untimed > 0 ? `${counts.untimed} without a time` : "",
    counts.refused > 0 ? `${counts.refused} of more streams than are told apart` : "",
    error === undefined ? "" : "damaged",
  ];
  return `${path}: ${total.filter((part) => part !== "").join("; ")}\n${aligned(rows)}${masters ? mastersText(masters) : ""}`;
}

const jitterText = (jitter: Jitter | undefined): string =>
  jitter === undefined || jitter.distances === 0
    ? ""
    : `jitter p50 ${jitter.p50} p99 ${jitter.p99} max ${jitter.max} µs${jitter.late > 0 ? `, ${jitter.late} late` : ""}`;

function mastersText({ changes, overlaps, untold, clockSteps }: MasterReport): string {
  const lines = [
    ...changes.map(({ ts, to, from, old }) => ({
      ts,
      line: `${to.interface} ${to.family} VRID ${to.vrid}: ${to.source} takes over from ${from}, which ${HOW[old]}`,
    })),
    ...overlaps.map(({ from, to, stopped, other, open }) => ({
      ts: from,
      line: `${stopped.interface} ${stopped.family} VRID ${stopped.vrid}: TWO MASTERS, ${stopped.source} and ${other}, for ${((to - from) / 1e6).toFixed(3)} s${open ? " and still at the end" : `, until ${stopped.source} stopped`}`,
    })),
  ].toSorted((a, b) => a.ts - b.ts);
  return [
    `\n${changes.length} changes of master, ${overlaps.length} times two at once${untold > 0 ? `, and ${untold} more that are not told one by one` : ""}${clockSteps > 0 ? `; the clock was set back ${clockSteps} times` : ""}\n`,
    ...lines.map(({ ts, line }) => `${instant(ts)}  ${line}\n`),
  ].join("");
}

const HOW = {
  resigned: "had resigned",
  silent: "had fallen silent",
  sending: "was still sending",
} as const;

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
