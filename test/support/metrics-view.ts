import type { MetricsView } from "../../server/metrics.ts";

/** A server in which nothing has happened. */
export const NOTHING_TO_SEE: MetricsView = {
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
};
