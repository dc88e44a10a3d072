import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { OperatorError } from "../../collector/core/errors.ts";

/** Runs a command to its end. @throws OperatorError with the command and what it printed. */
export function run(command: string, args: readonly string[], timeoutMs = 20_000): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const said = stderr.trim() || error.message;
      reject(new OperatorError("LAB_COMMAND", `${command} ${args.join(" ")}: ${said}`));
    });
  });
}

export async function isInstalled(command: string): Promise<boolean> {
  return run("sh", ["-c", `command -v ${command}`]).then(
    () => true,
    () => false,
  );
}

/** Ends a process of ours: SIGTERM, and SIGKILL when it has not gone after `graceMs`. Resolves when it is gone. */
export async function endProcess(child: ChildProcess, graceMs = 5_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
}

/** Starts a long-running process and hands its output over line by line. */
export function follow(
  command: string,
  args: readonly string[],
  onLine: (line: string, stream: "out" | "err") => void,
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  const child = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"], env });
  for (const [stream, pipe] of [
    ["out", child.stdout],
    ["err", child.stderr],
  ] as const) {
    let rest = "";
    pipe.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line, stream);
    });
  }
  return child;
}
