import { Counter, Gauge, Histogram } from "prom-client";
import { US_PER_SECOND } from "../collector/core/time.ts";
import { addProcessMetrics } from "../collector/metrics/process-metrics.ts";
import type { ListenerState, RouterSummary, ServiceSummary } from "./api/types.ts";
import type { Told } from "./alert/alerter.ts";
import { CERTAINTIES, INCIDENT_KINDS, type Incident, SEVERITIES } from "./detect/incident.ts";
import { createExposition, createOpenRegistry, type Exposition, type OpenRegistry } from "./exposition.ts";

/** What is asked for when the metrics are scraped. */
export interface MetricsView {
  readonly routers: () => readonly RouterSummary[];
  readonly services: () => readonly ServiceSummary[];
  readonly incidents: () => readonly Incident[];
  readonly alerts: () => {
    readonly sent: number;
    readonly failed: number;
    readonly refused: number;
    readonly waiting: number;
    readonly inhibited: number;
    readonly silenced: number;
    readonly planned: number;
    readonly old: number;
    readonly digested: number;
    readonly resendFailures: number;
  };
  /** When the server was well last, epoch microseconds, and heartbeats that failed. */
  readonly heartbeat: () => { readonly lastTs: number; readonly failures: number };
  /** Silences that are in force. */
  readonly silences: () => number;
  readonly storeErrors: () => { readonly read: number; readonly write: number };
  readonly liveClients: () => number;
  readonly listeners: () => readonly ListenerState[];
  readonly crowdedVrids: () => number;
  readonly rebuilds: () => { readonly isPending: boolean; readonly done: number; readonly failed: number };
}

/** Why a batch was refused. */
const REFUSAL_REASONS = [
  "malformed",
  "too-large",
  "unauthorised",
  "foreign-node",
  "overload",
  "undecided",
  "store",
  "internal",
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface Metrics {
  accepted(events: number, duplicate: boolean): void;
  refused(reason: RefusalReason): void;
  /** Stored events from which nothing could be concluded, by a fault of ours. */
  detectionFailed(): void;
  opened(incident: Incident): void;
  /** A receiver has taken the news that an incident is open. */
  told(told: Told): void;
  /** @param accept  the scraper's Accept header */
  exposition(accept?: string): Exposition;
  readonly register: OpenRegistry;
}

type Labels = Record<string, string>;
type Collect = (add: (labels: Labels, value: number) => void) => void;

/** keepalived's own numbers, which exporters of its statistics use. */
const VRRP_STATES: ReadonlyMap<string, number> = new Map([
  ["INIT", 0],
  ["BACKUP", 1],
  ["MASTER", 2],
  ["FAULT", 3],
]);

/** Labels as those exporters have them, and the node: they are scraped on the node itself. */
function* statesOf({ cluster, id, vrid, vips, instances, members }: RouterSummary): Generator<[Labels, number]> {
  for (const { node, state } of members) {
    const value = VRRP_STATES.get(state ?? "");
    const instance = instances.find((candidate) => candidate.node === node);
    if (value === undefined || instance === undefined || instance.name === null) continue;
    const own = { iname: instance.name, intf: instance.interface ?? "", vrid: String(vrid ?? "") };
    for (const ip of vips.length > 0 ? vips : [""])
      yield [{ cluster, router: id, node, ...own, ip_address: ip }, value];
  }
}

/** Seconds: from a webhook that is told at once to a mail server that was down for a day. */
const DELAY_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 86_400];

/** Leads from a sample to what it is about: the page of the incident, below the server's address. At most 128 characters, as OpenMetrics asks. */
const exemplarOf = ({ id }: Incident): Record<"incident" | "path", string> => ({
  incident: id,
  path: `/incidents/${id}`,
});

