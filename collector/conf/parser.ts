import type { SourceLocation } from "../core/errors.ts";
import { lexLine, type Word } from "./lexer.ts";

/** A keyword with its values, and for a block what stands in it. */
export interface ConfNode {
  readonly keyword: Word;
  readonly values: readonly Word[];
  /** undefined: a line without a block. */
  readonly children: readonly ConfNode[] | undefined;
}

export interface ConfFault {
  /** The code of the log's grammar for the same fault, where keepalived logs one. */
  readonly code: string;
  readonly at: SourceLocation;
  readonly message: string;
  readonly fix: string;
}

/** Where the bytes come from: files at the edge, a table in a test. */
export interface ConfFiles {
  /** @returns a sentence that says why not, when the file cannot be read */
  read: (path: string) => string | { readonly unreadable: string };
  /** Paths that a pattern matches, in glob order; relative patterns are relative to `directory`. */
  glob: (pattern: string, directory: string) => readonly string[];
}

export interface ConfTree {
  readonly nodes: readonly ConfNode[];
  readonly faults: readonly ConfFault[];
  /** Every file that was read, in order, with its text. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The main file could not be read, and why. */
  readonly unreadable?: string;
}

/** Deepest nesting of includes: deeper is a file that includes itself. */
const INCLUDE_DEPTH_MAX = 32;
/** Most words of one configuration. */
const WORDS_MAX = 2_000_000;
const INCLUDES: ReadonlySet<string> = new Set(["include", "includer", "includem", "includew", "includeb", "includea"]);

interface Line {
  readonly words: Word[];
}

/**
 * Reads a configuration with its includes into a tree, and reports every fault. Never throws, whatever the bytes.
 * @param configId  what `@id` lines are compared with: `-i`, or the host name up to its first dot
 */
export function parseConf(path: string, files: ConfFiles, configId: string): ConfTree {
  const reader = new LineReader(files, configId);
  const unreadable = reader.readFile(path, 0);
  const builder = new TreeBuilder(reader.faults);
  for (const line of reader.lines) builder.add(line);
  const nodes = builder.end(path);
  return { nodes, faults: reader.faults, files: reader.read, ...(unreadable === undefined ? {} : { unreadable }) };
}

class LineReader {
  readonly lines: Line[] = [];
  readonly faults: ConfFault[] = [];
  readonly read: { path: string; text: string }[] = [];
  private readonly definitions = new Map<string, string>();
  private readonly files: ConfFiles;
  private readonly configId: string;
  private words = 0;

  constructor(files: ConfFiles, configId: string) {
    this.files = files;
    this.configId = configId;
  }

  /** @returns why the file could not be read */
  readFile(path: string, depth: number): string | undefined {
    const text = this.files.read(path);
    if (typeof text !== "string") return text.unreadable;
    this.read.push({ path, text });
    const rows = text.split("\n");
    for (let i = 0; i < rows.length; i++) {
      let row = (rows[i] ?? "").replace(/\r/g, "");
      const number = i + 1;
      const defined = /^\s*\$([A-Za-z_]\w*)\s*=\s*(.*)$/s.exec(row);
      if (defined) {
        let value = defined[2] ?? "";
        // A definition of several lines: each but the last ends with a backslash.
        while (value.endsWith("\\") && i + 1 < rows.length) {
          i += 1;
          value = `${value.slice(0, -1)}\n${(rows[i] ?? "").replace(/\r/g, "")}`;
        }
        this.definitions.set(defined[1] ?? "", value);
        continue;
      }
      const conditional = /^\s*@(\^?)(\S+)\s(.*)$/s.exec(row);
      if (conditional) {
        const isOurs = conditional[2] === this.configId;
        if (isOurs === (conditional[1] === "^")) continue;
        row = conditional[3] ?? "";
      }
      for (const expanded of this.expand(row).split("\n")) this.readRow(expanded, path, number, depth);
    }
    return undefined;
  }

  private readRow(row: string, path: string, number: number, depth: number): void {
    const { words, faults } = lexLine(row, path, number);
    for (const { code, at, message } of faults)
      this.faults.push({ code, at, message, fix: "Close the quote on the same line" });
    const [first] = words;
    if (!first) return;
    this.words += words.length;
    if (this.words > WORDS_MAX) return;
    if (INCLUDES.has(first.text) && !first.quoted) this.include(first, words.slice(1), path, depth);
    else this.lines.push({ words });
  }

