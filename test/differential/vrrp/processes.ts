import { nowUs, readText } from "./witness.ts";

/** Ticks of a process's start time in a second: USER_HZ, 100 on every architecture Linux has (proc(5)). */
const TICKS_PER_SECOND = 100;

export interface ProcessState {
  readonly pid: number;
  /** Epoch microseconds, to the hundredth of a second below. */
  readonly startedAt: number;
  readonly stopped: boolean;
}

/** @returns undefined when there is no such process, or nothing but its exit status */
export function processOf(pid: number): ProcessState | undefined {
  // The name before may hold anything, parentheses too.
  const [, state, fields] = /^.*\) (\S) (.*)$/s.exec(readText(`/proc/${pid}/stat`)) ?? [];
  if (state === undefined || fields === undefined || "ZX".includes(state)) return undefined;
  const startTicks = Number(fields.split(" ")[18]);
  const sinceBootUs = Number(process.hrtime.bigint() / 1_000n);
  return {
    pid,
    startedAt: nowUs() - sinceBootUs + (startTicks * 1_000_000) / TICKS_PER_SECOND,
    stopped: state === "T",
  };
}

export const childrenOf = (pid: number): readonly number[] =>
  readText(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);

/** Its number in the innermost process namespace: what it takes for its own. */
export const pidInside = (pid: number): number =>
  Number(/^NSpid:.*\s(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1]);
