import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { NodeProcess } from "../chain/process.ts";

/** Clock ticks a second in /proc: USER_HZ, 100 on every architecture Linux runs on but Alpha and IA-64. */
const TICKS_PER_SECOND = 100;

/** All processes of this machine. One that ends while it is read, or may not be read, is left out or incomplete. */
export function systemProcesses(proc = "/proc"): NodeProcess[] {
  const bootUs = bootTimeUs(text(`${proc}/stat`) ?? "");
  return names(proc).flatMap((name) => {
    if (!/^\d{1,10}$/.test(name)) return [];
    const process = readProcess(`${proc}/${name}`, Number(name), bootUs);
    return process ? [process] : [];
  });
}

function readProcess(dir: string, pid: number, bootUs: number | undefined): NodeProcess | undefined {
  const stat = text(`${dir}/stat`);
  // The name stands in brackets, and may hold any character.
  const open = stat?.indexOf("(") ?? -1;
  const close = stat?.lastIndexOf(")") ?? -1;
  if (stat === undefined || open < 0 || close < open) return undefined;
  const fields = stat.slice(close + 2).split(" ");
  const ticks = Number(fields[19]);
  // A zombie runs nothing any more.
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  const argv = text(`${dir}/cmdline`) ?? "";
  const cwd = link(`${dir}/cwd`);
  const exe = link(`${dir}/exe`);
  const networkNamespace = link(`${dir}/ns/net`);
  return {
    pid,
    parent: Number(fields[1]),
    name: stat.slice(open + 1, close),
    argv: argv === "" ? [] : argv.replace(/\0$/, "").split("\0"),
    ...(cwd === undefined ? {} : { cwd }),
    ...(exe === undefined ? {} : { exe }),
    ...(bootUs === undefined || !Number.isFinite(ticks)
      ? {}
      : { startedUs: bootUs + Math.round((ticks / TICKS_PER_SECOND) * 1_000_000) }),
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
