import type { SourceLocation } from "../core/errors.ts";
import { Expansion, type SourceLine } from "./expand.ts";
import { ALL_CHECKS, NO_CHECKS } from "./includes.ts";
import { type Word, wordsOf } from "./lexer.ts";
import { checkSpelling, type SwallowedBrace } from "./spelling.ts";
import { type Fragment, locate } from "./text.ts";
import { type Report, TreeBuilder } from "./tree.ts";
import { compareReleases, NEWEST_RELEASE, type Release } from "./version.ts";

/** A keyword with its values, and for a block what stands in it. */
export interface ConfNode {
  readonly keyword: Word;
  readonly values: readonly Word[];
  /** undefined: a line without a block. */
  readonly children: readonly ConfNode[] | undefined;
  /** The line as keepalived reads it: commands are cut into words from it once more, by other rules. */
  readonly line?: Fragment;
}

export interface ConfFault {
  /** The code of the log's grammar for the same fault, where keepalived logs one. */
  readonly code: string;
  readonly at: SourceLocation;
  readonly message: string;
  /** What to do here; undefined: the code's own advice. */
  readonly fix: string | undefined;
}

/** Where the bytes come from: files at the edge, a table in a test. */
export interface ConfFiles {
  /**
   * @returns the text as `decodeBytes` makes it; when the file cannot be read a sentence that says why not, and whether
   *   that is its execute bit
   */
  read: (path: string) => string | UnreadableFile;
  /** Paths that a pattern matches, in glob order; relative patterns are relative to `directory`. */
  glob: (pattern: string, directory: string) => readonly string[];
}

export interface UnreadableFile {
  readonly unreadable: string;
  readonly isExecutable?: boolean;
}

export interface ConfFile {
  readonly path: string;
  /** As `decodeBytes` reads it. */
  readonly text: string;
  /** undefined: the main file. */
  readonly includedAt?: SourceLocation;
}

export interface ConfTree {
  readonly nodes: readonly ConfNode[];
  readonly faults: readonly ConfFault[];
  /** Every file that was read, in order, with its text. */
  readonly files: readonly ConfFile[];
  /** The main file could not be read, and why. */
  readonly unreadable?: string;
  /** Characters looked at: what "linear" is measured with. */
  readonly steps: number;
}

export interface ParseOptions {
  /** The keepalived that will read it (default: the newest known). */
  readonly release?: Release;
  /** Environment that keepalived will have (default: nothing is known about it). */
  readonly environment?: (name: string) => string | undefined;
  /** `-e`, `--all-config`: every include is checked. */
  readonly allConfig?: boolean;
}

/** Most words of one configuration. */
const WORDS_MAX = 2_000_000;
/** Most faults reported of one configuration. */
const FAULTS_MAX = 10_000;

/**
 * Reads a configuration with its includes into a tree, and reports every fault. Never throws, whatever the bytes.
 *
 * Since 2.2.0 the parent process expands the includes and hands its children a copy without comments, which they read
 * by the same rules once more: the tree is what the children see, as they run the instances and the checks.
 * @param configId  what `@id` lines are compared with: `-i`, or the host name up to its first dot
 */
export function parseConf(
  path: string,
  files: ConfFiles,
  configId: string,
  { release = NEWEST_RELEASE, environment, allConfig = false }: ParseOptions = {},
): ConfTree {
  const faults = new Faults();
  const read: ConfFile[] = [];
  const seen = new Set<string>();
  const swallowed: SwallowedBrace[] = [];
  const report: Report = (code, at, message, fix) => faults.add(code, at, message, fix);
  const options = {
    files,
    configId,
    release,
    environment,
    includeChecks: allConfig ? ALL_CHECKS : NO_CHECKS,
    report,
    onFile: (name: string, text: string, includedAt: SourceLocation | undefined) => {
      if (seen.has(name)) return;
      seen.add(name);
      read.push({ path: name, text, ...(includedAt === undefined ? {} : { includedAt }) });
      swallowed.push(...checkSpelling(name, text, report));
    },
  };
  const isCopied = compareReleases(release, [2, 2, 0]) >= 0;
  const copy: SourceLine[] = [];
  const parent = new Expansion(options, undefined, isCopied ? copy : undefined);
  const unreadable = parent.open(path);
  let tree = buildTree(parent, report, path);
  let { steps } = parent;
  if (isCopied) {
    const child = new Expansion(options, copy, undefined);
    tree = buildTree(child, report, path);
    steps += child.steps;
  }
  reportSwallowed(swallowed, tree, report);
  for (const { name, at } of parent.unused())
    if (at) report("definition_unused", at, `$${name} is defined here, and nothing uses it`);
  if (unreadable !== undefined)
    report(
      unreadable.isExecutable ? "file_executable" : "main_file_unreadable",
      { file: path, line: 1, column: 1 },
      `keepalived does not start: ${unreadable.unreadable}`,
    );
  return {
    nodes: tree.nodes,
    faults: faults.list,
    files: read,
    steps,
    ...(unreadable === undefined ? {} : { unreadable: unreadable.unreadable }),
  };
}

interface Tree {
  readonly nodes: ConfNode[];
  readonly missing: number;
  readonly extra: number;
}

function buildTree(expansion: Expansion, report: Report, path: string): Tree {
  const builder = new TreeBuilder(report);
  let count = 0;
  for (let line = expansion.next(); line !== undefined; line = expansion.next()) {
    const { words, openQuote } = wordsOf(line);
    if (openQuote !== undefined)
      report(
        "unterminated_quote",
        locate(line, openQuote),
        "a double quote is not closed on its line: from here on the line is lost",
      );
    const [first, ...values] = words;
    if (!first) continue;
    count += words.length;
    if (count > WORDS_MAX) {
      report("expansion_too_large", first.at, `the rest is not looked at: there are more than ${WORDS_MAX} words`);
      break;
    }
    if (first.text === "include_check" && !first.quoted) expansion.setIncludeChecks(values.map(({ text }) => text));
    builder.add(first, values, line);
  }
  const { imbalance } = builder;
  return { nodes: builder.end(path), ...imbalance };
}

function reportSwallowed(swallowed: readonly SwallowedBrace[], { missing, extra }: Tree, report: Report): void {
  for (const { at, surplus } of swallowed)
    if (surplus < 0 ? missing > 0 : extra > 0)
      report(
        "brace_in_comment",
        at,
        `the comment that begins here holds a ${surplus < 0 ? "}" : "{"}, and the file lacks one`,
      );
}

/** Each fault once, though the file is read twice. */
class Faults {
  readonly list: ConfFault[] = [];
  private readonly seen = new Set<string>();

  add(code: string, at: SourceLocation, message: string, fix?: string): void {
    const key = `${code} ${at.line}:${at.column} ${at.file}`;
    if (this.seen.has(key) || this.list.length >= FAULTS_MAX) return;
    this.seen.add(key);
    this.list.push({ code, at, message, fix });
  }
}
