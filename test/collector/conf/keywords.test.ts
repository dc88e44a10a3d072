import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shapeOf } from "../../../collector/conf/blocks.ts";
import { blocksWith, keywordsOf } from "../../../collector/conf/keywords/blocks.ts";
import { checkKeywords } from "../../../collector/conf/keywords/check.ts";
import type { Keyword } from "../../../collector/conf/keywords/keyword.ts";
import { type ConfFiles, parseConf } from "../../../collector/conf/parser.ts";
import { compareReleases, type Release } from "../../../collector/conf/version.ts";

const RELEASE: Release = [2, 2, 7];
const FILE = "/etc/keepalived/keepalived.conf";

function findings(text: string, release = RELEASE) {
  const files: ConfFiles = { read: (path) => (path === FILE ? text : { unreadable: "no such file" }), glob: () => [] };
  return [...checkKeywords(parseConf(FILE, files, "lb1", { release }).nodes, release)];
}

const told = (text: string, release = RELEASE): string[] =>
  findings(text, release).map(({ code, at, message }) => `${at.line}:${at.column} ${code} ${message}`);

describe("a keyword", () => {
  const instance = (lines: string): string => `vrrp_instance VI_1 {\n${lines}\n}\n`;

  test.each<[string, string, string]>([
    [
      "misspelt",
      instance(" priorty 150"),
      "2:2 unknown_keyword priorty is no keyword in vrrp_instance, and is ignored",
    ],
    [
      "in capitals",
      instance(" Priority 150"),
      "2:2 unknown_keyword Priority is no keyword in vrrp_instance, and is ignored",
    ],
    [
      "of another block",
      instance(" router_id lb1"),
      "2:2 keyword_misplaced router_id is no keyword in vrrp_instance, and is ignored: it belongs to global_defs",
    ],
    [
      "without its value",
      instance(" priority"),
      "2:2 missing_parameter priority has no value: keepalived ends when it reads this line",
    ],
    [
      "with a value out of range",
      instance(" priority 300"),
      "2:11 value_invalid priority: 300 is not a whole number from 1 to 255, and is not taken; what stands before it applies, or the default: 100, or 255 with state MASTER",
    ],
    [
      "with something behind the number",
      instance(" priority 100;"),
      "2:11 value_invalid priority: a word is not a whole number from 1 to 255, and is not taken; what stands before it applies, or the default: 100, or 255 with state MASTER",
    ],
    [
      "with a second keyword behind it",
      instance(" virtual_router_id 51 priority 150"),
      "2:23 second_keyword_ignored priority stands behind virtual_router_id on one line, and is ignored",
    ],
    [
      "with words behind it",
      instance(" priority 150 // high"),
      "2:15 surplus_words // high is ignored: priority takes one word",
    ],
    [
      "that is a flag and switched off",
      instance(" nopreempt off"),
      "2:12 flag_not_off nopreempt off switches nopreempt on: it takes no value",
    ],
    [
      "twice",
      instance(" priority 150\n priority 100"),
      "3:2 keyword_repeated priority stands in line 2 already: the last valid one of them counts, without a message",
    ],
    [
      "in small letters where capitals are meant",
      instance(" authentication {\n  auth_type pass\n }"),
      "3:13 auth_type_unknown auth_type: pass is not PASS: capital and small letters differ, and is not taken; what stands before it applies, or the default: none",
    ],
    [
      "of a digest that is too short",
      "virtual_server 10.0.0.1 80 {\n real_server 10.0.0.2 80 {\n  HTTP_GET {\n   url {\n    digest abc\n   }\n  }\n }\n}\n",
      "5:12 value_invalid digest: abc has 3 characters, and a digest has 32, and is not taken",
    ],
    [
      "with an old name",
      instance(" lvs_sync_daemon_interface eth0"),
      "2:2 deprecated lvs_sync_daemon_interface is an old name: lvs_sync_daemon in global_defs has taken its place",
    ],
  ])("%s is told with its place and what applies instead", (_, text, expected) => {
    expect(told(text)).toEqual([expected]);
  });

  test("is proposed where one is meant", () => {
    expect(findings(instance(" priorty 150"))[0]?.fix).toBe("Did you mean priority?");
    expect(findings(instance(" xyzzy 1"))[0]?.fix).toBeUndefined();
  });

  test("belongs to its release", () => {
    const text = instance(" owner_ignore_adverts true\n");
    expect(told(text)).toEqual([
      "2:2 keyword_too_new owner_ignore_adverts came with 2.3.3, and keepalived 2.2.7 ignores it in vrrp_instance",
    ]);
    expect(told(text, [2, 3, 3])).toEqual([]);
    expect(told("global_defs {\n plugin_dir /x\n}\n")).toEqual([
      "2:2 keyword_removed plugin_dir went with 1.2.19, and keepalived 2.2.7 ignores it in global_defs",
    ]);
  });

  test("whose value is a password never shows it, nor what may be a broken line of one", () => {
    const text = instance(" authentication {\n  auth_type PASS\n  auth_pass s3cr3t!x w0rds\n  p4ss#w0rd$\n }");
    expect(JSON.stringify(findings(text))).not.toMatch(/s3cr3t|w0rds|p4ss/);
  });

  test("in a list is an entry and no keyword", () => {
    expect(told(instance(" track_file {\n  priority\n }\n unicast_peer {\n  10.0.0.2\n }"))).toEqual([]);
  });
});