/** A registry of its own: two servers in one process do not mix. */
export function createMetrics(view: MetricsView): Metrics {
  const register = createOpenRegistry();
  addProcessMetrics(register);
  const registers = [register];
  const events = new Counter({ name: "keepwatch_ingest_events_total", help: "Events stored", registers });
  const batches = new Counter({
    name: "keepwatch_ingest_batches_total",
    help: "Batches acknowledged, by whether they were new",
    labelNames: ["result"],
    registers,
  });
  const refused = new Counter({
    name: "keepwatch_ingest_refused_total",
    help: "Batches refused, by reason",
    labelNames: ["reason"],
    registers,
  });
  const detectionErrors = new Counter({
    name: "keepwatch_detection_errors_total",
    help: "Batches stored but not concluded from, by a fault of the detection",
    registers,
  });
  const opened = new Counter<"kind" | "severity" | "incident" | "path">({
    name: "keepwatch_incidents_total",
    help: "Incidents that opened, by kind and by how severe they were then; the exemplar is the newest one",
    labelNames: ["kind", "severity"],
    enableExemplars: true,
    registers,
  });
  const delay = histogram(
    "keepwatch_notification_delay_seconds",
    "From when an incident began, by its evidence, until a receiver took the news of it; 0 where its clock is ahead",
  );
  const delivery = histogram(
    "keepwatch_notification_delivery_seconds",
    "From when the news of an incident was recorded for a receiver until it took it: waits and retries included",
  );
  // A series that is there from the start: an alert on its rise sees the first one too.
  for (const result of ["new", "duplicate"]) batches.inc({ result }, 0);
  for (const reason of REFUSAL_REASONS) refused.inc({ reason }, 0);
  for (const kind of INCIDENT_KINDS)
    for (const severity of SEVERITIES) opened.inc({ labels: { kind, severity }, value: 0 });

  gauge(
    "keepalived_vrrp_state",
    "State of an instance by its node's newest log line: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT; absent where none is known. One series a virtual address",
    ["cluster", "router", "node", "iname", "intf", "vrid", "ip_address"],
    (add) => {
      for (const router of view.routers()) for (const [labels, value] of statesOf(router)) add(labels, value);
    },
  );
  gauge(
    "keepwatch_real_server_up",
    "Whether a real server is up, by one node's source; absent where nothing is known",
    ["cluster", "node", "source", "virtual_server", "real_server"],
    (add) => {
      for (const { cluster, virtualServer, realServers } of view.services())
        for (const { realServer, words } of realServers)
          for (const { node, source, state } of words)
            add(
              { cluster, node, source, virtual_server: virtualServer, real_server: realServer },
              Number(state === "UP"),
            );
    },
  );
  gauge("keepwatch_incidents_open", "Open incidents, by kind and certainty", ["kind", "certainty"], (add) => {
    for (const kind of INCIDENT_KINDS) for (const certainty of CERTAINTIES) add({ kind, certainty }, 0);
    for (const { status, kind, certainty } of view.incidents()) if (status === "open") add({ kind, certainty }, 1);
  });
  gauge(
    "keepwatch_router_masters",
    "Nodes that act as master of a virtual router, as far as is known; 1 is right",
    ["cluster", "router"],
    (add) => {
      for (const { cluster, id, masters } of view.routers()) add({ cluster, router: id }, masters.length);
    },
  );
  counter("keepwatch_deliveries_total", "Alert deliveries that ended, by outcome", ["outcome"], (add) => {
    const { sent, failed, refused: unheard, inhibited, silenced, planned, old } = view.alerts();
    add({ outcome: "sent" }, sent);
    add({ outcome: "failed" }, failed);
    add({ outcome: "refused" }, unheard);
    add({ outcome: "inhibited" }, inhibited);
    add({ outcome: "silenced" }, silenced);
    add({ outcome: "planned" }, planned);
    add({ outcome: "old" }, old);
  });
  gauge("keepwatch_deliveries_waiting", "Alert deliveries that are still to be sent", [], (add) =>
    add({}, view.alerts().waiting),
  );
  counter("keepwatch_mails_digested_total", "Mails that went, or will, in a digest", [], (add) =>
    add({}, view.alerts().digested),
  );
  counter(
    "keepwatch_alertmanager_resend_failures_total",
    "Failures to tell an Alertmanager again what fires",
    [],
    (add) => add({}, view.alerts().resendFailures),
  );
  gauge(
    "keepwatch_heartbeat_timestamp_seconds",
    "When the server found itself well last: its store answers",
    [],
    (add) => add({}, view.heartbeat().lastTs / US_PER_SECOND),
  );
  counter("keepwatch_heartbeat_failures_total", "Heartbeats that paused or did not reach their URL", [], (add) =>
    add({}, view.heartbeat().failures),
  );
  gauge("keepwatch_silences_active", "Silences that are in force", [], (add) => add({}, view.silences()));
  counter("keepwatch_store_errors_total", "Requests that the store failed, by operation", ["operation"], (add) => {
    const { read, write } = view.storeErrors();
    add({ operation: "read" }, read);
    add({ operation: "write" }, write);
  });
  gauge(
    "keepwatch_detection_crowded_vrids",
    "VRIDs of which a node captured more senders than are kept: the newer ones are left out",
    [],
    (add) => add({}, view.crowdedVrids()),
  );
  gauge(
    "keepwatch_detection_rebuild_pending",
    "1 while evidence has come that is older than what the detectors have at hand, and waits for a rebuild",
    [],
    (add) => add({}, Number(view.rebuilds().isPending)),
  );
  counter("keepwatch_detection_rebuilds_total", "Rebuilds of the detectors from the store", ["outcome"], (add) => {
    add({ outcome: "done" }, view.rebuilds().done);
    add({ outcome: "failed" }, view.rebuilds().failed);
  });
  counter("keepwatch_forwarded_messages_total", "Messages that were forwarded to a listener", ["listener"], (add) => {
    for (const { name, received } of view.listeners()) add({ listener: name }, received);
  });
  counter("keepwatch_forwarded_events_total", "Events that were made of them", ["listener"], (add) => {
    for (const { name, kept } of view.listeners()) add({ listener: name }, kept);
  });
  counter(
    "keepwatch_forwarded_dropped_total",
    "Messages and connections that a listener did not take, by reason",
    ["listener", "reason"],
    (add) => {
      for (const { name, dropped } of view.listeners())
        for (const [reason, count] of Object.entries(dropped)) add({ listener: name, reason }, count);
    },
  );
  gauge("keepwatch_forwarding_connections", "Connections of those who forward", ["listener"], (add) => {
    for (const { name, connections } of view.listeners())
      if (connections !== undefined) add({ listener: name }, connections);
  });
  gauge("keepwatch_live_clients", "Browsers that watch live", [], (add) => add({}, view.liveClients()));

  function histogram(name: string, help: string): Histogram<"receiver" | "incident" | "path"> {
    const labelNames = ["receiver"] as const;
    return new Histogram({ name, help, labelNames, buckets: DELAY_BUCKETS, enableExemplars: true, registers });
  }

  function gauge(name: string, help: string, labelNames: string[], collect: Collect): void {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        collect((labels, value) => made.inc(labels, value));
      },
    });
  }

  function counter(name: string, help: string, labelNames: string[], collect: Collect): void {
    const made: Counter = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        collect((labels, value) => made.inc(labels, value));
      },
    });
  }

  return {
    accepted: (count, duplicate) => {
      batches.inc({ result: duplicate ? "duplicate" : "new" });
      if (!duplicate) events.inc(count);
    },
    refused: (reason) => refused.inc({ reason }),
    detectionFailed: () => detectionErrors.inc(),
    opened: (incident) =>
      opened.inc({
        labels: { kind: incident.kind, severity: incident.severity },
        value: 1,
        exemplarLabels: exemplarOf(incident),
      }),
    told: ({ incident, receiver, sinceStartUs, sinceRecordedUs }) => {
      const common = { labels: { receiver }, exemplarLabels: exemplarOf(incident) };
      delay.observe({ ...common, value: Math.max(0, sinceStartUs) / US_PER_SECOND });
      delivery.observe({ ...common, value: Math.max(0, sinceRecordedUs) / US_PER_SECOND });
    },
    exposition: createExposition(register),
    register,
  };
}
