import type { Duplex } from "node:stream";
import { createContext, Script } from "node:vm";
import type { HttpCheck, Url, UrlRegex } from "../../conf/model/server-types.ts";
import { HttpReader, judge, requestOf } from "../http.ts";
import { translatePcre } from "../regex.ts";
import { dial, failed, hostOf, type Outcome, receive, secure, send, type TlsOptions } from "./conversation.ts";
import type { ProbeRequest, Probed } from "./probe.ts";

/** Longest that a regular expression may run over an answer, milliseconds: neither it nor the answer is ours. */
const REGEX_MS = 250;

interface HttpOptions {
  readonly ms: number;
  readonly tlsMin: TlsOptions["minVersion"];
  readonly signal: AbortSignal;
}

export async function probeHttp(check: HttpCheck, request: ProbeRequest, options: HttpOptions): Promise<Probed> {
  const url = check.urls[request.target];
  if (url === undefined) return { result: { kind: "unable", why: "there is no such url" } };
  const dialled = await dial(check.to, options.ms, options.signal);
  if ("result" in dialled) return { result: dialled.result, url: url.path };
  try {
    const stream = check.tls
      ? await secure(dialled.ok, { serverName: url.serverName, minVersion: options.tlsMin }, options.ms, options.signal)
      : { ok: dialled.ok };
    if ("result" in stream) return { result: stream.result, url: url.path };
    const { reader, fault } = await exchange(check, url, stream.ok, options);
    if (fault) return { result: fault.result, url: url.path };
    const answer = reader.answer();
    const { isUp, release } = request;
    const result = judge(url, answer, { isUp, release, matches: (body) => url.regex && isFound(url.regex, body) });
    return { result, url: url.path, ...(answer.status > 0 ? { status: answer.status } : {}) };
  } finally {
    dialled.ok.destroy();
  }
}

/** Sends the request and reads the answer. */
async function exchange(
  check: HttpCheck,
  url: Url,
  stream: Duplex,
  { ms, signal }: HttpOptions,
): Promise<{ reader: HttpReader; fault?: Extract<Outcome<never>, { result: unknown }> }> {
  const reader = new HttpReader(url.regex !== undefined);
  const address = hostOf(check.to);
  const host = `${address.includes(":") ? `[${address}]` : address}:${check.to.port ?? 0}`;
  const sent = await send(stream, requestOf(check, url, host), ms, signal);
  if (sent !== "sent") return { reader, fault: failed(sent === "timeout" ? "timeout" : "transfer") };
  const end = await receive(stream, (bytes) => reader.push(bytes), ms, signal);
  if (end === "timeout" || end === "error")
    return { reader, fault: failed(end === "timeout" ? "timeout" : "transfer") };
  return { reader };
}

/** @returns undefined when it cannot be said in time */
function isFound({ pattern, options, minOffset, maxOffset }: UrlRegex, body: string): boolean | undefined {
  const translated = translatePcre(pattern, options);
  if ("unsupported" in translated) return undefined;
  if (minOffset > body.length) return false;
  const context = createContext({ body, ...translated, minOffset, index: -1 });
  try {
    new Script(
      "const r = new RegExp(source, flags); r.lastIndex = minOffset; const m = r.exec(body); index = m ? m.index : -1;",
    ).runInContext(context, { timeout: REGEX_MS });
  } catch {
    return undefined;
  }
  const index: unknown = context.index;
  return typeof index === "number" && index >= 0 && index <= (maxOffset ?? Number.POSITIVE_INFINITY);
}
