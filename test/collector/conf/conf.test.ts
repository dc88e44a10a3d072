import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { modelOf } from "../../../collector/conf/model.ts";
import { type ConfFiles, parseConf } from "../../../collector/conf/parser.ts";

/** Files in a table instead of on a disk. A pattern matches what begins with what stands before its star. */
const filesOf = (table: Readonly<Record<string, string>>): ConfFiles => ({
  read: (path) => table[path] ?? { unreadable: `${path} does not exist` },
  glob: (pattern, directory) => {
    const path = pattern.startsWith("/") ? pattern : directory + pattern;
    return Object.keys(table).filter((name) =>
      path.includes("*") ? name.startsWith(path.split("*")[0] ?? "") : name === path,
    );
  },
});

const read = (text: string, others: Readonly<Record<string, string>> = {}, configId = "lb1") =>
  modelOf(
    parseConf(
      "/etc/keepalived/keepalived.conf",
      filesOf({ "/etc/keepalived/keepalived.conf": text, ...others }),
      configId,
    ),
  );

const GOOD = `global_defs {
  router_id lb1
  notification_email {
    ops@example.org
    second@example.org
  }
  notification_email_from lb@example.org
  smtp_server 192.0.2.25 2525
  smtp_connect_timeout 10
}
vrrp_instance VI_1 {
  state MASTER
  interface lo0test
  virtual_router_id 51
  priority 150
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass s3cr3t
  }
  virtual_ipaddress {
    10.99.0.100/24 dev lo0test label lo0test:1   # the address
    10.99.0.101/24
  }
}
virtual_server 10.99.0.100 80 {
  delay_loop 6
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.99.0.11 80 {
    TCP_CHECK {
    }
  }
}
`;

const codes = (text: string): string[] =>
  read(text).diagnostics.map(({ code, severity, line }) => `${line} ${severity} ${code}`);

describe("a configuration", () => {
  test("says what each instance promises, with keepalived's defaults", () => {
    const { instances, virtualServers, routerId, mail, diagnostics } = read(GOOD);
    expect(instances).toEqual([
      {
        instance: "VI_1",
        file: "/etc/keepalived/keepalived.conf",
        line: 11,
        vrid: 51,
        family: "ipv4",
        interface: "lo0test",
        priority: 150,
        advertIntervalUs: 1_000_000,
        downTimerAdverts: 3,
        version: 2,
        vips: ["10.99.0.100", "10.99.0.101"],
        startState: "MASTER",
        nopreempt: false,
        unicastPeers: [],
        authentication: "PASS",
        trackers: [{ kind: "interface", name: "lo0test", weight: 0, reverse: false }],
      },
    ]);
    expect(virtualServers).toEqual(["10.99.0.100 80"]);
    expect(routerId).toBe("lb1");
    expect(mail).toEqual({
      to: ["ops@example.org", "second@example.org"],
      from: "lb@example.org",
      host: "192.0.2.25",
      port: 2525,
      connectTimeoutSeconds: 10,
    });
    expect(diagnostics).toEqual([]);
  });

  test("speaks version 3 for IPv6, with hundredths of a second, and writes addresses in one way", () => {
    const [instance] = read(
      "vrrp_instance V6 {\n interface eth0\n virtual_router_id 6\n advert_int 0.25\n unicast_peer {\n  2001:DB8:0:0::2\n }\n virtual_ipaddress {\n  fe80::1/64\n  2001:DB8:0:0:0:0:0:1\n }\n}\n",
    ).instances;
    expect(instance).toMatchObject({
      version: 3,
      family: "ipv6",
      advertIntervalUs: 250_000,
      vips: ["fe80::1", "2001:db8::1"],
      unicastPeers: ["2001:db8::2"],
      priority: 100,
    });
  });

  test("state MASTER without a priority is the owner's priority 255, and says so", () => {
    const text = GOOD.replace("  priority 150\n", "");
    expect(read(text).instances[0]?.priority).toBe(255);
    expect(codes(text)).toEqual(["12 degraded state_master_without_priority"]);
  });

  test("takes includes from the folder of the file that names them, and says which is not there", () => {
    const main = "include conf.d/*.conf\ninclude missing.conf\n";
    const model = read(main, {
      "/etc/keepalived/conf.d/a.conf":
        "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1/24\n }\n}\n",
    });
    expect(model.instances.map(({ instance, file, line }) => [instance, file, line])).toEqual([
      ["A", "/etc/keepalived/conf.d/a.conf", 1],
    ]);
    expect(model.diagnostics.map(({ code, line }) => [code, line])).toEqual([["include_no_match", 2]]);
  });

  test("an include of itself ends, with a fault", () => {
    expect(read("include keepalived.conf\n").diagnostics.some(({ code }) => code === "include_depth")).toBe(true);
  });

  test("takes the lines that are meant for this node", () => {
    const text =
      "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n @lb1 priority 150\n @lb2 priority 100\n @^lb1 nopreempt\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n";
    expect(read(text, {}, "lb1").instances[0]).toMatchObject({ priority: 150, nopreempt: false });
    expect(read(text, {}, "lb2").instances[0]).toMatchObject({ priority: 100, nopreempt: true });
  });

  test("puts definitions in, of one line and of several", () => {
    const text =
      "$VRID=77\n$ADDRESSES=\\\n10.0.0.1\\\n10.0.0.2\nvrrp_instance A {\n interface eth0\n virtual_router_id $VRID\n virtual_ipaddress {\n $ADDRESSES\n }\n}\n";
    expect(read(text).instances[0]).toMatchObject({ vrid: 77, vips: ["10.0.0.1", "10.0.0.2"] });
  });

  test.each([
    [
      "a keyword without its value",
      GOOD.replace("virtual_router_id 51", "virtual_router_id"),
      ["14 fatal missing_parameter"],
    ],
    ["no virtual_router_id", GOOD.replace("  virtual_router_id 51\n", ""), ["11 fatal no_vrid"]],
    [
      "an id out of range",
      GOOD.replace("virtual_router_id 51", "virtual_router_id 300"),
      ["14 degraded vrid_invalid", "14 fatal no_vrid"],
    ],
    ["no interface", GOOD.replace("  interface lo0test\n", ""), ["11 fatal unknown_interface"]],
    [
      "a misspelt keyword",
      GOOD.replace("priority 150", "Priority 150"),
      ["15 degraded unknown_keyword", "12 degraded state_master_without_priority"],
    ],
    [
      "the same id twice",
      `${GOOD}vrrp_instance B {\n interface lo0test\n virtual_router_id 51\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n`,
      ["36 fatal duplicate_vrid"],
    ],
    ["a brace too many", `${GOOD}}\n`, ["36 degraded extra_brace_close"]],
    [
      "a brace that a comment swallowed",
      GOOD.replace("auth_pass s3cr3t\n  }", "auth_pass s3#cr3t }"),
      ["17 degraded missing_brace_close", "20 degraded unexpected_brace"],
    ],
    ["nothing to run", "global_defs {\n}\n", ["1 fatal no_configuration"]],
    [
      "a quote that is not closed",
      `${GOOD}\nvrrp_script c {\n script "/bin/true\n}\n`,
      ["38 degraded unterminated_quote"],
    ],
  ])("%s is told with its line and what keepalived does about it", (_name, text, expected) => {
    expect(expect.arrayContaining(expected)).toEqual(codes(text));
  });

  test("every fault says what to do", () => {
    for (const { fix, message } of read(`${GOOD.replace("virtual_router_id 51", "virtual_router_id")}}\nnonsense\n`)
      .diagnostics)
      expect(`${message} ${fix ?? ""}`).toMatch(/\w+ .+/);
  });

  test("no password leaves the parser, however the file is broken", () => {
    for (const text of [
      GOOD,
      GOOD.replace("auth_pass s3cr3t", "auth_pass s3cr3t }"),
      GOOD.replace("authentication {", ""),
      GOOD.replace("auth_pass ", "auth_pas "),
    ])
      expect(JSON.stringify(read(text))).not.toContain("s3cr3t");
  });

  test("any text is read without an exception, and every fault has a place in it", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "vrrp_instance",
        "virtual_ipaddress",
        "global_defs",
        "{",
        "}",
        "include",
        "$A=1",
        "${A}",
        "@lb1",
        '"',
        "#",
        "priority",
        "\\",
        "\r",
        "\0",
      ),
      fc.string({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.constantFrom(" ", "\n", "\t")), { maxLength: 60 }), (words) => {
        const text = words.flat().join("");
        for (const { line } of read(text).diagnostics) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(text.split("\n").length);
        }
      }),
      { numRuns: 500 },
    );
  });
});

