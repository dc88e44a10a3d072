import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../collector/core/system-clock.ts";
import { CAPTURE_FILTER, createCaptureSource } from "../../../collector/sources/capture.ts";
import { startChild } from "../../../collector/sources/child.ts";
import type { EffectiveConfig } from "../../../collector/sources/effective-config.ts";
import { Handover } from "../../../collector/sources/handover.ts";
import { runningOf } from "../../support/running.ts";
import { pcap } from "../pcap/files.ts";
import { ethernet, ipv4, vrrpPdu } from "../vrrp/packets.ts";
import { FakeChild, ManualTime, settle, Spooled } from "./fakes.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";

const T0 = 1_795_522_272_000_000;
const SECOND = 1_000_000;
const HEADER = pcap([], { little: true, nanos: true, linkType: 1 });

const advert = (ts: number, options: Parameters<typeof vrrpPdu>[0] = {}): Buffer =>
  pcap([{ ns: BigInt(ts) * 1000n, data: ethernet(ipv4(vrrpPdu(options))) }], {
    little: true,
    nanos: true,
    linkType: 1,
  }).subarray(HEADER.length);

/** The source with a tcpdump that does what the test says. */
async function started({ waitingMax = 1_000 } = {}) {
  const time = new ManualTime(T0);
  const children: FakeChild[] = [];
  const spooled = new Spooled();
  const source = createCaptureSource({
    clock: time,
    wait: time.wait,
    waitingMax,
    start: (...call) => {
      children.push(new FakeChild(...call));
      return tcpdump();
    },
  });
  const tcpdump = (): FakeChild => {
    const child = children.at(-1);
    if (!child) throw new Error("tcpdump was not started");
    return child;
  };
  const starting = source.start(spooled);
  tcpdump().stdout.write(HEADER);
  await starting;
  return { time, children, spooled, source, tcpdump };
}

test("it captures on all interfaces, nothing but VRRP, and is running once tcpdump listens", async () => {
  const { source, tcpdump } = await started();
  expect(tcpdump().command.join(" ")).toBe(
    `tcpdump -i any -n -U --immediate-mode --time-stamp-precision=nano -s 1600 -w - ${CAPTURE_FILTER}`,
  );
  expect(source.status()).toEqual({
    name: "capture",
    detail: "VRRP adverts, and gratuitous ARP of virtual addresses, on all interfaces",
    state: "running",
    read: 0,
    unrecognised: 0,
  });
  await source.stop();
  expect(tcpdump().signals).toEqual(["SIGTERM"]);
  expect(source.status()).toMatchObject({ state: "stopped" });
});

test("an edge is handed over at once; adverts wait a second for company, and are handed over together", async () => {
  const { time, spooled, source, tcpdump } = await started();
  const kinds = () => spooled.batches.map((batch) => batch.map(({ body }) => body.kind));
  tcpdump().stdout.write(advert(T0));
  await settle();
  expect(kinds()).toEqual([["wire.master-seen", "wire.advert"]]);
  tcpdump().stdout.write(Buffer.concat([advert(T0 + 1), advert(T0 + 2)]));
  await settle();
  await time.sleep(999);
  expect(kinds()).toHaveLength(1);
  await time.sleep(1);
  expect(kinds()[1]).toEqual(["wire.advert", "wire.advert"]);
  expect(source.status()).toMatchObject({ read: 3, unrecognised: 0 });
  await source.stop();
});

test("when more than a hundred packets come in a second, tcpdump is read five times a second, else as it writes", async () => {
  const { time, source, tcpdump } = await started();
  const read = async (from: number, count: number) => {
    tcpdump().stdout.write(Buffer.concat(Array.from({ length: count }, (_, at) => advert(from + at))));
    await settle();
    return source.status().read;
  };
  expect(await read(T0, 60)).toBe(60);
  expect(await read(T0 + 100, 60)).toBe(120);
  expect(await read(T0 + 200, 1)).toBe(120);
  await time.sleep(199);
  expect(source.status().read).toBe(120);
  await time.sleep(1);
  expect(source.status().read).toBe(121);
  await time.pass(3_000);
  expect(await read(T0 + 300, 1)).toBe(122);
  expect(await read(T0 + 301, 1)).toBe(123);
  await source.stop();
});

