import type { Located, LocatedText } from "./located.ts";

/** systemd.syntax(7): what systemd itself does with quotes, escapes, variables and specifiers. Nothing here is a shell. */

const SPACE = /[ \t\n\r]/;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
  s: " ",
};
/** Digits after \x, \u, \U, and the base. */
const NUMERIC_ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** A word of a value; a `;` by itself ends one command and begins the next. */
export interface SystemdWord extends Located {
  readonly separates?: true;
  /** A quote that is never closed. */
  readonly isOpen?: true;
}

/** Splits a value into words, with quotes and C escapes taken off. An unknown escape stays as it is written. */
export function systemdWords(value: LocatedText): SystemdWord[] {
  const text = value.text;
  const words: SystemdWord[] = [];
  let i = 0;
  while (i < text.length) {
    while (i < text.length && SPACE.test(text[i] ?? "")) i += 1;
    if (i >= text.length) break;
    const start = i;
    const escaped = text.startsWith("\\;", i) ? 1 : 0;
    if (text[i + escaped] === ";" && (i + escaped + 1 >= text.length || SPACE.test(text[i + escaped + 1] ?? ""))) {
      words.push({ text: ";", at: value.at(start), ...(escaped ? {} : { separates: true }) });
      i += escaped + 1;
      continue;
    }
    let word = "";
    let quote = "";
    for (; i < text.length; i++) {
      const char = text[i] ?? "";
      if (char === "\\") {
        const [decoded, length] = unescape(text, i);
        word += decoded;
        i += length - 1;
      } else if (quote !== "") {
        if (char === quote) quote = "";
        else word += char;
      } else if (char === '"' || char === "'") quote = char;
      else if (SPACE.test(char)) break;
      else word += char;
    }
    words.push({ text: word, at: value.at(start), ...(quote === "" ? {} : { isOpen: true }) });
  }
  return words;
}

/** @returns what the escape at `at` stands for, and how many characters it takes */
function unescape(text: string, at: number): [string, number] {
  const letter = text[at + 1];
  if (letter === undefined) return ["\\", 1];
  const simple = SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return [simple, 2];
  const digits = NUMERIC_ESCAPES[letter];
  if (digits !== undefined) {
    const hex = text.slice(at + 2, at + 2 + digits);
    const code = hex.length === digits && /^[0-9a-fA-F]+$/.test(hex) ? Number.parseInt(hex, 16) : 0;
    if (code > 0 && code <= 0x10ffff) return [String.fromCodePoint(code), 2 + digits];
  } else {
    const octal = text.slice(at + 1, at + 4);
    if (/^[0-7]{3}$/.test(octal) && octal !== "000") return [String.fromCharCode(Number.parseInt(octal, 8) & 0xff), 4];
  }
  return [`\\${letter}`, 2];
}

/** A variable of the service's environment, and where it was set. */
export interface Variable extends Located {
  readonly name: string;
  /** Knows for each character where it stands. */
  readonly value?: LocatedText;
}

/** Most words of one command line. */
const WORDS_MAX = 4096;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * A command line's variables: `$NAME` as a word of its own becomes the value's words, none when it is unset or empty;
 * `${NAME}` anywhere becomes exactly the value; `$NAME` inside a word stays as it is; `$$` is a dollar sign.
 * @param used  is told each name that was asked for
 */
export function expandVariables(
  words: readonly Located[],
  variables: ReadonlyMap<string, Variable>,
  used: (name: string) => void,
): Located[] {
  const result: Located[] = [];
  for (const word of words) {
    if (result.length > WORDS_MAX) break;
    const { text } = word;
    if (text.startsWith("$") && text[1] !== "{" && text[1] !== "$") {
      const name = text.slice(1);
      used(name);
      const variable = variables.get(name);
      if (variable === undefined) continue;
      for (const [one, from] of splitValue(variable.text)) {
        const at = variable.value?.at(from) ?? variable.at ?? word.at;
        result.push({ text: one, ...(at === undefined ? {} : { at }) });
      }
    } else result.push({ ...word, text: expandBraced(text, variables, used) });
  }
  return result;
}

function expandBraced(text: string, variables: ReadonlyMap<string, Variable>, used: (name: string) => void): string {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    const close = text.startsWith("${", i) ? text.indexOf("}", i) : -1;
    const name = close > 0 ? text.slice(i + 2, close) : "";
    if (text.startsWith("$$", i)) {
      result += "$";
      i += 1;
    } else if (close > 0 && VARIABLE_NAME.test(name)) {
      used(name);
      result += variables.get(name)?.text ?? "";
      i = close;
    } else result += text[i] ?? "";
  }
  return result;
}

/** A variable's value as words, each with its offset: quotes are taken off, a backslash keeps the next character. */
function splitValue(value: string): [word: string, from: number][] {
  const words: [string, number][] = [];
  let word: string | undefined;
  let from = 0;
  let quote = "";
  const add = (char: string, at: number): void => {
    if (word === undefined) from = at;
    word = (word ?? "") + char;
  };
  for (let i = 0; i < value.length && words.length < WORDS_MAX; i++) {
    const char = value[i] ?? "";
    if (char === "\\" && i + 1 < value.length) {
      add(value[i + 1] ?? "", i);
      i += 1;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else add(char, i);
    } else if (char === '"' || char === "'") {
      quote = char;
      add("", i);
    } else if (SPACE.test(char)) {
      if (word !== undefined) words.push([word, from]);
      word = undefined;
    } else add(char, i);
  }
  if (word !== undefined) words.push([word, from]);
  return words;
}

/** `%i` and its like. A specifier that only the living machine knows stays as it is written. */
export function expandSpecifiers(text: string, unit: string, hostname: string | undefined): string {
  if (!text.includes("%")) return text;
  const full = unit.slice(0, Math.max(0, unit.lastIndexOf("."))) || unit;
  const at = full.indexOf("@");
  const prefix = at < 0 ? full : full.slice(0, at);
  const instance = at < 0 ? "" : full.slice(at + 1);
  const values: Readonly<Record<string, string | undefined>> = {
    "%": "%",
    n: unit,
    N: full,
    p: prefix,
    P: unescapeName(prefix),
    i: instance,
    I: unescapeName(instance),
    j: prefix.slice(prefix.lastIndexOf("-") + 1),
    J: unescapeName(prefix.slice(prefix.lastIndexOf("-") + 1)),
    f: `/${unescapeName(instance || prefix)}`,
    H: hostname,
    l: hostname?.split(".")[0],
    t: "/run",
    S: "/var/lib",
    C: "/var/cache",
    L: "/var/log",
    E: "/etc",
    T: "/tmp",
    V: "/var/tmp",
    u: "root",
    U: "0",
    g: "root",
    G: "0",
    h: "/root",
    s: "/bin/sh",
  };
  return text.replace(/%(.)/gs, (whole, letter: string) => values[letter] ?? whole);
}

/** systemd-escape(1) backwards: `-` is a slash, `\x2d` a dash. */
function unescapeName(name: string): string {
  return name
    .replaceAll("-", "/")
    .replace(/\\x([0-9a-fA-F]{2})/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
