import { describe, expect, test } from "vitest";
import { Guard, isElected } from "../../../collector/checks/guard.ts";
import { leftToLog, planOf } from "../../../collector/checks/plan.ts";
import { ShadowChecks } from "../../../collector/checks/shadow.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";
import type { MonoUs } from "../../../collector/core/time.ts";
import type { EventBody } from "../../../collector/events/event.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";
import { runningOf } from "./support.ts";

const at = (seconds: number): MonoUs => (seconds * 1_000_000) as MonoUs;
const plan = (text: string, release: Release = NEWEST_RELEASE, scripts: readonly string[] = []) =>
  planOf(runningOf(text, release), release, { scripts });

/** What the log's events say of a line of the checkers. */
function logged(line: string): EventBody | undefined {
  const reader = createLogReader({ path: "messages", fingerprint: "f", zone: "UTC" });
  const bytes = Buffer.from(`2026-11-24T10:00:00Z lb1 Keepalived_healthcheckers[7]: ${line}`);
  return reader.read(bytes, { offset: 0 }, Date.UTC(2026, 10, 24) * 1000)?.body;
}

const TWO = `virtual_server 10.99.0.100 80 {
 protocol TCP
 delay_loop 10
 warmup 0
 retry 1
 delay_before_retry 1
 quorum 2
 sorry_server 10.99.0.99 80
 real_server 10.99.0.11 80 {
 TCP_CHECK {
 }
 }
 real_server 10.99.0.12 80 {
 inhibit_on_failure
 TCP_CHECK {
 }
 }
}
`;

/** Probes what is due, with these outcomes by real server. */
function probe(shadow: ShadowChecks, seconds: number, up: Readonly<Record<string, boolean>>): EventBody[] {
  return shadow.due(at(seconds)).flatMap((address) => {
    shadow.begin(address, at(seconds));
    const isUp = up[shadow.server(address)?.name ?? ""] ?? true;
    const result = isUp ? ({ kind: "success" } as const) : ({ kind: "failure", reason: "connect" } as const);
    return shadow.finish(address, { result, latencyUs: 5 }, at(seconds));
  });
}
const claims = (events: readonly EventBody[]): EventBody[] => events.filter(({ kind }) => kind !== "check.result");

