import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { dropsIn, kernelDrops } from "../../../server/syslog/kernel-drops.ts";
import { Authority } from "../../support/certificates.ts";
import { eventually } from "../../support/process.ts";
import { type Bench, benchOf } from "./bench.ts";

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function bench(toml: string): Promise<Bench> {
  const made = await benchOf(toml);
  ended.push(() => made.end());
  return made;
}

const TCP = '[syslog.tcp]\nhost = "127.0.0.1"\nport = 0\n';
const UDP = '[syslog.udp]\nhost = "127.0.0.1"\nport = 0\n';
const line = (text: string, host = "lb1"): string =>
  `<29>1 2026-11-24T10:53:23.123456Z ${host} Keepalived_vrrp 15 - - ${text}`;
const MASTER = line("(VI_1) Entering MASTER STATE");

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  ended.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function send(port: number, text: string): Promise<void> {
  const socket = await dial(port);
  const gone = once(socket, "close");
  socket.end(text);
  socket.resume();
  await gone;
}

const has = (made: Bench, count: number): Promise<true> =>
  eventually(`${count} events`, async () => (made.stored.size >= count ? true : undefined));
const dropped = (made: Bench, name: string, reason: string): Promise<number> =>
  eventually(`a drop: ${reason}`, async () => made.state(name).dropped[reason]);

describe("the same messages", () => {
  test("on another connection are the same events; on one connection they are several", async () => {
    const made = await bench(TCP);
    const arp = line("Sending gratuitous ARP on eth0 for 10.0.0.1");
    for (let i = 0; i < 2; i += 1) await send(made.port("syslog-tcp"), `${arp}\n${arp}\n${arp}\n${MASTER}\n`);
    await eventually("all", async () => (made.state("syslog-tcp").kept === 8 ? true : undefined));
    await made.intake.close();
    expect(made.stored.size).toBe(4);
  });

  test("gathered by rsyslog, or counted, say how often", async () => {
    const made = await bench(TCP);
    const old = (text: string): string => `<29>Nov 24 10:53:23 lb1 ${text}\n`;
    const arp = "Sending gratuitous ARP on eth0 for 10.0.0.1";
    await send(
      made.port("syslog-tcp"),
      `${line(`message repeated 4 times: [ ${arp}]`)}\n${old(`Keepalived_vrrp[15]: ${arp}`)}${old("last message repeated 2 times")}`,
    );
    await has(made, 3);
    expect([...made.stored.values()].map(({ repeated }) => repeated)).toEqual([4, undefined, 2]);
  });
});

describe("whose a message is", () => {
  test.each([
    ["the host it names", "", line("(VI_1) Entering MASTER STATE", "lb2"), "lb2", "default"],
    [
      "this machine, where it says localhost",
      "",
      line("(VI_1) Entering MASTER STATE", "localhost"),
      hostname(),
      "default",
    ],
    ["this machine, where it says nothing", "", line("(VI_1) Entering MASTER STATE", "-"), hostname(), "default"],
    [
      "who is configured for the host",
      '[[nodes]]\ncalled = "LB1"\nnode = "edge-1"\ncluster = "edge"',
      MASTER,
      "edge-1",
      "edge",
    ],
    [
      "who is configured for the sender",
      '[[nodes]]\nfrom = "127.0.0.0/8"\nnode = "edge-2"',
      line("(VI_1) Entering MASTER STATE", "localhost"),
      "edge-2",
      "default",
    ],
    [
      "not who is configured for another",
      '[[nodes]]\nfrom = "192.0.2.0/24"\nnode = "edge-2"',
      MASTER,
      "lb1",
      "default",
    ],
  ])("is told by %s", async (_name, toml, message, node, cluster) => {
    const made = await bench(`${TCP}${toml}`);
    await send(made.port("syslog-tcp"), `${message}\n`);
    await has(made, 1);
    expect([...made.stored.values()]).toMatchObject([{ node, cluster, kind: "vrrp.state" }]);
  });
});

