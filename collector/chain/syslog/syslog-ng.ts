import type { SourceLocation } from "../../core/errors.ts";
import { absolute, type ChainTree } from "../files.ts";
import { type LogTarget, SEVERITIES, type SyslogLine, type SyslogRules } from "./line.ts";
import { and, not, or, type Verdict } from "./verdict.ts";

/** A word, a string or a punctuation mark of syslog-ng.conf. */
interface Token {
  readonly text: string;
  readonly quoted: boolean;
  readonly at: SourceLocation;
}

const FILES_MAX = 256;
const DEPTH_MAX = 32;

/** Which `log { source; filter; destination; }` paths of syslog-ng take keepalived's lines. */
export function readSyslogNg(tree: ChainTree, line: SyslogLine, path: string): SyslogRules {
  const files: string[] = [];
  const tokens = tokensOf(tree, path, files, 0);
  const filters = new Map<string, readonly Token[]>();
  const destinations = new Map<string, readonly Token[]>();
  const targets: LogTarget[] = [];
  let stopped = false;
  for (let i = 0; i < tokens.length; i++) {
    const word = tokens[i];
    if (!word || word.quoted) continue;
    const name = tokens[i + 1];
    if ((word.text === "filter" || word.text === "destination") && name && tokens[i + 2]?.text === "{") {
      const end = closing(tokens, i + 2);
      (word.text === "filter" ? filters : destinations).set(name.text, tokens.slice(i + 3, end));
      i = end;
    } else if (word.text === "log" && name?.text === "{") {
      const end = closing(tokens, i + 1);
      if (!stopped) stopped = logPath(tokens.slice(i + 2, end), word.at);
      i = end;
    } else if (name && tokens[i + 1]?.text === "{") i = closing(tokens, i + 1);
    else if (tokens[i + 2]?.text === "{" && /^(source|options|parser|rewrite|template|block)$/.test(word.text))
      i = closing(tokens, i + 2);
  }
  return { daemon: "syslog-ng", files, targets };

  /** @returns whether the path is final, and takes the line */
  function logPath(body: readonly Token[], at: SourceLocation): boolean {
    let verdict: Verdict = true;
    let isFinal = false;
    let found = false;
    for (let i = 0; i < body.length; i++) {
      const word = body[i];
      const open = body[i + 1]?.text;
      if (!word || word.quoted || (open !== "(" && open !== "{")) continue;
      const end = closing(body, i + 1);
      const inside = body.slice(i + 2, end);
      if (word.text === "filter") {
        const named = open === "(" ? filters.get(inside[0]?.text ?? "") : inside;
        verdict = and(verdict, named ? expression(named, line, filters) : undefined);
      } else if (word.text === "destination" && verdict !== false) {
        found = true;
        const drivers = open === "(" ? destinations.get(inside[0]?.text ?? "") : inside;
        for (const to of driversOf(drivers ?? [])) targets.push({ to, at, isCertain: verdict === true });
      } else if (word.text === "flags") isFinal = inside.some(({ text }) => text === "final");
      else if (word.text === "parser" || word.text === "rewrite" || word.text === "if" || word.text === "junction")
        verdict = and(verdict, undefined);
      i = end;
    }
    return isFinal && found && verdict === true;
  }
}

function driversOf(tokens: readonly Token[]): string[] {
  const found: string[] = [];
  for (let i = 0; i + 2 < tokens.length; i++)
    if (tokens[i + 1]?.text === "(" && tokens[i]?.quoted === false) {
      const value = tokens[i + 2]?.text ?? "";
      const driver = tokens[i]?.text ?? "";
      found.push(driver === "file" ? value : `${driver}(${value === ")" ? "" : value})`);
      i = closing(tokens, i + 1);
    }
  return found;
}

