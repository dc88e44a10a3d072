/**
 * Message templates: literal text with holes. `{name}` is one character or more, `{name:d}` a number, `{*}` anything or nothing.
 *
 * Matched by hand and not as regular expressions: a log line is hostile input, and a pattern with four `.*?` spends
 * seconds on two kilobytes of the right text. Here every literal is looked for once, from left to right: a hole
 * takes as little as it can, and taking less never spoils what follows, so nothing is ever tried a second time.
 */
export interface Template {
  /** The text before the first hole. */
  readonly head: string;
  /** How many characters are given: of two templates that fit a message, the one that says more is meant. */
  readonly literals: number;
  /** @returns what the named holes hold, or undefined when the text is not of this shape */
  match(text: string): ReadonlyMap<string, string> | undefined;
}

type Piece = { readonly literal: string } | { readonly number: string };
/** Pieces of known shape, which stand together. */
type Chunk = readonly Piece[];
interface Gap {
  readonly name: string | undefined;
  readonly atLeast: 0 | 1;
}

/** @throws Error when the template cannot be matched without ambiguity: at start, not at the first such line */
export function compileTemplate(template: string): Template {
  const { chunks, gaps } = split(template);
  const [head] = chunks[0] ?? [];
  return {
    head: head && "literal" in head ? head.literal : "",
    literals: template.replace(/\{[^}]*\}/g, "").length,
    match: (text) => match(text, chunks, gaps),
  };
}

function split(template: string): { chunks: readonly Chunk[]; gaps: readonly Gap[] } {
  const fault = (what: string): Error => new Error(`template ${JSON.stringify(template)}: ${what}`);
  const chunks: Piece[][] = [[]];
  const gaps: Gap[] = [];
  for (const [part, name, number] of template.matchAll(/\{(\*|\w+)(:d)?\}|[^{}]+|[{}]/g)) {
    const chunk = chunks.at(-1) as Piece[];
    if (part === "{" || part === "}") throw fault("stray brace");
    if (name === undefined) {
      if (chunk.length > 0 && /^\d/.test(part)) throw fault("a digit right after a number");
      chunk.push({ literal: part });
    } else if (number !== undefined) {
      if (chunk.length === 0 && gaps.length > 0) throw fault("a number right after a hole");
      chunk.push({ number: name });
    } else {
      if (chunk.length === 0 && gaps.length > 0) throw fault("two holes side by side");
      gaps.push(name === "*" ? { name: undefined, atLeast: 0 } : { name, atLeast: 1 });
      chunks.push([]);
    }
  }
  return { chunks, gaps };
}

function match(text: string, chunks: readonly Chunk[], gaps: readonly Gap[]): ReadonlyMap<string, string> | undefined {
  const words = new Map<string, string>();
  let at = chunkAt(text, chunks[0] ?? [], 0, words);
  for (let i = 0; i < gaps.length && at !== undefined; i++) {
    const { name, atLeast } = gaps[i] as Gap;
    const found = find(text, chunks[i + 1] ?? [], at + atLeast, i === gaps.length - 1, words);
    if (found === undefined) return undefined;
    if (name !== undefined) words.set(name, text.slice(at, found.start));
    at = found.end;
  }
  return at === text.length ? words : undefined;
}

/** The first place from `from` on where the chunk stands; the last chunk has to reach the end of the text. */
function find(
  text: string,
  chunk: Chunk,
  from: number,
  last: boolean,
  words: Map<string, string>,
): { start: number; end: number } | undefined {
  const [first] = chunk;
  if (!first) return from <= text.length ? { start: text.length, end: text.length } : undefined;
  const literal = "literal" in first ? first.literal : "";
  if (last && chunk.length === 1) {
    const start = text.length - literal.length;
    return start >= from && text.endsWith(literal) ? { start, end: text.length } : undefined;
  }
  for (let start = text.indexOf(literal, from); start >= 0; start = text.indexOf(literal, start + 1)) {
    const end = chunkAt(text, chunk, start, words);
    if (end !== undefined && (!last || end === text.length)) return { start, end };
  }
  return undefined;
}

/** @returns where the chunk ends when it stands at `at` */
function chunkAt(text: string, chunk: Chunk, at: number, words: Map<string, string>): number | undefined {
  let end = at;
  for (const piece of chunk) {
    if ("literal" in piece) {
      if (!text.startsWith(piece.literal, end)) return undefined;
      end += piece.literal.length;
    } else {
      const start = end;
      if (text[end] === "-") end += 1;
      const digits = end;
      while (isDigit(text.charCodeAt(end))) end += 1;
      if (end === digits) return undefined;
      words.set(piece.number, text.slice(start, end));
    }
  }
  return end;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
