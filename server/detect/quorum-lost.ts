import { evidenceList, lasting, listed } from "./describe.ts";
import type { ClusterView, Detector } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import { SAME_EDGE_SLACK_US } from "./options.ts";
import { eventsOf, outagesOf, type Outage, type ServiceSpan, spansOf } from "./services.ts";

/** A virtual server with too few real servers: what is asked of it goes to the sorry server, or nowhere. */
export const quorumLost: Detector = { kind: "quorum-lost", scope: "cluster", detect };

function detect({ cluster, nodes, options }: ClusterView): IncidentDraft[] {
  const watchedTo = new Map(nodes.map((node) => [node.node, node.watchedTo]));
  const spans = spansOf(nodes, options.silentAfterUs).filter(
    (span) =>
      span.realServer === null && !isJustBeginning(span, watchedTo.get(span.node) ?? 0, options.startDeadlineUs),
  );
  return outagesOf(spans, SAME_EDGE_SLACK_US).map((outage) => toDraft(outage, cluster));
}

/** In alpha mode every start begins without a quorum, until the checkers have come round once. */
function isJustBeginning({ initial, from, to }: ServiceSpan, watchedTo: number, deadlineUs: number): boolean {
  return initial && (to?.ts ?? watchedTo) - from.ts <= deadlineUs;
}

function toDraft({ virtualServer, start, end, spans }: Outage, cluster: string): IncidentDraft {
  const nodes = [...new Set(spans.map(({ node }) => node))].sort();
  const verb = end === null ? "has" : "had";
  const sorry = spans.find((span) => span.sorry !== null)?.sorry?.sorryServer;
  const instead =
    sorry === undefined ? "" : `; its sorry server ${sorry} ${end === null ? "answers" : "answered"} instead`;
  return {
    kind: "quorum-lost",
    certainty: "confirmed",
    severity: "critical",
    cluster,
    subject: { service: virtualServer, nodes },
    start,
    end,
    cause: null,
    summary: `Virtual server ${virtualServer} ${verb} too few real servers ${lasting(start, end)} as seen by ${listed(nodes)}${instead}.`,
    evidence: evidenceList(spans.flatMap(eventsOf)),
  };
}
