import { execFileSync, spawnSync } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { readTrackFile } from "../../../collector/checks/kinds/file.ts";
import { socatAddress } from "../../../collector/checks/kinds/socat.ts";
import { Namespace, whyNoNamespaces } from "../sources/namespace.ts";
import { ask, checkerFrom, Daemon, freePorts, isInstalled, RawServer, verdict } from "./support.ts";

/** The checkers that are not HTTP, against real servers on loopback, and against servers that mean ill. */

let server: RawServer | undefined;
afterEach(() => server?.stop());
const QUICK = "connect_timeout 0.6";

describe("TCP_CHECK", () => {
  test("connects and leaves", async () => {
    let ended = 0;
    server = await RawServer.start((socket) =>
      socket
        .resume()
        .on("close", () => (ended += 1))
        .on("end", () => socket.end()),
    );
    expect(await verdict("TCP_CHECK {\n}", { port: server.port })).toBe("success");
    await expect.poll(() => ended).toBe(1);
  });

  test("is refused", async () => {
    const [port = 0] = await freePorts(1);
    expect(await verdict("TCP_CHECK {\n}", { port })).toBe("connect");
  });

  test("goes where connect_ip and connect_port say, from bindto", async () => {
    const from: string[] = [];
    server = await RawServer.start((socket) => from.push(socket.remoteAddress ?? ""));
    const block = `TCP_CHECK {\n connect_ip 127.0.0.1\n connect_port ${server.port}\n bindto 127.0.0.9\n}`;
    expect(await verdict(block, { address: "192.0.2.1", port: 9 })).toBe("success");
    await expect.poll(() => from).toEqual(["127.0.0.9"]);
  });

  test("from an address that is not here is no verdict on the server", async () => {
    const { result } = await ask("TCP_CHECK {\n bindto 192.0.2.77\n}", { port: 9 });
    expect(result).toEqual({ kind: "unable", why: expect.stringContaining("EADDRNOTAVAIL") });
  });

  test("ends at once when it is stopped", async () => {
    const { signal } = AbortSignal.abort === undefined ? new AbortController() : { signal: AbortSignal.abort() };
    expect(await verdict("TCP_CHECK {\n}", { address: "192.0.2.1", port: 9, signal })).toBe("timeout");
  });
});

describe("SMTP_CHECK", () => {
  const smtp = (port: number): string =>
    `SMTP_CHECK {\n connect_port ${port}\n ${QUICK}\n helo_name lb1.example.org\n}`;

  test("a real server, from its greeting to its farewell", async () => {
    const greeted: string[] = [];
    const real = new SMTPServer({
      disabledCommands: ["AUTH", "STARTTLS"],
      onConnect: (session, done) => done(),
      onClose: (session) => greeted.push(String(session.hostNameAppearsAs)),
    });
    await new Promise<void>((resolve) => real.listen(0, "127.0.0.1", () => resolve()));
    const { port } = real.server.address() as AddressInfo;
    expect(await verdict(smtp(port))).toBe("success");
    await expect.poll(() => greeted).toEqual(["lb1.example.org"]);
    await new Promise<void>((resolve) => real.close(resolve));
  });

  test.skipIf(!isInstalled("smtpd") || process.getuid?.() !== 0)("OpenSMTPD", async () => {
    const [port = 0] = await freePorts(1);
    const daemon = new Daemon();
    const conf = daemon.write(
      "smtpd.conf",
      `listen on 127.0.0.1 port ${port}\naction "a" relay\nmatch for local action "a"\n`,
    );
    // A mount namespace of its own hides its socket and its pid file from any other smtpd.
    const script = `mkdir -p /run /var/spool/smtpd; mount -t tmpfs none /run; mount -t tmpfs -o mode=711 none /var/spool/smtpd; exec smtpd -d -f ${conf}`;
    await daemon.start("unshare", ["-m", "--pid", "--fork", "--kill-child", "sh", "-c", script], port);
    expect(await verdict(smtp(port))).toBe("success");
    await daemon.stop();
  });

  const scripted = (...answers: readonly (string | Uint8Array)[]): Promise<RawServer> =>
    RawServer.start((socket: Socket) => {
      let turn = 0;
      const say = (): void => {
        const answer = answers[turn++];
        if (answer !== undefined && answer.length > 0) socket.write(answer);
      };
      say();
      socket.on("data", say);
    });

  test.each<[what: string, answers: readonly (string | Uint8Array)[], expected: string]>([
    ["replies of many lines", ["220-one\r\n220-two\r\n220 three\r\n", "250-a\r\n250 b\r\n", "221 bye\r\n"], "success"],
    ["any answer to QUIT", ["220 a\r\n", "250 b\r\n", "500 what?\r\n"], "success"],
    ["a greeting that refuses", ["554 no\r\n"], "status"],
    ["a HELO that is refused", ["220 a\r\n", "502 no\r\n"], "status"],
    ["silence", [""], "timeout"],
    ["silence after HELO", ["220 a\r\n", ""], "timeout"],
    ["a banner of bytes", [Uint8Array.from({ length: 200 }, (_, i) => (i * 11) & 0xff), ""], "status"],
    ["a banner without an end", ["2".repeat(100_000)], "transfer"],
    ["a reply with endless lines", ["220-a\r\n".repeat(20_000)], "transfer"],
    ["no code", ["hello\r\n"], "status"],
  ])("%s", async (_what, answers, expected) => {
    server = await scripted(...answers);
    expect(await verdict(smtp(server.port))).toBe(expected);
  });

  test("hung up on between two lines", async () => {
    server = await RawServer.start((socket) => socket.end("220 a\r\n"));
    expect(await verdict(smtp(server.port))).toBe("transfer");
  });

  test("hung up on before the greeting", async () => {
    server = await RawServer.start((socket) => socket.end());
    expect(await verdict(smtp(server.port))).toBe("transfer");
  });
});

