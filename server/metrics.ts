import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { RouterSummary } from "./api/types.ts";
import { INCIDENT_KINDS, type Incident } from "./detect/incident.ts";

/** What is asked for when the metrics are scraped. */
export interface MetricsView {
  readonly routers: () => readonly RouterSummary[];
  readonly incidents: () => readonly Incident[];
  readonly alerts: () => { readonly sent: number; readonly failed: number; readonly waiting: number };
}

export interface Metrics {
  accepted(events: number, duplicate: boolean): void;
  refused(reason: "malformed" | "unauthorised" | "foreign-node" | "overload" | "store"): void;
  /** In Prometheus' text format. */
  print(): Promise<string>;
  readonly contentType: string;
}

/** A registry of its own: two servers in one process do not mix. */
export function createMetrics(view: MetricsView): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
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
  gauge("keepwatch_incidents_open", "Open incidents, by kind and certainty", ["kind", "certainty"], (set) => {
    const open = view.incidents().filter(({ status }) => status === "open");
    for (const kind of INCIDENT_KINDS)
      for (const certainty of ["suspected", "confirmed"])
        set({ kind, certainty }, open.filter((i) => i.kind === kind && i.certainty === certainty).length);
  });
  gauge(
    "keepwatch_router_masters",
    "Nodes that act as master of a virtual router, as far as is known; 1 is right",
    ["cluster", "router"],
    (set) => {
      for (const { cluster, id, masters } of view.routers()) set({ cluster, router: id }, masters.length);
    },
  );
  gauge("keepwatch_deliveries", "Alert deliveries since the start, by outcome", ["outcome"], (set) => {
    const { sent, failed, waiting } = view.alerts();
    set({ outcome: "sent" }, sent);
    set({ outcome: "failed" }, failed);
    set({ outcome: "waiting" }, waiting);
  });

  function gauge(
    name: string,
    help: string,
    labelNames: string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        made.reset();
        collect((labels, value) => made.set(labels, value));
      },
    });
  }

  return {
    accepted: (count, duplicate) => {
      batches.inc({ result: duplicate ? "duplicate" : "new" });
      if (!duplicate) events.inc(count);
    },
    refused: (reason) => refused.inc({ reason }),
    print: () => register.metrics(),
    contentType: register.contentType,
  };
}
