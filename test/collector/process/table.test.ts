import { describe, expect, test } from "vitest";
import type { Daemon } from "../../../collector/events/event.ts";
import { ProcessTable, type RoleHints, type SeenProcess } from "../../../collector/process/table.ts";

const T0 = 1_795_517_580_000_000;
const at = (seconds: number): number => T0 + seconds * 1_000_000;

const HINTS: RoleHints = {
  pidFiles: new Map<number, Daemon>([
    [10, "parent"],
    [11, "vrrp"],
    [12, "checker"],
  ]),
  log: new Map(),
  expected: ["vrrp", "checker"],
};

/** `10 1 S 100`: pid, parent, state, start in ticks. */
function seen(...lines: readonly string[]): SeenProcess[] {
  return lines.map((line) => {
    const [pid = "", parent = "", letter = "", ticks = "100"] = line.split(" ");
    return {
      pid: Number(pid),
      parentPid: Number(parent),
      letter,
      startTicks: Number(ticks),
      startedUs: at(Number(ticks) / 100),
    };
  });
}

/** Plays looks at seconds; each change as `second kind pid daemon state`. */
function play(looks: Readonly<Record<number, readonly string[]>>, hints: RoleHints = HINTS): string[] {
  const table = new ProcessTable();
  return Object.entries(looks).flatMap(([second, lines]) =>
    table
      .look(seen(...lines), hints, at(Number(second)))
      .map(({ process, body, atUs }) =>
        [
          (atUs - T0) / 1e6,
          body.kind.slice("process.".length),
          process.pid,
          body.daemon ?? "?",
          ...(body.kind === "process.state" ? [`${body.previousState}>${body.state}`] : []),
        ].join(" "),
      ),
  );
}

const DAEMON = ["10 1 S 100", "11 10 S 101", "12 10 S 102"];

test("one that is told late what it does has learnt it once, and did not start again", () => {
  const table = new ProcessTable();
  const nobody: RoleHints = { pidFiles: new Map(), log: new Map(), expected: [] };
  const look = (hints: RoleHints, second: number): unknown => [
    table.look(seen("10 1 S 100", "11 10 S 101"), hints, at(second)).length,
    table.hasLearnt(),
    table.isSteady(),
  ];
  expect(look(nobody, 5)).toEqual([2, false, false]);
  expect(look({ ...nobody, pidFiles: new Map([[11, "vrrp"]]) }, 6)).toEqual([0, true, true]);
  expect(table.known().map(({ daemon }) => daemon)).toEqual(["parent", "vrrp"]);
  expect(look({ ...nobody, pidFiles: new Map([[11, "vrrp"]]) }, 7)).toEqual([0, false, true]);
});

test("a look is not over while one waits for a disk", () => {
  const table = new ProcessTable();
  const waiting = ["10 1 S 100", "11 10 D 101", "12 10 S 102"];
  table.look(seen(...waiting), HINTS, at(2));
  expect(table.isSteady()).toBe(false);
  table.look(seen(...DAEMON), HINTS, at(3));
  expect(table.isSteady()).toBe(true);
});

describe("what changed between two looks", () => {
  test("a start is told at the instant the kernel gives, oldest first", () => {
    expect(play({ 2: DAEMON })).toEqual(["1 started 10 parent", "1.01 started 11 vrrp", "1.02 started 12 checker"]);
  });

  test("a launcher that has not ended yet does not make the daemon it forked a child of the daemon's", () => {
    const hints: RoleHints = { pidFiles: new Map(), log: new Map(), expected: ["vrrp"] };
    const told = play(
      {
        1.1: ["9 1 S 100", "10 9 S 101"],
        1.3: ["10 1 S 101", "11 10 S 102"],
        3.1: ["10 1 S 101", "11 10 S 102"],
      },
      hints,
    );
    expect(told.filter((line) => line.includes("started")).slice(-2)).toEqual([
      "1.01 started 10 parent",
      "1.02 started 11 vrrp",
    ]);
    const named = { ...hints, pidFiles: new Map<number, Daemon>([[10, "parent"]]) };
    expect(play({ 1.1: ["9 1 S 100", "10 9 S 101"] }, named)).toContain("1.01 started 10 parent");
  });

  test("nothing new is told twice", () => {
    expect(play({ 2: DAEMON, 3: DAEMON }).length).toBe(3);
  });

  test.each([
    ["T", "frozen"],
    ["t", "frozen"],
    ["Z", "zombie"],
  ])("state %s is %s, and its end is told too", (letter, state) => {
    const changed = play({ 2: DAEMON, 3: ["10 1 S 100", `11 10 ${letter} 101`, "12 10 S 102"], 4: DAEMON });
    expect(changed.slice(3)).toEqual([`3 state 11 vrrp running>${state}`, `4 state 11 vrrp ${state}>running`]);
  });

  test("a wait for the disk is news when it lasts, and not before", () => {
    const waiting = ["10 1 S 100", "11 10 D 101", "12 10 S 102"];
    expect(play({ 2: DAEMON, 3: waiting, 4: DAEMON, 5: waiting }).slice(3)).toEqual([]);
    expect(play({ 2: DAEMON, 3: waiting, 4: waiting, 5: waiting }).slice(3)).toEqual([
      "5 state 11 vrrp running>blocked",
    ]);
  });

  test("a pid that comes again is another process", () => {
    expect(play({ 2: DAEMON, 5: ["10 1 S 100", "11 10 S 400", "12 10 S 102"] }).slice(3)).toEqual([
      "5 gone 11 vrrp",
      "4 started 11 vrrp",
    ]);
  });

  test("a child whose parent was killed stays what it was", () => {
    expect(play({ 2: DAEMON, 3: ["11 1 S 101", "12 1 S 102"], 4: [] }).slice(3)).toEqual([
      "3 gone 10 parent",
      "4 gone 11 vrrp",
      "4 gone 12 checker",
    ]);
  });
});

describe("which child does what", () => {
  const none: RoleHints = { pidFiles: new Map(), log: new Map(), expected: [] };
  const two = ["10 1 S 100", "11 10 S 101"];

  test("by the log where there are no pid files", () => {
    expect(
      play(
        { 9: DAEMON },
        {
          ...none,
          log: new Map([
            [11, "checker"],
            [12, "vrrp"],
          ]),
        },
      ),
    ).toContain("1.02 started 12 vrrp");
  });

  test("the only one there is does what is expected", () => {
    expect(play({ 9: two }, { ...none, expected: ["vrrp"] })).toContain("1.01 started 11 vrrp");
  });

  test("of two that nothing tells apart neither is guessed", () => {
    expect(play({ 9: DAEMON }, { ...none, expected: ["vrrp", "checker"] })).toEqual([
      "1 started 10 parent",
      "1.01 started 11 ?",
      "1.02 started 12 ?",
    ]);
  });

  test("what is forked for a script is no child of the daemon's until it stays", () => {
    const forked = [...DAEMON, "13 10 S 150"];
    expect(play({ 2: forked }).some((line) => line.includes(" 13 "))).toBe(false);
    expect(play({ 2: forked, 3: forked })).toContain("1.5 started 13 ?");
  });
});
