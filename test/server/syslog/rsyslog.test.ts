import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { eventually, Running } from "../../support/process.ts";
import { Authority } from "../../support/certificates.ts";
import { type Bench, benchOf } from "./bench.ts";

/** What keepalived says at a takeover: the same line twice within a moment, as it does. */
const LINES = [
  "(VI_1) Entering MASTER STATE",
  "Sending gratuitous ARP on eth0 for 10.0.0.1",
  "Sending gratuitous ARP on eth0 for 10.0.0.1",
  "(VI_1) Received advert from 10.0.0.2 with lower priority 90, ours 100, forcing new election",
];
const KINDS = ["vrrp.advert-lower-priority", "vrrp.garp", "vrrp.garp", "vrrp.state"];
const rsyslogd = "/usr/sbin/rsyslogd";
const drivers = ["lmnsd_gtls", "lmnsd_ossl"].every((name) =>
  existsSync(`/usr/lib/${execFileSync("uname", ["-m"], { encoding: "utf8" }).trim()}-linux-gnu/rsyslog/${name}.so`),
);

const ended: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-rsyslog-"));
  ended.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A real rsyslogd that forwards what is logged to its socket, as its configuration's action says. */
async function forwarder(dir: string, action: string, globals = ""): Promise<Running> {
  const config = join(dir, "rsyslog.conf");
  writeFileSync(
    config,
    `global(workDirectory="${dir}" ${globals})
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${dir}/log" RateLimit.Interval="0")
*.* action(type="omfwd" target="127.0.0.1" action.resumeInterval="1" action.resumeRetryCount="-1" ${action})
`,
  );
  const running = new Running(rsyslogd, ["-n", "-f", config, "-i", join(dir, "pid")]);
  ended.push(() => running.end());
  await eventually("rsyslogd to listen", async () => (existsSync(join(dir, "log")) ? true : undefined));
  return running;
}

function say(dir: string, tag: string, ...lines: string[]): void {
  for (const line of lines)
    execFileSync("logger", [
      "--socket",
      join(dir, "log"),
      "--socket-errors=on",
      "-t",
      tag,
      "--id=812",
      "-p",
      "daemon.info",
      line,
    ]);
}

const kindsOf = ({ stored }: Bench): string[] => [...stored.values()].map(({ kind }) => kind).sort();

const said = (bench: Bench, count: number): Promise<true> =>
  eventually(`${count} events`, async () => (bench.stored.size >= count ? true : undefined));

const FORMATS = ["RSYSLOG_TraditionalForwardFormat", "RSYSLOG_ForwardFormat", "RSYSLOG_SyslogProtocol23Format"];

