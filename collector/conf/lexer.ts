import type { SourceLocation } from "../core/errors.ts";
import { type Fragment, isUnknown, locate, type Origin, originOf } from "./text.ts";

/** A word of a configuration line: a keyword, a value, `{` or `}`. */
export interface Word {
  readonly text: string;
  /** Where it was written: in the definition's text when it came out of a definition. */
  readonly at: SourceLocation;
  /** Written in quotes: a brace or a comment sign in it is only text. */
  readonly quoted: boolean;
  /** How it came here; undefined when it simply stands in the main file. */
  readonly origin?: Origin | undefined;
  /** Its value is only known when keepalived runs (`${_RANDOM}`, an environment variable): the text is a stand-in. */
  readonly unknown?: true;
}

/** Where keepalived's own messages put a word: the line of a definition's use, not that of its text. */
export function reportedAt({ at, origin }: Pick<Word, "at" | "origin">): SourceLocation {
  let place = at;
  for (let step = origin; step !== undefined && step.kind !== "include"; step = step.from) place = step.at;
  return place;
}

const BLANKS = " \t\f\n\r\v";

/**
 * Cuts a line into words: by blanks and double quotes, also where a quote is glued to text. A quote that is not closed
 * ends the line: what follows it is lost. (keepalived 2.2.7, lib/parser.c)
 * @returns  `openQuote`: offset of the quote that is not closed
 */
export function wordsOf(line: Fragment): { words: Word[]; openQuote: number | undefined } {
  const { text } = line;
  const words: Word[] = [];
  let openQuote: number | undefined;
  for (let i = 0; i < text.length; ) {
    const c = text.charAt(i);
    if (BLANKS.includes(c)) {
      i += 1;
      continue;
    }
    if (c === '"') {
      const end = text.indexOf('"', i + 1);
      if (end < 0) {
        openQuote = i;
        break;
      }
      words.push(word(line, i + 1, end, true));
      i = end + 1;
      continue;
    }
    const start = i;
    while (i < text.length && text.charAt(i) !== '"' && !BLANKS.includes(text.charAt(i))) i += 1;
    words.push(word(line, start, i, false));
  }
  return { words, openQuote };
}

function word(line: Fragment, from: number, to: number, quoted: boolean): Word {
  const text = line.text.slice(from, to);
  const at = locate(line, quoted ? from - 1 : from);
  const origin = originOf(line, from, to);
  return isUnknown(line, from, to) ? { text, at, quoted, origin, unknown: true } : { text, at, quoted, origin };
}
