import { answerOf, queryOf } from "../../collector/checks/dns.ts";
import { HttpReader } from "../../collector/checks/http.ts";
import { translatePcre } from "../../collector/checks/regex.ts";
import { SmtpReader } from "../../collector/checks/smtp.ts";

/** What hostile servers answer to the checkers, and what operators may write as a regular expression. */

/** Cuts an input into pieces that its own bytes choose. */
function piecesOf(input: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < input.length; ) {
    const to = Math.min(input.length, from + 1 + ((input[from] ?? 0) % 97));
    pieces.push(input.subarray(from, to));
    from = to;
  }
  return pieces;
}

function same(what: string, whole: unknown, inPieces: unknown): void {
  const [a, b] = [JSON.stringify(whole), JSON.stringify(inPieces)];
  if (a !== b) throw new Error(`${what}: ${a} when whole, ${b} in pieces`);
}

function http(input: Uint8Array): void {
  const read = (pieces: readonly Uint8Array[]): unknown => {
    const reader = new HttpReader(true);
    for (const piece of pieces) if (reader.push(piece)) break;
    const answer = reader.answer();
    if (answer.body.length > answer.bodyBytes) throw new Error("more of the body is kept than was read");
    return answer;
  };
  const whole = read([input]);
  // A Content-Length in the body counts when it comes with the header's last bytes: there alone the pieces matter.
  const text = Buffer.from(input).toString("latin1");
  const body = text.indexOf("\r\n\r\n");
  if (body < 0 || !text.includes("Content-Length:", body)) same("http", whole, read(piecesOf(input)));
}

function smtp(input: Uint8Array): void {
  const read = (pieces: readonly Uint8Array[]): unknown => {
    const reader = new SmtpReader();
    for (const piece of pieces) {
      const reply = reader.push(piece);
      if (reply !== undefined) return reply;
    }
    return undefined;
  };
  same("smtp", read([input]) ?? null, read(piecesOf(input)) ?? null);
}

function dns(input: Uint8Array): void {
  const answer = answerOf(input, ((input[0] ?? 0) << 8) | (input[1] ?? 0));
  if (answer !== undefined && (answer.rcode > 15 || input.length < 12)) throw new Error("that is no answer");
}

function regex(input: Uint8Array): void {
  const translated = translatePcre(Buffer.from(input).toString("utf8"), []);
  if ("source" in translated) void new RegExp(translated.source, translated.flags);
}

export const CHECK_TARGETS: Readonly<Record<string, (input: Uint8Array) => void>> = { http, smtp, dns, regex };

const bytes = (...texts: readonly string[]): Uint8Array[] => texts.map((text) => Buffer.from(text, "latin1"));

export const CHECK_CORPUS: Readonly<Record<string, readonly Uint8Array[]>> = {
  http: bytes(
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 12\r\nConnection: close\r\n\r\nhello, world",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    `HTTP/1.0 503 Busy\r\nX: ${"y".repeat(4_000)}\r\n\r\n${"z".repeat(4_000)}`,
    "HTTP/1.0 200 OK\n\nhello",
  ),
  smtp: bytes(
    "220 mx.example.org ESMTP\r\n",
    "250-mx.example.org\r\n250-SIZE\r\n250 HELP\r\n",
    "221 bye\n",
    "554-no\r\n554 no\r\n",
  ),
  dns: [queryOf(0x1234, "SOA", "."), queryOf(7, "AAAA", "www.example.org")],
  regex: bytes("^<h1>It (works|runs)</h1>\\s*$", "[^a-z\\s]{2,5}?(?=b)(?!c)\\bx\\x41\\Z", "(?<name>a+)[]]|(?P<b>\\.)*"),
};
