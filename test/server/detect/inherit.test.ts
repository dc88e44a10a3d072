import { describe, expect, test } from "vitest";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { inherit } from "../../../server/detect/inherit.ts";
import { at, secondsOf } from "./scenario.ts";

const CUT = at(100);

function flapping(start: number, end: number | null, fadesAt: number, nodes = ["lb1", "lb2"]): IncidentDraft {
  return {
    kind: "flapping",
    certainty: "confirmed",
    severity: "warning",
    cluster: "default",
    subject: { router: "default/ipv4/51", nodes },
    start: at(start),
    end: end === null ? null : at(end),
    cause: { code: "ownership", text: "mastership changed" },
    summary: end === null ? "flaps" : "flapped",
    evidence: [],
    fades: { at: at(fadesAt), open: "flaps", over: "flapped" },
  };
}

const shown = (drafts: readonly IncidentDraft[]): readonly string[] =>
  drafts.map(({ start, end, summary }) => `${secondsOf(start)}..${secondsOf(end) ?? ""} ${summary}`);

describe("flapping at a cut", () => {
  test.each([
    ["goes on, where its changes were not carried along", [], 200, ["10.. flaps"]],
    ["until it has faded", [], 700, ["10..600 flapped"]],
    ["is one with what flaps before it has faded", [flapping(400, null, 900)], 700, ["10.. flaps"]],
    ["and lasts as long as it would have without", [flapping(400, 500, 500)], 550, ["10.. flaps"]],
    [
      "also with the second time that seems to be another one",
      [flapping(200, 300, 300), flapping(500, 650, 650)],
      700,
      ["10..650 flapped"],
    ],
    ["is another one once it has faded", [flapping(640, null, 900)], 700, ["640.. flaps", "10..600 flapped"]],
  ])("%s", (_name, drafts, horizon, expected) => {
    expect(shown(inherit([flapping(10, null, 600)], drafts, CUT, at(horizon)))).toEqual(expected);
  });
});
