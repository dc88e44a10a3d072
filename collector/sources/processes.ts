import { hash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { NodeProcess } from "../chain/process.ts";
import { parseRawSockets, type RawSocket } from "../process/sockets.ts";

/** Clock ticks a second in /proc: USER_HZ, 100 on every architecture Linux runs on but Alpha and IA-64. */
const TICKS_PER_SECOND = 100;

/** Places of the fields of /proc/PID/stat, counted from 1 as proc(5) does. */
const PARENT_FIELD = 4;
const START_FIELD = 22;

/** What /proc/PID/stat says of a process (proc(5)). */
export interface ProcessStat {
  readonly pid: number;
  /** `comm`, at most 15 characters. */
  readonly name: string;
  /** The state's letter. */
  readonly letter: string;
  readonly parent: number;
  /** Clock ticks since the boot. */
  readonly startTicks: number;
}

/** All processes of this machine. One that ends while it is read, or may not be read, is left out or incomplete. */
export function systemProcesses(proc = "/proc"): NodeProcess[] {
  const bootUs = bootTimeUs(text(`${proc}/stat`) ?? "");
  return processIds(proc).flatMap((pid) => {
    const process = readProcess(proc, pid, bootUs);
    return process ? [process] : [];
  });
}

export function processIds(proc = "/proc"): number[] {
  return names(proc).flatMap((name) => (/^\d{1,10}$/.test(name) ? [Number(name)] : []));
}

/** @returns undefined when there is no such process, or it is torn */
export function readStat(pid: number, proc = "/proc"): ProcessStat | undefined {
  const stat = text(`${proc}/${pid}/stat`);
  // The name stands in brackets, and may hold any character.
  const open = stat?.indexOf("(") ?? -1;
  const close = stat?.lastIndexOf(")") ?? -1;
  if (stat === undefined || open < 0 || close < open) return undefined;
  // Only as far as what is wanted: it has fifty fields, and is read all the time.
  const letter = close + 2;
  const parent = letter + 2;
  const afterParent = stat.indexOf(" ", parent);
  let start = afterParent;
  for (let field = PARENT_FIELD + 1; field < START_FIELD; field += 1) start = stat.indexOf(" ", start + 1);
  if (afterParent < 0 || start < 0) return undefined;
  const end = stat.indexOf(" ", start + 1);
  return {
    pid,
    name: stat.slice(open + 1, close),
    letter: stat.slice(letter, letter + 1),
    parent: Number(stat.slice(parent, afterParent)),
    startTicks: Number(stat.slice(start + 1, end < 0 ? undefined : end)),
  };
}

/** Its children, where the kernel keeps a list of them (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number, proc = "/proc"): number[] {
  const list = text(`${proc}/${pid}/task/${pid}/children`) ?? "";
  return list.split(" ").filter(Boolean).map(Number);
}

export function commandOf(pid: number, proc = "/proc"): Pick<NodeProcess, "argv" | "exe"> {
  const argv = text(`${proc}/${pid}/cmdline`) ?? "";
  const exe = link(`${proc}/${pid}/exe`);
  return { argv: argv === "" ? [] : argv.replace(/\0$/, "").split("\0"), ...(exe === undefined ? {} : { exe }) };
}

/** What tells network namespaces apart, such as `net:[4026531840]`; undefined where it may not be read. */
export function networkNamespaceOf(pid: number | "self", proc = "/proc"): string | undefined {
  return link(`${proc}/${pid}/ns/net`);
}

/** How long the machine has been up, microseconds, to a hundredth of a second: what start ticks are counted from. */
export function uptimeUs(proc = "/proc"): number | undefined {
  const seconds = Number((text(`${proc}/uptime`) ?? "").split(" ")[0]);
  return seconds > 0 ? Math.round(seconds * 1_000_000) : undefined;
}

/** Sockets by which VRRP comes in, in the network namespace of a process. */
export function rawSocketsOf(pid: number, proc = "/proc"): readonly RawSocket[] {
  const all = ["raw", "raw6"].flatMap((file) => parseRawSockets(text(`${proc}/${pid}/net/${file}`) ?? ""));
  // Nearly always nothing waits: then it does not matter whose they are.
  if (all.every(({ waitingBytes }) => waitingBytes === 0)) return all;
  const own = socketsOf(pid, proc);
  return own === undefined ? all : all.filter(({ inode }) => own.has(inode));
}

/** Inodes of its sockets; undefined where that may not be seen. */
function socketsOf(pid: number, proc: string): ReadonlySet<number> | undefined {
  try {
    const links = readdirSync(`${proc}/${pid}/fd`).map((fd) => link(`${proc}/${pid}/fd/${fd}`) ?? "");
    return new Set(links.flatMap((to) => /^socket:\[(\d+)\]$/.exec(to)?.[1] ?? []).map(Number));
  } catch {
    return undefined;
  }
}

/** Fingerprint of this boot of the machine, 32 hex digits. */
export function bootId(proc = "/proc"): string | undefined {
  const id = (text(`${proc}/sys/kernel/random/boot_id`) ?? "").trim();
  return id === "" ? undefined : hash("sha256", id, "hex").slice(0, 32);
}

/** @param ticks  a process's start; a hundredth of a second each */
export const ticksToUs = (ticks: number): number => Math.round((ticks / TICKS_PER_SECOND) * 1_000_000);

function readProcess(proc: string, pid: number, bootUs: number | undefined): NodeProcess | undefined {
  const stat = readStat(pid, proc);
  // A zombie runs nothing any more.
  if (!stat || stat.letter === "Z" || stat.letter === "X") return undefined;
  const cwd = link(`${proc}/${pid}/cwd`);
  const networkNamespace = networkNamespaceOf(pid, proc);
  return {
    pid,
    parent: stat.parent,
    name: stat.name,
    ...commandOf(pid, proc),
    ...(cwd === undefined ? {} : { cwd }),
    ...(bootUs === undefined || !Number.isFinite(stat.startTicks)
      ? {}
      : { startedUs: bootUs + ticksToUs(stat.startTicks) }),
    ...(networkNamespace === undefined ? {} : { networkNamespace }),
  };
}

function bootTimeUs(stat: string): number | undefined {
  const match = /^btime (\d+)$/m.exec(stat);
  return match ? Number(match[1]) * 1_000_000 : undefined;
}

function names(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
