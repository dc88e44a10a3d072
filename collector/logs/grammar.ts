import type { Daemon, EventBody } from "../events/event.ts";

/**
 * What a row sees of a line besides its own words: who wrote it, and what stood in front of the message.
 * keepalived writes `(VI_1) `, `(VI_1): ` or `VRRP_Instance(VI_1) ` before what it says of an instance, and
 * `(FILE: Line N) ` before what it says of a configuration line; both are taken off before a row is tried.
 */
export interface LineContext {
  readonly daemon: Daemon;
  readonly instance: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** The message as it was written. */
  readonly message: string;
}

/** The words that a template's placeholders matched. */
export interface Words {
  /** The text; empty when the placeholder is not in this wording. */
  text(name: string): string;
  /** The number, or undefined when it is not in this wording or out of the safe range. */
  number(name: string): number | undefined;
}

/**
 * One message of keepalived, in all its wordings.
 *
 * A template is the message after its prefixes, with `{name}` for a word or more, `{name:d}` for a number and `{*}` for
 * anything. A new wording is a new template; a new message is a new row, and the row brings its own sample.
 */
export interface LineGrammar {
  readonly id: string;
  /** The keepalived file that prints it. */
  readonly source: string;
  /** The first release that printed it. */
  readonly since: string;
  readonly samples: readonly string[];
  /** The message is about an instance and is told by its `(NAME)`; without one this row does not apply. */
  readonly needsInstance?: boolean;
  readonly templates: readonly string[];
  readonly toEvent: (words: Words, context: LineContext) => EventBody;
}

interface Compiled {
  readonly row: LineGrammar;
  readonly pattern: RegExp;
  /** How many letters of the template are given: of two templates that fit, the one that says more is meant. */
  readonly literals: number;
}

/** Rows are found by the first letters of the message, so that a line meets a handful of patterns and not hundreds. */
const KEY_LENGTH = 4;

export class GrammarTable {
  private readonly byKey = new Map<string, Compiled[]>();
  /** Templates that begin with a placeholder: tried last. */
  private readonly keyless: Compiled[] = [];

  constructor(rows: readonly LineGrammar[]) {
    for (const row of rows) {
      for (const template of row.templates) {
        const compiled = {
          row,
          pattern: compileTemplate(template),
          literals: template.replace(/\{[^}]*\}/g, "").length,
        };
        const literal = template.split("{")[0] ?? "";
        if (literal.length < KEY_LENGTH) this.keyless.push(compiled);
        else {
          const key = literal.slice(0, KEY_LENGTH);
          const list = this.byKey.get(key);
          if (list) list.push(compiled);
          else this.byKey.set(key, [compiled]);
        }
      }
    }
    for (const list of [this.keyless, ...this.byKey.values()]) list.sort((a, b) => b.literals - a.literals);
  }

  /** All rows that claim the words, each once. The first is the one that counts; more than one is a fault of the table. */
  claims(words: string, context: LineContext): LineGrammar[] {
    return [
      ...new Set(
        [...this.candidates(words)]
          .filter(({ row, pattern }) => applies(row, context) && pattern.test(words))
          .map(({ row }) => row),
      ),
    ];
  }

  read(words: string, context: LineContext): EventBody | undefined {
    for (const { row, pattern } of this.candidates(words)) {
      if (!applies(row, context)) continue;
      const match = pattern.exec(words);
      if (match) return row.toEvent(wordsOf(match.groups ?? {}), context);
    }
    return undefined;
  }

  private *candidates(words: string): Generator<Compiled> {
    yield* this.byKey.get(words.slice(0, KEY_LENGTH)) ?? [];
    yield* this.keyless;
  }
}

const applies = (row: LineGrammar, context: LineContext): boolean =>
  !row.needsInstance || context.instance !== undefined;

function wordsOf(groups: Readonly<Record<string, string | undefined>>): Words {
  return {
    text: (name) => groups[name] ?? "",
    number: (name) => {
      const text = groups[name];
      const value = text === undefined ? Number.NaN : Number(text);
      return Number.isSafeInteger(value) ? value : undefined;
    },
  };
}

/** @throws Error when the template is not well formed, at start and not at the first such line. */
export function compileTemplate(template: string): RegExp {
  const source = template.replace(
    /\{(\*|\w+)(:d)?\}|[^{}]+|./g,
    (part, name: string | undefined, number: string | undefined) => {
      if (name === "*") return ".*?";
      if (name !== undefined) return `(?<${name}>${number ? "-?\\d+" : ".+?"})`;
      if (part === "{" || part === "}") throw new Error(`stray brace in template ${JSON.stringify(template)}`);
      return part.replace(/[.*+?^$()|[\]\\/]/g, "\\$&");
    },
  );
  return new RegExp(`^${source}$`, "s");
}

/** What stands before the words proper: `(FILE: Line N) `, `(Line N) `, `(VI_1) `, `(VI_1): `, `VRRP_Instance(VI_1) `. */
export function takePrefixes(message: string, daemon: Daemon): { words: string; context: LineContext } {
  let words = message;
  let file: string | undefined;
  let line: number | undefined;
  const place = /^\((?:(.+?): )?Line (\d+)\) /.exec(words);
  if (place) {
    file = place[1];
    line = Number(place[2]);
    words = words.slice(place[0].length);
  }
  const named = /^(?:VRRP_Instance)?\(([^)]{1,255})\):? ?(?=\S)/.exec(words);
  if (named) words = words.slice(named[0].length);
  return { words, context: { daemon, instance: named?.[1], file, line, message } };
}
