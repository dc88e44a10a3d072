import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ClientRequest, IncomingMessage, Server } from "node:http";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { parseCollectorConfig } from "../../../collector/config.ts";
import { ClientTls, type TlsFiles } from "../../../collector/sinks/tls-files.ts";
import { explain, receiptOf, Transport } from "../../../collector/sinks/transport.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { Authority } from "../../support/certificates.ts";
import { eventually } from "../../support/process.ts";
import { batchesOf, endStray, testServer, type TestServer } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-mtls-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(endStray);

const ours = new Authority(dir, "ours");
const theirs = new Authority(dir, "theirs");
const server = ours.sign("server", "keepwatch.example.org", "DNS:localhost,IP:127.0.0.1");
const lb1 = ours.sign("lb1", "somebody", "DNS:lb1");
const plain = ours.sign("plain", "lb1", "");
const lb2 = ours.sign("lb2", "lb2", "DNS:lb2.example.org");
const expired = ours.sign("expired", "lb1", "DNS:lb1", -1);
const stranger = theirs.sign("stranger", "lb1", "DNS:lb1");

const start = (more = "", files = server): Promise<TestServer> =>
  testServer({
    toml: `[ingest.tls]\nhost = "127.0.0.1"\nport = 0\ncert_file = "${files.cert}"\nkey_file = "${files.key}"\nclient_ca_file = "${ours.file}"\n${more}`,
  });

let now = Date.now();
const told: string[] = [];
const log = (_level: string, message: string, fields?: object): void =>
  void told.push(`${message} ${JSON.stringify(fields ?? {})}`);
const tlsOf = (files: TlsFiles): Promise<ClientTls> =>
  ClientTls.open({ ca_file: ours.file, ...files }, { log, now: () => now });
const files = ({ cert, key }: { cert: string; key: string }): TlsFiles => ({ cert_file: cert, key_file: key });

let beats = 0;
const bodyFor = (node: string): { bytes: Buffer; gzip: boolean } => ({
  bytes: Buffer.from(JSON.stringify(batchesOf(scenario(`at ${++beats} ${node} heartbeat`))[0])),
  gzip: false,
});
/** @returns `taken`, or what the collector says of it */
async function deliver(
  to: TestServer,
  tls: ClientTls,
  node = "lb1",
  options: { host?: string; token?: string } = {},
): Promise<string> {
  const { host = "127.0.0.1", token } = options;
  const transport = new Transport({
    url: `https://${host}:${to.tlsPort}`,
    tls,
    ...(token === undefined ? {} : { token }),
  });
  const answer = await transport.attempt(bodyFor(node), new AbortController().signal);
  transport.close();
  return receiptOf(answer) ? "taken" : explain(answer);
}

