import { describe, expect, test } from "vitest";
import { createDetectionEngine, detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const blindSpots = (text: string) =>
  detectAll(scenario(text))
    .incidents.filter(({ kind }) => kind === "blind-spot")
    .map(({ start, end, severity, subject, cause, summary }) => ({
      span: [secondsOf(start), secondsOf(end)],
      severity,
      component: subject.component,
      nodes: subject.nodes,
      code: cause?.code,
      summary,
    }));

const STARTED = "at 0 lb1 collector started\n at 0 lb2 collector started";

describe("a collector that falls silent", () => {
  test("is found when the others go on for long enough", () => {
    expect(blindSpots(`${STARTED}\n watch lb1 to 30\n watch lb2 to 90`)).toEqual([]);
    expect(blindSpots(`${STARTED}\n watch lb1 to 30\n watch lb2 to 91`)).toEqual([
      {
        span: [30, null],
        severity: "warning",
        component: "collector",
        nodes: ["lb1"],
        code: "collector-silent",
        summary: "What happens on lb1 cannot be seen since 2026-11-24 10:53:30 UTC: nothing is heard of its collector.",
      },
    ]);
  });

  test("with all others is found by the server's own word, which moves nothing else", () => {
    const text = `${STARTED}\n watch lb1 lb2 to 30\n at 95 lb1 unheard 30`;
    expect(blindSpots(text)).toMatchObject([{ nodes: ["lb1"], span: [30, null] }]);
    const engine = createDetectionEngine();
    engine.add(scenario(text));
    expect(engine.nodes().map(({ lastSeenTs }) => secondsOf(lastSeenTs))).toEqual([30, 30]);
  });

  test("is none that ended in order, and none of which only files are known", () => {
    expect(blindSpots(`${STARTED}\n at 30 lb1 collector stopped\n watch lb2 to 200`)).toEqual([]);
    expect(blindSpots("at 30 lb1 log MASTER\n at 200 lb2 log BACKUP")).toEqual([]);
  });

  test("was cut off and delivers what it saw: the incident is withdrawn", () => {
    const engine = createDetectionEngine();
    engine.add(scenario(`${STARTED}\n watch lb1 to 30\n watch lb2 to 100`));
    const { changes } = engine.add(scenario("watch lb1 to 100"));
    expect(changes).toMatchObject([{ type: "withdrawn", incident: { kind: "blind-spot" } }]);
  });

  test("and was started anew says for how long it was away: the incident keeps its id, and ends", () => {
    const engine = createDetectionEngine();
    const [opened] = engine.add(scenario(`${STARTED}\n watch lb1 to 30\n watch lb2 to 100`)).changes;
    const { changes } = engine.add(scenario("at 120 lb1 collector started\n at 120.1 lb1 gap collector 30.1 120.1"));
    expect(changes.map(({ type, incident }) => [type, incident.id, secondsOf(incident.end)])).toEqual([
      ["resolved", opened?.incident.id, 120.1],
    ]);
    expect(changes[0]?.incident.summary).toContain("What happened on lb1 could not be seen for 90 s");
  });

  test("and is back without saying so yet: the incident does not become one of a source that was told of by the same start", () => {
    const engine = createDetectionEngine();
    engine.add(scenario("at 0 lb1 collector started capture\n at 0 lb2 collector started\n watch lb1 to 30"));
    const [opened] = engine.add(scenario("watch lb2 to 100")).changes;
    const { changes } = engine.add(scenario("at 120 lb1 collector started"));
    expect(opened?.incident.subject.component).toBe("collector");
    expect(changes.map(({ type, incident }) => [type, incident.subject.component])).toEqual([
      ["opened", "capture"],
      ["withdrawn", "collector"],
    ]);
    const later = engine.add(scenario("at 120.1 lb1 gap collector 30.1 120.1")).changes;
    expect(later.map(({ incident }) => incident.id)).toEqual([opened?.incident.id]);
  });
});

describe("what is open of a node that is seen no more", () => {
  const HEAD = `${STARTED}
    at 0 lb1 config
    at 0 lb2 config
    at 3 lb1 log MASTER
    at 3 lb2 log BACKUP`;
  const told = (text: string) =>
    detectAll(scenario(`${HEAD}\n${text}`))
      .incidents.filter(({ kind }) => kind !== "blind-spot")
      .map(({ kind, end, summary }) => [kind, secondsOf(end), summary.split(". ").at(-1)]);
  const UNKNOWN = "What is so there now is not known: lb1 was last seen at 2026-11-24 10:53:30 UTC.";

  test.each([
    ["service-down", "at 20 lb1 checks log down web1"],
    ["script-failing", "at 20 lb1 script chk failure 1"],
    ["instance-fault", "at 20 lb1 log FAULT\nat 24 lb2 log MASTER"],
    ["split-brain", "at 20 lb2 log MASTER"],
    ["config-error", "at 20 lb1 config\nat 20 lb1 finds fatal missing 9"],
    ["shadow-divergence", "at 20 lb1 diverges begin silent-master VI_1"],
  ])("%s stays open, and says that nobody knows", (kind, text) => {
    expect(told(`${text}\nwatch lb1 to 30\nwatch lb2 to 1000`)).toContainEqual([kind, null, UNKNOWN]);
    // As long as a node is not silent for the time of a blind spot, or comes back, nothing is said.
    for (const seen of [
      "watch lb1 to 30\nwatch lb2 to 90",
      "watch lb1 to 30\nwatch lb2 to 1000\nat 1000 lb1 heartbeat",
    ])
      expect(told(`${text}\n${seen}`).find((one) => one[0] === kind)).not.toContain(UNKNOWN);
  });

  test("is told when all are silent, too, by the server's word", () => {
    const text = `at 20 lb1 script chk failure 1\nwatch lb1 lb2 to 30`;
    expect(told(`${text}\nat 95 lb1 unheard 30`)).toContainEqual(["script-failing", null, UNKNOWN]);
    const engine = createDetectionEngine();
    engine.add(scenario(`${HEAD}\n${text}\nat 20 lb2 log MASTER`));
    const { changes } = engine.add(scenario("at 95 lb1 unheard 30"));
    expect(changes.map(({ type, incident }) => `${type} ${incident.kind}`).sort()).toEqual([
      "opened blind-spot",
      "revised script-failing",
      "revised split-brain",
    ]);
    expect(changes.filter(({ type }) => type === "revised").every(({ incident }) => incident.status === "open")).toBe(
      true,
    );
  });

  test("is not of files, which have no collector", () => {
    const text = scenario("at 3 lb1 log MASTER\nat 20 lb1 script chk failure 1\nat 900 lb2 log BACKUP");
    expect(
      detectAll(text)
        .incidents.map(({ summary }) => summary)
        .join(),
    ).not.toContain("not known");
  });
});

test("what was seen between two silences is not called blind", () => {
  const text = `${STARTED}\n at 100 lb1 gap collector 20 100\n at 300 lb1 gap collector 130 300\n watch lb1 lb2 to 400`;
  expect(blindSpots(text).map(({ span }) => span)).toEqual([
    [20, 100],
    [130, 300],
  ]);
});

describe("a source that does not see", () => {
  test("since its collector began is told without alarm", () => {
    expect(blindSpots(`at 0 lb1 collector started capture\n watch lb1 to 61`)).toMatchObject([
      {
        span: [0, null],
        severity: "info",
        component: "capture",
        code: "source-unavailable",
        summary: "capture of lb1 cannot be read since 2026-11-24 10:53:00 UTC: it may not.",
      },
    ]);
  });

  test("is no loss when another one tells the same", () => {
    const source = { detail: "a file", reason: "it is not there", read: 0, unrecognised: 0 } as const;
    const withLogs = (...states: readonly ("running" | "unavailable")[]) =>
      detectAll(
        scenario("at 0 lb1 collector started\n watch lb1 to 200").map((event) =>
          event.kind === "collector.started"
            ? { ...event, sources: states.map((state) => ({ ...source, name: "log", state, detail: state })) }
            : event,
        ),
      ).incidents.length;
    expect(withLogs("running", "unavailable")).toBe(0);
    expect(withLogs("unavailable")).toBe(1);
  });

  test("any more is a warning, until it does", () => {
    const text = `${STARTED}\n at 10 lb1 source capture unavailable\n at 100 lb1 source capture running`;
    expect(blindSpots(`${text}\n watch lb1 lb2 to 500`)).toMatchObject([{ span: [10, 100], severity: "warning" }]);
  });

  test("for a moment is not worth a word", () => {
    const text = `${STARTED}\n at 10 lb1 source capture unavailable\n at 60 lb1 source capture running`;
    expect(blindSpots(`${text}\n watch lb1 lb2 to 500`)).toEqual([]);
  });

  test("is over with its collector", () => {
    const text = `${STARTED}\n at 10 lb1 source capture unavailable\n at 100 lb1 collector stopped`;
    expect(blindSpots(`${text}\n watch lb1 lb2 to 500`)).toMatchObject([{ span: [10, 100] }]);
  });
});

describe("a gap", () => {
  test("is told with what was lost, those close to each other as one", () => {
    const text = `${STARTED}
      at 20 lb1 gap capture 10 20 12
      at 200 lb1 gap capture 190 200 3
      at 200 lb1 gap log
      at 700 lb1 gap capture 690 700 1
      watch lb1 lb2 to 1100`;
    expect(blindSpots(text)).toMatchObject([
      {
        span: [10, 200],
        component: "capture",
        code: "gap",
        severity: "info",
        summary:
          "Part of what happened on lb1 was not seen (capture, 2 times), first at 2026-11-24 10:53:10 UTC: it could not be seen (3 lost).",
      },
      { span: [200, 200], component: "log" },
      { span: [690, 700], component: "capture" },
    ]);
  });

  test("whose end is not known yet lasts until it is", () => {
    const begun = `${STARTED}\n at 20 lb1 gap addresses 20 -`;
    expect(blindSpots(`${begun}\n watch lb1 lb2 to 100`)).toMatchObject([{ span: [20, null] }]);
    expect(blindSpots(`${begun}\n at 90 lb1 gap addresses 20 90\n watch lb1 lb2 to 500`)).toMatchObject([
      { span: [20, 90], severity: "warning" },
    ]);
  });

  test("that is a step of the clock is none", () => {
    const text = `${STARTED}\n at 30 lb1 clock 0 20\n at 29.9 lb1 gap capture 9.9 29.9\n watch lb1 lb2 to 500`;
    expect(blindSpots(text).filter(({ component }) => component === "capture")).toEqual([]);
  });
});

describe("a clock that is off", () => {
  test("by more than half a second is told, and that it was put right", () => {
    const text = `${STARTED}\n at 10 lb1 clock -3\n at 400 lb1 clock -3\n at 900 lb1 clock 0\n watch lb1 lb2 to 1000`;
    expect(blindSpots(text)).toMatchObject([
      {
        severity: "warning",
        component: "clock",
        code: "clock-off",
        summary:
          "The clock of lb1 was off for 14 min 53 s from 2026-11-24 10:53:06 UTC: its clock is 3.0 s ahead of the server's. Its events are put at the right time.",
      },
    ]);
  });

  test("by less is nobody's business", () => {
    expect(blindSpots(`${STARTED}\n at 10 lb1 clock 0.4\n watch lb1 lb2 to 100`)).toEqual([]);
  });
});
