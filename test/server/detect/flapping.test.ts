import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { FLAPPING_DEFAULTS } from "../../../server/detect/options.ts";
import { flapRuns } from "../../../server/detect/penalty.ts";
import { scenario, secondsOf } from "./scenario.ts";

const HEAD = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12`;

/** The address moves at these seconds, beginning on lb1. */
function moves(seconds: readonly number[], watchedTo: number): string {
  const lines = seconds.flatMap((s, i) => {
    const [to, from] = i % 2 === 0 ? ["lb1", "lb2"] : ["lb2", "lb1"];
    return [...(i > 0 ? [`at ${s} ${from} kernel -10.99.0.100`] : []), `at ${s + 0.01} ${to} kernel +10.99.0.100`];
  });
  // Seen at the end is seen: days of a heartbeat a second would take their time.
  return [HEAD, ...lines, `at ${watchedTo} lb1 heartbeat`, `at ${watchedTo} lb2 heartbeat`].join("\n");
}

const found = (text: string) =>
  detectAll(scenario(text))
    .incidents.filter(({ kind }) => kind === "flapping")
    .map(({ start, end, subject }) => ({
      from: secondsOf(start),
      to: end === null ? null : Math.round((secondsOf(end) ?? 0) / 60),
      nodes: subject.nodes,
    }));

describe("flapping", () => {
  test("one failover and its failback are none", () => {
    expect(found(moves([5, 20, 40], 60))).toEqual([]);
  });

  test("nor are three changes", () => {
    expect(found(moves([5, 20, 40, 60], 90))).toEqual([]);
  });

  test("the fourth change within a minute opens it, and it stays open while nothing has decayed", () => {
    expect(found(moves([5, 20, 40, 60, 80], 120))).toEqual([{ from: 80.01, to: null, nodes: ["lb1", "lb2"] }]);
  });

  test("four changes, each hours after the other, open it by the slow half-life; days apart they do not", () => {
    const hours = (n: number): number => n * 3600;
    expect(found(moves([5, hours(1), hours(2), hours(3), hours(4)], hours(4) + 60))).toHaveLength(1);
    expect(found(moves([5, hours(24), hours(48), hours(72), hours(96)], hours(97)))).toEqual([]);
  });

  test("it ends when the slower penalty has decayed by half", () => {
    const [incident] = found(moves([5, 20, 40, 60, 80], 30 * 3600));
    // Nearly 4,000 down to 1,500: 1.41 half-lives of six hours.
    expect(incident?.to).toBeGreaterThan(490);
    expect(incident?.to).toBeLessThan(515);
  });
});

describe("why an address moves", () => {
  const MOVES = [5, 20, 40, 60, 80];
  const why = (text: string) =>
    detectAll(scenario(`${moves(MOVES, 120)}\n${text}`)).incidents.find(
      ({ kind, subject }) => kind === "flapping" && subject.router !== undefined,
    );
  const each = (verb: (i: number) => string, lead = 1): string =>
    MOVES.slice(1)
      .map((s, i) => `at ${s - lead} lb1 ${verb(i)}`)
      .join("\n");

  test.each([
    [
      "vrid-clash",
      "10.99.0.77 sends adverts of VRID 51 for other addresses (10.99.0.200): another cluster on this network uses the same VRID",
      `at 8 lb1 stranger seen\nat 9 lb1 rejects version\n${each(() => "near-miss lb1 2 0.86")}`,
    ],
    [
      "daemon-restarts",
      "keepalived on lb1 ends and is started again and again",
      each((i) => (i % 2 === 0 ? "daemon stopping" : "daemon starting")),
    ],
    ["link-flaps", "the link of eth0 on lb1 goes down and up", each((i) => `nic eth0 ${i % 2 === 0 ? "down" : "up"}`)],
    [
      "script-flaps",
      "track_script chk on lb1 fails and succeeds in turn",
      `at 2 lb1 script chk success\nat 8 lb1 stranger seen\n${each((i) => `script chk ${i % 2 === 0 ? "failure 1" : "success"}`)}`,
    ],
    ["scheduler-stall", "keepalived on lb1 again and again does not run in time", each(() => "stalls 5", -3)],
    ["adverts-missing", "adverts of lb1 are lost or late on their way", each(() => "near-miss lb1 2 0.86")],
    ["ownership", "mastership changed 4 times", ""],
    // One of four changes is not most of them; nor is what was long before.
    ["ownership", "mastership changed 4 times", "at 19 lb1 script chk failure 1\nat 39 lb1 nic eth0 down"],
    ["ownership", "mastership changed 4 times", each(() => "nic eth0 down", 10)],
    // The first verdict of a daemon is no change.
    [
      "ownership",
      "mastership changed 4 times",
      "at 2 lb1 script chk success\nat 19 lb1 script chk failure 1\nat 39 lb1 script chk success\nat 59 lb1 daemon starting\nat 59 lb1 script chk success",
    ],
    ["ownership", "mastership changed 4 times", each((i) => `nic eth1 ${i % 2 === 0 ? "down" : "up"}`)],
  ])("%s: %s", (code, words, text) => {
    const incident = why(text);
    expect(incident?.cause?.code).toBe(code);
    expect(incident?.cause?.text).toContain(words);
    expect(incident?.summary).toContain("mastership changed 4 times");
    expect(incident?.summary).toContain(words);
    const plain = why("")?.evidence.length ?? 0;
    if (code !== "ownership")
      expect(incident?.evidence.length).toBeGreaterThan(plain + (code === "vrid-clash" ? 1 : 2));
  });

  test("a stranger whose adverts nobody refuses explains what nothing else does", () => {
    expect(why("at 8 lb1 stranger seen")?.cause?.code).toBe("vrid-clash");
  });
});

const all = (text: string, options: Parameters<typeof detectAll>[1] = {}) =>
  detectAll(scenario(text), options)
    .incidents.filter(({ kind }) => kind === "flapping")
    .map(
      ({ start, end, cause, subject }) =>
        `${secondsOf(start)}..${end === null ? "" : Math.round(secondsOf(end) ?? 0)} ${cause?.code} ${subject.service ?? subject.component ?? subject.instance ?? subject.router} ${subject.nodes.join()}`,
    );
const lines = (verbs: readonly string[], every: number, from = 10) =>
  verbs.map((verb, i) => `at ${from + i * every} ${verb}`).join("\n");
const times = <T>(count: number, pair: readonly T[]): T[] => Array.from({ length: count }, () => pair).flat();

describe("an instance", () => {
  test("that goes to and fro where nobody sees the other node", () => {
    const text = `at 0 lb1 log BACKUP\n${lines(times(2, ["lb1 log MASTER", "lb1 log BACKUP"]), 20)}\nwatch lb1 to 120`;
    expect(all(text)).toEqual(["70.. instance-state VI_1 lb1"]);
  });

  test("in and out of FAULT as a backup", () => {
    const text = `at 0 lb1 log BACKUP\n${lines(times(2, ["lb1 log FAULT", "lb1 log BACKUP"]), 20)}\nwatch lb1 to 120`;
    expect(all(text)).toEqual(["70.. instance-state VI_1 lb1"]);
  });

  test("one failover by a fault and its failback are none, for all their states", () => {
    const text = lines(["lb1 log MASTER", "lb1 log FAULT", "lb1 log BACKUP", "lb1 log MASTER"], 10);
    expect(all(`${text}\nwatch lb1 to 120`)).toEqual([]);
  });

  test("whose ownership flaps is told with it", () => {
    const text = times(2, ["lb1 log FAULT", "lb2 log MASTER", "lb1 log MASTER", "lb2 log BACKUP"]);
    expect(all(`${HEAD}\nat 1 lb1 log MASTER\n${lines(text, 10)}\nwatch lb1 lb2 to 120`)).toEqual([
      "70.. ownership default/ipv4/51 lb1,lb2",
    ]);
  });

  test("of a daemon that is started again and again goes to and fro no more than it did", () => {
    const text = times(4, ["lb1 log BACKUP init", "lb1 log MASTER", "lb1 daemon stopping", "lb1 daemon stopped"]);
    expect(all(`${lines(text, 10)}\nwatch lb1 to 300`)).toEqual([
      // A start of a master is one change each.
      "140.. instance-state VI_1 lb1",
    ]);
  });
});

describe("a real server", () => {
  test("goes down and up, whoever sees it", () => {
    const text = lines(times(2, ["lb1 checks log down", "lb1 checks log up"]), 30);
    const seenByBoth = `${text}\n${text.replaceAll("lb1", "lb2")}\nwatch lb1 lb2 to 150`;
    expect(all(seenByBoth)).toEqual(["100.. real-server [10.99.0.100]:80/[10.99.0.21]:80 lb1,lb2"]);
  });

  test("is told with what the checks found most times", () => {
    const text = lines(
      times(2, ["lb1 checks log result web1 timeout", "lb1 checks log down web1", "lb1 checks log up web1"]),
      30,
    );
    expect(all(`${text}\nwatch lb1 to 250`)).toEqual(["160.. timeout [10.99.0.100]:80/[10.99.0.21]:80 lb1"]);
  });

  test("once down is none", () => {
    expect(all(`${lines(["lb1 checks log down", "lb1 checks log up"], 30)}\nwatch lb1 to 120`)).toEqual([]);
  });
});

describe("a check", () => {
  test("that fails and succeeds in turn", () => {
    const text = lines(
      ["lb1 script chk success", ...times(2, ["lb1 script chk failure", "lb1 script chk success"])],
      20,
    );
    expect(all(`${text}\nwatch lb1 to 120`)).toEqual(["90.. check-script track_script chk lb1"]);
  });

  test("that fails twice in two ways has not changed", () => {
    const text = lines(
      ["lb1 script chk success", ...times(4, ["lb1 script chk failure", "lb1 script chk timeout"])],
      5,
    );
    expect(all(`${text}\nwatch lb1 to 120`)).toEqual([]);
  });

  test("of processes", () => {
    const text = lines(times(3, ["lb1 tracked process nginx down", "lb1 tracked process nginx up"]), 5);
    expect(all(`${text}\nwatch lb1 to 120`)).toEqual(["30.. check-script track_process nginx lb1"]);
  });

  test("is not held against one of a daemon before", () => {
    const text = lines(
      times(4, ["lb1 script chk failure", "lb1 daemon starting", "lb1 script chk success", "lb1 daemon starting"]),
      5,
    );
    expect(all(`${text}\nwatch lb1 to 120`)).toEqual([]);
  });
});

describe("the penalty", () => {
  const changes = (count: number, everyUs: number) =>
    Array.from({ length: count }, (_, i) => ({ ts: i * everyUs, item: i }));

  test("goes by what is configured", () => {
    const flapping = { penalty: 1_000, openAt: 2_500, closeAt: 1_500, halfLivesUs: [60_000_000] };
    const text = `at 0 lb1 log BACKUP\n${lines(["lb1 log MASTER", "lb1 log BACKUP", "lb1 log MASTER"], 2)}\nwatch lb1 to 200`;
    expect(all(text)).toEqual([]);
    // 2,931 down to 1,500: 0.97 half-lives of a minute.
    expect(all(text, { flapping })).toEqual(["14..72 instance-state VI_1 lb1"]);
  });

  test("keeps the first and the newest of a hundred thousand changes, and has counted all", () => {
    const [run, ...others] = flapRuns(changes(100_000, 1_000_000), 1e12, FLAPPING_DEFAULTS);
    expect(others).toEqual([]);
    expect(run).toMatchObject({ since: 0, count: 100_000 });
    expect(run?.changes).toHaveLength(40);
    expect(run?.changes.map(({ item }) => item).slice(-2)).toEqual([99_998, 99_999]);
    expect(run?.changes[0]?.item).toBe(0);
  });

  test("never opens on fewer changes than it takes, nor closes before it has decayed", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 7_200_000_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, (steps) => {
        let ts = 0;
        const all = steps.map((step, item) => ({ ts: (ts += step), item }));
        for (const { start, end, count, changes: kept } of flapRuns(all, ts + 1, FLAPPING_DEFAULTS)) {
          expect(count).toBeGreaterThanOrEqual(3);
          const newest = kept.at(-1)?.ts ?? 0;
          expect(start).toBeLessThanOrEqual(newest);
          // From 3,000 or more down to 1,500 takes a half-life at least.
          if (end !== null) expect(end).toBeGreaterThanOrEqual(newest + 600_000_000);
        }
      }),
      { numRuns: 200 },
    );
  });
});