describe("the table of keywords", () => {
  const blocks = ["", ...blocksWith("alpha"), "global_defs", "vrrp_instance", "url", "bfd_instance"];

  test.each(blocks)("has each keyword of %s once, since a release we know", (outer) => {
    for (const row of keywordsOf(outer)?.values() ?? [])
      expect(compareReleases(row.until ?? [2, 4, 3], row.since), row.name).toBeGreaterThanOrEqual(0);
  });
});

/** Values that tell the kinds apart. */
const PROBES = [
  "",
  "5",
  "0",
  "-1",
  "256",
  "99999",
  "4294967296",
  "1.5",
  "abc",
  "10.99.0.1",
  "eth0",
  "on",
  "maybe",
  "/bin/true",
];

const INSTANCE =
  "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.99.0.9/24\n }\n";
const REAL = "virtual_server 10.99.0.9 80 {\n protocol TCP\n lb_algo rr\n lb_kind DR\n real_server 10.99.0.10 80 {\n";
const checker = (name: string, more = ""): [string, string] => [`${REAL} ${name} {\n${more}`, "}\n}\n}\n"];

/** What stands around a line of each block, so that keepalived reads it there. */
const AROUND: Readonly<Record<string, readonly [before: string, after: string]>> = {
  global_defs: [`${INSTANCE}}\nglobal_defs {\n`, "}\n"],
  vrrp_instance: [INSTANCE, "}\n"],
  authentication: [`${INSTANCE} authentication {\n`, " }\n}\n"],
  vrrp_script: [`${INSTANCE}}\nvrrp_script chk {\n script /bin/true\n`, "}\n"],
  track_file: [`${INSTANCE}}\ntrack_file tf {\n file /etc/hostname\n`, "}\n"],
  vrrp_track_process: [`${INSTANCE}}\nvrrp_track_process tp {\n process nginx\n`, "}\n"],
  garp_group: [`${INSTANCE}}\ngarp_group {\n interface eth0\n garp_interval 1\n`, "}\n"],
  bfd_instance: [`${INSTANCE}}\nbfd_instance B {\n neighbor_ip 10.99.0.2\n`, "}\n"],
  virtual_server: ["virtual_server 10.99.0.9 80 {\n real_server 10.99.0.10 80 {\n }\n", "}\n"],
  real_server: [REAL, "}\n}\n"],
  TCP_CHECK: checker("TCP_CHECK"),
  HTTP_GET: checker("HTTP_GET", "url {\n path /\n}\n"),
  SMTP_CHECK: checker("SMTP_CHECK"),
  DNS_CHECK: checker("DNS_CHECK"),
  UDP_CHECK: checker("UDP_CHECK"),
  PING_CHECK: checker("PING_CHECK"),
  MISC_CHECK: checker("MISC_CHECK", "misc_path /bin/true\n"),
};

