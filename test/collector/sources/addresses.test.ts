import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../collector/core/system-clock.ts";
import { type EpochUs, formatEpochUs, type MonoUs, parseIsoUs } from "../../../collector/core/time.ts";
import { eventFault } from "../../../collector/events/event.ts";
import { toEvent } from "../../../collector/events/observation.ts";
import { createAddressesSource, parseMonitorLine, parseSnapshot } from "../../../collector/sources/addresses.ts";
import { startChild } from "../../../collector/sources/child.ts";
import { FakeChild, ManualTime, settle, Spooled } from "./fakes.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";

const execute = promisify(execFile);
const AT = "2026-11-24T12:10:06.100917";
const ts = parseIsoUs(`${AT}Z`) ?? 0;
const line = (text: string): string => `[${AT}] ${text}`;
const LIFE = "\\       valid_lft forever preferred_lft forever";
const MAC = "\\    link/ether 6e:6a:27:c4:bd:9e brd ff:ff:ff:ff:ff:ff";

describe("lines of iproute2 6.1", () => {
  const change = (kind: string, nic: string, fields: object) => ({ ts, body: { kind, interface: nic, ...fields } });
  const added = (nic: string, address: string, prefixLength: number) =>
    change("kernel.address-added", nic, { address, prefixLength });
  const removed = (nic: string, address: string, prefixLength: number) =>
    change("kernel.address-removed", nic, { address, prefixLength });
  const link = (nic: string, up: boolean) => change("kernel.link", nic, { up });

  test.each([
    [`3: v0    inet 10.1.0.1/24 scope global v0${LIFE}`, added("v0", "10.1.0.1", 24)],
    [`3: v0    inet 10.1.0.100/32 scope global v0:1${LIFE}`, added("v0", "10.1.0.100", 32)],
    [`3: v0    inet 10.2.0.1 peer 10.2.0.2/32 scope global v0${LIFE}`, added("v0", "10.2.0.1", 32)],
    [`3: v0    inet6 FD00:0:0::1/64 scope global tentative ${LIFE}`, added("v0", "fd00::1", 64)],
    [`Deleted 3: v0    inet 10.1.0.100/32 scope global v0:1${LIFE}`, removed("v0", "10.1.0.100", 32)],
    [
      `Deleted 2: vrrp.51    inet6 fe80::a04b:20ff:fe47:2cd4/64 scope link ${LIFE}`,
      removed("vrrp.51", "fe80::a04b:20ff:fe47:2cd4", 64),
    ],
    [
      `3: v0@v1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default ${MAC}`,
      link("v0", true),
    ],
    [
      `4: eth0.100@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP ${MAC}`,
      link("eth0.100", true),
    ],
    [`3: v0@v1: <BROADCAST,MULTICAST,M-DOWN> mtu 1500 qdisc noop state DOWN group default ${MAC}`, link("v0", false)],
    [
      `3: v0@v1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue state LOWERLAYERDOWN ${MAC}`,
      link("v0", false),
    ],
    // UP and LOWER_UP, but not running: keepalived calls that down.
    [
      `2: v1@v0: <NO-CARRIER,BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state LOWERLAYERDOWN ${MAC}`,
      link("v1", false),
    ],
    [
      `Deleted 3: v0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default ${MAC}`,
      link("v0", false),
    ],
    ["", undefined],
    [
      `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default \\    link/loopback`,
      undefined,
    ],
    // The interface left its bridge; it is not gone, nor down.
    [`Deleted 3: v0@v1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state UP ${MAC}`, undefined],
    ["4: br0    something new", "unrecognised"],
    ["4: br0    inet 10.1.0.300/24 scope global br0 ", "unrecognised"],
    ["4: br0    inet 10.1.0.1/129 scope global br0 ", "unrecognised"],
    ["4: br0: <UP mtu", "unrecognised"],
  ] as const)("%s", (text, expected) => {
    expect(parseMonitorLine(text === "" ? "" : line(text))).toEqual(expected);
  });

  test("a line without a timestamp is not recognised", () => {
    expect(parseMonitorLine("3: v0    inet 10.1.0.1/24 scope global v0")).toBe("unrecognised");
    expect(parseMonitorLine("[yesterday] 3: v0    inet 10.1.0.1/24 scope global v0")).toBe("unrecognised");
  });
});