  /** Several definitions may stand in one another: each pass replaces all that are known, up to a bound. */
  private expand(row: string): string {
    let text = row;
    for (let pass = 0; pass < 8 && text.includes("$"); pass++) {
      const before = text;
      text = text.replace(
        /\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g,
        (whole: string, braced: string | undefined, bare: string | undefined) =>
          this.definitions.get(braced ?? bare ?? "") ?? whole,
      );
      if (text === before || text.length > 1_000_000) break;
    }
    return text;
  }

  private include(keyword: Word, values: readonly Word[], path: string, depth: number): void {
    const pattern = values.map(({ text }) => text).join("");
    const fault = (code: string, message: string, fix: string): void =>
      void this.faults.push({ code, at: keyword.at, message, fix });
    if (pattern === "") return fault("missing_parameter", `${keyword.text} names no file`, "Name the file to include");
    if (depth >= INCLUDE_DEPTH_MAX)
      return fault(
        "include_depth",
        `${pattern} is included more than ${INCLUDE_DEPTH_MAX} files deep`,
        "Remove the file that includes itself",
      );
    const matched = this.files.glob(pattern, path.replace(/[^/]*$/, ""));
    if (matched.length === 0)
      fault(
        "include_no_match",
        `${keyword.text} ${pattern} matches no file`,
        "keepalived starts all the same, without what should stand there: check the path, relative to the including file",
      );
    for (const file of matched) {
      const unreadable = this.readFile(file, depth + 1);
      if (unreadable !== undefined)
        fault(
          "file_unreadable",
          `${file}, which is included here, cannot be read: ${unreadable}`,
          "Check that it is a regular file, readable and without an execute bit",
        );
    }
  }
}

interface OpenBlock {
  readonly keyword: Word;
  readonly values: readonly Word[];
  readonly children: ConfNode[];
}

class TreeBuilder {
  private readonly root: ConfNode[] = [];
  private readonly open: OpenBlock[] = [];
  /** A line whose `{` may stand on the next one. */
  private waiting: Word[] = [];
  private readonly faults: ConfFault[];

  constructor(faults: ConfFault[]) {
    this.faults = faults;
  }

  add({ words }: Line): void {
    const [first] = words;
    // A block's `{` may stand on the line after its keyword.
    if (first && (first.quoted || first.text !== "{")) this.finishLine();
    for (const word of words) {
      if (word.quoted || (word.text !== "{" && word.text !== "}")) this.waiting.push(word);
      else if (word.text === "{") this.openBlock(word);
      else this.closeBlock(word);
    }
  }

  end(path: string): ConfNode[] {
    this.finishLine();
    const missing = this.open.length;
    const [outer] = this.open;
    if (outer) {
      const at = outer.keyword.at;
      this.faults.push({
        code: "missing_brace_close",
        at,
        message: `${missing} closing brace${missing > 1 ? "s are" : " is"} missing: the block that begins here is not closed by the end of ${path}`,
        fix: "Close it: keepalived goes on and may merge it with the next block. A # or ! in a value begins a comment and can swallow a brace",
      });
    }
    while (this.open.length > 0) this.closeTop();
    return this.root;
  }

  private siblings(): ConfNode[] {
    return this.open.at(-1)?.children ?? this.root;
  }

  private finishLine(): void {
    const [keyword, ...values] = this.waiting;
    this.waiting = [];
    if (keyword) this.siblings().push({ keyword, values, children: undefined });
  }

  private openBlock(brace: Word): void {
    const [keyword, ...values] = this.waiting;
    this.waiting = [];
    if (!keyword)
      this.faults.push({
        code: "unexpected_brace",
        at: brace.at,
        message: "a brace opens a block that has no keyword",
        fix: "Remove it, or name the block",
      });
    this.open.push({ keyword: keyword ?? { text: "", at: brace.at, quoted: false }, values, children: [] });
  }

  private closeBlock(brace: Word): void {
    this.finishLine();
    if (this.open.length === 0)
      this.faults.push({
        code: "extra_brace_close",
        at: brace.at,
        message: "a closing brace too many",
        fix: "Remove it: what stands before it ends earlier than it seems to",
      });
    else this.closeTop();
  }

  private closeTop(): void {
    const block = this.open.pop();
    if (block) this.siblings().push({ keyword: block.keyword, values: block.values, children: block.children });
  }
}
