import { evidenceList, lasting, listed } from "./describe.ts";
import type { ClusterView, Detector } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import { SAME_EDGE_SLACK_US } from "./options.ts";
import { eventsOf, outagesOf, type Outage, type ServiceSpan, spansOf } from "./services.ts";

/** A real server that checkers hold for ill: keepalived's own, by its log, or the collector's. */
export const serviceDown: Detector = { kind: "service-down", scope: "cluster", detect };

function detect({ cluster, nodes, options }: ClusterView): IncidentDraft[] {
  const spans = spansOf(nodes, options.silentAfterUs).filter(({ realServer }) => realServer !== null);
  return outagesOf(spans, SAME_EDGE_SLACK_US).map((outage) => toDraft(outage, cluster));
}

function toDraft({ virtualServer, realServer, start, end, spans }: Outage, cluster: string): IncidentDraft {
  const nodes = [...new Set(spans.map(({ node }) => node))].sort();
  const cause = causeOf(spans);
  const text = cause === null ? "" : `: ${cause.text}`;
  const verb = end === null ? "is" : "was";
  return {
    kind: "service-down",
    certainty: "confirmed",
    severity: "warning",
    cluster,
    subject: { service: `${virtualServer}/${realServer ?? ""}`, nodes },
    start,
    end,
    cause,
    summary: `Real server ${realServer} of ${virtualServer} ${verb} down ${lasting(start, end)} as seen by ${listed(nodes)}${text}.`,
    evidence: evidenceList(spans.flatMap(eventsOf)),
  };
}

/** The first finding that gives a reason. */
export function causeOf(spans: readonly ServiceSpan[]): IncidentDraft["cause"] {
  const result = spans.find((span) => span.result?.reason !== undefined)?.result;
  if (result?.reason === undefined) return null;
  const { checker, reason, status } = result;
  const seen = reason === "status" && status !== undefined ? `status ${status}` : (REASONS[reason] ?? reason);
  return { code: reason, text: `its ${checker} check: ${seen}` };
}

const REASONS: Readonly<Record<string, string>> = {
  connect: "no connection",
  timeout: "no answer in time",
  digest: "the page is another than the one its digest was made of",
  regex: "the page does not match the pattern",
  "no-data": "no data came",
};
