import type { ChildProcess } from "node:child_process";
import { parseIsoUs } from "../../collector/core/time.ts";
import { endProcess, follow } from "./shell.ts";

/** From when to when (epoch microseconds) something was so; `to` is null while it lasts. */
export interface Interval {
  readonly from: number;
  readonly to: number | null;
}

/**
 * Who really holds the virtual address, told by the kernel to an observer of the laboratory's own: `ip monitor` on each
 * node, read apart from all that keepwatch reads, so that the laboratory does not judge keepwatch by its own word.
 */
export class VipTruth {
  private readonly held = new Map<string, Interval[]>();
  private readonly monitors: ChildProcess[] = [];
  private readonly vip: string;

  constructor(vip: string) {
    this.vip = vip;
  }

  watch(node: string, netns: string, onChange: (node: string, holds: boolean, ts: number) => void): void {
    this.held.set(node, []);
    const onLine = (line: string): void => {
      const change = parseMonitorLine(line);
      if (!change || change.address !== this.vip) return;
      const intervals = this.held.get(node) ?? [];
      const last = intervals.at(-1);
      const holding = last !== undefined && last.to === null;
      if (change.added === holding) return;
      if (change.added) intervals.push({ from: change.ts, to: null });
      else if (last) intervals[intervals.length - 1] = { from: last.from, to: change.ts };
      onChange(node, change.added, change.ts);
    };
    this.monitors.push(
      follow("ip", ["-n", netns, "-o", "-ts", "monitor", "address"], onLine, { ...process.env, TZ: "UTC" }),
    );
  }

  holders(): string[] {
    return [...this.held].filter(([, intervals]) => intervals.at(-1)?.to === null).map(([node]) => node);
  }

  intervals(node: string): readonly Interval[] {
    return this.held.get(node) ?? [];
  }

  /** These and no others hold it. */
  isHeldBy(...nodes: readonly string[]): boolean {
    return this.holders().sort().join() === [...nodes].sort().join();
  }

  /** When the node last took it; epoch microseconds, 0 for never. */
  lastTaken(node: string): number {
    return this.intervals(node).at(-1)?.from ?? 0;
  }

  /** Intervals in which two nodes or more held it. */
  overlaps(): Interval[] {
    return overlapsOf([...this.held.values()]);
  }

  /** Intervals in which nobody held it, after somebody did. */
  gaps(): Interval[] {
    return gapsOf([...this.held.values()]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.monitors.map((monitor) => endProcess(monitor, 1_000)));
  }
}

/** Intervals covered by two or more of the lists. */
export function overlapsOf(lists: readonly (readonly Interval[])[]): Interval[] {
  const edges = lists.flat().flatMap(({ from, to }) => [
    { ts: from, step: 1 },
    { ts: to ?? Number.POSITIVE_INFINITY, step: -1 },
  ]);
  // An end before a beginning at the same instant: a hand-over is no overlap.
  edges.sort((a, b) => a.ts - b.ts || a.step - b.step);
  const overlaps: Interval[] = [];
  let holders = 0;
  let since = 0;
  for (const { ts, step } of edges) {
    holders += step;
    if (step > 0 && holders === 2) since = ts;
    if (step < 0 && holders === 1) overlaps.push({ from: since, to: Number.isFinite(ts) ? ts : null });
  }
  return overlaps;
}

/** Intervals covered by none of the lists, from the end of the first interval on. */
export function gapsOf(lists: readonly (readonly Interval[])[]): Interval[] {
  const gaps: Interval[] = [];
  let coveredTo: number | null | undefined;
  for (const { from, to } of lists.flat().sort((a, b) => a.from - b.from)) {
    if (coveredTo === null) break;
    if (coveredTo !== undefined && from > coveredTo) gaps.push({ from: coveredTo, to: from });
    coveredTo = to === null ? null : Math.max(coveredTo ?? to, to);
  }
  return coveredTo === undefined || coveredTo === null ? gaps : [...gaps, { from: coveredTo, to: null }];
}

/** `[2026-11-24T10:54:20.525269] 2: eth0    inet 10.99.0.100/24 scope …`, with `Deleted` in front of a removal. */
export function parseMonitorLine(line: string): { ts: number; added: boolean; address: string } | undefined {
  const match = /^\[([^\]]+)\] (Deleted )?\d+: \S+ +inet6? ([0-9a-fA-F.:]+)/.exec(line);
  if (!match) return undefined;
  const ts = parseIsoUs(`${match[1]}Z`);
  return ts === undefined ? undefined : { ts, added: match[2] === undefined, address: match[3] ?? "" };
}
