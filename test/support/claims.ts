import type { GrammarTable } from "../../collector/logs/grammar.ts";

export interface Claim {
  readonly id: string;
  /** How many letters of its own the row has in the text: the one with most is meant. */
  readonly letters: number;
}

/** Letters that are given, of a template. */
export const lettersOf = (template: string): number => template.replace(/\{[^}]*\}/g, "").length;

const encoder = new TextEncoder();

/** The rows that fit a message without its prefixes, each once, the one that is meant first. */
export function claimsIn(table: GrammarTable, words: string, hasInstance: boolean): Claim[] {
  const bytes = encoder.encode(words);
  const claims = new Map<string, number>();
  for (const i of table.matcher.all(bytes, 0, bytes.length, hasInstance)) {
    const { id } = table.rowOf(i);
    claims.set(id, Math.max(claims.get(id) ?? 0, lettersOf(table.templates[i] ?? "")));
  }
  return [...claims].map(([id, letters]) => ({ id, letters }));
}
