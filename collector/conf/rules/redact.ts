import type { ConfNode } from "../parser.ts";

/** Keywords, also misspelt ones, after which the rest of a line is nobody else's business. */
const SECRET = /^auth_(?!type$|hmac$)|pass|^key$|secret/i;

/**
 * Hides passwords in a message. Where braces are missing a password is read as a member, an address or a name, and a rule
 * that complains about it would show it.
 */
export function redactorOf(roots: readonly ConfNode[]): (text: string) => string {
  const secrets = new Set<string>();
  collect(roots, secrets);
  if (secrets.size === 0) return (text) => text;
  return (text) => text.replace(/[^\s"']+/g, (word) => (isSecret(word, secrets) ? "(not shown)" : word));
}

function collect(nodes: readonly ConfNode[], secrets: Set<string>): void {
  for (const { keyword, values, children } of nodes) {
    const words = [keyword, ...values];
    const at = words.findIndex(({ text }) => SECRET.test(text));
    if (at >= 0) for (const { text } of words.slice(at + 1)) if (text.length > 1) secrets.add(text);
    if (children) collect(children, secrets);
  }
}

function isSecret(word: string, secrets: ReadonlySet<string>): boolean {
  return secrets.has(word) || secrets.has(word.replace(/[:;,.)]{1,3}$/, "")) || secrets.has(word.replace(/^\(/, ""));
}
