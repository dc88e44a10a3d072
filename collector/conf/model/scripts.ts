import { US_PER_SECOND } from "../../core/time.ts";
import type { ConfNode } from "../parser.ts";
import { integer, last, lastValid, microseconds, readValue, valueOf } from "./read.ts";
import type { BfdInstance, Command, Script, TrackFile, TrackProcess } from "./types.ts";

export const NOTIFY_KEYWORDS = [
  "notify_master",
  "notify_backup",
  "notify_fault",
  "notify_stop",
  "notify_deleted",
  "notify_master_rx_lower_pri",
  "notify",
] as const;

export function notifyOf(nodes: readonly ConfNode[], keywords: readonly string[]): Command[] {
  return keywords.flatMap((keyword) => {
    const line = last(nodes, keyword);
    return line && line.values.length > 0 ? [commandOf(line)] : [];
  });
}

/** `SCRIPT [USER [GROUP]]`: a command with arguments is in quotes, and what follows it is its user. */
export function commandOf({ keyword, values }: ConfNode): Command {
  const [first, ...others] = values.map(({ text }) => text);
  return {
    event: keyword.text,
    words: commandWords(first ?? ""),
    user: others.length > 0 ? others.slice(0, 2).join(" ") : undefined,
  };
}

/** Words of a command line: double and single quotes and backslashes hold them together, nothing is expanded. */
export function commandWords(text: string): string[] {
  const words: string[] = [];
  let current: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === "\\" && quote !== "'" && i + 1 < text.length) {
      i += 1;
      current = (current ?? "") + (text[i] ?? "");
    } else if (quote !== "") {
      if (c === quote) quote = "";
      else current += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      current ??= "";
    } else if (/\s/.test(c)) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else current = (current ?? "") + c;
  }
  if (current !== undefined) words.push(current);
  return words;
}

export const WEIGHT_MAX = 253;
const DEFAULT_INTERVAL_US = US_PER_SECOND;

/** `script`, `misc_path`: words after the command are its arguments. */
export function scriptCommandOf({ keyword, values }: ConfNode): Command {
  const [first, ...others] = values.map(({ text }) => text);
  return { event: keyword.text, words: [...commandWords(first ?? ""), ...others], user: undefined };
}

export function scriptOf(block: ConfNode, name: string): Script {
  const nodes = block.children ?? [];
  const line = last(nodes, "script");
  const user = last(nodes, "user")?.values.map(({ text }) => text);
  const intervalUs = Math.max(
    US_PER_SECOND,
    readValue(nodes, "interval", microseconds(0, 4294)) ?? DEFAULT_INTERVAL_US,
  );
  return {
    name,
    at: block.keyword.at,
    command: {
      ...(line ? scriptCommandOf(line) : { event: "script", words: [] }),
      user: user && user.length > 0 ? user.slice(0, 2).join(" ") : undefined,
    },
    intervalUs,
    timeoutUs: readValue(nodes, "timeout", microseconds(0, 4294)) ?? intervalUs,
    rise: readValue(nodes, "rise", integer(1, 2_147_483_647)) ?? 1,
    fall: readValue(nodes, "fall", integer(1, 2_147_483_647)) ?? 1,
    ...weightOf(nodes, 0, WEIGHT_MAX),
    initFail: last(nodes, "init_fail") !== undefined,
  };
}

/** A weight beyond its range is cut to it. */
export function weightOf(
  nodes: readonly ConfNode[],
  byDefault: number,
  max: number,
): { weight: number; reverse: boolean } {
  const line = last(nodes, "weight");
  const [text = "", reverse] = (line?.values ?? []).map((value) => value.text);
  const weight = integer(-2_147_483_648, 2_147_483_647)(text);
  return {
    weight: weight === undefined ? byDefault : Math.max(-max, Math.min(max, weight)),
    reverse: reverse === "reverse",
  };
}

export function trackFileOf(block: ConfNode, name: string): TrackFile {
  const nodes = block.children ?? [];
  return {
    name,
    at: block.keyword.at,
    path: valueOf(nodes, "file"),
    ...weightOf(nodes, 1, 254),
    init: initOf(nodes),
  };
}

/** `init_file [VALUE] [overwrite]`, in either order. */
function initOf(nodes: readonly ConfNode[]): TrackFile["init"] {
  const line = last(nodes, "init_file");
  if (!line) return undefined;
  const words = line.values.map(({ text }) => text);
  const value = words.map((word) => integer(-2_147_483_648, 2_147_483_647)(word)).find((found) => found !== undefined);
  return { value: value ?? 0, overwrite: words.includes("overwrite") };
}

export function trackProcessOf(block: ConfNode, name: string): TrackProcess {
  const nodes = block.children ?? [];
  // The last of both keywords that set a delay counts.
  const delay = (keyword: string): number => lastValid(nodes, ["delay", keyword], microseconds(1e-6, 3600))?.value ?? 0;
  return {
    name,
    at: block.keyword.at,
    process: valueOf(nodes, "process"),
    ...weightOf(nodes, 0, 254),
    quorum: readValue(nodes, "quorum", integer(1, 65535)) ?? 1,
    quorumMax: readValue(nodes, "quorum_max", integer(0, 65535)),
    startDelayUs: delay("fork_delay"),
    endDelayUs: delay("terminate_delay"),
  };
}

export function bfdOf(block: ConfNode, name: string): BfdInstance {
  const nodes = block.children ?? [];
  return {
    name,
    at: block.keyword.at,
    neighbour: valueOf(nodes, "neighbor_ip", "neighbour_ip"),
    source: valueOf(nodes, "source_ip"),
    weight: weightOf(nodes, 0, WEIGHT_MAX).weight,
  };
}
