import { baseName, type ChainTree } from "./files.ts";

/** One process of the living node, as /proc shows it. */
export interface NodeProcess {
  readonly pid: number;
  readonly parent: number;
  /** `comm`, at most 15 characters. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** The program's file. */
  readonly exe?: string;
  /** Epoch microseconds. */
  readonly startedUs?: number;
  /** What tells network namespaces apart, such as `net:[4026531840]`. */
  readonly networkNamespace?: string;
}

/** A keepalived parent process with its children. */
export interface RunningDaemon {
  readonly process: NodeProcess;
  readonly children: readonly NodeProcess[];
}

/** The parents among the processes that run keepalived's program. */
export function daemonsOf(processes: readonly NodeProcess[]): RunningDaemon[] {
  const ours = processes.filter(isKeepalived);
  const pids = new Set(ours.map(({ pid }) => pid));
  return ours
    .filter(({ parent }) => !pids.has(parent))
    .map((process) => ({ process, children: ours.filter(({ parent }) => parent === process.pid) }));
}

export function isKeepalived(process: NodeProcess): boolean {
  // A deleted program is one that was upgraded under the daemon's feet.
  const program = process.exe?.replace(/ \(deleted\)$/, "") ?? process.argv[0] ?? "";
  return baseName(program) === "keepalived";
}

/** The number in a pid file; undefined when there is none. */
export function pidIn(tree: ChainTree, path: string): number | undefined {
  const match = /^\s*(\d{1,10})\s*$/.exec(tree.text(path)?.slice(0, 64) ?? "");
  return match ? Number(match[1]) : undefined;
}
