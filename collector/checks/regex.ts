import { encodeBytes } from "../conf/text.ts";

/**
 * PCRE2 patterns as JavaScript's, where both mean the same. What they read differently is translated when that is exact, and
 * refused with a reason otherwise: a check that is left out is better than one that answers wrongly. The subject is bytes,
 * one a character, as PCRE2 sees them without its utf option.
 */
export type Translated = { readonly source: string; readonly flags: string } | { readonly unsupported: string };

/** They change which match is found, or how fast: never whether there is one. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "ungreedy",
  "no_auto_capture",
  "no_auto_possess",
  "no_dotstar_anchor",
  "no_start_optimize",
  "auto_callout",
  "dupnames",
  "never_utf",
  "never_ucp",
  "never_backslash_c",
  "use_offset_limit",
]);
const TRANSLATED: ReadonlySet<string> = new Set(["caseless", "multiline", "dotall", "dollar_endonly"]);

const PATTERN_MAX_CHARS = 4_096;
const AT_START = "(?<![\\s\\S])";
const AT_END = "(?![\\s\\S])";
const BEFORE_LAST_NEWLINE = "(?=\\n?(?![\\s\\S]))";
/** Without utf these are the ASCII ones, and no others. */
const SPACES = "\\t-\\r ";
/** Escapes that mean the same in both, outside a class and within. */
const SAME_ESCAPES = /^[dDwWnrtf]$/;
const HEX = /^x[0-9a-fA-F]{2}$/;

export function translatePcre(pattern: string, options: readonly string[]): Translated {
  if (pattern.length > PATTERN_MAX_CHARS) return { unsupported: `it has more than ${PATTERN_MAX_CHARS} characters` };
  for (const option of options)
    if (!WITHOUT_EFFECT.has(option) && !TRANSLATED.has(option)) return { unsupported: `the option ${option}` };
  const bytes = Buffer.from(encodeBytes(pattern)).toString("latin1");
  const caseless = options.includes("caseless");
  if (caseless && (/\\x[89a-f]/i.test(bytes) || Buffer.byteLength(bytes) > bytes.length))
    return { unsupported: "capital and small letters beyond ASCII are not the same to both" };
  const translator = new Translator(bytes, {
    multiline: options.includes("multiline"),
    dotall: options.includes("dotall"),
    dollarEndOnly: options.includes("dollar_endonly"),
  });
  const source = translator.run();
  if (typeof source !== "string") return source;
  const flags = caseless ? "gi" : "g";
  try {
    return { source: new RegExp(source, flags).source, flags };
  } catch {
    return { unsupported: "it is no regular expression to JavaScript" };
  }
}

interface Modes {
  readonly multiline: boolean;
  readonly dotall: boolean;
  readonly dollarEndOnly: boolean;
}

class Translator {
  private readonly text: string;
  private readonly modes: Modes;
  private at = 0;
  private unsupported: string | undefined;

  constructor(text: string, modes: Modes) {
    this.text = text;
    this.modes = modes;
  }

  run(): string | { readonly unsupported: string } {
    let out = "";
    while (this.at < this.text.length && this.unsupported === undefined) out += this.one();
    return this.unsupported === undefined ? out : { unsupported: this.unsupported };
  }

  private one(): string {
    const c = this.text[this.at] ?? "";
    const { multiline, dotall, dollarEndOnly } = this.modes;
    switch (c) {
      case "\\":
        return this.escape();
      case "[":
        return this.characterClass();
      case "(":
        return this.group();
      case ".":
        return this.take(1, dotall ? "[\\s\\S]" : "[^\\n]");
      case "^":
        return this.take(1, multiline ? `(?:${AT_START}|(?<=\\n)(?=[\\s\\S]))` : AT_START);
      case "$":
        if (multiline) return this.take(1, `(?=\\n|${AT_END})`);
        return this.take(1, dollarEndOnly ? AT_END : BEFORE_LAST_NEWLINE);
      case "*":
      case "+":
      case "?":
        return this.quantifier(1);
      case "{":
        return this.braces();
      default:
        return this.take(1, c === "/" ? "\\/" : c);
    }
  }

  private take(length: number, out: string): string {
    this.at += length;
    return out;
  }

  private refuse(why: string): string {
    this.unsupported ??= why;
    this.at = this.text.length;
    return "";
  }

  private quantifier(length: number): string {
    const text = this.text.slice(this.at, this.at + length);
    const behind = this.text[this.at + length];
    if (behind === "+") return this.refuse("possessive quantifiers");
    return behind === "?" ? this.take(length + 1, `${text}?`) : this.take(length, text);
  }

  private braces(): string {
    const counted = /^\{\d{1,5}(?:,\d{0,5})?\}/.exec(this.text.slice(this.at))?.[0];
    if (counted !== undefined) return this.quantifier(counted.length);
    return /^\{ *,? *\d/.test(this.text.slice(this.at)) ? this.refuse("this form of { }") : this.take(1, "\\{");
  }

  private group(): string {
    const rest = this.text.slice(this.at);
    if (rest.startsWith("(*")) return this.refuse("verbs such as (*UTF)");
    if (!rest.startsWith("(?")) return this.take(1, "(?:");
    for (const same of ["(?:", "(?=", "(?!"]) if (rest.startsWith(same)) return this.take(3, same);
    const named = /^\(\?(?:P?<[A-Za-z_]\w{0,31}>|'[A-Za-z_]\w{0,31}')/.exec(rest)?.[0];
    if (named !== undefined) return this.take(named.length, "(?:");
    return this.refuse(`groups that begin with ${rest.slice(0, 3)}`);
  }

  private escape(): string {
    const c = this.text[this.at + 1] ?? "";
    if (c === "A") return this.take(2, AT_START);
    if (c === "z") return this.take(2, AT_END);
    if (c === "Z") return this.take(2, BEFORE_LAST_NEWLINE);
    if (c === "b" || c === "B") return this.take(2, `\\${c}`);
    if (c === "s") return this.take(2, `[${SPACES}]`);
    if (c === "S") return this.take(2, `[^${SPACES}]`);
    return this.commonEscape();
  }

  private commonEscape(): string {
    const c = this.text[this.at + 1] ?? "";
    if (SAME_ESCAPES.test(c)) return this.take(2, `\\${c}`);
    const hex = this.text.slice(this.at + 1, this.at + 4);
    if (HEX.test(hex)) return this.take(4, `\\${hex}`);
    return /^[^A-Za-z0-9]$/.test(c) ? this.take(2, `\\${c}`) : this.refuse(`the escape \\${c}`);
  }

  private characterClass(): string {
    let out = this.text[this.at + 1] === "^" ? this.take(2, "[^") : this.take(1, "[");
    if (this.text[this.at] === "]") return this.refuse("a class that begins with ]");
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) return this.refuse("a class that is not closed");
      if (c === "]") return this.take(1, `${out}]`);
      if (c === "[" && /^\[[:.=]/.test(this.text.slice(this.at))) return this.refuse("classes such as [:alpha:]");
      if (c !== "\\") out += this.take(1, c === "[" ? "\\[" : c);
      else if (this.text[this.at + 1] === "s") out += this.take(2, SPACES);
      else out += this.commonEscape();
    }
  }
}