describe("who must not come, or comes to no end", () => {
  test("is not let in when the list does not have it", async () => {
    const made = await bench(`[syslog]\nallow = ["192.0.2.0/24"]\n${TCP}${UDP}`);
    await send(made.port("syslog-tcp"), `${MASTER}\n`);
    const socket = createSocket("udp4");
    ended.push(() => socket.close());
    socket.send(MASTER, made.port("syslog-udp"), "127.0.0.1");
    expect(await dropped(made, "syslog-udp", "forbidden")).toBe(1);
    expect(await dropped(made, "syslog-tcp", "forbidden")).toBe(1);
    expect(made.stored.size).toBe(0);
    expect(made.logged.join()).toMatch(/refused .*127\.0\.0\.1.*syslog\.allow does not list it/);
  });

  test("is closed when a message takes too long; a connection that is merely silent stays", async () => {
    const made = await bench(`[syslog]\nmessage_seconds_max = 1\n${TCP}`);
    const quiet = await dial(made.port("syslog-tcp"));
    const slow = await dial(made.port("syslog-tcp"));
    const closed = once(slow.resume(), "close");
    slow.write("500 <29>");
    const dripping = setInterval(() => slow.write("x"), 200);
    ended.push(() => clearInterval(dripping));
    await closed;
    clearInterval(dripping);
    expect(made.state("syslog-tcp").dropped).toEqual({ slow: 1 });
    await eventually("one to be left", async () => (made.state("syslog-tcp").connections === 1 ? true : undefined));
    quiet.write(`${MASTER}\n`);
    await has(made, 1);
  });

  test("gets no more than its connections", async () => {
    const made = await bench(`[syslog]\nconnections_per_sender_max = 2\n${TCP}`);
    const [first] = [await dial(made.port("syslog-tcp")), await dial(made.port("syslog-tcp"))];
    await send(made.port("syslog-tcp"), `${MASTER}\n`);
    expect(await dropped(made, "syslog-tcp", "connections")).toBe(1);
    first?.destroy();
    await eventually("a place to be free", async () => (made.state("syslog-tcp").connections === 1 ? true : undefined));
    await send(made.port("syslog-tcp"), `${MASTER}\n`);
    await has(made, 1);
  });

  test("does no harm with what is no syslog", async () => {
    const made = await bench(TCP);
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 251));
    await send(made.port("syslog-tcp"), noise.toString("latin1"));
    await send(made.port("syslog-tcp"), `9999999 <29>torn`);
    expect(await dropped(made, "syslog-tcp", "torn")).toBeGreaterThan(0);
    await send(made.port("syslog-tcp"), `${line("x".repeat(100_000))}\n${MASTER}\n`);
    await has(made, 2);
    expect(made.state("syslog-tcp").cut).toBeGreaterThan(0);
    expect([...made.stored.values()].map(({ kind }) => kind)).toContain("vrrp.state");
  });
});

