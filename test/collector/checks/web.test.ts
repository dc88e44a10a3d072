import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ask, Daemon, freePorts, isInstalled, RawServer, verdict } from "./support.ts";

/** HTTP_GET and SSL_GET against nginx, and against servers that mean ill. The verdicts are keepalived's. */

const PAGE = "<h1>It works</h1>\n";
const DIGEST = createHash("md5").update(PAGE).digest("hex");
const get = (ofUrl = "", lines = "", kind = "HTTP_GET"): string =>
  `${kind} {\n connect_timeout 0.6\n ${lines}\n url {\n ${ofUrl.includes("path ") ? "" : "path /"}\n ${ofUrl}\n }\n }`;

describe.skipIf(!isInstalled("nginx"))("against nginx", () => {
  let nginx: Daemon;
  let [http, tls, oldTls] = [0, 0, 0];

  beforeAll(async () => {
    [http = 0, tls = 0, oldTls = 0] = await freePorts(3);
    nginx = new Daemon();
    for (const name of ["default", "other"]) nginx.certificate(name);
    mkdirSync(join(nginx.dir, "www"));
    writeFileSync(join(nginx.dir, "www/index.html"), PAGE);
    const certificate = (name: string): string =>
      `ssl_certificate ${nginx.dir}/${name}.crt; ssl_certificate_key ${nginx.dir}/${name}.key;`;
    const conf = nginx.write(
      "nginx.conf",
      `daemon off; user root; worker_processes 1; pid ${nginx.dir}/pid; error_log stderr;
events { }
http {
  access_log off; client_body_temp_path ${nginx.dir}/a; proxy_temp_path ${nginx.dir}/b; fastcgi_temp_path ${nginx.dir}/c;
  uwsgi_temp_path ${nginx.dir}/d; scgi_temp_path ${nginx.dir}/e;
  server {
    listen 127.0.0.1:${http} default_server; root ${nginx.dir}/www;
    location /moved { return 301 /; }
    location /gone { return 503 "busy"; }
    location /empty { return 204; }
    location /reset { return 444; }
    location = /host { return 200 "host=$http_host version=$server_protocol agent=$http_user_agent close=$http_connection"; }
  }
  server { listen 127.0.0.1:${tls} ssl default_server; ${certificate("default")} return 200 "sni=$ssl_server_name host=$host"; }
  server { listen 127.0.0.1:${tls} ssl; server_name other; ${certificate("other")} return 418 "other"; }
  server {
    listen 127.0.0.1:${oldTls} ssl; ssl_protocols TLSv1; ssl_ciphers "DEFAULT@SECLEVEL=0"; ${certificate("default")}
    return 200 "old";
  }
}
`,
    );
    await nginx.start("nginx", ["-c", conf], http);
  });
  afterAll(() => nginx.stop());

  test.each<[what: string, block: string, expected: string]>([
    ["a page", get(), "success"],
    ["its digest", get(`digest ${DIGEST}`), "success"],
    ["its digest in capitals", get(`digest ${DIGEST.toUpperCase()}`), "success"],
    ["another digest", get(`digest ${"0".repeat(32)}`), "digest"],
    ["a status that is not asked for", get("path /gone"), "status"],
    ["a redirection is none of 200 to 299", get("path /moved"), "status"],
    ["a status that is asked for", get("path /gone\n status_code 200 500-503"), "success"],
    ["a status beside the range", get("path /gone\n status_code 504-599"), "status"],
    ["204 has no body", get("path /empty"), "success"],
    ["a missing page", get("path /nowhere"), "status"],
    ["a connection that is closed without an answer", get("path /reset"), "no-data"],
    ["a regex that is found", get('regex "<h1>it +WORKS</h1>$"\n regex_options caseless'), "success"],
    ["one that is not", get('regex "does not"'), "regex"],
    ["one that must not be found", get("regex works\n regex_no_match"), "regex"],
    ["and is not", get("regex fails\n regex_no_match"), "success"],
    ["a regex from an offset on", get('regex "h1"\n regex_min_offset 4'), "success"],
    ["a regex up to an offset", get('regex "works"\n regex_max_offset 4'), "regex"],
    [
      "the Host header: address and port",
      get(`path /host\n regex "host=127\\.0\\.0\\.1:[0-9]+ version=HTTP/1\\.0 agent=KeepAliveClient close=$"`),
      "success",
    ],
    [
      "or the virtualhost",
      get('path /host\n virtualhost www.example.org\n regex "host=www\\.example\\.org "'),
      "success",
    ],
    ["HTTP/1.0 that says close", get('path /host\n regex "HTTP/1\\.0 .*close=close"', "http_protocol 1.0C"), "success"],
    ["HTTP/1.1", get('path /host\n virtualhost x\n regex "HTTP/1\\.1 .*close=close"', "http_protocol 1.1"), "success"],
  ])("%s", async (_what, block, expected) => {
    expect(await verdict(block, { port: http })).toBe(expected);
  });

  test.each<[what: string, block: string, expected: string]>([
    ["a certificate that nobody signed", get("", "", "SSL_GET"), "success"],
    ["no server name without enable_sni", get('virtualhost other\n regex "sni= "\n', "", "SSL_GET"), "status"],
    ["a server name with it", get("virtualhost other\n status_code 418", "enable_sni", "SSL_GET"), "success"],
    ["none that is not known", get('regex "sni= host="', "enable_sni", "SSL_GET"), "success"],
  ])("over TLS: %s", async (_what, block, expected) => {
    expect(await verdict(block, { port: tls })).toBe(expected);
  });

  test("plain HTTP where TLS is wanted is a failure of the handshake", async () => {
    expect(await verdict(get("", "", "SSL_GET"), { port: http })).toBe("tls");
  });

  test("TLS where plain HTTP is wanted is answered with 400", async () => {
    expect(await ask(get(), { port: tls })).toMatchObject({ result: { reason: "status" }, status: 400 });
  });

  test("TLS 1.0 alone is for an old OpenSSL: genhash fails on it here, and so it is the operator's to say", async () => {
    expect(await verdict(get("", "", "SSL_GET"), { port: oldTls })).toBe("tls");
    expect(await verdict(get("", "", "SSL_GET"), { port: oldTls, tlsMin: "TLSv1" })).toBe("success");
  });

  test("up to 2.0.16 any status keeps a server that is up, and only 200 to 299 brings one back", async () => {
    const release = [2, 0, 16] as const;
    expect(await verdict(get("path /gone"), { port: http, release, isUp: true })).toBe("success");
    expect(await verdict(get("path /gone"), { port: http, release, isUp: false })).toBe("status");
    expect(await verdict(get("path /moved\n status_code 301"), { port: http, release, isUp: false })).toBe("success");
  });
});