describe("a collector with a certificate", () => {
  test("delivers for the node that it names, without a token", async () => {
    const door = await start();
    expect(await deliver(door, await tlsOf(files(lb1)))).toBe("taken");
    // A common name counts where there is no other.
    expect(await deliver(door, await tlsOf(files(plain)))).toBe("taken");
  });

  test("delivers for another node only if the server lists it", async () => {
    const door = await start('[[ingest.tls.clients]]\nname = "lb2.example.org"\nnode = "lb2"\n');
    const tls = await tlsOf(files(lb2));
    expect(await deliver(door, tls, "lb2")).toBe("taken");
    expect(await deliver(door, tls, "lb1")).toBe(
      "the server answered 403: the certificate is for lb2.example.org, not for node lb1: ingest.tls.clients of the server can list it",
    );
  });

  test.each([
    [
      "none",
      {},
      /^the server answered 401: a certificate that ingest\.tls\.client_ca_file of this server has signed is needed/,
    ],
    [
      "one of another authority",
      files(stranger),
      /401: the collector's certificate is not accepted: none of the authorities/,
    ],
    ["one that has expired", files(expired), /401: the collector's certificate is not accepted: it has expired/],
  ])("is told what is wrong with it: %s", async (_, shown, sentence) => {
    expect(await deliver(await start(), await tlsOf(shown))).toMatch(sentence);
  });

  test("may come with a token instead, where there are any", async () => {
    const door = await start(
      '[[ingest.tokens]]\nnode = "lb1"\nsha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"\n',
    );
    const tls = await tlsOf({});
    expect(await deliver(door, tls, "lb1", { token: "password" })).toBe("taken");
    expect(await deliver(door, tls, "lb2", { token: "password" })).toMatch(/403/);
    expect(await deliver(door, tls, "lb1", { token: "passwords" })).toMatch(
      /401: a certificate .* is needed, or a token/,
    );
    // And the other way round.
    expect(await deliver(door, await tlsOf(files(lb1)))).toBe("taken");
  });

  test("has as long for a full batch as a line of 32 kbit/s takes, with TLS and without", async () => {
    const door = await start();
    const limits: number[] = [];
    const hear = (message: unknown): void => void limits.push((message as { server: Server }).server.requestTimeout);
    subscribe("http.server.request.start", hear);
    try {
      expect(await deliver(door, await tlsOf(files(lb1)))).toBe("taken");
      const plainly = new Transport({ url: door.url });
      await plainly.attempt(bodyFor("lb1"), new AbortController().signal);
      plainly.close();
    } finally {
      unsubscribe("http.server.request.start", hear);
    }
    expect(limits).toHaveLength(2);
    const batchMs = ((2 * 1024 * 1024 * 8) / 32_000) * 1000;
    expect(Math.min(...limits)).toBeGreaterThan(batchMs);
  });

  test("finds nothing but ingest behind the listener", async () => {
    const door = await start();
    const { request } = await import("node:https");
    const status = await new Promise((resolve, reject) =>
      request(
        { port: door.tlsPort, host: "127.0.0.1", path: "/api/v1/incidents", ca: undefined, rejectUnauthorized: false },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      )
        .on("error", reject)
        .end(),
    );
    expect(status).toBe(404);
  });
});

describe("a collector looks whom it talks to", () => {
  test("and says what is wrong with the server's certificate", async () => {
    const door = await start();
    const mistrusting = await ClientTls.open({ ca_file: theirs.file, ...files(lb1) }, { log, now: () => now });
    expect(await deliver(door, mistrusting)).toMatch(
      /none of the authorities that are trusted here .* server\.ca_file/,
    );
    await endStray();
    const foreign = await start("", ours.sign("foreign", "else", "DNS:else.example.org"));
    expect(await deliver(foreign, await tlsOf(files(lb1)), "lb1", { host: "localhost" })).toMatch(
      /is for other names than that of server\.url/,
    );
    await endStray();
    const old = await start("", ours.sign("old", "localhost", "DNS:localhost,IP:127.0.0.1", -1));
    expect(await deliver(old, await tlsOf(files(lb1)))).toMatch(/^the server's certificate has expired/);
  });

  test.each([
    [
      "a file that is not there",
      { cert_file: join(dir, "none"), key_file: lb1.key },
      /server\.cert_file: .*none cannot be read/,
    ],
    ["another's key", { cert_file: lb1.cert, key_file: lb2.key }, /lb1\.crt, .*lb2\.key.* cannot be used together/],
    ["what is no certificate", { cert_file: lb1.key, key_file: lb1.key }, /server\.cert_file: .* holds no certificate/],
  ])("and does not start with %s", async (_, shown, sentence) => {
    await expect(tlsOf(shown)).rejects.toThrow(sentence);
  });
});

describe("a certificate that is renewed", () => {
  test("is used without a restart on either side, and one that cannot be used is told of", async () => {
    const own = { cert: join(dir, "own.crt"), key: join(dir, "own.key") };
    const its = { cert: join(dir, "its.crt"), key: join(dir, "its.key") };
    const take = (from: { cert: string; key: string }, to: { cert: string; key: string }): void => {
      copyFileSync(from.cert, to.cert);
      copyFileSync(from.key, to.key);
    };
    take(expired, own);
    take(server, its);
    const door = await start("", its);
    const tls = await tlsOf(files(own));
    const transport = new Transport({ url: `https://localhost:${door.tlsPort}`, tls });
    const attempt = async (): Promise<string> => {
      const answer = await transport.attempt(bodyFor("lb1"), new AbortController().signal);
      return receiptOf(answer) ? "taken" : explain(answer);
    };
    expect(await attempt()).toMatch(/it has expired/);
    take(lb1, own);
    now += 6_000;
    expect(await attempt()).toBe("taken");
    writeFileSync(own.key, "no key");
    now += 6_000;
    expect(await attempt()).toBe("taken");
    expect(told.join("\n")).toMatch(/the changed certificates cannot be used.*own\.key is not PEM/);
    // The server's, for another name: seen with the next connection. One that was in use takes one more request.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): ClientRequest =>
      request({
        agent,
        port: door.tlsPort,
        method: "POST",
        path: "/api/v1/ingest",
        headers: { "content-type": "application/json" },
        ca: readFileSync(ours.file),
        cert: readFileSync(lb1.cert),
        key: readFileSync(lb1.key),
      });
    const connectionAfter = async (asked: ClientRequest): Promise<string | undefined> => {
      const [answer] = (await once(asked.end("{}"), "response")) as [IncomingMessage];
      await once(answer.resume(), "end");
      return answer.headers.connection;
    };
    const busy = ask();
    busy.flushHeaders();
    await once(busy, "socket").then(([socket]: Socket[]) => once(socket as Socket, "secureConnect"));
    take(ours.sign("elsewhere", "else", "DNS:else.example.org"), its);
    await eventually("the certificates of now", async () =>
      door.logged.some(({ message }) => message === "the certificates were read again") ? true : undefined,
    );
    expect(await connectionAfter(busy)).toBe("keep-alive");
    const next = ask();
    expect(await connectionAfter(next)).toBe("close");
    expect(next.reusedSocket).toBe(true);
    agent.destroy();
    await eventually("the server's new certificate", async () =>
      /other names/.test(await attempt()) ? true : undefined,
    );
    transport.close();
  });
});

describe("the configuration", () => {
  test.each([
    [
      '[ingest.tls]\nhost = "0.0.0.0"\nport = 1\ncert_file = "c"\nkey_file = "k"\n',
      /client_ca_file must say who signs/,
    ],
    [
      '[ingest.tls]\nhost = "127.0.0.1"\nport = 1\ncert_file = "c"\nkey_file = "k"\nclients = [{ name = "a", node = "b" }]\n',
      /clients needs ingest\.tls\.client_ca_file/,
    ],
  ])("of the server is refused: %#", (toml, sentence) => {
    expect(() => parseServerConfig(toml, "s.toml")).toThrow(sentence);
  });

  test.each([
    ['[server]\nurl = "https://x"\ncert_file = "c"\n', /cert_file and server\.key_file belong together/],
    ['[server]\nurl = "http://x"\nca_file = "c"\n', /server\.ca_file is for a server\.url that begins with https/],
  ])("of the collector is refused: %#", (toml, sentence) => {
    expect(() => parseCollectorConfig(toml, "c.toml")).toThrow(sentence);
  });
});
