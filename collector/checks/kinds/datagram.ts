import { createSocket, type Socket } from "node:dgram";
import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";
import { hostOf, resultOfError } from "./conversation.ts";

type Result<T> = ProbeResult | T;

/**
 * Sends one datagram from a connected socket, so that ICMP errors and only the server's own replies come back, and waits.
 * @param take  what a reply means; undefined: it is none, and the wait goes on
 * @param late  what it means that nothing came
 */
export function askOnce<T>(
  to: Connection,
  datagram: Uint8Array,
  {
    ms,
    signal,
    take,
    late,
  }: { ms: number; signal: AbortSignal; take: (reply: Uint8Array) => Result<T> | undefined; late: ProbeResult },
): Promise<Result<T>> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: to.address.includes(":") ? "udp6" : "udp4" });
    const settle = (result: Result<T>): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      close(socket);
      resolve(result);
    };
    const onAbort = (): void => settle({ kind: "unable", why: "it was stopped" });
    const timer = setTimeout(() => settle(late), ms);
    const onError = (error: Error | null): void => {
      if (error) settle(resultOfError(error, "connect"));
    };
    socket.on("error", onError);
    socket.on("message", (reply) => {
      const result = take(reply);
      if (result !== undefined) settle(result);
    });
    signal.addEventListener("abort", onAbort);
    const go = (): void =>
      socket.connect(to.port ?? 0, hostOf(to), (error?: Error | null) =>
        error ? onError(error) : socket.send(datagram, onError),
      );
    try {
      if (to.bindAddress === undefined && to.bindPort === undefined) go();
      else
        socket.bind(
          {
            ...(to.bindAddress === undefined ? {} : { address: to.bindAddress }),
            port: to.bindPort ?? 0,
          },
          go,
        );
    } catch (error) {
      settle({ kind: "unable", why: error instanceof Error ? error.message : String(error) });
    }
  });
}

function close(socket: Socket): void {
  try {
    // What still comes in after the verdict has nobody to hear it.
    socket.removeAllListeners("message").close();
  } catch {
    // It was never opened.
  }
}
