/** An SMTP server's replies, as keepalived's SMTP_CHECK reads them. (RFC 5321 section 4.2; keepalived 2.2.7, check/check_smtp.c) */

/** Bytes of one reply, all its lines together. */
export const REPLY_BYTES_MAX = 64 * 1024;

export type SmtpReply = { readonly code: number } | { readonly fault: "overflow" | "no-code" };

/** Reads one reply piece by piece; what comes behind it is dropped, as a server that speaks out of turn deserves. */
export class SmtpReader {
  private line = "";
  private bytes = 0;

  /** @returns undefined while the reply is not whole */
  push(bytes: Uint8Array): SmtpReply | undefined {
    this.bytes += bytes.length;
    if (this.bytes > REPLY_BYTES_MAX) return { fault: "overflow" };
    const lines = (this.line + Buffer.from(bytes).toString("latin1")).split("\n");
    this.line = lines.pop() ?? "";
    for (const line of lines) {
      const [, code, more] = /^(\d{3})(-?)/.exec(line) ?? [];
      if (code === undefined) return { fault: "no-code" };
      if (more === "") return { code: Number(code) };
    }
    return undefined;
  }
}
