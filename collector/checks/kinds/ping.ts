import { execFile } from "node:child_process";
import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";

/** Longest that ping may take beyond its own deadline before it is killed, milliseconds. */
const GRACE_MS = 2_000;

/** One ICMP echo. Node has no datagram ICMP socket, and ping(8) has: it also sets marks and interfaces. */
export function probePing(to: Connection, ms: number, signal: AbortSignal): Promise<ProbeResult> {
  const from = to.bindInterface ?? to.bindAddress;
  const args = ["-n", "-q", "-c", "1", "-W", (ms / 1000).toFixed(3)];
  if (from !== undefined) args.push("-I", from);
  if (to.fwmark !== 0) args.push("-m", String(to.fwmark));
  args.push(to.address);
  return new Promise((resolve) => {
    execFile(
      "ping",
      args,
      { timeout: ms + GRACE_MS, killSignal: "SIGKILL", maxBuffer: 64 * 1024, signal },
      (error, _out, said) => {
        if (error === null) resolve({ kind: "success" });
        else if (error.code === "ENOENT")
          resolve({ kind: "unable", why: "ping is not installed (apt-get install iputils-ping)" });
        else if (signal.aborted) resolve({ kind: "unable", why: "it was stopped" });
        else if (Number(error.code) === 1 || error.killed === true) resolve({ kind: "failure", reason: "timeout" });
        else if (/unreachable/i.test(said)) resolve({ kind: "failure", reason: "unreachable" });
        else resolve({ kind: "unable", why: (said.split("\n")[0] ?? "").slice(0, 200) || error.message.slice(0, 200) });
      },
    );
  });
}