test("a full batch does not wait", async () => {
  const { spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(Buffer.concat(Array.from({ length: 700 }, (_, at) => advert(T0 + at))));
  await settle();
  expect(spooled.batches.map(({ length }) => length)[0]).toBe(500);
  await source.stop();
  expect(spooled.all.filter(({ source: from }) => from === "wire")).toHaveLength(702);
});

test("a sender's silence is told though no packet comes", async () => {
  const { time, spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(advert(T0));
  await settle();
  await time.pass(4_000);
  expect(spooled.of("wire.master-gone")).toEqual([]);
  await time.pass(700);
  expect(spooled.of("wire.master-gone")).toMatchObject([
    { ts: T0, tsUncertaintyUs: SECOND, body: { reason: "silent" } },
  ]);
  await source.stop();
});

test("a process that was asleep reads what came meanwhile before it calls anybody silent", async () => {
  const { time, spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(advert(T0));
  await settle();
  await time.sleep(10_000);
  tcpdump().stdout.write(Buffer.concat([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((at) => advert(T0 + at * SECOND))));
  await time.pass(1_000);
  expect(spooled.of("wire.master-gone")).toEqual([]);
  await source.stop();
});

test.each([3_600, -3_600])("a wall clock set by %i s makes nobody silent, and is told as a gap", async (seconds) => {
  const { time, spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(advert(T0));
  await time.pass(200);
  time.set(seconds * SECOND);
  await time.pass(500);
  tcpdump().stdout.write(advert(time.epoch()));
  await time.pass(500);
  expect(spooled.of("wire.master-gone").map(({ ts, body }) => [ts, body.reason])).toEqual([[T0, "capture-ended"]]);
  expect(spooled.of("wire.master-seen")).toHaveLength(2);
  expect(spooled.of("collector.gap")[0]?.body.reason).toContain(`the clock moved by ${seconds}.0 s at once`);
  await source.stop();
});

test("tcpdump that dies is a gap with an end, its senders are unknown from then on, and it is started again", async () => {
  const { time, children, spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(advert(T0));
  await time.pass(200);
  tcpdump().end({ code: 1, said: "tcpdump: listening on any\ntcpdump: pcap_loop: The interface disappeared" });
  await settle();
  await time.pass(100);
  expect(spooled.of("wire.master-gone").map(({ body }) => body.reason)).toEqual(["capture-ended"]);
  expect(source.status()).toMatchObject({
    state: "unavailable",
    reason: "tcpdump: pcap_loop: The interface disappeared",
  });
  expect(spooled.logged).toEqual(["warn: adverts are not captured: tcpdump: pcap_loop: The interface disappeared"]);
  await time.pass(900);
  expect(children).toHaveLength(2);
  tcpdump().stdout.write(HEADER);
  await settle();
  await time.pass(100);
  expect(source.status()).toMatchObject({ state: "running" });
  const died = T0 + 200_000;
  expect(spooled.of("collector.gap").map(({ body }) => [body.from, body.to])).toEqual([
    [died, undefined],
    [died, died + 1_000_000],
  ]);
  await source.stop();
});

test("tcpdump that dies again and again is started ever more rarely", async () => {
  const { time, children, source, tcpdump } = await started();
  for (let turn = 0; turn < 600; turn += 1) {
    tcpdump().end({ code: 1 });
    await time.sleep(500);
  }
  // 1, 2, 4, 8, 16, 32 and then 60 seconds in 300 seconds.
  expect(children.length).toBe(10);
  await source.stop();
});

test("what the kernel dropped is asked for every ten seconds, and told once", async () => {
  const { time, spooled, source, tcpdump } = await started();
  await time.pass(10_000);
  expect(tcpdump().signals).toEqual(["SIGUSR1"]);
  tcpdump().say("tcpdump: 12 packets captured, 12 packets received by filter, 0 packets dropped by kernel\n");
  await time.pass(10_000);
  tcpdump().say("tcpdump: 20 packets captured, 27 packets received by filter, 7 packets ");
  tcpdump().say("dropped by kernel\n");
  await time.pass(10_000);
  tcpdump().say("tcpdump: 20 packets captured, 27 packets received by filter, 7 packets dropped by kernel\n");
  tcpdump().say("9 packets dropped by kernel\n");
  await time.pass(100);
  expect(spooled.of("collector.gap").map(({ body }) => [body.lost, body.from, body.to])).toEqual([
    [7, T0 + 10 * SECOND, T0 + 20 * SECOND],
    [2, T0 + 30 * SECOND, T0 + 30 * SECOND],
  ]);
  await source.stop();
});

test("a slow disk does not look like silence; what is too much is dropped, oldest adverts first, edges never, and told", async () => {
  const { time, spooled, source, tcpdump } = await started({ waitingMax: 5 });
  spooled.block();
  for (let at = 0; at < 20; at += 1) {
    tcpdump().stdout.write(advert(time.epoch(), { vrid: 1 + (at % 2), priority: at === 19 ? 0 : 100 }));
    await time.pass(500);
  }
  spooled.unblock();
  await time.pass(200);
  const kept = spooled.of("wire.advert").map(({ ts }) => (ts - T0) / SECOND);
  // The first was on its way to the disk when it stopped answering.
  expect(kept).toEqual([0, 7.5, 8, 8.5, 9, 9.5]);
  expect(spooled.of("collector.gap").map(({ body }) => [body.lost, body.from, body.to])).toEqual([
    [14, T0 + 0.5 * SECOND, T0 + 7 * SECOND],
  ]);
  expect(spooled.of("wire.master-seen", "wire.master-gone").map(({ body }) => [body.kind, body.vrid])).toEqual([
    ["wire.master-seen", 1],
    ["wire.master-seen", 2],
    ["wire.master-gone", 2],
  ]);
  await source.stop();
});

test("what the spool refuses is told as lost, and the capture goes on", async () => {
  const { time, spooled, source, tcpdump } = await started();
  spooled.refuse("no space left on device");
  tcpdump().stdout.write(advert(T0));
  await time.pass(100);
  spooled.refuse(undefined);
  await time.pass(1_000);
  expect(spooled.logged).toContain("error: 2 observations of the capture were lost: no space left on device");
  expect(spooled.of("collector.gap").map(({ body }) => body.lost)).toEqual([2]);
  expect(source.status()).toMatchObject({ state: "running" });
  await source.stop();
});

test("what was captured is handed over before it has stopped", async () => {
  const { spooled, source, tcpdump } = await started();
  tcpdump().stdout.write(advert(T0));
  await settle();
  await source.stop();
  expect(spooled.all.map(({ body }) => body.kind)).toEqual(["wire.master-seen", "wire.advert", "wire.master-gone"]);
});

test("tcpdump that does not end when told is killed", async () => {
  const { time, source, tcpdump } = await started();
  tcpdump().obedient = false;
  const stopping = source.stop();
  await settle();
  await time.pass(2_000);
  await stopping;
  expect(tcpdump().signals).toEqual(["SIGTERM", "SIGKILL"]);
});

test("tcpdump that never says anything does not hold up the collector's start", async () => {
  const time = new ManualTime(T0);
  const source = createCaptureSource({ clock: time, wait: time.wait, start: (...call) => new FakeChild(...call) });
  let isStarted = false;
  const starting = source.start(new Spooled()).then(() => (isStarted = true));
  await time.pass(4_950);
  expect(isStarted).toBe(false);
  await time.pass(50);
  await starting;
  await source.stop();
});

test("without tcpdump it is unavailable, and says what to install", async () => {
  const source = createCaptureSource({
    clock: systemClock,
    start: (command, args, env, onStderr) => startChild(command, args, { ...env, PATH: "/nonexistent" }, onStderr),
  });
  const spooled = new Spooled();
  await source.start(spooled);
  expect(source.status()).toMatchObject({
    state: "unavailable",
    reason: "tcpdump is not installed (apt-get install tcpdump)",
  });
  await source.stop();
  expect(spooled.all).toEqual([]);
});

/** An unprivileged user with that one capability. */
const ONLY_NET_RAW =
  "--reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw".split(
    " ",
  );

const noNamespaces = whyNoNamespaces("tcpdump", "keepalived", "setpriv");

describe.skipIf(noNamespaces)(`with the real tcpdump and keepalived${noNamespaces}`, () => {
  let host: Namespace;
  const scratch = mkdtempSync(join(tmpdir(), "keepwatch-capture-"));

  beforeAll(() => {
    host = new Namespace("capture");
    host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
    host.ip("link", "set", "peer0", "up");
    host.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
    host.ip("link", "set", "eth0", "up");
  });
  afterAll(() => {
    host.remove();
    rmSync(scratch, { recursive: true });
  });

  /** The address owner becomes master at once. */
  function startKeepalived(authType: "PASS" | "AH", vip = "10.99.0.100/24", more = "") {
    const config = join(scratch, "keepalived.conf");
    writeFileSync(
      config,
      `vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 255
  advert_int 1
  authentication {
    auth_type ${authType}
    auth_pass livetest
  }
  virtual_ipaddress {
    ${vip}
  }
  ${more}
}
`,
    );
    const pidFile = (name: string): string => join(scratch, `${name}.pid`);
    const args = ["-P", "-n", "-l", "-D", "-f", config, "-p", pidFile("parent"), "-r", pidFile("vrrp")];
    const child = spawn("ip", ["netns", "exec", host.name, "keepalived", ...args], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGTERM"));
    return {
      end: async (signal: NodeJS.Signals) => {
        const gone = once(child, "exit");
        child.kill(signal);
        await gone;
      },
    };
  }

  test.each(["PASS", "AH"] as const)(
    "a master with %s is seen on its interface, and gone when it resigns",
    async (auth) => {
      const spooled = new Spooled();
      const source = createCaptureSource({ clock: systemClock, start: host.start, interfaceName: host.interfaceName });
      onTestFinished(() => source.stop());
      await source.start(spooled);
      expect(source.status()).toMatchObject({ state: "running" });
      const daemon = startKeepalived(auth);
      const seen = await spooled.until("eth0's master-seen", (s) =>
        s.of("wire.master-seen").find(({ body }) => body.interface === "eth0"),
      );
      expect(seen.body).toEqual({
        kind: "wire.master-seen",
        interface: "eth0",
        family: "ipv4",
        vrid: 51,
        peer: "10.99.0.11",
        outgoing: true,
        priority: 255,
        vips: ["10.99.0.100"],
        advertIntervalUs: 1_000_000,
      });
      await daemon.end("SIGTERM");
      await spooled.until("master-gone", (s) =>
        s.of("wire.master-gone").find(({ body }) => body.interface === "eth0" && body.reason === "priority-zero"),
      );
      // The other end of the cable is an interface of this host too.
      expect(spooled.of("wire.master-seen").find(({ body }) => body.interface === "peer0")?.body.outgoing).toBe(false);
      const adverts = spooled.of("wire.advert");
      expect(new Set(adverts.map(({ body }) => `${body.authType} ${body.checksum}`))).toEqual(
        new Set([`${auth.toLowerCase()} ok`]),
      );
      expect(JSON.stringify(spooled.all)).not.toContain("livetest");
      await source.stop();
      expect(source.status()).toMatchObject({ state: "stopped", read: adverts.length });
    },
  );

  test("tcpdump that is killed is replaced, and the time without it is a gap", async () => {
    const spooled = new Spooled();
    const children: { kill(signal: NodeJS.Signals): void }[] = [];
    const source = createCaptureSource({
      clock: systemClock,
      interfaceName: host.interfaceName,
      start: (...call) => {
        const child = host.start(...call);
        children.push(child);
        return child;
      },
    });
    onTestFinished(() => source.stop());
    await source.start(spooled);
    children[0]?.kill("SIGKILL");
    const gap = await spooled.until("the end of the gap", (s) =>
      s.of("collector.gap").find(({ body }) => body.to !== undefined),
    );
    expect(gap.body.to).toBeGreaterThan(gap.body.from ?? Number.POSITIVE_INFINITY);
    expect(source.status()).toMatchObject({ state: "running" });
    await source.stop();
    expect(children).toHaveLength(2);
  });

  test("CAP_NET_RAW alone is enough, also for what announces the addresses: gratuitous ARP and neighbour adverts", async () => {
    const spooled = new Spooled();
    const configs = new Handover<EffectiveConfig>();
    configs.publish({
      running: runningOf(
        "vrrp_instance V {\n interface eth0\n virtual_router_id 9\n virtual_ipaddress {\n 10.99.0.101\n }\n virtual_ipaddress_excluded {\n fd00:99::100/64\n }\n}\n",
      ),
    } as EffectiveConfig);
    const source = createCaptureSource({
      clock: systemClock,
      interfaceName: host.interfaceName,
      configs,
      start: (command, args, env, onStderr) =>
        host.start("setpriv", [...ONLY_NET_RAW, "--", command, ...args], env, onStderr),
    });
    onTestFinished(() => source.stop());
    await source.start(spooled);
    expect(source.status()).toMatchObject({ state: "running" });
    const daemon = startKeepalived("PASS", "10.99.0.101/24", "virtual_ipaddress_excluded {\n fd00:99::100/64\n }");
    const told = async (address: string, outgoing: boolean) =>
      (
        await spooled.until(`the announcement of ${address}`, (s) =>
          s.of("wire.garp").find(({ body }) => body.address === address && body.outgoing === outgoing),
        )
      ).body;
    const { mac } = await told("10.99.0.101", true);
    expect(await told("10.99.0.101", false)).toEqual({
      kind: "wire.garp",
      interface: "peer0",
      family: "ipv4",
      address: "10.99.0.101",
      mac,
      outgoing: false,
    });
    expect(await told("fd00:99::100", true)).toMatchObject({ interface: "eth0", family: "ipv6", mac });
    expect(host.ip("link", "show", "eth0")).toContain(mac);
    await daemon.end("SIGTERM");
    await source.stop();
    // keepalived sends five of each, and each is seen at both ends of the cable.
    const ofIpv4 = spooled.of("wire.garp").filter(({ body }) => body.family === "ipv4");
    expect(ofIpv4).toHaveLength(2);
  });

  test("of a busy segment's ARP only what is gratuitous is captured", async () => {
    const captured: string[] = [];
    const child = host.start(
      "tcpdump",
      ["-i", "any", "-n", "-l", "--immediate-mode", CAPTURE_FILTER],
      {},
      (text) => void captured.push(text),
    );
    onTestFinished(() => child.kill("SIGTERM"));
    const lines: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (text: string) => lines.push(...text.split("\n").filter(Boolean)));
    await expect.poll(() => captured.join("")).toContain("listening on any");
    const inside = (script: string) => spawnSync("ip", ["netns", "exec", host.name, "bash", "-c", script]);
    inside("for host in 20 21 22 23; do echo > /dev/udp/10.99.0.$host/9; done");
    // The kernel announces the addresses of an interface that comes up.
    inside("echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify; ip link set eth0 down; ip link set eth0 up");
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(
      lines.filter(
        (line) => !/ (who-has|Reply) 10\.99\.0\.11 /.test(line) && !line.includes("ICMP6, neighbor advertisement"),
      ),
    ).toEqual([]);
  });

  test("without the privilege it is unavailable, and says which one", async () => {
    const source = createCaptureSource({
      clock: systemClock,
      start: (command, args, env, onStderr) =>
        startChild(
          "setpriv",
          ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", command, ...args],
          env,
          onStderr,
        ),
    });
    onTestFinished(() => source.stop());
    await source.start(new Spooled());
    expect(source.status()).toMatchObject({
      state: "unavailable",
      reason: "no privilege to capture: it needs CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW)",
    });
    await source.stop();
  });
});
