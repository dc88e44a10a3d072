/**
 * `npm run bench -- people [alerts | lines | charts] [--rounds N]`: what people wait for, beside what else would tell or show it. As root
 * for the first part.
 */
import { benchTimeline } from "../timeline.ts";
import { benchAlerts } from "./alerts.ts";
import { benchCharts } from "./charts.ts";
import { benchLines } from "./lines.ts";

export async function benchPeople(dir: string, args: readonly string[]): Promise<void> {
  const all = !["alerts", "lines", "charts"].some((part) => args.includes(part));
  if (all || args.includes("alerts")) await benchAlerts(dir, args);
  if (all || args.includes("lines")) await benchLines(dir, args);
  if (all || args.includes("charts")) {
    await benchCharts(dir);
    await benchTimeline(dir, args);
  }
}
