import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Subject, Witness } from "../../../collector/shadow/observed.ts";
import { createVerdicts, type Fact } from "../../../collector/shadow/verdict.ts";

const VIP = "10.99.0.100";
const PEER = "10.99.0.12";
const SECOND = 1_000_000;

const subject = (over: Partial<Subject> = {}): Subject => ({
  instance: "VI_1",
  vips: [VIP],
  owner: false,
  advertIntervalUs: SECOND,
  masterDownUs: 3_609_375,
  uncertaintyUs: 0,
  ...over,
});

const by = (source: Witness["source"], text: string, at: number): Witness => ({
  source,
  text,
  ts: (at + 1e15) as EpochUs,
});

const VERBS: Readonly<Record<string, (rest: readonly string[], at: number) => Fact>> = {
  expect: ([state = "", ...why], at) => ({
    kind: "expected",
    instance: "VI_1",
    state: state === "?" ? undefined : (state as "BACKUP"),
    by: by("shadow", why.join(" ") || state, at),
  }),
  log: ([state = ""], at) => ({
    kind: "logged",
    instance: "VI_1",
    state: state as "BACKUP",
    by: by("log", `Entering ${state} STATE`, at),
  }),
  timeout: (_, at) => ({ kind: "timeout", instance: "VI_1", by: by("log", "Receive advertisement timeout", at) }),
  rejects: ([reason = ""], at) => ({
    kind: "rejection",
    instance: "VI_1",
    reason,
    by: by("log", `refused: ${reason}`, at),
  }),
  vip: ([sign = ""], at) => ({
    kind: "vip",
    address: VIP,
    present: sign === "+",
    by: by("kernel", `${sign}${VIP}`, at),
  }),
  own: (_, at) => ({
    kind: "advert",
    instance: "VI_1",
    peer: undefined,
    priority: 100,
    by: by("wire", "own advert", at),
  }),
  peer: ([priority = "150"], at) => ({
    kind: "advert",
    instance: "VI_1",
    peer: PEER,
    priority: Number(priority),
    by: by("wire", "peer's advert", at),
  }),
  vrrp: ([state = "", pid = "11"], at) => ({
    kind: "process",
    daemon: "vrrp",
    pid: Number(pid),
    state: state as "running",
    by: by("process", `VRRP process ${pid} ${state}`, at),
  }),
  stopping: () => ({ kind: "stopping" }),
  blind: ([source = ""]) => ({ kind: "sight", source: source as "wire", sees: false }),
  sees: ([source = ""]) => ({ kind: "sight", source: source as "wire", sees: true }),
  check: ([up = ""], at) => service("check", up, at),
  servicelog: ([up = ""], at) => service("log", up, at),
};

function service(side: "check" | "log", up: string, at: number): Fact {
  const witness = by(side, `${side} ${up}`, at);
  return {
    kind: "service",
    virtualServer: "[10.99.0.100]:80",
    realServer: "[10.0.0.1]:80",
    by: side,
    up: up === "up",
    toleranceUs: 10 * SECOND,
    witness,
  };
}

interface Line {
  readonly at: number;
  readonly fact: Fact;
}

/** `0.5 expect MASTER master-down`; `2..9 own`: every second from 2 to 9. */
function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter(Boolean)
    .flatMap((line) => {
      const [when = "", verb = "", ...rest] = line.split(/\s+/);
      const speak = VERBS[verb];
      if (!speak) throw new Error(`cannot read: ${line}`);
      const [from = 0, to = from] = when.split("..").map(Number);
      const times = Array.from({ length: Math.floor(to - from) + 1 }, (_, i) => (from + i) * SECOND);
      return times.map((at) => ({ at, fact: speak(rest, at) }));
    })
    .sort((a, b) => a.at - b.at);
}

/** Everything sees and the daemon runs, unless the scenario says otherwise. */
const START = `0 sees wire
0 sees kernel
0 sees process
0 vrrp running`;

/** Looks five times a second. @returns `begin CODE since` and `end CODE at`, in seconds */
function play(text: string, to: number, over: Partial<Subject> = {}, keepsVips = false) {
  const verdicts = createVerdicts();
  verdicts.tell({ kind: "subjects", subjects: [subject(over)], keepsVips }, 0 as MonoUs);
  const lines = linesOf(`${START}\n${text}`);
  const found = [];
  for (let now = 0; now <= to * SECOND; now += SECOND / 5) {
    while (lines[0] && lines[0].at <= now) {
      const { fact, at } = lines.shift() as Line;
      verdicts.tell(fact, at as MonoUs);
    }
    found.push(...verdicts.judge(now as MonoUs));
  }
  return found;
}

const told = (...args: Parameters<typeof play>): string[] =>
  play(...args).map(({ phase, difference, at }) =>
    [phase, difference.code, difference.reason, (at / SECOND).toFixed(1)].filter(Boolean).join(" "),
  );

