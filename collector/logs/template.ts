/**
 * Message templates: literal text with holes. `{name}` is one character or more, `{name:d}` a number, `{*}` anything or nothing,
 * `{*name}` the same by a name.
 *
 * A hole takes as little as it can: every literal is looked for once, from left to right, and the last one at the end of
 * the text. Taking less never spoils what follows, so nothing is ever tried a second time (automaton.ts does it, on bytes).
 */
export interface Template {
  /** The text before the first hole. */
  readonly head: string;
  /** How many characters are given: of two templates that fit a message, the one that says more is meant. */
  readonly literals: number;
  /** What stands before, between and behind the gaps: always one more than there are gaps. */
  readonly chunks: readonly Chunk[];
  readonly gaps: readonly Gap[];
}

export type Piece = { readonly literal: string } | { readonly number: string };
/** Pieces of known shape, which stand together. */
type Chunk = readonly Piece[];
interface Gap {
  readonly name: string | undefined;
  readonly atLeast: 0 | 1;
}

/** @throws Error when the template cannot be matched without ambiguity: at start, not at the first such line */
export function parseTemplate(template: string): Template {
  const { chunks, gaps } = split(template);
  const [head] = chunks[0] ?? [];
  return {
    head: head && "literal" in head ? head.literal : "",
    literals: template.replace(/\{[^}]*\}/g, "").length,
    chunks,
    gaps,
  };
}

function split(template: string): Pick<Template, "chunks" | "gaps"> {
  const fault = (what: string): Error => new Error(`template ${JSON.stringify(template)}: ${what}`);
  const chunks: Piece[][] = [[]];
  const gaps: Gap[] = [];
  for (const [part, name, number] of template.matchAll(/\{(\*\w*|\w+)(:d)?\}|[^{}]+|[{}]/g)) {
    const chunk = chunks.at(-1) as Piece[];
    if (part === "{" || part === "}") throw fault("stray brace");
    if (name === undefined) {
      if (chunk.length > 0 && /^\d/.test(part)) throw fault("a digit right after a number");
      chunk.push({ literal: part });
    } else if (number !== undefined) {
      if (name.startsWith("*")) throw fault("a number that may be nothing");
      if (chunk.length === 0 && gaps.length > 0) throw fault("a number right after a hole");
      const before = chunk.at(-1);
      if (before && "number" in before) throw fault("two numbers side by side");
      // Found again at every digit of a long number, it would have the rest of it read each time.
      if (gaps.length > 0 && chunk.length === 1 && before && /^[-\d]+$/.test(before.literal))
        throw fault("digits alone between a hole and a number");
      chunk.push({ number: name });
    } else {
      if (chunk.length === 0 && gaps.length > 0) throw fault("two holes side by side");
      gaps.push(name.startsWith("*") ? { name: name.slice(1) || undefined, atLeast: 0 } : { name, atLeast: 1 });
      chunks.push([]);
    }
  }
  return { chunks, gaps };
}

/** What the holes of a template are called, in the order in which they are written. */
export function holesOf(template: string): string[] {
  const { chunks, gaps } = parseTemplate(template);
  return chunks
    .flatMap((chunk, i) => [
      ...(i === 0 ? [] : [gaps[i - 1]?.name]),
      ...chunk.map((piece) => ("number" in piece ? piece.number : undefined)),
    ])
    .filter((name) => name !== undefined);
}
