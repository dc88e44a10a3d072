import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { isLinkLocal } from "../../conf/model/read.ts";
import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";
import { needsSocat, startSocat } from "./socat.ts";

/** Connections of checkers: each step has its own deadline, an end comes in every case, and nothing is kept of what is read. */

export type Outcome<T> = { readonly ok: T } | { readonly result: Exclude<ProbeResult, { kind: "success" }> };

export const failed = (reason: string): { readonly result: { readonly kind: "failure"; readonly reason: string } } => ({
  result: { kind: "failure", reason },
});

const UNREACHABLE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN"]);
/** The own end could not be set up: keepalived tries again and holds nothing against the server. */
const OWN_FAULTS: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EADDRINUSE",
  "EACCES",
  "EPERM",
  "EINVAL",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EAFNOSUPPORT",
]);

export function resultOfError(error: NodeJS.ErrnoException, usual: string): Exclude<ProbeResult, { kind: "success" }> {
  const code = error.code ?? "";
  if (OWN_FAULTS.has(code)) return { kind: "unable", why: `${error.syscall ?? "a socket"} failed here: ${code}` };
  if (code === "ETIMEDOUT") return { kind: "failure", reason: "timeout" };
  return { kind: "failure", reason: UNREACHABLE.has(code) ? "unreachable" : usual };
}

export function hostOf({ address, bindInterface }: Connection): string {
  return isLinkLocal(address) && bindInterface !== undefined ? `${address}%${bindInterface}` : address;
}

/** Waits for one of the events, or for the deadline, or for the signal. What is there already may resolve it at once. */
function first<T>(
  ms: number,
  signal: AbortSignal,
  listen: (resolve: (value: T) => void) => () => void,
  late: T,
): Promise<T> {
  return new Promise((resolve) => {
    let unlisten: (() => void) | undefined;
    let isSettled = false;
    const settle = (value: T): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      unlisten?.();
      resolve(value);
    };
    const onAbort = (): void => settle(late);
    const timer = setTimeout(() => settle(late), ms);
    signal.addEventListener("abort", onAbort);
    unlisten = listen(settle);
    if (isSettled) unlisten();
    else if (signal.aborted) onAbort();
  });
}

/** Connects, within the time that one step has. The stream is the caller's to destroy. */
export async function dial(to: Connection, ms: number, signal: AbortSignal): Promise<Outcome<Duplex>> {
  const dialling = needsSocat(to) ? throughSocat(to) : directly(to);
  if ("result" in dialling) return dialling;
  const { stream, listen } = dialling;
  const outcome = await first<Outcome<Duplex>>(ms, signal, listen, failed("timeout"));
  if ("result" in outcome) stream.destroy();
  return outcome;
}

interface Dialling {
  readonly stream: Duplex;
  readonly listen: (resolve: (outcome: Outcome<Duplex>) => void) => () => void;
}

function directly(to: Connection): Dialling | Extract<Outcome<never>, { result: unknown }> {
  let socket: Socket;
  try {
    socket = connect({
      host: hostOf(to),
      port: to.port ?? 0,
      ...(to.bindAddress === undefined ? {} : { localAddress: to.bindAddress }),
      ...(to.bindPort === undefined ? {} : { localPort: to.bindPort }),
    });
  } catch (error) {
    return { result: { kind: "unable", why: error instanceof Error ? error.message : String(error) } };
  }
  socket.on("error", () => undefined);
  return {
    stream: socket,
    listen: (resolve) => {
      const onConnect = (): void => resolve({ ok: socket });
      const onError = (error: NodeJS.ErrnoException): void => resolve({ result: resultOfError(error, "connect") });
      socket.once("connect", onConnect).once("error", onError);
      return () => void socket.off("connect", onConnect).off("error", onError);
    },
  };
}

function throughSocat(to: Connection): Dialling {
  const socat = startSocat("TCP", to);
  return {
    stream: socat.stream,
    listen: (resolve) =>
      socat.listen(
        () => resolve({ ok: socat.stream }),
        (result) => resolve({ result }),
      ),
  };
}

export interface TlsOptions {
  readonly serverName: string | undefined;
  readonly minVersion: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

/** No certificate is verified, as keepalived verifies none. Without a server name none is sent. */
export async function secure(
  socket: Duplex,
  { serverName, minVersion }: TlsOptions,
  ms: number,
  signal: AbortSignal,
): Promise<Outcome<Duplex>> {
  const isOld = minVersion === "TLSv1" || minVersion === "TLSv1.1";
  const tls = connectTls({
    socket,
    rejectUnauthorized: false,
    minVersion,
    // OpenSSL takes TLS 1.0 and 1.1 at its lowest security level only.
    ...(isOld ? { ciphers: "DEFAULT@SECLEVEL=0" } : {}),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  tls.on("error", () => undefined);
  const outcome = await first<Outcome<Duplex>>(
    ms,
    signal,
    (resolve) => {
      const onSecure = (): void => resolve({ ok: tls });
      const onFailure = (): void => resolve(failed("tls"));
      tls.once("secureConnect", onSecure).once("error", onFailure).once("close", onFailure);
      return () => void tls.off("secureConnect", onSecure).off("error", onFailure).off("close", onFailure);
    },
    failed("timeout"),
  );
  if ("result" in outcome) tls.destroy();
  return outcome;
}

/** @returns whether all of it went out in time */
export function send(
  stream: Duplex,
  bytes: Uint8Array,
  ms: number,
  signal: AbortSignal,
): Promise<"sent" | "timeout" | "error"> {
  return first<"sent" | "timeout" | "error">(
    ms,
    signal,
    (resolve) => {
      const onError = (): void => resolve("error");
      stream.once("error", onError).once("close", onError);
      stream.write(bytes, (error) => resolve(error ? "error" : "sent"));
      return () => void stream.off("error", onError).off("close", onError);
    },
    "timeout",
  );
}

/**
 * Reads until `take` says that it has enough, or the other side ends. The deadline is for all of it: drops of an answer do not
 * lengthen it.
 */
export function receive(
  stream: Duplex,
  take: (bytes: Uint8Array) => boolean,
  ms: number,
  signal: AbortSignal,
): Promise<"enough" | "ended" | "timeout" | "error"> {
  return first<"enough" | "ended" | "timeout" | "error">(
    ms,
    signal,
    (resolve) => {
      const onData = (bytes: Uint8Array): void => {
        if (!take(bytes)) return;
        stream.pause();
        resolve("enough");
      };
      const onEnd = (): void => resolve("ended");
      const onError = (): void => resolve("error");
      if (stream.readableEnded || stream.destroyed) resolve(stream.errored ? "error" : "ended");
      stream.on("data", onData).once("end", onEnd).once("error", onError).once("close", onError);
      stream.resume();
      return () => void stream.off("data", onData).off("end", onEnd).off("error", onError).off("close", onError);
    },
    "timeout",
  );
}
