import { CONTAINER_LINE_MAX_CHARS } from "./container.ts";
import { LINE_MAX_CHARS } from "./layout.ts";

/** What a log line may carry that must not travel on: control characters, halves of characters, passwords. */

const decoder = new TextDecoder("utf-8");

/** C0, DEL and C1 controls, and surrogates without their other half. */
const HARMFUL = /[\p{Cc}\p{Cs}]/gu;

/**
 * `keepalived -d` writes its configuration to the log, up to 2.3.4 with the VRRP password (`   Password = …`); and a
 * complaint about a line of the configuration may quote it. How long it is when cut is not a secret.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/(\bpassword ?[=:] ?)\S.*$/i, "$1<redacted>"],
  // Also misspelt: then it is quoted as a keyword that keepalived does not know.
  [/(\bauth_p\w*[ \t]+)(?!to \d+ characters)\S.*$/, "$1<redacted>"],
];

/** Makes a line harmless to whoever shows it, and takes passwords out. Every control character but the tab becomes U+FFFD. */
export function harmless(text: string): string {
  let safe = text.replace(HARMFUL, (character) => (character === "\t" ? "\t" : "\ufffd"));
  if (!/password|auth_p/i.test(safe)) return safe;
  for (const [secret, instead] of SECRETS) safe = safe.replace(secret, instead);
  return safe;
}

/** The first characters of a text, without half a character at the end. @param max UTF-16 units, which is what the event contract counts */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}

/** What is read of a line. A file cut short under its writer (copytruncate) goes on after a hole, which reads as NULs. */
export function textOf(line: Uint8Array | string): string {
  if (typeof line === "string") {
    const text = line.replace(/^\0+/, "");
    return text.slice(0, charsMax(text.charCodeAt(0))).replace(/\r$/, "");
  }
  const start =
    line[0] === 0
      ? Math.max(
          0,
          line.findIndex((byte) => byte !== 0),
        )
      : 0;
  return decoder.decode(line.subarray(start, start + charsMax(line[start]))).replace(/\r$/, "");
}

/** What docker keeps is JSON: it cannot be read when it is cut. @param first  the line's first character */
const charsMax = (first: number | undefined): number => (first === 0x7b ? CONTAINER_LINE_MAX_CHARS : LINE_MAX_CHARS);
