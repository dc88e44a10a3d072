import { spawn } from "node:child_process";
import type { Check } from "../../conf/model/server-types.ts";
import type { Probed } from "./probe.ts";

/** What a program has for its end before it is killed, milliseconds. */
const TERMINATE_MS = 2_000;

/**
 * Runs a program that the operator has listed, as the user the collector runs as; nobody reads what it writes. With
 * misc_dynamic its exit status says a weight.
 */
export function probeMisc(
  { command, timeoutUs, dynamic }: Extract<Check, { kind: "misc" }>,
  weight: number,
  signal: AbortSignal,
): Promise<Probed> {
  const [program = "", ...args] = command.words;
  return new Promise((resolve) => {
    // A group of its own, as keepalived's scripts have: what it starts ends with it.
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    let isLate = false;
    let killing: NodeJS.Timeout | undefined;
    const end = (): void => {
      if (killing !== undefined) return;
      signalGroup(child.pid, "SIGTERM");
      killing = setTimeout(() => signalGroup(child.pid, "SIGKILL"), TERMINATE_MS);
    };
    const timer = setTimeout(
      () => {
        isLate = true;
        end();
      },
      Math.max(1, Math.round(timeoutUs / 1000)),
    );
    const settle = (probed: Probed): void => {
      clearTimeout(timer);
      clearTimeout(killing);
      signal.removeEventListener("abort", end);
      resolve(probed);
    };
    signal.addEventListener("abort", end);
    child.once("error", (error) => settle({ result: { kind: "unable", why: error.message.slice(0, 200) } }));
    child.once("exit", (code) => {
      if (signal.aborted) settle({ result: { kind: "unable", why: "it was stopped" } });
      else if (isLate) settle({ result: { kind: "failure", reason: "timeout" } });
      else settle(ofStatus(code, dynamic, weight));
    });
  });
}

function ofStatus(code: number | null, dynamic: boolean, weight: number): Probed {
  if (code === null) return { result: { kind: "failure", reason: "signal" } };
  if (code === 0) return { result: { kind: "success" }, status: 0, ...(dynamic ? { added: 0 } : {}) };
  if (dynamic && code >= 2) return { result: { kind: "success" }, status: code, added: code - 2 - weight };
  return { result: { kind: "failure", reason: "status" }, status: code };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