describe("what the shadow says of a server is comparable with what the log says", () => {
  test("the same events under the same names", () => {
    const shadow = new ShadowChecks(plan(TWO), at(0), () => 0);
    expect(shadow.activate(0, true, at(0))).toEqual([
      { kind: "check.activation", service: "[10.99.0.11]:80", active: true, virtualServer: "[10.99.0.100]:80" },
      { kind: "check.activation", service: "[10.99.0.12]:80", active: true, virtualServer: "[10.99.0.100]:80" },
    ]);
    expect(claims(probe(shadow, 0, {}))).toEqual([
      { kind: "check.server-up", virtualServer: "[10.99.0.100]:80", realServer: "[10.99.0.11]:80", action: "added" },
      { kind: "check.server-up", virtualServer: "[10.99.0.100]:80", realServer: "[10.99.0.12]:80", action: "enabled" },
      {
        kind: "check.quorum-gained",
        virtualServer: "[10.99.0.100]:80",
        quorum: 2,
        hysteresis: 0,
        threshold: 2,
        weight: 2,
      },
    ]);
    expect(claims(probe(shadow, 10, { "[10.99.0.12]:80": false }))).toEqual([]);
    const lost = probe(shadow, 11, { "[10.99.0.12]:80": false });
    expect(lost).toContainEqual({
      kind: "check.result",
      checker: "TCP",
      outcome: "down",
      service: "[10.99.0.12]:80",
      virtualServer: "[10.99.0.100]:80",
      reason: "connect",
      retries: 1,
      latencyUs: 5,
    });
    expect(claims(lost)).toEqual(
      [
        "Disabling service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80",
        "Lost quorum 2-0=2 > 1 for VS [10.99.0.100]:tcp:80",
        "Adding sorry server [10.99.0.99]:tcp:80 to VS [10.99.0.100]:tcp:80",
        "Removing alive servers from the pool for VS [10.99.0.100]:tcp:80",
      ].map(logged),
    );
    expect(claims(probe(shadow, 21, {}))).toEqual(
      [
        "Enabling service [10.99.0.12]:tcp:80 to VS [10.99.0.100]:tcp:80",
        "Gained quorum 2+0=2 <= 2 for VS [10.99.0.100]:tcp:80",
        "Adding alive servers to the pool for VS [10.99.0.100]:tcp:80",
        "Removing sorry server [10.99.0.99]:tcp:80 from VS [10.99.0.100]:tcp:80",
      ].map(logged),
    );
  });

  test.each<[what: string, head: string, release: Release, rs: string, vs: string]>([
    ["TCP", "10.99.0.100 80 {\n protocol TCP", [2, 2, 7], "[10.99.0.11]:tcp:8080", "[10.99.0.100]:tcp:80"],
    ["UDP", "10.99.0.100 80 {\n protocol UDP", [2, 2, 7], "[10.99.0.11]:udp:8080", "[10.99.0.100]:udp:80"],
    [
      "direct routing has the one port",
      "10.99.0.100 80 {\n protocol TCP\n lb_kind DR",
      [2, 2, 7],
      "[10.99.0.11]:tcp:80",
      "[10.99.0.100]:tcp:80",
    ],
    [
      "UDP before 1.4.0 is not told apart",
      "10.99.0.100 80 {\n protocol UDP",
      [1, 3, 5],
      "[10.99.0.11]:8080",
      "[10.99.0.100]:80",
    ],
    ["a mark", "fwmark 7 {\n protocol TCP", [2, 2, 7], "[10.99.0.11]:tcp:8080", "FWM 7"],
    ["a group", "group web {\n protocol TCP", [2, 2, 7], "[10.99.0.11]:tcp:8080", "[web]:tcp:0"],
  ])("%s", (_what, head, release, rs, vs) => {
    const { pools } = plan(
      `virtual_server_group web {\n 10.99.0.100 80\n}\nvirtual_server ${head}\n real_server 10.99.0.11 8080 {\n }\n}\n`,
      release,
    );
    expect(logged(`Removing service ${rs} from VS ${vs}`)).toMatchObject({
      virtualServer: pools[0]?.name,
      realServer: pools[0]?.servers[0]?.name,
    });
  });

  test.each<[block: string, line: string]>([
    ["TCP_CHECK {\n }", "TCP_CHECK on service [10.99.0.11]:tcp:80 failed."],
    ["HTTP_GET {\n url {\n path /\n }\n }", "HTTP_CHECK on service [10.99.0.11]:tcp:80 failed after 1 retries."],
    ["SSL_GET {\n url {\n path /\n }\n }", "SSL_CHECK on service [10.99.0.11]:tcp:80 failed after 1 retries."],
    ["SMTP_CHECK {\n }", "SMTP_CHECK Read timeout from server [10.99.0.11]:tcp:80"],
    ["DNS_CHECK {\n }", "DNS_CHECK ([10.99.0.11]:tcp:80) read timeout from socket after 3 retries"],
    ["UDP_CHECK {\n }", "UDP_CHECK on service [10.99.0.11]:tcp:80 failed."],
    ["PING_CHECK {\n }", "ICMP CHECK on service [10.99.0.11]:tcp:80 of [10.99.0.100]:tcp:80 failed after 1 retries."],
    [
      "MISC_CHECK {\n misc_path /bin/true\n }",
      "Misc check for [[10.99.0.11]:tcp:80 VS [10.99.0.100]:tcp:80] by [/bin/true] failed (exited with status 1).",
    ],
  ])("a result of %s has the log's word for the checker", (block, line) => {
    const { pools } = plan(TWO.replace("TCP_CHECK {\n }", block));
    const server = pools[0]?.servers[0];
    const event = logged(line);
    expect(event).toMatchObject({ kind: "check.result", service: server?.name });
    // keepalived writes ICMP lines without naming PING_CHECK when it has no virtual server for them.
    if (event?.kind === "check.result" && event.checker !== "service")
      expect(event.checker).toBe(server?.checkers[0]?.word);
  });
});