const isMissing = spawnSync("keepalived", ["--version"]).error !== undefined;
if (isMissing) process.stderr.write("\nSKIPPED, the comparison with keepalived -t: keepalived is not installed\n\n");
const dir = mkdtempSync(join(tmpdir(), "keepwatch-conf-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** `keepalived -t` needs interfaces that exist, and refuses loopback: the first other one there is, or none. */
describe.skipIf(isMissing)("the real daemon agrees", () => {
  const face = spawnSync("sh", ["-c", "ls /sys/class/net | grep -v '^lo$' | head -1"], {
    encoding: "utf8",
  }).stdout.trim();
  test.skipIf(face === "").each([
    ["that nothing is wrong", GOOD, true],
    ["on a missing value", GOOD.replace("virtual_router_id 51", "virtual_router_id"), false],
    ["on a missing id", GOOD.replace("  virtual_router_id 51\n", ""), false],
    ["on an id out of range", GOOD.replace("virtual_router_id 51", "virtual_router_id 300"), false],
    ["on an unknown keyword", GOOD.replace("priority 150", "Priority 150"), false],
    ["on a brace too many", `${GOOD}}\n`, false],
    ["on a swallowed brace", GOOD.replace("auth_pass s3cr3t\n  }", "auth_pass s3#cr3t }"), false],
    [
      "on a missing interface line",
      GOOD.replace("  interface lo0test\n", "").replaceAll(" dev lo0test label lo0test:1", ""),
      false,
    ],
    [
      "on the same id twice",
      `${GOOD}vrrp_instance B {\n interface lo0test\n virtual_router_id 51\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n`,
      false,
    ],
  ])("%s", (_name, text, isClean) => {
    const path = join(dir, "keepalived.conf");
    // Virtual servers need IPVS, which is not in every kernel.
    const real = text.replaceAll("lo0test", face).replace(/virtual_server.*?\n\}\n/s, "");
    writeFileSync(path, real, { mode: 0o644 });
    const { status, stderr } = spawnSync("keepalived", ["-t", "-f", path], { encoding: "utf8" });
    // Its exit status alone is no proof of a clean file: see what it says as well.
    const theirs = status === 0 && stderr.trim() === "";
    const ours = read(real).diagnostics.filter(({ severity }) => severity !== "hint").length === 0;
    expect({ ours, theirs, stderr }).toMatchObject({ ours: isClean, theirs: isClean });
  });
});