describe("`ip -j address show`", () => {
  test("gives addresses, and which links are up", () => {
    const flags = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"];
    const snapshot = parseSnapshot(
      JSON.stringify([
        { ifname: "lo", flags: ["LOOPBACK", "UP", "LOWER_UP"], addr_info: [{ local: "127.0.0.1", prefixlen: 8 }] },
        {
          ifname: "eth0",
          flags,
          addr_info: [
            { family: "inet", local: "10.99.0.11", prefixlen: 24 },
            { family: "inet6", local: "fe80:0::1", prefixlen: 64 },
            { local: "nonsense", prefixlen: 24 },
            { prefixlen: 24 },
            null,
          ],
        },
        { ifname: "eth1", flags: ["NO-CARRIER", "UP"], addr_info: [] },
        {},
        null,
      ]),
    );
    expect(snapshot).toEqual({
      addresses: [
        { interface: "lo", address: "127.0.0.1", prefixLength: 8 },
        { interface: "eth0", address: "10.99.0.11", prefixLength: 24 },
        { interface: "eth0", address: "fe80::1", prefixLength: 64 },
      ],
      links: new Map([
        ["eth0", true],
        ["eth1", false],
      ]),
    });
  });

  test.each(["", "{}", "Option -j is unknown"])("that is not a list in JSON is refused: %s", (text) => {
    expect(parseSnapshot(text)).toBeUndefined();
  });
});

const T0 = ts;
const eth0 = (up: boolean, ...addresses: readonly string[]) => ({
  ifname: "eth0",
  flags: up ? ["UP", "LOWER_UP"] : ["NO-CARRIER", "UP"],
  addr_info: addresses.map((local) => ({ local, prefixlen: 24 })),
});

/** The source with an `ip` that does what the test says. */
async function started(...first: readonly object[]) {
  const time = new ManualTime(T0);
  const monitors: FakeChild[] = [];
  const spooled = new Spooled();
  let links: readonly object[] | undefined = first;
  let isListening = true;
  const source = createAddressesSource({
    clock: time,
    wait: time.wait,
    isListening: () => isListening,
    start: (...call) => {
      const child = new FakeChild(...call);
      if (call[1].includes("monitor")) monitors.push(child);
      else {
        child.stdout.write(links ? JSON.stringify(links) : "");
        child.end(links ? {} : { code: 1, said: "Cannot open netlink socket" });
      }
      return child;
    },
  });
  const monitor = (): FakeChild => {
    const child = monitors.at(-1);
    if (!child) throw new Error("ip monitor was not started");
    return child;
  };
  await source.start(spooled);
  return {
    time,
    monitors,
    spooled,
    source,
    monitor,
    answer: (next: readonly object[] | undefined) => (links = next),
    listen: (whether: boolean) => (isListening = whether),
    lines: async (...texts: readonly string[]) => {
      monitor().stdout.write(texts.map((text) => `${text}\n`).join(""));
      await settle();
    },
  };
}
const at = (us: number, text: string): string => `[${formatEpochUs((T0 + us) as EpochUs).replace("Z", "")}] ${text}`;
const bodies = (spooled: Spooled) => spooled.all.map(({ body }) => body);

