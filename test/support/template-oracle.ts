import { parseTemplate, type Template } from "../../collector/logs/template.ts";

/**
 * What a template means, written as plainly as it can be, on strings: the automaton of collector/logs must agree with it.
 */
type Chunk = Template["chunks"][number];

/** The templates that fit, the one that is meant first: those of four given letters or more in front of the others, and of each the one that says more. */
export function oracle(
  templates: readonly string[],
): (text: string) => { template: number; words: ReadonlyMap<string, string> }[] {
  const all = templates.map((source, template) => ({ ...parseTemplate(source), template }));
  const order = (a: Template, b: Template): number =>
    Number(b.head.length >= 4) - Number(a.head.length >= 4) || b.literals - a.literals;
  all.sort((a, b) => order(a, b) || a.template - b.template);
  return (text) =>
    all.flatMap(({ template, chunks, gaps }) => {
      const words = match(text, chunks, gaps);
      return words ? [{ template, words }] : [];
    });
}

function match(
  text: string,
  chunks: Template["chunks"],
  gaps: Template["gaps"],
): ReadonlyMap<string, string> | undefined {
  const words = new Map<string, string>();
  let at = chunkAt(text, chunks[0] ?? [], 0, words);
  for (let i = 0; i < gaps.length && at !== undefined; i++) {
    const { name, atLeast } = gaps[i] as Template["gaps"][number];
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