describe.skipIf(!existsSync(rsyslogd))("a real rsyslogd forwards", () => {
  const ways = FORMATS.flatMap((format) => [
    ["udp", format, ""],
    ["tcp", format, 'TCP_Framing="traditional"'],
    ["tcp", format, 'TCP_Framing="octet-counted"'],
  ]);

  test.each(ways)("by %s as %s %s", async (protocol, format, framing) => {
    const bench = await benchOf(`[syslog.${protocol}]\nhost = "127.0.0.1"\nport = 0`);
    ended.push(() => bench.end());
    const dir = folder();
    await forwarder(
      dir,
      `protocol="${protocol}" port="${bench.port(`syslog-${protocol}`)}" template="${format}" ${framing}`,
    );
    say(dir, "Keepalived_vrrp", ...LINES);
    say(dir, "sshd", "Accepted publickey for root");
    await said(bench, LINES.length);
    const events = [...bench.stored.values()];
    expect(kindsOf(bench)).toEqual(KINDS);
    expect(events.map(({ node, source, pid, at }) => [node, source, pid, at])).toEqual(
      LINES.map(() => [hostname().split(".")[0], "log", 812, "syslog:127.0.0.1"]),
    );
    for (const { ts, tsUncertaintyUs, observedTs } of events) {
      expect(tsUncertaintyUs).toBe(format === FORMATS[0] ? 1_000_000 : 1);
      expect(observedTs).toBeGreaterThanOrEqual(ts);
    }
    await eventually("the other program's line", async () =>
      bench.state(`syslog-${protocol}`).received === 5 ? true : undefined,
    );
    expect(bench.state(`syslog-${protocol}`)).toMatchObject({ kept: 4, cut: 0, dropped: {} });
  });

  test.skipIf(!drivers).each([["gtls"], ["ossl"]])(
    "by TLS with %s, each side showing its certificate",
    async (driver) => {
      const dir = folder();
      const authority = new Authority(dir, "ca");
      const server = authority.sign("server", "keepwatch", "DNS:keepwatch,IP:127.0.0.1");
      const central = authority.sign("central", "central", "DNS:central.example.org");
      const bench = await benchOf(`[syslog.tls]
host = "127.0.0.1"
port = 0
cert_file = "${server.cert}"
key_file = "${server.key}"
client_ca_file = "${authority.file}"
client_names = ["central.example.org"]`);
      ended.push(() => bench.end());
      await forwarder(
        dir,
        `protocol="tcp" port="${bench.port("syslog-tls")}" template="${FORMATS[2]}" TCP_Framing="octet-counted"
       StreamDriver="${driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="keepwatch"`,
        `defaultNetstreamDriverCAFile="${authority.file}" defaultNetstreamDriverCertFile="${central.cert}" defaultNetstreamDriverKeyFile="${central.key}"`,
      );
      say(dir, "Keepalived_vrrp", ...LINES);
      await said(bench, LINES.length);
      expect(kindsOf(bench)).toEqual(KINDS);
      expect(bench.state("syslog-tls")).toMatchObject({ connections: 1, dropped: {} });
    },
  );

  test("on, after the server was away, and nothing is there twice", async () => {
    const bench = await benchOf(`[syslog.tcp]\nhost = "127.0.0.1"\nport = 0`);
    ended.push(() => bench.end());
    const port = bench.port("syslog-tcp");
    const dir = folder();
    await forwarder(dir, `protocol="tcp" port="${port}" template="${FORMATS[2]}"`);
    say(dir, "Keepalived_vrrp", ...LINES);
    await said(bench, LINES.length);
    await bench.end();
    const again = await benchOf(`[syslog.tcp]\nhost = "127.0.0.1"\nport = ${port}`);
    ended.push(() => again.end());
    // What is written to a connection that is gone is lost: rsyslogd hears of it with the next line only.
    await eventually("rsyslogd to come again", async () => {
      say(dir, "Keepalived_vrrp", "(VI_1) Entering BACKUP STATE");
      return again.stored.size > 0 ? true : undefined;
    });
    expect([...again.stored.keys()].filter((id) => bench.stored.has(id))).toEqual([]);
    expect(new Set(kindsOf(again))).toEqual(new Set(["vrrp.state"]));
  });
});

describe("logger sends", () => {
  test.each([
    ["udp", ["--udp"]],
    ["udp", ["--udp", "--rfc3164"]],
    ["tcp", ["--tcp"]],
    ["tcp", ["--tcp", "--octet-count"]],
    ["tcp", ["--tcp", "--rfc3164", "--octet-count"]],
  ])("by %s with %s", async (protocol, options) => {
    const bench = await benchOf(`[syslog.${protocol}]\nhost = "127.0.0.1"\nport = 0`);
    ended.push(() => bench.end());
    const where = ["--server", "127.0.0.1", "--port", String(bench.port(`syslog-${protocol}`)), ...options];
    const what = ["-t", "Keepalived_vrrp", "--id=812", "-p", "daemon.info", "(VI_1) Entering MASTER STATE"];
    execFileSync("logger", [...where, ...what]);
    await said(bench, 1);
    expect([...bench.stored.values()]).toMatchObject([
      { kind: "vrrp.state", instance: "VI_1", state: "MASTER", pid: 812, node: hostname() },
    ]);
  });
});
