import { createHash } from "node:crypto";
import type { HttpCheck, Url } from "../conf/model/server-types.ts";
import { STATUS_LISTS_SINCE } from "../conf/model/checkers.ts";
import { encodeBytes } from "../conf/text.ts";
import { compareReleases, type Release } from "../conf/version.ts";

/**
 * HTTP as keepalived's checkers speak it. A general client does not do: the digest is over the bytes behind the header as
 * they are sent, chunk marks and compression included, up to Content-Length, which is found in one spelling only; a header
 * has to end within keepalived's own buffer; and what such a client refuses as malformed keepalived takes. All of it is
 * held against genhash. (keepalived 2.2.7, check/check_http.c, lib/html.c)
 */

/** Bytes of a header with the empty line at its end: keepalived finds no end beyond them. */
const HEADER_BYTES_MAX = 4_095;
/** Bytes of a body that are read for a digest. Nothing of them is kept. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of a body that are kept for a regular expression. */
export const KEPT_BYTES_MAX = 1024 * 1024;

/** @param host  `address:port` of the server, as an URL writes it */
export function requestOf({ protocol }: HttpCheck, url: Url, host: string): Uint8Array {
  const version = protocol === "1.1" ? "1.1" : "1.0";
  const close = protocol === "1.0" ? "" : "Connection: close\r\n";
  return encodeBytes(
    `GET ${url.path} HTTP/${version}\r\nUser-Agent: KeepAliveClient\r\n${close}Host: ${url.virtualhost ?? host}\r\n\r\n`,
  );
}

export interface HttpAnswer {
  /** The header has an end. */
  readonly hasHeader: boolean;
  /** 0: none that is a number. */
  readonly status: number;
  readonly contentLength: number | undefined;
  readonly bodyBytes: number;
  /** MD5 of the body, as genhash prints it. */
  readonly digest: string;
  /** The body's bytes, one a character; empty unless it was asked for. */
  readonly body: string;
  /** What was not read because it is too long. */
  readonly cut: "header" | "body" | undefined;
  /** `body` is all of it. */
  readonly isKept: boolean;
}

const END_OF_HEADER = Buffer.from("\r\n\r\n");
const CONTENT_LENGTH = "Content-Length:";

/** Reads an answer piece by piece, in bounded memory. */
export class HttpReader {
  private keepsBody: boolean;
  private header = Buffer.alloc(0);
  private hasHeader = false;
  private status = 0;
  private contentLength: number | undefined;
  private bodyBytes = 0;
  private readonly kept: Uint8Array[] = [];
  private keptBytes = 0;
  private readonly hash = createHash("md5");
  private cut: HttpAnswer["cut"];

  constructor(keepsBody: boolean) {
    this.keepsBody = keepsBody;
  }

  /** @returns whether nothing more is wanted */
  push(bytes: Uint8Array): boolean {
    if (this.cut !== undefined) return true;
    if (this.hasHeader) return this.takeBody(bytes);
    // The mark may lie across two pieces: three bytes of what was before are looked at again.
    const from = Math.max(0, this.header.length - 3);
    this.header = Buffer.concat([this.header, bytes]);
    const mark = this.header.indexOf(END_OF_HEADER, from);
    const end = mark + END_OF_HEADER.length;
    if (mark < 0 || end > HEADER_BYTES_MAX) {
      if (this.header.length > HEADER_BYTES_MAX) this.cut = "header";
      return this.cut !== undefined;
    }
    const body = this.header.subarray(end);
    // What is in the buffer of the body is searched for Content-Length with the header.
    const text = this.header.toString("latin1", 0, HEADER_BYTES_MAX);
    this.header = Buffer.alloc(0);
    this.hasHeader = true;
    this.status = statusOf(text);
    this.contentLength = contentLengthOf(text);
    return this.takeBody(body);
  }

  answer(): HttpAnswer {
    return {
      hasHeader: this.hasHeader,
      status: this.status,
      contentLength: this.contentLength,
      bodyBytes: this.bodyBytes,
      digest: this.hash.copy().digest("hex"),
      body: Buffer.concat(this.kept).toString("latin1"),
      cut: this.cut,
      isKept: this.keepsBody && this.cut === undefined,
    };
  }

  private takeBody(bytes: Uint8Array): boolean {
    const wanted = bytes.subarray(0, (this.contentLength ?? Number.POSITIVE_INFINITY) - this.bodyBytes);
    this.bodyBytes += wanted.length;
    this.hash.update(wanted);
    if (this.keepsBody && wanted.length > 0) {
      this.kept.push(Uint8Array.from(wanted));
      this.keptBytes += wanted.length;
    }
    if (this.keptBytes > KEPT_BYTES_MAX) this.keepsBody = false;
    if (this.bodyBytes > BODY_BYTES_MAX) this.cut = "body";
    return this.cut !== undefined || this.bodyBytes >= (this.contentLength ?? Number.POSITIVE_INFINITY);
  }
}

/** The three digits behind the first space of the first line. */
function statusOf(header: string): number {
  const digits = /^[^ \r\n]* (\d{3})/.exec(header)?.[1];
  return digits === undefined ? 0 : Number(digits);
}

/** The first of them in this spelling, wherever it stands; one that is not a number to the end of its line is none. */
function contentLengthOf(header: string): number | undefined {
  const at = header.indexOf(CONTENT_LENGTH);
  const [line, digits = "0"] =
    (at < 0 ? undefined : /^(?:[ \t]*\+?(\d{1,19}))?[\r\n]/.exec(header.slice(at + CONTENT_LENGTH.length))) ?? [];
  return line === undefined ? undefined : Number(digits);
}

export type Verdict =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly reason: "no-data" | "status" | "digest" | "regex" }
  | { readonly kind: "unable"; readonly why: string };

export interface JudgeContext {
  /** The checker holds its server for up: before 2.0.17 that changes what a status means. */
  readonly isUp: boolean;
  readonly release: Release;
  /** Whether the url's regular expression is found; `undefined`: that cannot be said. */
  readonly matches: (body: string) => boolean | undefined;
}

export function judge(url: Url, answer: HttpAnswer, { isUp, release, matches }: JudgeContext): Verdict {
  if (!answer.hasHeader) return { kind: "failure", reason: "no-data" };
  if (!isStatusGood(url, answer.status, isUp, release)) return { kind: "failure", reason: "status" };
  if (url.digest !== undefined) {
    if (answer.cut === "body") return { kind: "unable", why: `its body has more than ${BODY_BYTES_MAX} bytes` };
    if (url.digest !== answer.digest) return { kind: "failure", reason: "digest" };
  }
  if (url.regex === undefined) return { kind: "success" };
  const found = matches(answer.body);
  // What is not found in the part that is kept may stand in the rest.
  if (found === undefined || (!found && !answer.isKept))
    return { kind: "unable", why: "the regular expression could not be tried on all of the body" };
  return found === url.regex.noMatch ? { kind: "failure", reason: "regex" } : { kind: "success" };
}

function isStatusGood({ statusCodes, digest }: Url, status: number, isUp: boolean, release: Release): boolean {
  if (statusCodes.length > 0) return statusCodes.some(([first, last]) => status >= first && status <= last);
  const isUsual = status >= 200 && status <= 299;
  if (compareReleases(release, STATUS_LISTS_SINCE) >= 0) return isUsual;
  return digest !== undefined || isUp || isUsual;
}