/** A UDP server that answers each datagram with what a test says. */
async function udpServer(
  answer: (datagram: Buffer) => Uint8Array | undefined,
): Promise<{ port: number; socket: UdpSocket }> {
  const socket = createSocket("udp4");
  socket.on("message", (datagram, from) => {
    const reply = answer(datagram);
    if (reply) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { port: socket.address().port, socket };
}

describe("DNS_CHECK", () => {
  const dns = (port: number, lines = ""): string => `DNS_CHECK {\n connect_port ${port}\n ${QUICK}\n ${lines}\n}`;

  describe.skipIf(!isInstalled("dnsmasq"))("dnsmasq", () => {
    let [port] = [0];
    let daemon: Daemon;
    beforeAll(async () => {
      [port = 0] = await freePorts(1);
      daemon = new Daemon();
      const args = `-k -C /dev/null --no-resolv --no-hosts -u root --pid-file= --listen-address=127.0.0.1 --bind-interfaces --local=/www.example.org/ --address=/www.example.org/192.0.2.7 --port=${port}`;
      await daemon.start("dnsmasq", args.split(" "), port);
    });
    afterAll(() => daemon.stop());

    test("a name that it knows", async () => {
      expect(await ask(dns(port, "type A\n name www.example.org"))).toMatchObject({
        result: { kind: "success" },
        status: 0,
      });
    });

    test("an answer without records is one", async () => {
      expect(await verdict(dns(port, "type TXT\n name www.example.org"))).toBe("success");
    });

    test("the root, which it refuses", async () => {
      expect(await ask(dns(port))).toMatchObject({ result: { reason: "status" }, status: 5 });
    });
  });

  const flags = (datagram: Buffer, high: number, low: number): Buffer => {
    const reply = Buffer.from(datagram);
    reply[2] = high;
    reply[3] = low;
    return reply;
  };

  test.each<[what: string, answer: (datagram: Buffer) => Uint8Array | undefined, expected: string]>([
    ["the header alone", (query) => flags(query, 0x81, 0).subarray(0, 12), "success"],
    ["records that are garbage", (query) => Buffer.concat([flags(query, 0x81, 0), Buffer.alloc(400, 0xc0)]), "success"],
    ["NXDOMAIN", (query) => flags(query, 0x81, 3), "status"],
    ["a query for an answer", (query) => query, "timeout"],
    [
      "another id",
      (query) => Buffer.concat([Buffer.from([~(query[0] ?? 0) & 0xff]), flags(query, 0x81, 0).subarray(1)]),
      "timeout",
    ],
    ["too few bytes", (query) => flags(query, 0x81, 0).subarray(0, 11), "timeout"],
    ["nothing", () => undefined, "timeout"],
  ])("%s", async (_what, answer, expected) => {
    const { port, socket } = await udpServer(answer);
    expect(await verdict(dns(port))).toBe(expected);
    socket.close();
  });

  test("asks the question of the configuration, with recursion desired", async () => {
    const asked: Buffer[] = [];
    const { port, socket } = await udpServer((query) => {
      asked.push(query);
      return flags(query, 0x81, 0);
    });
    await ask(dns(port, "type AAAA\n name a.example"));
    await ask(dns(port));
    socket.close();
    expect(asked.map((query) => query.subarray(2).toString("hex"))).toEqual([
      "01000001000000000000" + "0161076578616d706c6500" + "001c0001",
      "01000001000000000000" + "00" + "00060001",
    ]);
  });

  test("a port where nobody listens", async () => {
    const [port = 0] = await freePorts(1);
    expect(await verdict(dns(port))).toBe("connect");
  });
});

describe("UDP_CHECK", () => {
  test.skipIf(!isInstalled("socat"))("an echo by socat", async () => {
    const [port = 0] = await freePorts(1);
    const echo = new Daemon();
    // It listens on UDP; the TCP port beside it says when it is there.
    const script = `socat UDP-LISTEN:${port},bind=127.0.0.1,fork EXEC:/bin/cat & exec socat TCP-LISTEN:${port},bind=127.0.0.1,fork EXEC:/bin/true`;
    await echo.start("sh", ["-c", script], port);
    const block = (reply: string): string => `UDP_CHECK {\n ${QUICK}\n payload 6b65 65\n require_reply ${reply}\n}`;
    await expect.poll(() => verdict(block("6b6565"), { port })).toBe("success");
    expect(await verdict(block("6bXX65"), { port })).toBe("success");
    expect(await verdict(block("6b6566"), { port })).toBe("reply");
    await echo.stop();
  });

  const udp = (lines: string): string => `UDP_CHECK {\n ${QUICK}\n ${lines}\n}`;
  test.each<[what: string, lines: string, reply: Uint8Array | undefined, expected: string]>([
    ["silence is good", "", undefined, "success"],
    ["unless a reply is required", "require_reply", undefined, "timeout"],
    ["any reply", "require_reply", Uint8Array.of(), "success"],
    ["a reply that is too short", "require_reply\n min_reply_length 2", Uint8Array.of(1), "reply"],
    ["a reply that is too long", "require_reply\n max_reply_length 2", Uint8Array.of(1, 2, 3), "reply"],
    ["a reply shorter than the pattern matches as far as it goes", "require_reply 0102", Uint8Array.of(1), "success"],
    ["a huge reply", "require_reply", new Uint8Array(60_000), "reply"],
  ])("%s", async (_what, lines, reply, expected) => {
    const { port, socket } = await udpServer(() => reply);
    expect(await verdict(udp(lines), { port })).toBe(expected);
    socket.close();
  });

  test("a port where nobody listens, told by ICMP", async () => {
    const [port = 0] = await freePorts(1);
    expect(await verdict(udp(""), { port })).toBe("connect");
  });
});

describe.skipIf(!isInstalled("ping") || process.getuid?.() !== 0)("PING_CHECK", () => {
  test("an address that answers", async () => {
    expect(await verdict(`PING_CHECK {\n ${QUICK}\n}`)).toBe("success");
    expect(await verdict(`PING_CHECK {\n ${QUICK}\n bindto 127.0.0.5\n fwmark 9\n}`)).toBe("success");
  });

  test("an interface that is not here is no verdict", async () => {
    expect(await verdict(`PING_CHECK {\n ${QUICK}\n bind_if keepwatch9\n}`)).toBe("unable");
  });
});

describe("MISC_CHECK", () => {
  let dir: string;
  let count = 0;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "keepwatch-misc-"))));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const script = (text: string): string => {
    const path = join(dir, `check${count++}`);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  test.each<[what: string, text: string, lines: string, expected: object]>([
    ["status 0", "exit 0", "", { result: { kind: "success" }, status: 0 }],
    ["any other", "exit 3", "", { result: { kind: "failure", reason: "status" }, status: 3 }],
    ["a signal", "kill -9 $$", "", { result: { kind: "failure", reason: "signal" } }],
    ["too slow", "sleep 30", "misc_timeout 1", { result: { kind: "failure", reason: "timeout" } }],
    ["dynamic: 0 is the configured weight", "exit 0", "misc_dynamic", { result: { kind: "success" }, added: 0 }],
    ["dynamic: 1 is a failure", "exit 1", "misc_dynamic", { result: { kind: "failure", reason: "status" } }],
    [
      "dynamic: others are a weight, 2 more than it",
      "exit 12",
      "misc_dynamic",
      { result: { kind: "success" }, added: 7 },
    ],
  ])("%s", async (_what, text, lines, expected) => {
    expect(await ask(`MISC_CHECK {\n misc_path ${script(text)}\n ${lines}\n}`, { weight: 3 })).toMatchObject(expected);
  });

  test("one that does not heed SIGTERM is killed", async () => {
    const stubborn = script("trap '' TERM\nwhile :; do sleep 1; done");
    expect(await verdict(`MISC_CHECK {\n misc_path ${stubborn}\n misc_timeout 1\n}`)).toBe("timeout");
  });

  test("one that is not there is no verdict", async () => {
    expect(await verdict("MISC_CHECK {\n misc_path /nowhere/check\n}")).toBe("unable");
  });
});

