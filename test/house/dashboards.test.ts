import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMetrics } from "../../server/metrics.ts";

const dashboards = join(import.meta.dirname, "../../dashboards");
const files = ["grafana", "prometheus"].flatMap((folder) =>
  readdirSync(join(dashboards, folder))
    .filter((name) => /^prometheus.*\.json$|\.rules\.yml$/.test(name))
    .map((name) => join(folder, name)),
);

test.each(files)("%s names no metric that the server does not expose", async (file) => {
  const exposed = await createMetrics({
    routers: () => [],
    services: () => [],
    incidents: () => [],
    alerts: () => ({
      sent: 0,
      failed: 0,
      waiting: 0,
      inhibited: 0,
      silenced: 0,
      planned: 0,
      old: 0,
      digested: 0,
      resendFailures: 0,
      refused: 0,
    }),
    silences: () => 0,
    heartbeat: () => ({ lastTs: 0, failures: 0 }),
    storeErrors: () => ({ read: 0, write: 0 }),
    liveClients: () => 0,
    listeners: () => [{ name: "syslog-udp", address: "", connections: 0, received: 0, kept: 0, cut: 0, dropped: {} }],
    crowdedVrids: () => 0,
    rebuilds: () => ({ isPending: false, done: 0, failed: 0 }),
  }).print();
  const named = [...new Set(readFileSync(join(dashboards, file), "utf8").match(/(?:keepwatch|keepalived)_[a-z_]+/g))];
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((name) => !exposed.includes(`# TYPE ${name} `))).toEqual([]);
});
