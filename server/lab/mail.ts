/** A mail that arrived at the laboratory's mail server. */
export interface MailReceipt {
  /** Epoch microseconds. */
  readonly receivedTs: number;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
}

/** The Subject of a mail, unfolded (RFC 5322 section 2.2.3) and with its encoded words decoded (RFC 2047). */
export function subjectOf(mail: string): string {
  const [headers = ""] = mail.split(/\r?\n\r?\n/, 1);
  const unfolded = headers.replaceAll(/\r?\n[ \t]/g, " ");
  const subject = /^subject:[ \t]*(.*)$/im.exec(unfolded)?.[1]?.trim() ?? "";
  // Blanks between two encoded words are not part of the text, and a character may be cut by them.
  return subject.replaceAll(/=\?utf-8\?([qb])\?([^?]*)\?=(?: =\?utf-8\?\1\?[^?]*\?=)*/gi, (words) =>
    Buffer.concat(words.split(" ").map(encodedBytes)).toString("utf8"),
  );
}

function encodedBytes(word: string): Buffer {
  const [, , encoding = "", text = ""] = word.split("?");
  if (encoding.toLowerCase() === "b") return Buffer.from(text, "base64");
  const bytes = text
    .replaceAll("_", " ")
    .replaceAll(/=([0-9A-Fa-f]{2})/g, (_code, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1");
}
