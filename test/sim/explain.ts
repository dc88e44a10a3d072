import { seconds, textOf, type Verdict } from "./judge.ts";
import { deedText, printScenario } from "./print.ts";

/** What says little about what happened. */
const UNTOLD: ReadonlySet<string> = new Set([
  "wire.advert",
  "collector.heartbeat",
  "config.loaded",
  "log.notice",
  "vrrp.garp",
  "process.snapshot",
]);

/** A run as people read it: what was done, what was so, what was seen and what was told, each at its true time. */
export function explain({ run, truths, reports, tellings, faults }: Verdict): string {
  const { scenario, zero } = run;
  const lines: { at: number; text: string }[] = [];
  for (const { at, deed } of scenario.deeds) lines.push({ at, text: `DEED   ${deedText(deed)}` });
  for (const { at, node, vrid, master, holds, fault, able } of run.edges)
    lines.push({
      at,
      text: `TRUTH  ${node} VRID ${vrid}: ${master ? "master" : fault ? "in FAULT" : able ? "backup" : "not master"}${master && !able ? " and frozen" : ""}, ${holds ? "has" : "has not"} the address`,
    });
  for (const { events } of run.arrivals)
    for (const event of events) {
      if (UNTOLD.has(event.kind)) continue;
      const {
        id: _id,
        cluster: _cluster,
        node,
        source,
        kind,
        ts,
        tsUncertaintyUs,
        observedTs: _observed,
        raw,
        ...fields
      } = event;
      lines.push({
        at: ts - zero,
        text: `EVENT  ${node} ${source} ${kind}${tsUncertaintyUs > 0 ? ` +${seconds(tsUncertaintyUs)}` : ""} ${raw?.split(": ").slice(1).join(": ") ?? JSON.stringify(fields).slice(0, 160)}`,
      });
    }
  for (const { at, change, report } of tellings) lines.push({ at, text: `TOLD   ${change}: ${textOf(report)}` });
  lines.sort((a, b) => a.at - b.at);
  return [
    printScenario(scenario),
    ...lines.map(({ at, text }) => `${seconds(at).padStart(9)} ${text}`),
    "",
    ...[...truths].flatMap(([kind, list]) =>
      list.map(
        ({ vrid, from, to, open, must }) =>
          `TRUE ${kind}${vrid === undefined ? "" : ` of VRID ${vrid}`} ${seconds(from)}–${open ? "open" : seconds(to)} s${must ? "" : " (may be told)"}`,
      ),
    ),
    ...reports.map((report) => `TOLD ${textOf(report)}: ${report.summary}`),
    ...faults.map(({ kind, what, text }) => `FAULT ${what} ${kind}: ${text}`),
    "",
  ].join("\n");
}