describe("nothing is told", () => {
  test.each<[string, string]>([
    [
      "of a healthy master",
      "0 expect BACKUP start\n0 log BACKUP\n3.6 expect MASTER master-down\n3.7 log MASTER\n3.7 vip +\n3.6..30 own",
    ],
    ["of a healthy backup", "0 expect BACKUP start\n0.2 log BACKUP\n0.5..30 peer"],
    [
      "of a failback, where log and address come a moment apart",
      "0 expect MASTER seed\n0 log MASTER\n0 vip +\n0..9 own\n10 peer 200\n10 expect BACKUP outranked\n10.3 vip -\n11 log BACKUP\n11..30 peer",
    ],
    [
      "of a master that is silent because another one's adverts set its timer anew",
      "0 expect MASTER seed\n0 log MASTER\n0 vip +\n0 own\n0.9..30 peer 50",
    ],
    [
      "of a stop in order, whoever takes over",
      "0 expect MASTER seed\n0 vip +\n0..5 own\n5 stopping\n5 vip -\n6 expect ?\n6.2 vrrp gone",
    ],
    ["of a stop whose log line is read late", "0 expect MASTER seed\n0..5 own\n6 expect ?\n6 vrrp gone\n7 stopping"],
    [
      "of a killed child that has a successor",
      "0 expect MASTER seed\n0..5 own\n5 expect ?\n5 vrrp gone\n5.3 vrrp running 12\n5.3 expect BACKUP start\n5.4 log BACKUP\n9 expect MASTER master-down\n9 log MASTER\n9..30 own",
    ],
    [
      "of the end of a child that has a successor already",
      "0 expect MASTER seed\n0 log MASTER\n0..5 own\n5 vrrp running 12\n5 expect BACKUP start\n5.2 vrrp gone 11\n5.3 log BACKUP\n9 expect MASTER master-down\n9 log MASTER\n9..30 own",
    ],
    ["while the shadow cannot say", "0 log MASTER\n0 vip +\n0..30 peer\n0..30 own"],
    ["while the capture does not see", "0 blind wire\n0 expect MASTER seed\n0 log MASTER\n0 vip +"],
    [
      "of silence before the capture sees again",
      "0 expect MASTER seed\n0 log MASTER\n0 vip +\n0..5 own\n5.5 blind wire\n28.5 sees wire",
    ],
    ["while processes are not seen", "0 blind process\n0 expect BACKUP start\n0 log MASTER\n0..30 peer"],
    ["of an instance that waits for its scripts", "0 expect INIT start\n0 log FAULT"],
    ["of a service on which both agree", "0 check down\n5 servicelog down\n20 check up\n25 servicelog up"],
    ["of a service keepalived says nothing of", "0 check down"],
  ])("%s", (_, text) => {
    expect(told(text, 30)).toEqual([]);
  });
});

describe("it should be a backup, and is master", () => {
  const peer = "0..30 peer 150\n0 expect BACKUP start\n0.1 log BACKUP\n";

  test("its log says that it heard nothing, and the wire says otherwise: the socket is not read", () => {
    const found = play(`${peer}7.9 timeout\n8 log MASTER\n8.1 vip +\n8..20 own\n20.2 log BACKUP\n20.2 vip -`, 30);
    expect(found.map(({ phase, difference, at }) => [phase, difference.code, at / SECOND])).toEqual([
      ["begin", "socket-not-read", 8],
      ["end", "socket-not-read", 21.6],
    ]);
    const [{ difference } = { difference: undefined }] = found;
    expect(difference?.observed).toBe(`MASTER: its log says MASTER, sends adverts, has ${VIP}`);
    expect(difference?.evidence.map(({ source, text }) => `${source}: ${text}`)).toEqual([
      "shadow: start",
      "log: Receive advertisement timeout",
      "log: Entering MASTER STATE",
      `kernel: +${VIP}`,
      "wire: peer's advert",
      "wire: own advert",
    ]);
  });

  test("it refuses what the configuration allows", () => {
    expect(told(`${peer}7.9 rejects auth\n8 timeout\n8 log MASTER\n8..30 own`, 30)).toEqual([
      "begin adverts-rejected auth 8.0",
    ]);
  });

  test("nothing tells why", () => {
    expect(told(`${peer}8 log MASTER\n8..30 own`, 30)).toEqual(["begin unexpected-master 8.0"]);
  });

  test("only an address is left of its mastership", () => {
    expect(told(`${peer}0 vip +`, 30)).toEqual(["begin zombie-vip left-over 0.0"]);
  });

  test("an owner's address is there without it", () => {
    expect(told(`${peer}0 vip +`, 30, { owner: true })).toEqual([]);
  });

  test("it should be in FAULT", () => {
    expect(told("0 expect FAULT fault\n0 log MASTER\n0 vip +\n0..30 own", 30)).toEqual(["begin fault 0.0"]);
  });

  test("an interval of ten seconds is waited out one and a half times", () => {
    const late = `0 expect BACKUP start\n0..60 peer\n20 log MASTER`;
    expect(told(late, 34.8, { advertIntervalUs: 10 * SECOND })).toEqual([]);
    expect(told(late, 35.2, { advertIntervalUs: 10 * SECOND })).toEqual(["begin unexpected-master 20.0"]);
  });
});