describe("a store that takes nothing", () => {
  test("holds up who sends by TCP, and has all of it in the end", async () => {
    const made = await bench(TCP);
    const { store } = made;
    let release: () => void = () => undefined;
    const stalled = new Promise<void>((resolve) => (release = resolve));
    made.store = async (batch) => stalled.then(() => store(batch));
    const socket = await dial(made.port("syslog-tcp"));
    const count = 60_000;
    const stamp = (i: number): string => new Date(1_795_000_000_000 + i).toISOString();
    const all = Array.from(
      { length: count },
      (_, i) => `<29>1 ${stamp(i)} lb1 Keepalived_vrrp 15 - - (VI_1) Entering MASTER STATE\n`,
    );
    socket.end(all.join(""));
    await eventually("the intake to be full", async () => (made.intake.isFull ? true : undefined));
    let before = 0;
    const received = await eventually("nothing more to be read", async () => {
      const now = made.state("syslog-tcp").received;
      if (now === before) return now;
      before = now;
      return undefined;
    });
    // What was read when it became full, and one more piece at most.
    expect(received).toBeLessThan(20_000);
    release();
    await has(made, count);
    expect(made.state("syslog-tcp").dropped).toEqual({});
  });

  test("is tried again with the same batch", async () => {
    const made = await bench(TCP);
    const { store } = made;
    const tried: string[] = [];
    made.store = async (batch) => {
      tried.push(batch.batchId);
      if (tried.length === 1) throw new Error("disk full");
      return store(batch);
    };
    await send(made.port("syslog-tcp"), `${MASTER}\n`);
    await has(made, 1);
    expect(new Set(tried).size).toBe(1);
  });

  test("has who sends by TCP keep what it has, however little waits; it is told once, and once that it is over", async () => {
    const made = await bench(TCP);
    const { store } = made;
    let isDown = true;
    made.store = async (batch) => {
      if (isDown) throw new Error("disk full");
      return store(batch);
    };
    const socket = await dial(made.port("syslog-tcp"));
    socket.write(`${MASTER}\n`);
    await eventually("two tries", async () => (made.inVain.length >= 2 ? true : undefined));
    const count = 20_000;
    socket.end(Array.from({ length: count }, (_, i) => `${line(`Entering state ${i}`)}\n`).join(""));
    // What is already on its way is read once: a piece of it.
    const received = await eventually("a piece to be read", async () => {
      const now = made.state("syslog-tcp").received;
      return now > 1 ? now : undefined;
    });
    const tries = made.inVain.length;
    await eventually("another try", async () => (made.inVain.length > tries ? true : undefined));
    expect(made.state("syslog-tcp").received).toBe(received);
    expect(received).toBeLessThan(count / 10);
    isDown = false;
    await has(made, count + 1);
    expect(new Set(made.inVain)).toEqual(new Set(["lb1"]));
    expect(made.logged).toEqual([
      'error: forwarded events are not stored at present; they are tried again {"why":"disk full"}',
      "info: forwarded events are stored again {}",
    ]);
  });

  test("drops what comes by UDP, and every node that was heard of is told so", async () => {
    const made = await bench(UDP);
    const { store } = made;
    let release: () => void = () => undefined;
    const stalled = new Promise<void>((resolve) => (release = resolve));
    made.store = async (batch) => stalled.then(() => store(batch));
    const socket = createSocket("udp4");
    ended.push(() => socket.close());
    const port = made.port("syslog-udp");
    for (let i = 0; !made.state("syslog-udp").dropped["queue"]; i += 1) {
      socket.send(line("(VI_1) Entering MASTER STATE", `lb${i % 2}`), port, "127.0.0.1");
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    release();
    const gaps = await eventually("a gap of both nodes", async () => {
      const found = [...made.stored.values()].filter(({ kind }) => kind === "collector.gap");
      return new Set(found.map(({ node }) => node)).size === 2 ? found : undefined;
    });
    expect(gaps[0]).toMatchObject({ sourceName: "syslog-udp", reason: expect.stringContaining("dropped") });
  });
});

describe("what the kernel dropped", () => {
  const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 17
  124: 00000000:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 5
`;
  test("is read by port", () => {
    expect([dropsIn(TABLE, 0x202), dropsIn(TABLE, 0x203), dropsIn(TABLE, 0x204)]).toEqual([17, 5, 0]);
  });

  test.skipIf(process.platform !== "linux")("is counted by the kernel itself", async () => {
    const socket = createSocket("udp4");
    ended.push(() => socket.close());
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    expect(await kernelDrops(port)).toBe(0);
    expect(readFileSync("/proc/net/udp", "utf8")).toContain(port.toString(16).toUpperCase().padStart(4, "0"));
  });
});

describe("by TLS", () => {
  function certificates() {
    const dir = mkdtempSync(join(tmpdir(), "keepwatch-tls-"));
    ended.push(() => rmSync(dir, { recursive: true, force: true }));
    const authority = new Authority(dir, "ca");
    const server = authority.sign("server", "keepwatch", "DNS:keepwatch,IP:127.0.0.1");
    const toml = `[syslog.tls]\nhost = "127.0.0.1"\nport = 0\ncert_file = "${server.cert}"\nkey_file = "${server.key}"\nclient_ca_file = "${authority.file}"\n`;
    return { dir, authority, toml };
  }

  async function sendTls(made: Bench, ca: string, client?: { cert: string; key: string }): Promise<void> {
    const socket = connectTls({
      port: made.port("syslog-tls"),
      host: "127.0.0.1",
      ca: readFileSync(ca),
      ...(client ? { cert: readFileSync(client.cert), key: readFileSync(client.key) } : {}),
    });
    socket.on("error", () => undefined);
    const gone = once(socket, "close");
    socket.end(`${MASTER}\n`);
    socket.resume();
    await gone;
  }

  test("a sender with a certificate is heard; without one, with an expired one or a stranger's it is told why not", async () => {
    const { dir, authority, toml } = certificates();
    const made = await bench(`${toml}client_names = ["central"]`);
    const stranger = new Authority(dir, "other").sign("stranger", "central", "");
    const refusals: readonly [{ cert: string; key: string } | undefined, RegExp][] = [
      [undefined, /it has no client certificate/],
      [authority.sign("expired", "central", "", -1), /its certificate is not accepted: it has expired/],
      [stranger, /its certificate is not accepted: none of the authorities/],
      [
        authority.sign("lb9", "lb9", "DNS:lb9"),
        /its certificate is for lb9, which syslog\.tls\.client_names does not list/,
      ],
    ];
    for (const [client, told] of refusals) {
      await sendTls(made, authority.file, client);
      await eventually(String(told), async () => (made.logged.some((entry) => told.test(entry)) ? true : undefined));
    }
    expect(made.stored.size).toBe(0);
    await sendTls(made, authority.file, authority.sign("central", "central", ""));
    await has(made, 1);
  });

  test("who does not speak TLS is counted", async () => {
    const { toml } = certificates();
    const made = await bench(toml);
    await send(made.port("syslog-tls"), `${MASTER}\n`);
    expect(await dropped(made, "syslog-tls", "handshake")).toBe(1);
  });
});
