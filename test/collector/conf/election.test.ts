import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ElectionMember, proveElection, type Tracker } from "../../../collector/conf/election.ts";

const tracker = (name: string, weight: number, kind: Tracker["kind"] = "script", reverse = false): Tracker => ({
  kind,
  name,
  weight,
  reverse,
});

const member = (node: string, priority: number, trackers: readonly Tracker[] = [], more = {}): ElectionMember => ({
  node,
  instance: "VI_1",
  priority,
  nopreempt: false,
  trackers,
  ...more,
});

/** The proof as lines: what failed, who is master. */
const table = (members: readonly ElectionMember[]): string[] =>
  proveElection(members).rows.map(({ failed, master, undecided }) => {
    const what = failed.map(({ node, kind, name }) => (kind === "node" ? node : `${name}@${node}`)).join(" ");
    return `${what || "nothing"}: ${undecided.length > 0 ? undecided.join(" or ") : (master ?? "nobody")}`;
  });

const codes = (members: readonly ElectionMember[]): string[] => proveElection(members).findings.map(({ code }) => code);

describe("the election", () => {
  test("goes to the highest priority that is left", () => {
    expect(table([member("lb1", 150), member("lb2", 100)])).toEqual([
      "nothing: lb1",
      "lb1: lb2",
      "lb2: lb1",
      "lb1 lb2: nobody",
    ]);
  });

  test("a weight moves the addresses when it is larger than the difference", () => {
    const rows = table([member("lb1", 110, [tracker("chk", -20)]), member("lb2", 100, [tracker("chk", -20)])]);
    expect(rows).toContain("chk@lb1: lb2");
    expect(rows).toContain("chk@lb1 chk@lb2: lb1");
  });

  test.each([
    ["a negative weight that is too small", 150, 100, -20],
    ["one that makes the priorities equal: a backup accepts an equal", 120, 100, -20],
    ["a positive weight that is too small", 150, 100, 20],
    ["an owner, whose priority no weight changes", 255, 100, -200],
  ])("%s is named", (_, first, second, weight) => {
    const members = [member("lb1", first, [tracker("chk", weight)]), member("lb2", second, [tracker("chk", weight)])];
    expect(codes(members)).toEqual(["election_tracker_never_moves"]);
    expect(proveElection(members).findings[0]?.message).toContain("script chk on lb1");
  });

  test("a positive weight is part of the priority while the check is well", () => {
    const members = [member("lb1", 100, [tracker("chk", 20)]), member("lb2", 110, [tracker("chk", 20)])];
    const { rows, findings } = proveElection(members);
    expect(rows[0]).toMatchObject({ master: "lb2", priorities: { lb1: 120, lb2: 130 } });
    expect(findings).toEqual([]);
  });

  test("weight 0 is a FAULT, and on every node it can leave nobody", () => {
    const members = [member("lb1", 150, [tracker("gw", 0)]), member("lb2", 100, [tracker("gw", 0)])];
    expect(table(members)).toContain("gw@lb1: lb2");
    expect(table(members)).toContain("gw@lb1 gw@lb2: nobody");
    expect(codes(members)).toEqual(["election_common_fault"]);
  });

  test("reverse counts the other way round (tried with 2.2.7)", () => {
    const priorities = (weight: number, failed: boolean): number | undefined =>
      proveElection([member("lb1", 100, [tracker("x", weight, "script", true)])]).rows.find(
        (row) => row.failed.length === (failed ? 1 : 0) && row.failed.every(({ kind }) => kind === "script"),
      )?.priorities["lb1"];
    expect([priorities(10, false), priorities(10, true), priorities(-10, false), priorities(-10, true)]).toEqual([
      90, 100, 100, 110,
    ]);
  });

  test("with nopreempt a lowered priority moves nothing", () => {
    const members = [
      member("lb1", 110, [tracker("chk", -50)], { nopreempt: true }),
      member("lb2", 100, [tracker("chk", -50)], { nopreempt: true }),
    ];
    expect(table(members)).toContain("chk@lb1: lb1");
    expect(proveElection(members).findings[0]).toMatchObject({
      code: "election_tracker_never_moves",
      fix: expect.stringContaining("nopreempt"),
    });
  });

  test("equal priorities: the higher address, or a confession", () => {
    expect(codes([member("lb1", 100, [tracker("a", 0)]), member("lb2", 100)])).toEqual(["election_equal_priority"]);
    expect(table([member("lb1", 100), member("lb2", 100)])[0]).toBe("nothing: lb1 or lb2");
    const known = [member("lb1", 100, [], { address: "10.0.0.9" }), member("lb2", 100, [], { address: "10.0.0.10" })];
    expect(table(known)[0]).toBe("nothing: lb2");
  });

  test("an owner who is left is master; nobody is when all are in FAULT from the start", () => {
    expect(codes([member("lb1", 100, [tracker("x", 0, "script", true)])])).toEqual(["election_nobody"]);
    const stuck = [member("lb1", 100, [tracker("a", 0)]), member("lb2", 90, [], { unable: "line 7 ends the daemon" })];
    expect(codes(stuck)).toEqual(["election_never_moves"]);
    expect(proveElection(stuck).findings[0]?.message).toContain("(lb2: line 7 ends the daemon)");
  });

  test("says so when only interfaces are watched", () => {
    const members = [
      member("lb1", 150, [tracker("eth0", 0, "interface")]),
      member("lb2", 100, [tracker("eth0", 0, "interface")]),
    ];
    expect(codes(members)).toEqual(["election_nothing_tracked"]);
  });

  test("is cut short with a clear statement, and never in the middle of a size", () => {
    const many = Array.from({ length: 20 }, (_, i) => tracker(`chk${i}`, -1));
    const proof = proveElection([member("lb1", 150, many), member("lb2", 100, many)]);
    expect(proof).toMatchObject({ complete: false, failuresMax: 2 });
    // Pairs of 42 things, but for those of a dead node and what is on it.
    expect(proof.rows.filter(({ failed }) => failed.length === 2)).toHaveLength((42 * 41) / 2 - 40);
  });

  const trackers = fc.array(
    fc.record({
      kind: fc.constantFrom("script", "interface", "process", "file", "bfd"),
      name: fc.constantFrom("a", "b"),
      weight: fc.integer({ min: -253, max: 253 }),
      reverse: fc.boolean(),
    }),
    { maxLength: 3 },
  ) as fc.Arbitrary<Tracker[]>;
  const cluster = fc.uniqueArray(
    fc.record({
      node: fc.constantFrom("lb1", "lb2", "lb3"),
      instance: fc.constant("VI_1"),
      priority: fc.integer({ min: 1, max: 255 }),
      nopreempt: fc.boolean(),
      trackers,
    }),
    { minLength: 1, maxLength: 3, selector: ({ node }) => node },
  );

  test("a master is alive, and without nopreempt nobody alive has a higher priority", () => {
    fc.assert(
      fc.property(cluster, (members) => {
        for (const { master, priorities, failed } of proveElection(members).rows) {
          const alive = members.filter(({ node }) => priorities[node] !== undefined);
          expect(master === undefined).toBe(alive.length === 0);
          for (const { node, kind } of failed) if (kind === "node") expect(priorities[node]).toBeUndefined();
          if (master === undefined) continue;
          for (const other of alive.filter(({ nopreempt }) => !nopreempt))
            expect(priorities[other.node]).toBeLessThanOrEqual(priorities[master] ?? 0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
