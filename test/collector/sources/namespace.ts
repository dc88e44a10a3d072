import { execFileSync, spawnSync } from "node:child_process";
import { type StartChild, startChild } from "../../../collector/sources/child.ts";

const runs = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0;

/** Why tests with real programs cannot run here, said aloud; empty when they can. */
export function whyNoNamespaces(...programs: readonly string[]): string {
  const why = whatIsMissing(["ip", ...programs]);
  if (why === undefined) return "";
  process.stderr.write(`SKIPPED: tests with real programs do not run, because ${why}\n`);
  return ` (SKIPPED: ${why})`;
}

function whatIsMissing(programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const program of programs) if (!runs("sh", "-c", `command -v ${program}`)) return `${program} is not installed`;
  const probe = `kwt${process.pid}-probe`;
  if (!runs("ip", "netns", "add", probe)) return "network namespaces cannot be made here";
  execFileSync("ip", ["netns", "del", probe]);
  return undefined;
}

/** A network namespace of a test's own. */
export class Namespace {
  readonly name: string;

  constructor(name: string) {
    this.name = `kwt${process.pid}-${name}`;
    execFileSync("ip", ["netns", "add", this.name]);
    this.ip("link", "set", "lo", "up");
  }

  ip(...args: readonly string[]): string {
    return execFileSync("ip", ["-n", this.name, ...args], { encoding: "utf8" });
  }

  /** Starts programs inside; `ip netns exec` becomes the program, so that its pid is the program's. */
  start: StartChild = (command, args, env, onStderr) =>
    startChild("ip", ["netns", "exec", this.name, command, ...args], env, onStderr);

  interfaceName = (index: number): string | undefined =>
    (JSON.parse(this.ip("-j", "link")) as { ifindex: number; ifname: string }[]).find(
      ({ ifindex }) => ifindex === index,
    )?.ifname;

  remove(): void {
    execFileSync("ip", ["netns", "del", this.name]);
  }
}