/** What 2.2.7 says of these lines is not about the keyword alone: another rule looks at it, or the probe collides with what stands around it. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  // Looked at together with other keywords, by a rule of its own.

  "state",
  "interface",
  "mcast_src_ip",
  "unicast_src_ip",
  "auth_pass",
  "use_vmac",
  "use_ipvlan",
  "vrf",
  "native_ipv6",

  "vmac_xmit_base",
  "old_unicast_checksum",
  "check_unicast_src",
  "unicast_ttl",
  "mcast_dst_ip",
  "advert_int",
  "version",

  "no_accept",
  "accept",
  "vrrp_version",
  "vrrp_mcast_group4",
  "vrrp_mcast_group6",
  "script_user",
  "user",
  "smtp_server",
  "hashed",
  "sh-port",
  "sh-fallback",
  "mh-port",
  "mh-fallback",
  "sorry_server_inhibit",
  "quorum",
  "hysteresis",
  "lvs_sync_daemon",
  "lvs_sync_daemon_interface",
  "vrrp_iptables",
  "include_check",
  "init_file",
  "file",
  "process",
  "config_save_dir",
  "vrrp_cpu_affinity",
  "checker_cpu_affinity",
  "bfd_cpu_affinity",
  "persistence_granularity",
  "weight",
  "persistence_engine",
  "lvs_timeouts",
  "idle_tx",
  "neighbor_ip",
  "neighbour_ip",
  "track_file",
  "name",
  // Not built into Debian's package.
  "http_protocol",
  "regex",
  "vrrp_ipsets",
]);

const hasDaemon = spawnSync("keepalived", ["-v"]).status === 0 && process.getuid?.() === 0;
if (!hasDaemon)
  process.stderr.write(
    "\nSKIPPED, the keyword table against keepalived -t: needs keepalived, and root for a network namespace\n\n",
  );

describe.skipIf(!hasDaemon)("the table of keywords and keepalived -t", () => {
  const folder = mkdtempSync(join(tmpdir(), "keepwatch-keywords-"));
  const netns = `kw${process.pid}-k`;
  const ip = (...args: string[]): void => {
    const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  };

  beforeAll(() => {
    ip("netns", "add", netns);
    ip("-n", netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
    ip("-n", netns, "addr", "add", "10.99.0.1/24", "dev", "eth0");
    for (const link of ["lo", "eth0", "eth1"]) ip("-n", netns, "link", "set", link, "up");
  });

  afterAll(() => {
    spawnSync("ip", ["netns", "del", netns]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** What keepalived -t says of one line, and whether it ends there. */
  function ask(text: string, line: number, id: string): Promise<{ says: string[]; ends: boolean }> {
    const path = join(folder, `${id}.conf`);
    writeFileSync(path, text, { mode: 0o644 });
    return new Promise((resolve) => {
      let out = "";
      const child = spawn("ip", ["netns", "exec", netns, "keepalived", "-t", "-f", path], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stdout.on("data", (data: Buffer) => (out += data.toString()));
      child.stderr.on("data", (data: Buffer) => (out += data.toString()));
      child.once("close", () =>
        resolve({
          says: out.split("\n").filter((said) => said.includes(`Line ${line})`) && !said.includes("deprecated")),
          ends: out.includes("is missing a parameter"),
        }),
      );
    });
  }

  const isOf227 = ({ since, until }: Keyword): boolean =>
    compareReleases(since, RELEASE) <= 0 && (until === undefined || compareReleases(until, RELEASE) >= 0);

  test.each(Object.keys(AROUND))(
    "agree on every keyword of %s, and on every kind of value",
    async (outer) => {
      const [before, after] = AROUND[outer] ?? ["", ""];
      const line = before.split("\n").length;
      const jobs = [...(keywordsOf(outer)?.values() ?? [])]
        .filter((row) => isOf227(row) && !ELSEWHERE.has(row.name) && shapeOf(outer, row.name) === undefined)
        .flatMap((row) => PROBES.map((probe) => ({ row, probe })));
      const disagreements: string[] = [];
      const work = async (worker: number): Promise<void> => {
        for (let job = jobs.pop(); job; job = jobs.pop()) {
          const { row, probe } = job;
          const text = `${before}${row.name} ${probe}`.trimEnd() + `\n${after}`;
          const { says, ends } = await ask(text, line, `${outer}-${worker}`);
          const ours = findings(text).filter(({ at, code }) => at.line === line && !HINTS.has(code));
          const weEnd = ours.some(({ code }) => code === "missing_parameter");
          if (weEnd !== ends || ours.length > 0 !== (ends || says.length > 0))
            disagreements.push(
              `${row.name} ${probe}: we say ${ours.map(({ code }) => code).join() || "nothing"}, keepalived says ${ends ? "the end" : says.join(" | ") || "nothing"}`,
            );
        }
      };
      await Promise.all([0, 1, 2].map(work));
      expect(disagreements.sort()).toEqual([]);
    },
    600_000,
  );
});

/** What keepalived does without a word. */
const HINTS: ReadonlySet<string> = new Set(["surplus_words", "deprecated", "flag_not_off", "keyword_repeated"]);