test("all addresses first, then each change, in the kernel's words and UTC", async () => {
  const { spooled, source, monitor, lines } = await started(eth0(true, "10.99.0.11"));
  expect(monitor().command).toEqual(["ip", "-o", "-ts", "monitor", "address", "link"]);
  expect(monitor().env).toEqual({ TZ: "UTC" });
  await lines(
    at(5_000, `2: eth0    inet 10.99.0.100/24 scope global secondary eth0${LIFE}`),
    at(7_000, `Deleted 2: eth0    inet 10.99.0.100/24 scope global secondary eth0${LIFE}`),
  );
  expect(spooled.all.map((seen) => [seen.ts, seen.source, seen.body])).toEqual([
    [
      T0,
      "kernel",
      { kind: "kernel.addresses", addresses: [{ interface: "eth0", address: "10.99.0.11", prefixLength: 24 }] },
    ],
    [
      T0 + 5_000,
      "kernel",
      { kind: "kernel.address-added", interface: "eth0", address: "10.99.0.100", prefixLength: 24 },
    ],
    [
      T0 + 7_000,
      "kernel",
      { kind: "kernel.address-removed", interface: "eth0", address: "10.99.0.100", prefixLength: 24 },
    ],
  ]);
  expect(source.status()).toEqual({
    name: "addresses",
    detail: "the kernel's addresses and links",
    state: "running",
    read: 3,
    unrecognised: 0,
  });
  await source.stop();
  expect(monitor().signals).toEqual(["SIGTERM"]);
});

test("what the kernel only says again is not news, but for what it said before the snapshot", async () => {
  const { spooled, lines, source } = await started(eth0(true, "10.99.0.11"));
  const address = `2: eth0    inet 10.99.0.11/24 scope global eth0${LIFE}`;
  const up = `2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP ${MAC}`;
  await lines(at(1_000, address), at(2_000, up));
  expect(spooled.all).toHaveLength(1);
  await lines(at(-1_000, address));
  expect(spooled.of("kernel.address-added").map((seen) => seen.ts)).toEqual([T0 - 1_000]);
  await source.stop();
});

test("a link is told when it changes", async () => {
  const { spooled, lines, source } = await started(eth0(true));
  const state = (flags: string): string => `2: eth0: <${flags}> mtu 1500 qdisc noqueue state X ${MAC}`;
  await lines(
    at(1_000, state("NO-CARRIER,BROADCAST,UP")),
    at(2_000, state("NO-CARRIER,BROADCAST,UP")),
    at(3_000, state("BROADCAST,UP,LOWER_UP")),
  );
  expect(spooled.of("kernel.link").map((seen) => [seen.ts - T0, seen.body.up])).toEqual([
    [1_000, false],
    [3_000, true],
  ]);
  await source.stop();
});

test("lines come in whatever pieces, and one that says nothing known is counted", async () => {
  const { spooled, source, monitor, lines } = await started(eth0(true));
  const text = at(1_000, `2: eth0    inet 10.99.0.100/24 scope global eth0${LIFE}`);
  monitor().stdout.write(text.slice(0, 40));
  await settle();
  await lines(text.slice(40), "what is this");
  expect(spooled.of("kernel.address-added")).toHaveLength(1);
  expect(source.status()).toMatchObject({ unrecognised: 1 });
  await source.stop();
});

test("a monitor that dies is a gap with an end and a new snapshot, which tells what changed meanwhile", async () => {
  const { time, monitors, spooled, source, monitor, answer } = await started(eth0(true, "10.99.0.11"));
  answer([eth0(false, "10.99.0.11", "10.99.0.100")]);
  monitor().end({ code: null, signal: "SIGKILL" });
  await settle();
  expect(source.status()).toMatchObject({ state: "unavailable", reason: "ip ended with SIGKILL" });
  await time.pass(1_000);
  expect(monitors).toHaveLength(2);
  expect(bodies(spooled).slice(1)).toMatchObject([
    { kind: "collector.gap", from: T0 },
    { kind: "collector.gap", from: T0, to: T0 + SECOND },
    { kind: "kernel.addresses", addresses: [{ address: "10.99.0.11" }, { address: "10.99.0.100" }] },
    { kind: "kernel.link", interface: "eth0", up: false },
  ]);
  expect(source.status()).toMatchObject({ state: "running" });
  await source.stop();
});
const SECOND = 1_000_000;