describe("a configuration", () => {
  const WITH = (block: string): string => TWO.replace("TCP_CHECK {\n }", block);

  test.each<[what: string, block: string, why: RegExp]>([
    [
      "a script nobody listed",
      "MISC_CHECK {\n misc_path /bin/check\n }",
      /MISC_CHECK of \[10\.99\.0\.11\]:80 .*\/bin\/check is not listed in checks\.scripts/,
    ],
    [
      "a regex that only PCRE knows",
      'HTTP_GET {\n url {\n path /\n regex "a++"\n }\n }',
      /regex is unsupported: possessive/,
    ],
  ])("leaves %s to the log, and says why", (_what, block, why) => {
    expect(leftToLog(plan(WITH(block))).join("\n")).toMatch(why);
  });

  test("runs a script that is listed, and connects with a mark", () => {
    expect(leftToLog(plan(WITH("MISC_CHECK {\n misc_path /bin/check\n }"), NEWEST_RELEASE, ["/bin/check"]))).toEqual(
      [],
    );
    expect(leftToLog(plan(WITH("TCP_CHECK {\n fwmark 3\n }")))).toEqual([]);
  });

  test.each([
    ["virtual_server 10.99.0.100 80 {\n}\n", "virtual_server 10.99.0.100 80: it has no real server"],
    [
      "virtual_server group web {\n real_server 10.99.0.11 80 {\n }\n}\n",
      "virtual_server group web: its group has no entries",
    ],
    [
      "virtual_server nowhere 80 {\n real_server 10.99.0.11 80 {\n }\n}\n",
      "virtual_server nowhere 80: it has no address",
    ],
  ])("%j is passed over", (text, why) => {
    expect(plan(text)).toMatchObject({ pools: [], ignored: [why] });
  });

  test("that is loaded anew keeps what is known of the checkers that stay as they are", () => {
    const before = new ShadowChecks(plan(TWO), at(0), () => 0);
    before.activate(0, true, at(0));
    probe(before, 0, { "[10.99.0.12]:80": false });
    const after = new ShadowChecks(plan(TWO.replace("quorum 2", "quorum 1")), at(5), () => 0, before);
    after.activate(0, true, at(5));
    expect(claims(probe(after, 5, {}))).toContainEqual(
      logged("Enabling service [10.99.0.12]:tcp:80 to VS [10.99.0.100]:tcp:80"),
    );
    const changed = new ShadowChecks(plan(TWO.replace("retry 1", "retry 3")), at(5), () => 0, before);
    changed.activate(0, true, at(5));
    expect(claims(probe(changed, 5, { "[10.99.0.12]:80": false }))).toContainEqual(
      logged("Disabling service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80"),
    );
  });

  test("a server of alpha that cannot be probed is not held for down", () => {
    const shadow = new ShadowChecks(plan(TWO.replace("quorum 2", "alpha\n quorum 1")), at(0), () => 0);
    shadow.activate(0, true, at(0));
    const [first, second] = shadow.due(at(0));
    if (first === undefined || second === undefined) throw new Error("two are due");
    for (const address of [first, second]) shadow.begin(address, at(0));
    expect(shadow.finish(first, { result: { kind: "unable", why: "-" } }, at(0))).toEqual([]);
    // The quorum was met before as far as is known: it is not gained by this.
    const passed = shadow.finish(second, { result: { kind: "success" } }, at(0));
    expect(claims(passed).map(({ kind }) => kind)).toEqual(["check.server-up"]);
  });

  test("beside others, a server that is left to the log counts for the quorum, and is not claimed", () => {
    const text = TWO.replace("TCP_CHECK {\n }", "MISC_CHECK {\n misc_path /bin/check\n }");
    const shadow = new ShadowChecks(plan(text), at(0), () => 0);
    shadow.activate(0, true, at(0));
    probe(shadow, 0, {});
    const [first] = shadow.unprobed();
    const events = first ? shadow.hear(first.address, false) : [];
    expect(events.map(({ kind }) => kind)).toEqual(["check.quorum-lost", "check.sorry-server", "check.pool"]);
  });

  test("a server whose checkers are all left to the log makes no claims of its own", () => {
    const text = TWO.replaceAll("TCP_CHECK {\n }", "MISC_CHECK {\n misc_path /bin/check\n }");
    const shadow = new ShadowChecks(plan(text), at(0), () => 0);
    expect(shadow.activate(0, true, at(0))).toEqual([]);
    expect(shadow.unprobed().flatMap(({ address }) => shadow.hear(address, false))).toEqual([]);
  });
});

describe("the load guard", () => {
  test("gives a real server one probe a loop, and no more probes at once than there are places", () => {
    const guard = new Guard({ concurrentMax: 2, perLoopMax: 1 });
    expect(guard.take("a", 10_000_000, at(0))).toBe(true);
    guard.release();
    expect(guard.take("a", 10_000_000, at(9.9))).toBe(false);
    expect(guard.allowedAt("a", at(5))).toBe(at(10));
    expect(guard.take("b", 10_000_000, at(5))).toBe(true);
    expect(guard.take("c", 10_000_000, at(5))).toBe(true);
    expect(guard.take("d", 10_000_000, at(5))).toBe(false);
    guard.release();
    expect(guard.take("a", 10_000_000, at(10))).toBe(true);
  });

  test("makes as many as keepalived when told to", () => {
    const guard = new Guard({ concurrentMax: 9, perLoopMax: undefined });
    expect([guard.take("a", 10, at(0)), guard.take("a", 10, at(0))]).toEqual([true, true]);
  });

  const server = (text: string) => {
    const [one] = runningOf(text).virtualServers;
    if (one === undefined) throw new Error("no virtual server");
    return one;
  };
  const facts = {
    node: "lb2",
    nodes: ["lb2", "lb1"],
    addresses: new Set(["10.99.0.100"]),
    vips: new Set(["10.99.0.100", "10.99.0.101"]),
  };
  const GROUP = "virtual_server_group web {\n 10.99.0.101 80\n}\nvirtual_server group web {\n}\n";

  test.each<[what: string, text: string, over: Partial<typeof facts>, expected: boolean]>([
    ["who has the virtual address probes", "virtual_server 10.99.0.100 80 {\n}\n", {}, true],
    ["and nobody else", "virtual_server 10.99.0.101 80 {\n}\n", {}, false],
    ["a group's addresses are its own", GROUP, {}, false],
    ["where no vrrp_instance has it, the first of the nodes", "virtual_server fwmark 1 {\n}\n", {}, false],
    ["which may be this one", "virtual_server fwmark 1 {\n}\n", { node: "lb1" }, true],
    ["without nodes, each of them", "virtual_server fwmark 1 {\n}\n", { nodes: [] }, true],
  ])("%s", (_what, text, over, expected) => {
    expect(isElected(server(text), { ...facts, ...over })).toBe(expected);
  });
});
