import type { SourceLocation } from "../core/errors.ts";
import { type BlockShape, isBlockName, shapeOf } from "./blocks.ts";
import type { Word } from "./lexer.ts";
import type { ConfNode } from "./parser.ts";
import type { Fragment } from "./text.ts";

export type Report = (code: string, at: SourceLocation, message: string, fix?: string) => void;

interface OpenBlock {
  readonly keyword: Word;
  readonly values: readonly Word[];
  readonly line: Fragment;
  readonly children: ConfNode[];
  readonly shape: BlockShape;
  isOpened: boolean;
}

/** A brace as it is written, whatever keepalived makes of it. */
interface WrittenBlock {
  readonly keyword: Word;
  /** Columns before its keyword. */
  readonly indent: number;
  /** A line behind it that stands no deeper than the block itself: it looks as if the block had ended. */
  outside: SourceLocation | undefined;
  /** Its contents are not set in, so their indentation says nothing. */
  isFlat: boolean;
  hasContents: boolean;
}

/**
 * Builds the tree that keepalived sees: a `{` opens a block only behind a keyword that has one where it stands, and a `}`
 * ends the block that is open, whatever it was meant for. So what is read in the wrong place stands in the wrong place
 * here too. (keepalived 2.2.7: process_stream() and alloc_value_block() in lib/parser.c)
 */
export class TreeBuilder {
  private readonly root: ConfNode[] = [];
  private readonly open: OpenBlock[] = [];
  private readonly written: WrittenBlock[] = [];
  private readonly suspects: WrittenBlock[] = [];
  /** First `}` that stands deeper than the block it closes. */
  private earlyClose: SourceLocation | undefined;
  private extra = 0;
  private last: Word | undefined;
  private lastLine = { file: "", line: 0 };
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  add(keyword: Word, values: readonly Word[], line: Fragment): void {
    const isBrace = !keyword.quoted && (keyword.text === "{" || keyword.text === "}");
    this.watchIndent(keyword, isBrace);
    const block = this.open.at(-1);
    if (block && !block.isOpened) {
      block.isOpened = true;
      if (isBrace && keyword.text === "{") return;
      this.report(
        "missing_brace_open",
        block.keyword.at,
        `the { of ${block.keyword.text} is missing: keepalived reads on as if it were there`,
      );
    }
    if (isBrace) {
      if (keyword.text === "{") this.strayBrace(keyword);
      else this.closeBlock();
      return;
    }
    const shape = block?.shape === "list" ? undefined : shapeOf(block?.keyword.text ?? "", keyword.text);
    if (shape) this.open.push({ keyword, values, line, children: [], shape, isOpened: false });
    else this.siblings().push({ keyword, values, children: undefined, line });
  }

  end(path: string): ConfNode[] {
    const missing = this.written.length;
    if (missing > 0) this.reportMissing(missing, path);
    while (this.open.length > 0) this.closeBlock();
    return this.root;
  }

  /** Closing braces that are missing, before `end`, and those that are too many. */
  get imbalance(): { readonly missing: number; readonly extra: number } {
    return { missing: this.written.length, extra: this.extra };
  }

  private siblings(): ConfNode[] {
    return this.open.at(-1)?.children ?? this.root;
  }

  private closeBlock(): void {
    const block = this.open.pop();
    if (!block) return;
    const { keyword, values, line, children } = block;
    this.siblings().push({ keyword, values, children, line });
  }

  private strayBrace(brace: Word): void {
    const around = this.open.at(-1)?.keyword.text;
    const where = around === undefined ? "at the top level" : `in ${around}`;
    // A word that is no block's name is not shown: it may be anything, also a password whose line was broken.
    const name = this.last?.text.toLowerCase() ?? "";
    const what = this.last && isBlockName(name) ? this.last.text : "what stands before it";
    this.report(
      "unexpected_brace",
      brace.at,
      `${what} opens no block ${where}, and its { is ignored: its contents are read ${where}${around === undefined ? "" : `, and its } ends ${around}`}`,
    );
  }

  /** Keeps account of the braces as they are written, to tell where an imbalance begins. */
  private watchIndent(keyword: Word, isBrace: boolean): void {
    const { at, origin } = keyword;
    const isPlain = origin === undefined || origin.kind === "include";
    const isFirst = isPlain && (at.line !== this.lastLine.line || at.file !== this.lastLine.file);
    if (isPlain) this.lastLine = { file: at.file, line: at.line };
    const indent = at.column - 1;
    const block = this.written.at(-1);
    if (isBrace && keyword.text === "{") {
      const head = isFirst || !this.last ? keyword : this.last;
      const opener = this.last ?? keyword;
      this.written.push({
        keyword: opener,
        indent: (isFirst ? opener : head).at.column - 1,
        outside: undefined,
        isFlat: false,
        hasContents: false,
      });
      return;
    }
    if (isBrace) {
      const closed = this.written.pop();
      if (!closed) {
        this.extra += 1;
        const early = this.earlyClose;
        this.report(
          "extra_brace_close",
          at,
          early === undefined
            ? "a closing brace too many"
            : `a closing brace too many: by the indentation, the one at line ${early.line} closes more than it should`,
        );
        this.earlyClose = undefined;
      } else if (isFirst && closed.keyword.at.file === at.file && !closed.isFlat) {
        if (indent < closed.indent) this.suspect(closed, at);
        else if (indent > closed.indent) this.earlyClose ??= at;
      }
      return;
    }
    this.last = keyword;
    if (!isFirst || !block || block.keyword.at.file !== at.file || block.isFlat) return;
    if (!block.hasContents) {
      block.hasContents = true;
      block.isFlat = indent <= block.indent;
    } else if (indent <= block.indent) this.suspect(block, at);
  }

  private suspect(block: WrittenBlock, at: SourceLocation): void {
    if (block.outside) return;
    block.outside = at;
    this.suspects.push(block);
  }

  private reportMissing(missing: number, path: string): void {
    const count = `${missing} closing brace${missing > 1 ? "s are" : " is"} missing`;
    const likely = this.suspects.slice(0, missing);
    for (const { keyword, outside } of likely)
      this.report(
        "missing_brace_close",
        keyword.at,
        `${count} at the end of ${path}: by the indentation, the block that begins here ends before line ${outside?.line}, but nothing closes it`,
      );
    const [outer] = this.written;
    if (likely.length === 0 && outer)
      this.report(
        "missing_brace_close",
        outer.keyword.at,
        `${count}: the block that begins here is not closed by the end of ${path}`,
      );
  }
}
