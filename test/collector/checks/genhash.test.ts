import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { isInstalled, RawServer, verdict } from "./support.ts";

/** The digest of a page is what keepalived's own genhash prints for the same bytes: it shares its reader with the checkers. */
const PAGES: readonly (readonly [what: string, ...pieces: (string | Uint8Array)[]])[] = [
  ["Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["until the connection closes", "HTTP/1.0 200 OK\r\n\r\nhello\nworld\n"],
  ["more than Content-Length says", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcdef"],
  ["less than Content-Length says", "HTTP/1.0 200 OK\r\nContent-Length: 30\r\n\r\nabcdef"],
  ["Content-Length in small letters", "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabcdef"],
  ["Content-Length without a space", "HTTP/1.0 200 OK\r\nContent-Length:3\r\n\r\nabcdef"],
  ["chunks, with their marks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
  ["compressed, as it is", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzipSync("hello")],
  ["an empty body", "HTTP/1.0 204 No Content\r\n\r\n"],
  ["Content-Length behind other letters", "HTTP/1.0 200 OK\r\nX-Content-Length: 3\r\n\r\nabcdef"],
  ["Content-Length in another value", "HTTP/1.0 200 OK\r\nA: Content-Length: 3\r\n\r\nabcdef"],
  ["Content-Length twice", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcdef"],
  ["Content-Length with a sign", "HTTP/1.0 200 OK\r\nContent-Length: +3\r\n\r\nabcdef"],
  ["a negative Content-Length", "HTTP/1.0 200 OK\r\nContent-Length: -3\r\n\r\nabcdef"],
  ["Content-Length and more", "HTTP/1.0 200 OK\r\nContent-Length: 3junk\r\n\r\nabcdef"],
  ["Content-Length and a space", "HTTP/1.0 200 OK\r\nContent-Length: 3 \r\n\r\nabcdef"],
  ["Content-Length without a number", "HTTP/1.0 200 OK\r\nContent-Length:\r\n\r\nabcdef"],
  ["Content-Length beyond all bounds", "HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabcdef"],
  ["Content-Length in the body", "HTTP/1.0 200 OK\r\n\r\nContent-Length: 3\r\nabcdef"],
  ["the longest header", `HTTP/1.0 200 OK\r\nA: ${"x".repeat(4_095 - 24)}\r\n\r\nabcdef`],
  ["a header in pieces", "HTTP/1.0 200 OK\r\nServer", ": x\r\n", "\r", "\n", "hello"],
  ["all bytes", "HTTP/1.0 200 OK\r\n\r\n", Uint8Array.from({ length: 256 }, (_, i) => i)],
  ["a long body", "HTTP/1.0 200 OK\r\nContent-Length: 300000\r\n\r\n", Buffer.alloc(300_000, "keepwatch ")],
  ["an error page", "HTTP/1.0 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"],
];

let server: RawServer | undefined;
afterEach(() => server?.stop());

const run = promisify(execFile);

async function genhash(port: number): Promise<string> {
  const { stdout } = await run("genhash", ["-s", "127.0.0.1", "-p", String(port), "-u", "/"], { timeout: 10_000 });
  return stdout.trim();
}

describe.skipIf(!isInstalled("genhash"))("a digest equals genhash's", () => {
  test.each(PAGES)("%s", async (_what, ...pieces) => {
    server = await RawServer.answering(...pieces);
    const digest = await genhash(server.port);
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    const check = (of: string): string => `HTTP_GET {\n url {\n path /\n digest ${of}\n status_code 100-599\n }\n }`;
    expect(await verdict(check(digest), { port: server.port })).toBe("success");
    const other = createHash("md5").update(digest).digest("hex");
    expect(await verdict(check(other), { port: server.port })).toBe("digest");
  });

  // genhash prints nothing for them, and the checkers have nothing to look at.
  test.each([
    ["bare newlines", "HTTP/1.0 200 OK\nServer: x\n\nhello"],
    ["mixed newlines", "HTTP/1.0 200 OK\r\nServer: x\n\r\nhello"],
    ["a header without an end", "HTTP/1.0 200 OK\r\nhello"],
    ["a header that is one byte too long", `HTTP/1.0 200 OK\r\nA: ${"x".repeat(4_096 - 24)}\r\n\r\nabcdef`],
    ["nothing", ""],
  ])("%s: there is no page", async (_what, bytes) => {
    server = await RawServer.answering(bytes);
    expect(await genhash(server.port)).toBe("");
    expect(await verdict("HTTP_GET {\n url {\n path /\n }\n }", { port: server.port })).toBe("no-data");
  });
});
