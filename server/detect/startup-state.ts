import { evidenceOfCauses } from "./causes/cause.ts";
import { storyOf } from "./causes/story.ts";
import { clock, day, evidenceList, lasting } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import { missingInstances, refusedReloads, staleConfigs, standingFaults } from "./startup/configuration.ts";
import type { Finding } from "./startup/finding.ts";
import { idleLaunches, missingChildren, orphans } from "./startup/processes.ts";

/**
 * What a start, or a reload, should have led to and has not, though nothing ended with an error: a child that is missing or was left
 * behind, another file or an older one than was meant, nothing at all. The rules are in README.md.
 */
export const startupState: Detector = { kind: "startup-failure", scope: "daemon", detect };

function detect(view: DaemonView): IncidentDraft[] {
  const findings = [
    ...orphans(view),
    ...missingChildren(view),
    ...idleLaunches(view),
    ...standingFaults(view),
    ...staleConfigs(view),
    ...refusedReloads(view),
    ...missingInstances(view),
  ];
  return findings.map((finding) => toDraft(finding, view));
}

function toDraft(finding: Finding, { cluster, node }: DaemonView): IncidentDraft {
  const { code, text, severity, certainty, start, end, instance } = finding;
  const explanation = { cause: finding, others: [] };
  return {
    kind: "startup-failure",
    certainty,
    severity,
    cluster,
    subject: { ...(instance === undefined ? {} : { instance }), nodes: [node] },
    start,
    end,
    cause: { code, text },
    summary: `keepalived on ${node} is not as it was started to be, ${lasting(start, end)}: ${text}.`,
    story: storyOf(
      [
        `${node}, ${day(start)}: since ${clock(start)} keepalived is not as it was started to be${end === null ? "" : `, until ${clock(end)}`}`,
      ],
      explanation,
    ),
    evidence: evidenceList(evidenceOfCauses(explanation)),
  };
}