/** `facility(daemon, local0..local7) and not level(debug) and program("Keepalived")` */
function expression(
  tokens: readonly Token[],
  line: SyslogLine,
  filters: ReadonlyMap<string, readonly Token[]>,
): Verdict {
  let i = 0;
  let budget = 10_000;
  const either = (depth: number): Verdict => {
    let verdict = all(depth);
    while (tokens[i]?.text === "or") {
      i += 1;
      verdict = or(verdict, all(depth));
    }
    return verdict;
  };
  const all = (depth: number): Verdict => {
    let verdict = unary(depth);
    while (tokens[i]?.text === "and") {
      i += 1;
      verdict = and(verdict, unary(depth));
    }
    return verdict;
  };
  const unary = (depth: number): Verdict => {
    budget -= 1;
    const word = tokens[i];
    if (!word || depth > DEPTH_MAX || budget < 0) return undefined;
    i += 1;
    if (word.text === "not") return not(unary(depth + 1));
    if (word.text === "(") {
      const verdict = either(depth + 1);
      if (tokens[i]?.text === ")") i += 1;
      return verdict;
    }
    if (tokens[i]?.text !== "(") return undefined;
    const end = closing(tokens, i);
    const values = tokens.slice(i + 1, end).map(({ text }) => text);
    i = end + 1;
    return test(word.text, values, line, filters, depth);
  };
  return either(0);
}

function test(
  name: string,
  values: readonly string[],
  line: SyslogLine,
  filters: ReadonlyMap<string, readonly Token[]>,
  depth: number,
): Verdict {
  switch (name) {
    case "facility":
      return values.some((one) => one === line.facility || inRange(one, line.facility));
    case "level":
    case "priority":
    case "severity":
      return values.some((one) => {
        const [from = "", to = from] = one.split("..");
        const low = SEVERITIES.indexOf(from);
        const high = SEVERITIES.indexOf(to);
        const info = SEVERITIES.indexOf("info");
        return low >= 0 && high >= 0 && Math.min(low, high) <= info && info <= Math.max(low, high);
      });
    case "program": {
      const [pattern = ""] = values;
      // A regular expression: only plain text is judged here.
      return /^\^?[\w-]+\$?$/.test(pattern)
        ? pattern.startsWith("^")
          ? pattern.endsWith("$")
            ? line.program === pattern.slice(1, -1)
            : line.program.startsWith(pattern.slice(1))
          : line.program.includes(pattern.replace("$", ""))
        : undefined;
    }
    case "filter": {
      const named = filters.get(values[0] ?? "");
      return named && depth < DEPTH_MAX ? expression(named, line, new Map()) : undefined;
    }
    default:
      return undefined;
  }
}

function inRange(range: string, facility: string): boolean {
  const match = /^local([0-7])\.\.local([0-7])$/.exec(range);
  const own = /^local([0-7])$/.exec(facility)?.[1];
  return match !== null && own !== undefined && (match[1] ?? "") <= own && own <= (match[2] ?? "");
}

/** Index of the bracket that closes the one at `open`; the last token without one. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const { text, quoted } = tokens[i] ?? { text: "", quoted: true };
    if (quoted) continue;
    if (text === "(" || text === "{") depth += 1;
    if ((text === ")" || text === "}") && --depth === 0) return i;
  }
  return tokens.length;
}

function tokensOf(tree: ChainTree, path: string, files: string[], depth: number): Token[] {
  const text = tree.text(path);
  if (text === undefined || depth > 8 || files.length >= FILES_MAX) return [];
  files.push(path);
  const tokens: Token[] = [];
  const rows = text.split("\n");
  rows.forEach((row, index) => {
    const include = /^\s*@include\s+["']?([^"'\s]+)/.exec(row);
    if (include) {
      const from = absolute(include[1] ?? "", path.replace(/[^/]*$/, ""));
      const paths =
        tree.stat(from)?.kind === "directory"
          ? tree.names(from).map((name) => `${from.replace(/\/+$/, "")}/${name}`)
          : tree.glob(from);
      for (const one of paths) for (const token of tokensOf(tree, one, files, depth + 1)) tokens.push(token);
      return;
    }
    if (/^\s*@/.test(row)) return;
    const words = /"((?:[^"\\]|\\.)*)(?:"|\\?$)|'([^']*)(?:'|$)|(#.*)|([(){};,])|([^\s(){};,"'#]+)/g;
    for (const match of row.matchAll(words)) {
      const at = { file: path, line: index + 1, column: match.index + 1 };
      if (match[3] !== undefined) break;
      if (match[4] === ";" || match[4] === ",") continue;
      const quoted = match[1] ?? match[2];
      tokens.push({ text: quoted ?? match[0], quoted: quoted !== undefined, at });
    }
  });
  return tokens;
}
