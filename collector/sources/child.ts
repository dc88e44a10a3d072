import { type ChildProcess, spawn } from "node:child_process";
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from "node:stream";

/** What a supervised program's end was. */
export interface ChildEnd {
  /** Set when it could not be started at all. */
  readonly spawnError?: NodeJS.ErrnoException;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last of what it said on stderr. */
  readonly said: string;
}

export interface ChildHandle {
  /** Undefined when it could not be started. */
  readonly pid?: number | undefined;
  readonly stdout: NodeJS.ReadableStream;
  /** Resolves when it has ended and its output is read. */
  readonly ended: Promise<ChildEnd>;
  kill(signal: NodeJS.Signals): void;
}

export type StartChild = (
  command: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
  /** What it says on stderr, as it says it. */
  onStderr?: (text: string) => void,
) => ChildHandle;

/** Most of stderr that is kept, in characters. */
const SAID_MAX_CHARS = 4_000;

export const startChild: StartChild = (command, args, env = {}, onStderr) => {
  const child = withoutReadAhead(() =>
    spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } }),
  );
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-SAID_MAX_CHARS);
    onStderr?.(text);
  });
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once("error", (spawnError: NodeJS.ErrnoException) => resolve({ spawnError, code: null, signal: null, said }));
    child.once("close", (code, signal) => resolve({ code, signal, said: said.trim() }));
  });
  if (!child.stdout) throw new Error(`${command} has no stdout`);
  return { pid: child.pid, stdout: child.stdout, ended, kill: (signal) => void child.kill(signal) };
};

/**
 * What a child writes stays in its pipe until it is asked for, so that a reader who lets some time pass between two looks
 * is woken once, and not once a write. There is no such option to `spawn` itself.
 */
function withoutReadAhead(start: () => ChildProcess): ChildProcess {
  const usual = getDefaultHighWaterMark(false);
  setDefaultHighWaterMark(false, 1);
  try {
    return start();
  } finally {
    setDefaultHighWaterMark(false, usual);
  }
}
