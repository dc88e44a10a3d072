import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import type { Incident } from "../../server/detect/incident.ts";
import { createMetrics, type Metrics } from "../../server/metrics.ts";
import { NOTHING_TO_SEE } from "../support/metrics-view.ts";

const ID = "0123456789abcdef0123456789abcdef";
const INCIDENT: Incident = {
  id: ID,
  revision: 1,
  status: "open",
  kind: "split-brain",
  certainty: "confirmed",
  severity: "critical",
  cluster: "default",
  subject: { nodes: ["lb1", "lb2"] },
  start: 0,
  end: null,
  cause: null,
  summary: "two masters",
  evidence: [],
};
const EXEMPLAR = `# {incident="${ID}",path="/incidents/${ID}"}`;

function used(): Metrics {
  const metrics = createMetrics(NOTHING_TO_SEE);
  metrics.opened(INCIDENT);
  metrics.told({ incident: INCIDENT, receiver: "webhook", sinceStartUs: 3_000_000, sinceRecordedUs: 400_000 });
  return metrics;
}
const OPEN = "application/openmetrics-text";
const of = (text: string, name: string): string[] => text.split("\n").filter((line) => line.startsWith(name));

// Prometheus 2.42 and 3, a browser, curl, a client that wants no other thing, and one that wants something else.
test.each([
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    true,
  ],
  [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    true,
  ],
  ["application/openmetrics-text", true],
  ['Application/OpenMetrics-Text; version="1.0.0"', true],
  ["text/html,application/xhtml+xml,*/*;q=0.8", false],
  ["*/*", false],
  ["text/plain;version=0.0.4", false],
  ["text/plain, application/openmetrics-text;q=0.9", false],
  ["application/openmetrics-text;q=0", false],
  ["application/openmetrics-text;q=often", false],
  ["application/openmetrics-text;version=2.0.0", false],
  ["", false],
  [undefined, false],
])("who accepts %s gets OpenMetrics: %s", (accept, expected) => {
  const { contentType } = createMetrics(NOTHING_TO_SEE).exposition(accept);
  expect(contentType).toBe(
    expected
      ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
      : "text/plain; version=0.0.4; charset=utf-8",
  );
});

test("in OpenMetrics the newest incident is an exemplar of what is counted and measured", async () => {
  const text = await used().exposition(OPEN).print();
  expect(text.endsWith("\n# EOF\n")).toBe(true);
  expect(of(text, "# TYPE keepwatch_incidents ")).toEqual(["# TYPE keepwatch_incidents counter"]);
  const marked = text.split("\n").filter((line) => line.includes(" # "));
  expect(marked.map((line) => line.replace(/ [\d.]+$/, ""))).toEqual([
    `keepwatch_incidents_total{kind="split-brain",severity="critical"} 1 ${EXEMPLAR} 1`,
    `keepwatch_notification_delay_seconds_bucket{le="5",receiver="webhook"} 1 ${EXEMPLAR} 3`,
    `keepwatch_notification_delivery_seconds_bucket{le="0.5",receiver="webhook"} 1 ${EXEMPLAR} 0.4`,
  ]);
  // The specification's limit on names and values together.
  expect(`incident${ID}path/incidents/${ID}`.length).toBeLessThanOrEqual(128);
});

test("the text format has no exemplars, and is the same after a scrape in OpenMetrics", async () => {
  const metrics = used();
  const ours = async (): Promise<string[]> => of(await metrics.exposition().print(), "keepwatch_");
  const before = await ours();
  await metrics.exposition(OPEN).print();
  expect(await ours()).toEqual(before);
  expect(before.join("\n")).not.toContain(" # ");
  expect(before).toContain('keepwatch_incidents_total{kind="split-brain",severity="critical"} 1');
  expect(before).toContain('keepwatch_incidents_total{kind="flapping",severity="warning"} 0');
  expect(before).toContain('keepwatch_notification_delay_seconds_sum{receiver="webhook"} 3');
});

test("a clock ahead of ours makes no negative delay", async () => {
  const metrics = createMetrics(NOTHING_TO_SEE);
  metrics.told({ incident: INCIDENT, receiver: "mail", sinceStartUs: -5_000_000, sinceRecordedUs: -1 });
  const text = await metrics.exposition().print();
  expect(of(text, "keepwatch_notification_delay_seconds_sum")).toEqual([
    'keepwatch_notification_delay_seconds_sum{receiver="mail"} 0',
  ]);
});

test.skipIf(spawnSync("promtool", ["--version"]).status !== 0)("Prometheus' own check finds nothing", async () => {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: await used().exposition().print(),
    encoding: "utf8",
  });
  expect([status, stdout, stderr]).toEqual([0, "", ""]);
});