describe("it should be master", () => {
  test("and stays silent: since the advert that did not come", () => {
    expect(told("0 expect MASTER seed\n0 log MASTER\n0 vip +\n0..10 own\n25..30 own", 30)).toEqual([
      "begin silent-master 11.0",
      "end silent-master 25.0",
    ]);
  });

  test("and is not", () => {
    expect(told("0 expect BACKUP start\n0 log BACKUP\n4 expect MASTER master-down", 30)).toEqual([
      "begin not-master 4.0",
    ]);
  });

  test("and its log is in FAULT", () => {
    expect(told("0 expect MASTER seed\n0 log MASTER\n0..5 own\n0 vip +\n5 log FAULT\n5 vip -", 30)).toEqual([
      "begin fault 5.0",
    ]);
  });
});

describe("processes", () => {
  test.each(["frozen", "blocked"])("one that is %s, and nothing else of what it does not do", (state) => {
    expect(
      told(
        `0 expect MASTER seed\n0 log MASTER\n0 vip +\n0..10 own\n10.4 vrrp ${state}\n14..25 peer 50\n25 vrrp running\n25.1..30 own`,
        30,
        {},
      ),
    ).toEqual([`begin frozen ${state} 10.4`, `end frozen ${state} 25.0`]);
  });

  test("a daemon that was killed leaves its address", () => {
    const found = play("0 expect MASTER seed\n0 vip +\n0..10 own\n10.4 expect ?\n10.4 vrrp gone\n14..30 peer 50", 30);
    expect(found.map(({ phase, difference, at }) => [phase, difference.code, difference.reason, at / SECOND])).toEqual([
      ["begin", "zombie-vip", "daemon-gone", 10.4],
    ]);
    expect(found[0]?.difference.message).toBe(
      `VI_1: keepalived ended without being told to, but ${VIP} is still on the interface`,
    );
  });

  test("and the peer that is master too is named where it is heard in time", () => {
    const [begin] = play("0 vip +\n0 vrrp gone\n0..30 peer 50", 30);
    expect(begin?.difference.message).toContain(`, and ${PEER} sends adverts for it`);
  });

  test("an address that keepalived was told to leave is none", () => {
    expect(told("0 expect MASTER seed\n0 vip +\n0..5 own\n5 stopping\n5 vrrp gone", 30, {}, true)).toEqual([]);
  });

  test("an address without any daemon since the watching began", () => {
    expect(told("0 vrrp gone\n0 stopping\n0 vip +\n20 vip -", 30)).toEqual([
      "begin zombie-vip daemon-gone 0.0",
      "end zombie-vip daemon-gone 20.0",
    ]);
  });

  test("a daemon that was killed, and nobody takes over", () => {
    expect(told("0 expect MASTER seed\n0 vip +\n0..10 own\n10.4 vrrp gone\n10.5 vip -\n20 peer 50", 30)).toEqual([
      "begin daemon-absent 10.4",
      "end daemon-absent 20.0",
      "begin daemon-absent 20.0",
    ]);
  });
});

describe("services", () => {
  test("one that is down and kept, for longer than both sides need to see it", () => {
    expect(told("0 servicelog up\n0 check up\n5 check down\n25 servicelog down", 30)).toEqual([
      "begin service-kept 5.0",
      "end service-kept 25.0",
    ]);
  });

  test("one that answers and was removed", () => {
    expect(told("0 servicelog down\n0 check down\n5 check up", 30)).toEqual(["begin service-removed 5.0"]);
  });
});

test("whatever is told in whatever order, begins and ends of one subject take turns, and evidence is in order", () => {
  const fact = fc.constantFrom(
    ...Object.entries({
      expect: ["BACKUP", "MASTER", "FAULT", "INIT", "?"],
      log: ["BACKUP", "MASTER", "FAULT"],
      vip: ["+", "-"],
      own: [""],
      peer: ["150", "50"],
      timeout: [""],
      rejects: ["auth"],
      vrrp: ["running", "frozen", "gone", "zombie", "running 12", "gone 12"],
      stopping: [""],
      blind: ["wire", "kernel", "process"],
      sees: ["wire", "kernel", "process"],
      check: ["up", "down"],
      servicelog: ["up", "down"],
    }).flatMap(([verb, words]) => words.map((word) => `${verb} ${word}`)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fact), { maxLength: 60 }), (script) => {
      const open = new Map<string, number>();
      for (const { phase, difference, at } of play(
        script.map(([tenths, line]) => `${tenths / 10} ${line}`).join("\n"),
        32,
      )) {
        const key = [difference.code, difference.instance, difference.daemon, difference.realServer].join();
        expect(open.has(key)).toBe(phase === "end");
        if (phase === "begin") open.set(key, at);
        else {
          expect(at).toBeGreaterThanOrEqual(open.get(key) ?? 0);
          open.delete(key);
        }
        const times = difference.evidence.map(({ ts }) => ts);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(difference.evidence.length).toBeLessThanOrEqual(16);
      }
    }),
    { numRuns: 200 },
  );
});