describe("against servers that mean ill", () => {
  let server: RawServer | undefined;
  afterEach(() => server?.stop());

  /** A header, then these bytes for as long as somebody reads, at this pace. */
  const endless = (first: string, more: string | Uint8Array, everyMs: number): Promise<RawServer> =>
    RawServer.start((socket) => {
      socket.write(first);
      const timer = setInterval(() => socket.writable && socket.write(more), everyMs);
      socket.on("close", () => clearInterval(timer));
    });

  test.each<[what: string, start: () => Promise<RawServer>, expected: string]>([
    ["one that never answers", () => RawServer.start(() => undefined), "timeout"],
    ["a header that drips", () => endless("HTTP/1.0 200 OK\r\n", "A: b\r\n", 20), "timeout"],
    [
      "a header without end, as fast as it goes",
      () => endless("HTTP/1.0 200 OK\r\n", "A".repeat(65_536), 1),
      "no-data",
    ],
    ["a body that drips for ever", () => endless("HTTP/1.0 200 OK\r\n\r\n", "x", 10), "timeout"],
    [
      "a body that promises more than it has, and stays open",
      () => endless("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n", "", 50),
      "timeout",
    ],
    [
      "a body that promises a great deal, and ends",
      () => RawServer.answering("HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"),
      "success",
    ],
    ["a reset", () => RawServer.start((socket) => socket.once("data", () => socket.resetAndDestroy())), "transfer"],
    ["a status that is no number", () => RawServer.answering("HTTP/1.0 abc OK\r\n\r\n"), "status"],
    ["no status at all", () => RawServer.answering("hello\r\n\r\n"), "status"],
    [
      "chunks that never end well",
      () => RawServer.answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
      "success",
    ],
    ["binary junk", () => RawServer.answering(Uint8Array.from({ length: 4_000 }, (_, i) => (i * 7) & 0xff)), "no-data"],
    [
      "half-open: it takes the request and says no more, nor closes",
      () => RawServer.start((socket) => void socket.resume()),
      "timeout",
    ],
  ])("%s", async (_what, start, expected) => {
    server = await start();
    expect(await verdict(get(), { port: server.port })).toBe(expected);
  });

  test("a port where nobody listens", async () => {
    const [port = 0] = await freePorts(1);
    expect(await verdict(get(), { port })).toBe("connect");
  });

  test("TLS junk, and TLS that never shakes hands", async () => {
    server = await RawServer.answering(Uint8Array.from({ length: 300 }, (_, i) => (i * 13) & 0xff));
    expect(await verdict(get("", "", "SSL_GET"), { port: server.port })).toBe("tls");
    await server.stop();
    server = await RawServer.start(() => undefined);
    expect(await verdict(get("", "", "SSL_GET"), { port: server.port })).toBe("timeout");
  });

  test("a huge body is hashed as it comes, and none of it is kept", async () => {
    const block = Buffer.alloc(1024 * 1024, "x");
    server = await RawServer.start((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.0 200 OK\r\n\r\n");
        for (let i = 0; i < 12; i++) socket.write(block);
        socket.end();
      }),
    );
    const digest = createHash("md5");
    for (let i = 0; i < 12; i++) digest.update(block);
    const slow = get(`digest ${digest.digest("hex")}`).replace("connect_timeout 0.6", "connect_timeout 5");
    expect(await verdict(slow, { port: server.port })).toBe("success");
  });

  test("a body longer than is read has no digest: that is no verdict on the server", async () => {
    const block = Buffer.alloc(1024 * 1024, "x");
    server = await RawServer.start((socket) => {
      socket.write("HTTP/1.0 200 OK\r\n\r\n");
      for (let i = 0; i < 24; i++) socket.write(block);
    });
    const slow = get(`digest ${DIGEST}`).replace("connect_timeout 0.6", "connect_timeout 5");
    expect(await verdict(slow, { port: server.port })).toBe("unable");
  });

  test("a regex that runs away is stopped, and says nothing", async () => {
    server = await RawServer.answering(`HTTP/1.0 200 OK\r\n\r\n${"a".repeat(40)}!`);
    expect(await verdict(get('regex "^(a+)+b"'), { port: server.port })).toBe("unable");
  });
});