test("a tracked file is the number it begins with", () => {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-file-"));
  const numberIn = (text: string): number => {
    writeFileSync(join(dir, "f"), text);
    return readTrackFile(join(dir, "f"));
  };
  expect([numberIn("7\n"), numberIn(" -12 x"), numberIn(""), numberIn("abc"), numberIn("9".repeat(1_000))]).toEqual([
    7, -12, 0, 0, 999_999_999_999,
  ]);
  expect(readTrackFile(join(dir, "nowhere"))).toBe(0);
  rmSync(dir, { recursive: true });
});

describe.skipIf(!isInstalled("socat") || process.getuid?.() !== 0)("with a mark, or bound to an interface", () => {
  const MARKED = "fwmark 77\n connect_timeout 2";

  test("TCP, HTTP, TLS and SMTP go through socat", async () => {
    server = await RawServer.answering("HTTP/1.0 200 OK\r\n\r\nhello");
    const { port } = server;
    expect(await verdict(`TCP_CHECK {\n ${MARKED}\n}`, { port })).toBe("success");
    expect(await verdict("TCP_CHECK {\n bind_if lo\n}", { port })).toBe("success");
    expect(
      await verdict(`HTTP_GET {\n ${MARKED}\n url {\n path /\n digest 5d41402abc4b2a76b9719d911017c592\n }\n }`, {
        port,
      }),
    ).toBe("success");
    expect(await verdict(`SSL_GET {\n ${MARKED}\n url {\n path /\n }\n }`, { port })).toBe("tls");
    await server.stop();
    expect(await verdict(`TCP_CHECK {\n ${MARKED}\n}`, { port })).toBe("connect");
    server = await RawServer.start((socket) => socket.end("554 no\r\n"));
    expect(await verdict(`SMTP_CHECK {\n connect_port ${server.port}\n ${MARKED}\n}`)).toBe("status");
  });

  test("a server that hears and says nothing leaves no socat behind", async () => {
    server = await RawServer.start(() => undefined);
    const { port } = server;
    expect(await verdict(`HTTP_GET {\n fwmark 77\n connect_timeout 0.6\n url {\n path /\n }\n }`, { port })).toBe(
      "timeout",
    );
    const living = (): string => spawnSync("ps", ["-eo", "args"], { encoding: "utf8" }).stdout;
    await expect.poll(living).not.toContain(`127.0.0.1:${port},setsockopt`);
  });

  test("UDP and DNS too, datagram by datagram", async () => {
    const { port, socket } = await udpServer((datagram) => {
      const reply = Buffer.from(datagram);
      if (reply.length > 3) [reply[2], reply[3]] = [0x81, 0];
      return reply;
    });
    expect(await verdict(`UDP_CHECK {\n ${MARKED}\n payload 0102\n require_reply 0102\n}`, { port })).toBe("success");
    expect(await verdict(`DNS_CHECK {\n ${MARKED}\n connect_port ${port}\n}`)).toBe("success");
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    expect(await verdict(`UDP_CHECK {\n ${MARKED}\n payload 0102\n}`, { port })).toBe("connect");
  });

  test("an interface that is not here is no verdict, nor is a name that is none", async () => {
    expect(await ask("TCP_CHECK {\n bind_if keepwatch9\n}", { port: 9 })).toMatchObject({
      result: { kind: "unable", why: expect.stringContaining("No such device") },
    });
    expect(await verdict("TCP_CHECK {\n bind_if lo,fork\n}", { port: 9 })).toBe("unable");
  });

  test.skipIf(whyNoNamespaces("nft") !== "")("the mark is on the first packet already", async () => {
    const space = new Namespace("mark");
    const exec = (command: string, ...args: readonly string[]): string =>
      execFileSync("ip", ["netns", "exec", space.name, command, ...args], {
        encoding: "utf8",
        input: "",
        timeout: 10_000,
      });
    exec("nft", "add table inet t");
    exec("nft", "add chain inet t out { type filter hook output priority 0 ; }");
    exec("nft", "add rule inet t out meta mark 77 tcp flags syn counter");
    const { check } = checkerFrom(`TCP_CHECK {\n ${MARKED}\n bind_if lo\n}`, { port: 5_555 });
    const address = check.kind === "tcp" ? socatAddress("TCP", check.to) : undefined;
    expect(address).toBe("TCP4:127.0.0.1:5555,so-bindtodevice=lo,setsockopt-listen=1:36:i77");
    expect(() => exec("socat", "-", address ?? "")).toThrow(/refused/);
    expect(exec("nft", "list ruleset")).toMatch(/mark 0x0000004d .*counter packets [1-9]/);
    space.remove();
  });
});
