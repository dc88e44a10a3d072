/** A mail that arrived at the laboratory's mail server. */
export interface MailReceipt {
  /** Epoch microseconds. */
  readonly receivedTs: number;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
}

/** The Subject of a mail as it was sent, unfolded (RFC 5322 section 2.2.3). */
export function subjectOf(mail: string): string {
  const [headers = ""] = mail.split(/\r?\n\r?\n/, 1);
  const unfolded = headers.replaceAll(/\r?\n[ \t]/g, " ");
  return /^subject:[ \t]*(.*)$/im.exec(unfolded)?.[1]?.trim() ?? "";
}
