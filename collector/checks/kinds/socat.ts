import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { isLinkLocal } from "../../conf/model/read.ts";
import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";

/**
 * Connections with a firewall mark or bound to an interface. Node cannot set SO_MARK and SO_BINDTODEVICE, socat(1) can: it makes the
 * connection and hands its bytes on.
 */

/** SOL_SOCKET and SO_MARK, as socat takes them: set before the socket connects. */
const MARK_OPTION = "setsockopt-listen=1:36:i";
/** socat takes options behind commas, so nothing but a name may stand there. */
const INTERFACE = /^[\w.@:-]{1,15}$/;
/** Of what socat says, characters. */
const SAID_MAX_CHARS = 4_096;

export type SocatEnd = Exclude<ProbeResult, { kind: "success" }>;

export function needsSocat({ fwmark, bindInterface, address }: Connection): boolean {
  return fwmark !== 0 || (bindInterface !== undefined && !isLinkLocal(address));
}

/** What socat calls the other end, with the options of its socket. @returns undefined when the interface is no name of one */
export function socatAddress(protocol: "TCP" | "UDP", to: Connection): string | undefined {
  const isIpv6 = to.address.includes(":");
  const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);
  const options = [`${protocol}${isIpv6 ? 6 : 4}:${bracketed(to.address)}:${to.port ?? 0}`];
  if (to.bindInterface !== undefined) {
    if (!INTERFACE.test(to.bindInterface)) return undefined;
    options.push(`so-bindtodevice=${to.bindInterface}`);
  }
  if (to.fwmark !== 0) options.push(`${MARK_OPTION}${to.fwmark | 0}`);
  if (to.bindAddress !== undefined) options.push(`bind=${bracketed(to.bindAddress)}`);
  if (to.bindPort !== undefined) options.push(`sourceport=${to.bindPort}`);
  return options.join(",");
}

export interface Socat {
  /** To the other end and back. Destroying it ends socat. */
  readonly stream: Duplex;
  /** Calls when the connection is there, and when there is none or no more. @returns stops listening */
  listen(connected: () => void, ended: (end: SocatEnd) => void): () => void;
}

export function startSocat(protocol: "TCP" | "UDP", to: Connection): Socat {
  const address = socatAddress(protocol, to);
  // A datagram is read and written in one piece.
  const child = spawn("socat", ["-d", "-d", "-b", "65536", "-", address ?? "-"], { stdio: "pipe" });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString("latin1")).slice(-SAID_MAX_CHARS)));
  return {
    stream: streamOf(child),
    listen(connected, ended) {
      const look = (): void => {
        if (said.includes("starting data transfer loop")) connected();
      };
      const onError = (error: NodeJS.ErrnoException): void =>
        ended({
          kind: "unable",
          why: error.code === "ENOENT" ? "socat is not installed (apt-get install socat)" : error.message.slice(0, 200),
        });
      const onClose = (): void => ended(endOf(said));
      if (address === undefined) ended({ kind: "unable", why: "bind_if is not the name of an interface" });
      child.stderr.on("data", look);
      child.once("error", onError).once("close", onClose);
      return () => {
        child.stderr.off("data", look);
        child.off("error", onError).off("close", onClose);
      };
    },
  };
}

function streamOf(child: ChildProcessWithoutNullStreams): Duplex {
  child.on("error", () => undefined);
  child.stdin.on("error", () => undefined);
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  stream.on("error", () => undefined).on("close", () => child.kill("SIGKILL"));
  return stream;
}

/** By socat's last error line. What does not come from the network is a fault of this end. */
function endOf(said: string): SocatEnd {
  const error = /^.*\] E (.*)$/m.exec(said)?.[1] ?? "";
  if (/refused|reset/i.test(error)) return { kind: "failure", reason: "connect" };
  if (/timed out/i.test(error)) return { kind: "failure", reason: "timeout" };
  if (/unreachable|no route/i.test(error)) return { kind: "failure", reason: "unreachable" };
  return { kind: "unable", why: `socat: ${error.slice(0, 160) || "it ended"}` };
}
