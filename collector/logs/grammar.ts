import type { Details } from "../events/details.ts";
import type { Daemon, EventBody } from "../events/event.ts";
import { type Automaton, compileAutomaton, Matcher } from "./automaton.ts";
import { type DetailHole, detailHoles, withDetails } from "./details.ts";
import { INT_MAX, LINE_MAX_CHARS } from "./layout.ts";
import { holesOf } from "./template.ts";

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

/** What a hole may have to hold, and how it is read. */
export interface Check<T> {
  /** How the machine tells it by itself, CHECK_…, and between which bounds, for a number. */
  readonly how: number;
  readonly min: number;
  readonly max: number;
  /** @returns undefined for a text that is no such thing */
  readonly read: (text: string) => T | undefined;
  /** One that is. */
  readonly example: T;
}

/** What a template's holes hold. */
export interface Words {
  /** The text; empty when the hole is not in this wording. */
  text(name: string): string;
  /** The number, or undefined when it is not in this wording or more than keepalived's own int can hold. */
  number(name: string): number | undefined;
  /** What a hole holds when it holds such a thing; undefined as well when it is not in this wording. What the line means may depend on it. */
  as<T>(name: string, check: Check<T>): T | undefined;
}

/** What `(NAME)` may be in front of a message: mostly an instance. */
export type NamedInFront = "instance" | "interface" | "bfd" | "script";

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
  /** What stands in `(NAME)` before the message, where that is no instance. */
  readonly named?: NamedInFront | ((message: string) => NamedInFront);
  /** What the message says in its own words, which no hole holds. */
  readonly says?: (message: string) => Details;
  readonly templates: readonly string[];
  /** The kind of event depends on what the holes' texts say as well. */
  readonly wordsDecide?: true;
  /** The event's kind depends on nothing but whether a hole can be read `as` something, the daemon, and whether there is an instance. */
  readonly toEvent: (words: Words, context: LineContext) => EventBody;
}

/** What a message means, and the id of the row that says so. */
export interface Meaning {
  readonly body: EventBody;
  readonly row: string;
}

/** Where the text of each hole begins and ends in the bytes. */
export type Holes = Pick<Matcher, "starts" | "ends">;

/** All rows, and the way from a message to the one that means it: of several that fit, the one that says more. */
export class GrammarTable {
  readonly templates: readonly string[];
  /** By template: its row. */
  private readonly rows: readonly LineGrammar[];
  private readonly names: (readonly string[] | undefined)[] = [];
  private readonly details: (readonly DetailHole[] | undefined)[] = [];
  private lazyMatcher: Matcher | undefined;
  /** Whether the row asked what a hole holds when it last made an event: without it the event is the same for any words. */
  askedWords = false;
  private scratch = new Uint8Array(SCRATCH_BYTES);

  /** @param automaton  of these rows' templates, if it is at hand: it is made when it is needed, which takes a while */
  constructor(rows: readonly LineGrammar[], automaton?: Automaton) {
    this.templates = rows.flatMap(({ templates }) => templates);
    this.rows = rows.flatMap((row) => row.templates.map(() => row));
    if (automaton && automaton.withoutInstance.length !== this.templates.length)
      throw new Error("the automaton was made of other templates: build keepwatch again");
    if (automaton) this.lazyMatcher = new Matcher(automaton);
  }

  get matcher(): Matcher {
    return (this.lazyMatcher ??= new Matcher(
      compileAutomaton(
        this.templates,
        Uint8Array.from(this.rows, ({ needsInstance }) => (needsInstance ? 0 : 1)),
      ),
    ));
  }

  /** All rows that fit, each once, the one that is meant first. */
  claims(words: string, context: LineContext): LineGrammar[] {
    const bytes = encoder.encode(words);
    const fitting = this.matcher.all(bytes, 0, bytes.length, context.instance !== undefined);
    return [...new Set(fitting.map((template) => this.rowOf(template)))];
  }

  read(words: string, context: LineContext): Meaning | undefined {
    if (words.length * 3 > this.scratch.length) this.scratch = new Uint8Array(words.length * 3);
    const bytes = this.scratch;
    const { written } = encoder.encodeInto(words, bytes);
    const template = this.matcher.match(bytes, 0, written, context.instance !== undefined);
    if (this.scratch.length > SCRATCH_BYTES) this.scratch = new Uint8Array(SCRATCH_BYTES);
    if (template < 0) return undefined;
    // Where each byte is one character, places among the bytes are places in the text.
    const body = this.event(template, this.matcher, written === words.length ? words : undefined, bytes, context);
    return { body, row: this.rowOf(template).id };
  }

  /**
   * What a message means.
   * @param text  the bytes as text, when each of them is one character of it
   */
  event(
    template: number,
    { starts, ends }: Holes,
    text: string | undefined,
    bytes: Uint8Array,
    context: LineContext,
  ): EventBody {
    const names = (this.names[template] ??= holesOf(this.templates[template] ?? ""));
    this.askedWords = false;
    const heldBy = (hole: number): string =>
      text?.slice(starts[hole], ends[hole]) ?? decoder.decode(bytes.subarray(starts[hole], ends[hole]));
    const held = (name: string): string | undefined => {
      const hole = names.lastIndexOf(name);
      if (hole < 0) return undefined;
      this.askedWords = true;
      return heldBy(hole);
    };
    const row = this.rowOf(template);
    const body = row.toEvent(
      {
        text: (name) => held(name) ?? "",
        number: (name) => {
          const value = Number(held(name) ?? Number.NaN);
          return Math.abs(value) <= INT_MAX ? value : undefined;
        },
        as: (name, { read }) => {
          const text = held(name);
          return text === undefined ? undefined : read(text);
        },
      },
      context,
    );
    // Not among what the row asks: they fill fields, and its kind does not depend on them.
    return withDetails(body, (this.details[template] ??= detailHoles(names)), heldBy, row, context);
  }

  rowOf(template: number): LineGrammar {
    const row = this.rows[template];
    if (!row) throw new RangeError(`there is no template ${template}`);
    return row;
  }
}

/** Holds any line of the longest kind that is read. */
const SCRATCH_BYTES = 3 * LINE_MAX_CHARS;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

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
