import { createSocket, type Socket } from "node:dgram";
import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";
import { hostOf, resultOfError } from "./conversation.ts";
import { needsSocat, startSocat } from "./socat.ts";

type Result<T> = ProbeResult | T;

interface Question<T> {
  readonly ms: number;
  readonly signal: AbortSignal;
  /** What a reply means; undefined: it is none, and the wait goes on. */
  readonly take: (reply: Uint8Array) => Result<T> | undefined;
  /** What it means that nothing came. */
  readonly late: ProbeResult;
}

interface Heard {
  reply(bytes: Uint8Array): void;
  failed(result: ProbeResult): void;
}

/** Sends one datagram from a connected socket, so that ICMP errors and only the server's own replies come back, and waits. */
export function askOnce<T>(
  to: Connection,
  datagram: Uint8Array,
  { ms, signal, take, late }: Question<T>,
): Promise<Result<T>> {
  return new Promise((resolve) => {
    let close: () => void = () => undefined;
    let isSettled = false;
    const settle = (result: Result<T>): void => {
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      close();
      resolve(result);
    };
    const onAbort = (): void => settle({ kind: "unable", why: "it was stopped" });
    const timer = setTimeout(() => settle(late), ms);
    signal.addEventListener("abort", onAbort);
    close = (needsSocat(to) ? sendThroughSocat : send)(to, datagram, {
      reply: (bytes) => {
        const result = isSettled ? undefined : take(bytes);
        if (result !== undefined) settle(result);
      },
      failed: (result) => {
        if (!isSettled) settle(result);
      },
    });
    if (isSettled) close();
  });
}

/** @returns closes it */
function send(to: Connection, datagram: Uint8Array, heard: Heard): () => void {
  const socket = createSocket({ type: to.address.includes(":") ? "udp6" : "udp4" });
  const onError = (error: Error | null): void => {
    if (error) heard.failed(resultOfError(error, "connect"));
  };
  socket.on("error", onError).on("message", (reply) => heard.reply(reply));
  const go = (): void =>
    socket.connect(to.port ?? 0, hostOf(to), (error?: Error | null) =>
      error ? onError(error) : socket.send(datagram, onError),
    );
  const { bindAddress, bindPort } = to;
  try {
    if (bindAddress === undefined && bindPort === undefined) go();
    else socket.bind({ ...(bindAddress === undefined ? {} : { address: bindAddress }), port: bindPort ?? 0 }, go);
  } catch (error) {
    heard.failed({ kind: "unable", why: error instanceof Error ? error.message : String(error) });
  }
  return () => close(socket);
}

function close(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // It is closed, or was never opened.
  }
}

/** @returns ends it */
function sendThroughSocat(to: Connection, datagram: Uint8Array, heard: Heard): () => void {
  const socat = startSocat("UDP", to);
  let isSent = false;
  socat.stream.on("data", (reply: Uint8Array) => heard.reply(reply));
  socat.listen(
    () => {
      if (!isSent) socat.stream.write(datagram);
      isSent = true;
    },
    (result) => heard.failed(result),
  );
  return () => socat.stream.destroy();
}