test("a kernel that had more to tell than ip could read leads to a new snapshot", async () => {
  const { time, monitors, spooled, monitor, source } = await started(eth0(true));
  monitor().say("netlink receive error No buffer space available (105)\n");
  await settle();
  await time.pass(1_000);
  expect(monitors).toHaveLength(2);
  expect(spooled.of("kernel.addresses")).toHaveLength(2);
  expect(spooled.of("collector.gap")[0]?.body.reason).toContain("more changes to tell than ip could read");
  await source.stop();
});

test("an ip that cannot make a snapshot is unavailable until it can", async () => {
  const { time, spooled, monitor, answer, source } = await started(eth0(true));
  answer(undefined);
  monitor().end({ code: 1 });
  await settle();
  await time.pass(1_000);
  expect(source.status()).toMatchObject({
    state: "unavailable",
    reason: "ip ended with status 1 Cannot open netlink socket",
  });
  answer([eth0(true)]);
  await time.pass(2_000);
  expect(source.status()).toMatchObject({ state: "running" });
  expect(spooled.of("kernel.addresses")).toHaveLength(2);
  await source.stop();
});

test("no snapshot is taken before the monitor listens, unless it never tells", async () => {
  const { time, spooled, monitor, listen, source } = await started(eth0(true));
  listen(false);
  monitor().end({ code: 1 });
  await settle();
  await time.pass(1_000);
  await time.pass(1_900);
  expect(spooled.of("kernel.addresses")).toHaveLength(1);
  await time.pass(200);
  expect(spooled.of("kernel.addresses")).toHaveLength(2);
  await source.stop();
});

test("without ip it is unavailable, and says what to install", async () => {
  const source = createAddressesSource({
    clock: systemClock,
    start: (command, args, env, onStderr) => startChild(command, args, { ...env, PATH: "/nonexistent" }, onStderr),
  });
  await source.start(new Spooled());
  expect(source.status()).toMatchObject({
    state: "unavailable",
    reason: "the ip program is not installed (apt-get install iproute2)",
  });
  await source.stop();
});

const noNamespaces = whyNoNamespaces();

