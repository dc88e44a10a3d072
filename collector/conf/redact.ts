import type { ConfTree } from "./parser.ts";

/**
 * Messages quote what keepalived would read, also where definitions are put together to a password: what these stand for is hidden.
 */

const HIDDEN = "(not shown)";
/** How often a definition may stand for another one. */
const INDIRECTIONS_MAX = 8;
/** Shorter pieces are found everywhere. */
const PIECE_MIN = 4;
/** Of one piece, and of all together, so many letters are known. A configuration with more is none, and its messages are not shown. */
const PIECE_LETTERS_MAX = 1024;
const LETTERS_MAX = 1_000_000;

/** Also one that is for other nodes. */
export const DEFINITION = /^\s*(?:@\S*\s+)?\$(\w{1,80})\s*=(.*)/;

/** Hides in a message what definitions of passwords, or of parts of them, stand for. */
export function messageRedactor({ files }: Pick<ConfTree, "files">): (message: string) => string {
  const rows = files.flatMap(({ text }) => text.split(/\r?\n/));
  const pieces = piecesOf(rows, secretNames(rows));
  if (pieces.size === 0) return (message) => message;
  const begin: Letters = { next: new Map(), isEnd: false };
  let letters = 0;
  for (const piece of pieces) {
    letters += piece.length;
    if (letters > LETTERS_MAX) return () => HIDDEN;
    addLetters(begin, piece);
  }
  return (message) => withoutPieces(message, begin);
}

/** Names of the definitions that stand for a password, or for a part of one. */
export function secretNames(rows: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  const addAll = (where: string): void => {
    for (const [, name] of where.matchAll(/\$\{?(\w{1,80})/g)) if (name !== undefined) names.add(name);
  };
  for (const row of rows) addAll(/\b(?:auth_pass|password|key)[ \t](.*)/.exec(row)?.[1] ?? "");
  for (let i = 0, before = -1; i < INDIRECTIONS_MAX && before !== names.size; i += 1) {
    before = names.size;
    for (const row of rows) {
      const [, name = "", value = ""] = DEFINITION.exec(row) ?? [];
      if (names.has(name)) addAll(value);
    }
  }
  return names;
}

/** What they stand for, with the lines on which they go on. */
function piecesOf(rows: readonly string[], names: ReadonlySet<string>): ReadonlySet<string> {
  const pieces = new Set<string>();
  let goesOn = false;
  for (const row of rows) {
    const [, name, value = ""] = DEFINITION.exec(row) ?? [];
    const isSecret: boolean = name === undefined ? goesOn : names.has(name);
    if (isSecret)
      for (const piece of (name === undefined ? row : value).split(/[\s{}"\\]+/))
        if (piece.length >= PIECE_MIN && !piece.startsWith("$")) pieces.add(piece.slice(0, PIECE_LETTERS_MAX));
    goesOn = isSecret && /\\\s*$/.test(row);
  }
  return pieces;
}

/** Pieces as a tree of their letters: a message is looked through in the same time for one of them and for a hundred thousand. */
export interface Letters {
  readonly next: Map<string, Letters>;
  isEnd: boolean;
}

export function addLetters(begin: Letters, piece: string): void {
  let at = begin;
  for (const letter of piece.split("")) {
    let next = at.next.get(letter);
    if (!next) at.next.set(letter, (next = { next: new Map(), isEnd: false }));
    at = next;
  }
  at.isEnd = true;
}

/** The longest piece at each place is hidden, and at the end the begin of one: messages are cut. */
function withoutPieces(message: string, begin: Letters): string {
  let shown = "";
  for (let i = 0; i < message.length; ) {
    let end = i;
    let at: Letters | undefined = begin;
    for (let j = i; at && j < message.length; ) {
      at = at.next.get(message.charAt(j));
      j += 1;
      if (at && (at.isEnd || (j === message.length && j - i >= PIECE_MIN))) end = j;
    }
    shown += end > i ? HIDDEN : message.charAt(i);
    i = Math.max(end, i + 1);
  }
  return shown;
}
