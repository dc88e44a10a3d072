import type { Daemon, EventBody } from "../events/event.ts";
import { compileTemplate, type Template } from "./template.ts";

/**
 * What a row sees of a line besides its own words: who wrote it, and what stood in front of the message.
 * keepalived writes `(VI_1) `, `(VI_1): ` or `VRRP_Instance(VI_1) ` before what it says of an instance, and
 * `(FILE: Line N) ` before what it says of a configuration line; both are taken off before a row is tried.
 */
export interface LineContext {
  /** Undefined where the line does not say: keepalived's console mixes its processes without naming them. */
  readonly daemon: Daemon | undefined;
  readonly instance: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** The message as it was written. */
  readonly message: string;
}

/** What a row answers when the words are its own and what they hold makes no sense: the line is kept as it is. */
export const UNRECOGNISED: EventBody = { kind: "log.unrecognised" };

/** What a template's holes hold. */
export interface Words {
  /** The text; empty when the hole is not in this wording. */
  text(name: string): string;
  /** The number, or undefined when it is not in this wording or more than keepalived's own int can hold. */
  number(name: string): number | undefined;
}

/**
 * One message of keepalived, in all its wordings.
 *
 * A template (template.ts) is the message after its prefixes. A new wording is a new template; a new message is a new
 * row, and the row brings its own sample.
 */
export interface LineGrammar {
  readonly id: string;
  /** The keepalived file that prints it. */
  readonly source: string;
  /** The first release that printed it, in its oldest wording. */
  readonly since: string;
  /** The last release that printed it, where none does any more. */
  readonly until?: string;
  readonly samples: readonly string[];
  /** The message is about an instance and is told by its `(NAME)`; without one this row does not apply. */
  readonly needsInstance?: boolean;
  readonly templates: readonly string[];
  readonly toEvent: (words: Words, context: LineContext) => EventBody;
}

interface Candidate {
  readonly row: LineGrammar;
  readonly template: Template;
}

/** Rows are found by the first letters of the message, so that a line meets a handful of templates and not hundreds. */
const KEY_LENGTH = 4;

/** All rows, and the way from a message to the one that means it: of several that fit, the one that says more. */
export class GrammarTable {
  private readonly byKey = new Map<string, Candidate[]>();
  /** Templates that begin with a hole: tried last. */
  private readonly keyless: Candidate[] = [];

  constructor(rows: readonly LineGrammar[]) {
    for (const row of rows)
      for (const template of row.templates) this.add({ row, template: compileTemplate(template) });
    for (const list of [this.keyless, ...this.byKey.values()])
      list.sort((a, b) => b.template.literals - a.template.literals);
  }

  /** All rows that fit, each once, the one that is meant first. */
  claims(words: string, context: LineContext): LineGrammar[] {
    const fitting = this.candidates(words).filter(
      ({ row, template }) => applies(row, context) && template.match(words) !== undefined,
    );
    return [...new Set(fitting.map(({ row }) => row))];
  }

  read(words: string, context: LineContext): EventBody | undefined {
    return (
      readFirst(this.byKey.get(words.slice(0, KEY_LENGTH)), words, context) ?? readFirst(this.keyless, words, context)
    );
  }

  private add(candidate: Candidate): void {
    const { head } = candidate.template;
    if (head.length < KEY_LENGTH) {
      this.keyless.push(candidate);
      return;
    }
    const key = head.slice(0, KEY_LENGTH);
    const list = this.byKey.get(key);
    if (list) list.push(candidate);
    else this.byKey.set(key, [candidate]);
  }

  private candidates(words: string): readonly Candidate[] {
    return [...(this.byKey.get(words.slice(0, KEY_LENGTH)) ?? []), ...this.keyless];
  }
}

function readFirst(
  candidates: readonly Candidate[] | undefined,
  words: string,
  context: LineContext,
): EventBody | undefined {
  for (const { row, template } of candidates ?? []) {
    const held = applies(row, context) ? template.match(words) : undefined;
    if (held) return row.toEvent(wordsOf(held), context);
  }
  return undefined;
}

const applies = (row: LineGrammar, context: LineContext): boolean =>
  !row.needsInstance || context.instance !== undefined;

const INT_MAX = 2 ** 31 - 1;

const wordsOf = (held: ReadonlyMap<string, string>): Words => ({
  text: (name) => held.get(name) ?? "",
  number: (name) => {
    const value = Number(held.get(name) ?? Number.NaN);
    return Math.abs(value) <= INT_MAX ? value : undefined;
  },
});

/** What stands before the words proper: `(FILE: Line N) `, `(Line N) `, `(VI_1) `, `(VI_1): `, `VRRP_Instance(VI_1) `. */
export function takePrefixes(message: string, daemon: Daemon | undefined): { words: string; context: LineContext } {
  let words = message;
  let file: string | undefined;
  let line: number | undefined;
  const place = /^\((?:(.+?): )?Line (\d{1,9})\) /.exec(words);
  if (place) {
    file = place[1];
    line = Number(place[2]);
    words = words.slice(place[0].length);
  }
  const named = /^(?:VRRP_Instance)?\(([^)]{1,255})\):? ?(?=\S)/.exec(words);
  if (named) words = words.slice(named[0].length);
  return { words, context: { daemon, instance: named?.[1], file, line, message } };
}