describe.skipIf(noNamespaces)(`with the real ip${noNamespaces}`, () => {
  let host: Namespace;
  beforeAll(() => {
    host = new Namespace("addresses");
    host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
    host.ip("link", "set", "peer0", "up");
    host.ip("link", "set", "eth0", "up");
    host.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
  });
  afterAll(() => host.remove());

  const byText = (addresses: Iterable<string>): string[] => [...addresses].sort();
  const kernelSays = (): string[] =>
    byText(
      parseSnapshot(host.ip("-j", "addr"))?.addresses.map((a) => `${a.interface} ${a.address}/${a.prefixLength}`) ?? [],
    );
  /** What a reader of the events believes the node has. */
  const believed = (spooled: Spooled): string[] => {
    const present = new Set<string>();
    for (const { body } of [...spooled.all].sort((a, b) => a.ts - b.ts)) {
      if (body.kind === "kernel.addresses") {
        present.clear();
        for (const a of body.addresses) present.add(`${a.interface} ${a.address}/${a.prefixLength}`);
      }
      if (body.kind === "kernel.address-added") present.add(`${body.interface} ${body.address}/${body.prefixLength}`);
      if (body.kind === "kernel.address-removed")
        present.delete(`${body.interface} ${body.address}/${body.prefixLength}`);
    }
    return byText(present);
  };

  test("addresses and links come and go, with the kernel's time", async () => {
    const spooled = new Spooled();
    const source = createAddressesSource({ clock: systemClock, start: host.start });
    onTestFinished(() => source.stop());
    await source.start(spooled);
    expect(source.status()).toMatchObject({ state: "running" });
    const before = systemClock.epoch();
    host.ip("addr", "add", "10.99.0.100/24", "dev", "eth0");
    const added = await spooled.until("the address", (s) =>
      s.of("kernel.address-added").find(({ body }) => body.address === "10.99.0.100"),
    );
    // Both clocks are this machine's; ours has milliseconds. A local time taken for UTC would be hours off.
    expect(added.ts).toBeGreaterThanOrEqual(before);
    expect(added.ts).toBeLessThanOrEqual(systemClock.epoch() + 1_000);
    host.ip("addr", "del", "10.99.0.100/24", "dev", "eth0");
    await spooled.until("its removal", (s) =>
      s.of("kernel.address-removed").find(({ body }) => body.address === "10.99.0.100"),
    );
    host.ip("link", "set", "peer0", "down");
    await spooled.until("the link's loss", (s) =>
      s.of("kernel.link").find(({ body }) => body.interface === "eth0" && !body.up),
    );
    host.ip("link", "set", "peer0", "up");
    await spooled.until("the link", (s) =>
      s.of("kernel.link").find(({ body }) => body.interface === "eth0" && body.up),
    );
    expect(source.status()).toMatchObject({ unrecognised: 0 });
    await source.stop();
    const events = spooled.all.map((seen) => toEvent(seen, { cluster: "c", node: "n" }, seen.ts));
    expect(events.map(eventFault).filter((fault) => fault !== undefined)).toEqual([]);
  });

  test("nothing falls between the snapshot and the watch, however late the monitor and however busy the kernel", async () => {
    const spooled = new Spooled();
    const source = createAddressesSource({
      // The deadline of a monitor that never tells never comes: what ends the wait is that it listens.
      clock: { epoch: () => systemClock.epoch(), mono: () => 0 as MonoUs },
      start: (command, args, env, onStderr) =>
        args.includes("monitor")
          ? host.start("sh", ["-c", 'sleep 0.3; exec "$@"', "sh", command, ...args], env, onStderr)
          : host.start(command, args, env, onStderr),
    });
    onTestFinished(() => source.stop());
    const commands = Array.from({ length: 200 }, (_, n) => [
      `addr add 10.50.${n}.1/24 dev eth0`,
      ...(n % 3 === 1 ? [`addr del 10.50.${n - 1}.1/24 dev eth0`] : []),
    ]).flat();
    const starting = source.start(spooled);
    // In pieces, so that some come before, some amid and some after the snapshot.
    for (let turn = 0; turn < commands.length; turn += 10)
      await execute("sh", [
        "-c",
        `printf '%s' "$1" | ip -n ${host.name} -batch -`,
        "sh",
        commands.slice(turn, turn + 10).join("\n"),
      ]);
    await starting;
    host.ip("addr", "add", "10.51.0.1/24", "dev", "eth0");
    await spooled.until("the last address", (s) =>
      s.of("kernel.address-added").find(({ body }) => body.address === "10.51.0.1"),
    );
    expect(believed(spooled)).toEqual(kernelSays());
    await source.stop();
  });

  test("a monitor that is killed is replaced, and its successor knows what changed meanwhile", async () => {
    const spooled = new Spooled();
    const children: { kill(signal: NodeJS.Signals): void }[] = [];
    const source = createAddressesSource({
      clock: systemClock,
      start: (...call) => {
        const child = host.start(...call);
        if (call[1].includes("monitor")) children.push(child);
        return child;
      },
    });
    onTestFinished(() => source.stop());
    await source.start(spooled);
    children[0]?.kill("SIGKILL");
    await spooled.until("the gap", (s) => s.of("collector.gap")[0]);
    host.ip("addr", "add", "10.52.0.1/24", "dev", "eth0");
    await spooled.until("the second snapshot", (s) => s.of("kernel.addresses")[1]);
    expect(believed(spooled)).toEqual(kernelSays());
    await source.stop();
  });
});
