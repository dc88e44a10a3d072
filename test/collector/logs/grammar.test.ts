import { describe, expect, test } from "vitest";
import { GrammarTable, takePrefixes } from "../../../collector/logs/grammar.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { readMessage } from "../../../collector/logs/reader.ts";
import { type Claim, claimsIn } from "../../support/claims.ts";

const table = new GrammarTable(allGrammars);
const samples = allGrammars.flatMap((row) => row.samples.map((sample) => [row.id, sample] as const));

/** Rows with a wording so open that it fits what others say too: those say more, and are meant. */
const GENERAL: readonly string[] = [
  "check.result.failure.http",
  "check.virtual-server",
  "config.config_copy_directory_invalid.degraded",
  "config.firewall_name_invalid.degraded",
  "config.garp_extra_if_invalid.degraded",
  "config.lvs_syncd_deprecated.degraded",
  "config.owner_ignore_adverts_invalid.degraded",
  "config.route_invalid.degraded",
  "config.syncgroup_too_small_removed.degraded",
  "config.vrrp_owner_ignore_adverts_invalid.degraded",
  "ipvs.error",
  "vrrp.error.sysctl",
];

const claimsOf = (sample: string): Claim[] => {
  const { words, context } = takePrefixes(sample, "vrrp");
  return claimsIn(table, words, context.instance !== undefined);
};

describe("the grammar is a table", () => {
  test.each(samples)("%s reads its own sample %j and no other row says as much in it", (id, sample) => {
    const [first, ...others] = claimsOf(sample);
    expect(first?.id).toBe(id);
    expect(others.filter((other) => other.letters >= (first?.letters ?? 0))).toEqual([]);
  });

  test("few rows fit what others say too", () => {
    const general = samples.flatMap(([, sample]) => claimsOf(sample).slice(1));
    expect([...new Set(general.map(({ id }) => id))].sort()).toEqual(GENERAL);
  });

  test("no id is used twice", () => {
    const ids = allGrammars.map((row) => row.id);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  });

  test("no template stands in it twice", () => {
    const templates = allGrammars.flatMap((row) => row.templates);
    expect(templates.filter((template, i) => templates.indexOf(template) !== i)).toEqual([]);
  });

  test.each(allGrammars.map((row) => [row.id, row] as const))(
    "%s says where and since when it is printed",
    (_id, row) => {
      expect(row.samples.length).toBeGreaterThan(0);
      expect(row.source).toMatch(/\.[ch]\b/);
      expect(row.since).toMatch(/^[1-9]\.\d+\.\d+$/);
    },
  );
});

describe("a message", () => {
  test.each([
    [
      "(VI_1) Changing effective priority from 100 to 80",
      { kind: "vrrp.priority-changed", instance: "VI_1", from: 100, to: 80 },
    ],
    ["(VI_1) Changing effective priority from 100 to 800", { kind: "log.unrecognised" }],
    ["A thread timer expired 12.345678 seconds ago", { kind: "vrrp.scheduler-stall", lateUs: 12_345_678 }],
    ["A thread timer expired 1e400 seconds ago", { kind: "log.unrecognised" }],
    ["Entering MASTER STATE", { kind: "log.unrecognised" }],
    ["Starting frobnication child process, pid=7", { kind: "log.unrecognised" }],
    ["Starting VRRP child process, pid=99999999999", { kind: "log.unrecognised" }],
    [
      "VRRP child process(15) died: Exiting",
      { kind: "daemon.child-exited", daemon: "vrrp", childPid: 15, respawning: false },
    ],
    [
      "(VI_1) Master received advert from FE80:0::1 with higher priority 150, ours 100",
      { kind: "vrrp.advert-higher-priority", instance: "VI_1", peer: "fe80::1", priority: 150, ownPriority: 100 },
    ],
    [
      "(VI_1) received an invalid passwd from nowhere!",
      { kind: "vrrp.advert-rejected", reason: "auth", instance: "VI_1" },
    ],
    ["(VI_1) Setting effective priority to 90", { kind: "vrrp.priority-set", instance: "VI_1", priority: 90 }],
    ["Tue Mar  5 10:00:00 2024: Stopping", { kind: "daemon.stopping" }],
    [
      "message repeated 3 times: [ (VI_1) received an invalid passwd!]",
      { kind: "vrrp.advert-rejected", reason: "auth", instance: "VI_1" },
    ],
    ["   VRRP Version = 2", { kind: "log.notice", code: "indented" }],
    [
      "(/etc/keepalived/conf.d/a: b.conf: Line 12) (VI_1) strict mode requires auth_hmac mode enforce",
      expect.objectContaining({
        kind: "config.diagnostic",
        file: "/etc/keepalived/conf.d/a: b.conf",
        line: 12,
        instance: "VI_1",
      }),
    ],
    ["(Line 6) Unknown keyword 'frob'", expect.objectContaining({ kind: "config.diagnostic", line: 6 })],
  ])("%j", (message, body) => {
    expect(readMessage(message, "vrrp")).toEqual(body);
  });

  test("'Stopped' is the end of the child whose tag it carries, and of nobody where no tag says", () => {
    const message = "Stopped - used 0.007168 user time, 0.000000 system time";
    const used = { userUs: 7168, systemUs: 0 };
    expect(readMessage(message, "checker")).toEqual({ kind: "daemon.stopped", daemon: "checker", ...used });
    expect(readMessage(message, undefined)).toEqual({ kind: "log.notice", code: "child-stopped", ...used });
    // The parent has words of its own for it.
    expect(readMessage(message, "parent")).toEqual({ kind: "log.notice", code: "child-stopped", ...used });
  });
});
