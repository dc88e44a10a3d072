/**
 * Words of a configuration line that are or may be secrets, by what stands before them: for lines of which nothing else is known,
 * as comments, what is for another node, and arguments of commands.
 */

export const REDACTED = "[redacted]";

/** Words after which a secret stands, however they are misspelt. */
const SECRET_NAME =
  /pass|authorization|bearer|pas_?wo?r?d|secret|token|credential|hmac|(?:^|[_$])pw|auth_?pa|(?:^|[_$-])key(?:$|[_=:-])/i;
/** Values of `auth_type`, names of programs, and words that only begin alike are none. */
const NOT_SECRET = /^(?:PASS|AH|\/\S*|(?:by|com)pass\S*|pass(?:ive|ed|es|ing|through)\S*)$/i;

/** Options whose value is a password, by a word of the usual clients that have them. */
const SECRET_OPTIONS: readonly (readonly [client: RegExp, option: RegExp])[] = [
  [/redis|valkey/i, /^-a$/],
  [/ldap/i, /^-w$/],
  [/snmp/i, /^-[cAX]$/],
  [/ipmi/i, /^-P$/],
  [/mysql|maria|mongo|sshpass|psql/i, /^-p$/],
];
/** mysql's way: glued to its option. */
const GLUED_OPTION = /^-p(?=.)/;
const GLUES = /mysql|maria|sshpass/i;
/** curl's: a name and a password. */
const USER_OPTION = /^(?:-u|-U|--user|--proxy-user)$/;

export const isSecretName = (word: string): boolean => SECRET_NAME.test(word) && !NOT_SECRET.test(word);

/**
 * Stretches of a line that are or may be secrets: [from, to).
 * @param before  the line before: its last word may be what the secret belongs to
 * @param names   definitions whose values are secrets
 */
export function secretsIn(line: string, before: string, names: ReadonlySet<string>): [number, number][] {
  const found: [number, number][] = [];
  const last = wordsIn(before).at(-1);
  const lastWord = last && (withinQuotes(last).at(-1)?.text ?? last.text);
  const options = SECRET_OPTIONS.filter(([client]) => client.test(line)).map(([, option]) => option);
  const isGlued = GLUES.test(line);
  let isSecret = lastWord !== undefined && isSecretName(lastWord) && !lastWord.includes("=");
  let optionBefore = "";
  const look = (word: Stretch): void => {
    const { text, from, to } = word;
    if (isSecret) {
      found.push([from, to]);
      return;
    }
    const option = optionBefore;
    optionBefore = text;
    if (options.some((one) => one.test(option)) || (USER_OPTION.test(option) && text.includes(":"))) {
      found.push([from, to]);
      return;
    }
    if (text.startsWith('"') && /\s/.test(text)) {
      for (const inner of withinQuotes(word)) look(inner);
      return;
    }
    const value = valueIn(text, names);
    if (value !== undefined) {
      if (value < text.length) found.push([from + value, to]);
      isSecret = mayHaveBlanks(text, value, line);
      return;
    }
    if (isGlued && GLUED_OPTION.test(text)) {
      found.push([from + 2, to]);
      return;
    }
    const url = credentialsIn(text);
    if (url) found.push([from + url[0], from + url[1]]);
    isSecret = isSecretName(text);
  };
  for (const word of wordsIn(line)) look(word);
  return found;
}

/** Whether a value that is given with its name may go on behind a blank: not that of an option or of a variable. */
function mayHaveBlanks(word: string, value: number, line: string): boolean {
  return (
    value >= word.length ||
    word.startsWith("$") ||
    /[:'"]/.test(word.slice(value - 1, value + 1)) ||
    /^\s*[#!@$]/.test(line)
  );
}

/** Where in a word the value of a secret begins: behind `name=` or `name:`, also in a query. */
function valueIn(text: string, names: ReadonlySet<string>): number | undefined {
  let start = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charAt(i);
    if (c === "=" || c === ":") {
      const name = text.slice(start, i);
      if (i > start && (isSecretName(name) || (c === "=" && names.has(name.replace("$", ""))))) return i + 1;
    }
    if ("=:?&;,'\"(".includes(c)) start = i + 1;
  }
  return undefined;
}

/** Who and with what password, in front of the host of an address: up to the last @, as there may be one in the password. */
function credentialsIn(text: string): [number, number] | undefined {
  const start = text.indexOf("://") + 3;
  const end = text.lastIndexOf("@");
  if (start < 3 || end <= start) return undefined;
  const found = text.slice(start, end);
  return found.includes(":") || !found.includes("/") ? [start, end] : undefined;
}

/** Blocks in which any word that is not known may be a password whose line was broken, and what is known in them. */
const SECRET_BLOCK = /^\s*(?:authentication|auth_hmac|SSL)\b/;
const KNOWN_IN_SECRET_BLOCK =
  /^\s*(?:auth_type|auth_pass|key|active_key|time_window|anti_replay|mode|password|ca|certificate)(?=\s|$)|^\s*[{}]/;
/** How far above a line its block is sought. */
const BLOCK_ROWS_MAX = 50;

/** Whether a line may be the rest of a password. @param at  from 1 */
export function mayBeSecret(rows: readonly string[], at: number): boolean {
  const row = rows[at - 1] ?? "";
  if (KNOWN_IN_SECRET_BLOCK.test(row) || SECRET_BLOCK.test(row)) return false;
  for (let i = at - 2; i >= Math.max(0, at - 1 - BLOCK_ROWS_MAX); i--) {
    const above = rows[i] ?? "";
    if (SECRET_BLOCK.test(above)) return true;
    if (/^[^#!"]*\}/.test(above)) return false;
  }
  return false;
}

interface Stretch {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** A command and its arguments stand in one pair of quotes. */
function withinQuotes({ text, from }: Stretch): Stretch[] {
  return [...text.matchAll(/[^\s"]+/g)].map(({ 0: inner, index }) => ({
    text: inner,
    from: from + index,
    to: from + index + inner.length,
  }));
}

export function wordsIn(line: string): Stretch[] {
  return [...line.matchAll(/"[^"]*"?|[^\s{}"]+/g)].map(({ 0: text, index }) => ({
    text,
    from: index,
    to: index + text.length,
  }));
}

/** Control characters, what turns the direction of writing, invisible marks, and bytes that are no UTF-8. */
export function isHarmful(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code <= 0x9f) ||
    code === 0xad ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff ||
    (code >= 0xd800 && code <= 0xdfff) ||
    (code >= 0xfff0 && code <= 0xfffc)
  );
}
