import { collectDefaultMetrics, type OpenMetricsContentType, type Registry } from "prom-client";

/** Gauges that end like counters; each is the sum of one without the ending. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/** CPU, memory and event loop of this process, as the library names them, but for what Prometheus' own check refuses. */
export function addProcessMetrics(register: Registry | Registry<OpenMetricsContentType>): void {
  collectDefaultMetrics({ register });
  for (const name of MISNAMED) register.removeSingleMetric(name);
}
