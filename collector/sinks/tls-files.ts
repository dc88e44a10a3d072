import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { messageOf, OperatorError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

export interface TlsFiles {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
}

/** How often it is looked whether the files changed, milliseconds; only when something is to be sent. */
const LOOK_MS = 5_000;

/** What this side of a TLS connection shows, and whom it trusts; read again when one of the files changes. */
export class ClientTls {
  private readonly files: TlsFiles;
  private readonly log: Log;
  private readonly now: () => number;
  private current: SecureContextOptions = {};
  private signs = "";
  private lookedMs = 0;

  private constructor(files: TlsFiles, log: Log, now: () => number) {
    this.files = files;
    this.log = log;
    this.now = now;
  }

  /**
   * @param now  epoch milliseconds
   * @throws OperatorError when a file cannot be read or used
   */
  static async open(files: TlsFiles, deps: { readonly log: Log; readonly now: () => number }): Promise<ClientTls> {
    const made = new ClientTls(files, deps.log, deps.now);
    made.lookedMs = deps.now();
    made.signs = await made.signsNow();
    made.current = await made.read();
    return made;
  }

  /** What to connect with: another object after a change. Files that cannot be used are told of, and the ones before stay in use. */
  async context(): Promise<SecureContextOptions> {
    const elapsed = this.now() - this.lookedMs;
    if (elapsed >= 0 && elapsed < LOOK_MS) return this.current;
    this.lookedMs = this.now();
    const signs = await this.signsNow();
    if (signs === this.signs) return this.current;
    this.signs = signs;
    try {
      this.current = await this.read();
      this.log("info", "the certificates were read again", { table: "server" });
    } catch (error) {
      // A renewal writes one file after the other: those of the next look may fit.
      this.log("error", "the changed certificates cannot be used; the ones before are", { why: messageOf(error) });
    }
    return this.current;
  }

  private async signsNow(): Promise<string> {
    const { ca_file: ca, cert_file: cert, key_file: key } = this.files;
    const stats = await Promise.all(
      [ca, cert, key].map(async (path) => (path === undefined ? undefined : stat(path).catch(() => undefined))),
    );
    return stats.map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeMs}` : "none")).join();
  }

  private async read(): Promise<SecureContextOptions> {
    const { ca_file: caFile, cert_file: certFile, key_file: keyFile } = this.files;
    const context: SecureContextOptions = {
      minVersion: "TLSv1.2",
      ...(caFile === undefined ? {} : { ca: await this.pem("ca_file", caFile) }),
      ...(certFile === undefined ? {} : { cert: await this.pem("cert_file", certFile) }),
      ...(keyFile === undefined ? {} : { key: await this.pem("key_file", keyFile) }),
    };
    for (const [key, path, pem] of [
      ["ca_file", caFile, context.ca],
      ["cert_file", certFile, context.cert],
    ] as const)
      if (path !== undefined) this.checkTime(key, path, pem as Buffer);
    try {
      createSecureContext(context);
    } catch (cause) {
      throw new OperatorError(
        "TLS_UNUSABLE",
        `server: ${[certFile, keyFile, caFile].filter(Boolean).join(", ")} cannot be used together: ${messageOf(cause)}`,
        { cause, remedy: "The key must be the certificate's own, in PEM, without a passphrase" },
      );
    }
    return context;
  }

  private async pem(key: string, path: string): Promise<Buffer> {
    let text: Buffer;
    try {
      text = await readFile(path);
    } catch (cause) {
      throw new OperatorError("TLS_UNREADABLE", `server.${key}: ${path} cannot be read: ${messageOf(cause)}`, {
        cause,
        remedy: "Check the path and the permissions",
      });
    }
    if (!text.includes("-----BEGIN "))
      throw new OperatorError("TLS_UNUSABLE", `server.${key}: ${path} is not PEM`, {
        remedy: "openssl x509 -in FILE -inform DER, or openssl pkey for a key, makes PEM of it",
      });
    return text;
  }

  private checkTime(key: string, path: string, pem: Buffer): void {
    let parsed: X509Certificate;
    try {
      parsed = new X509Certificate(pem);
    } catch (cause) {
      throw new OperatorError("TLS_UNUSABLE", `server.${key}: ${path} holds no certificate`, { cause });
    }
    const fields = { key: `server.${key}`, path, from: parsed.validFrom, until: parsed.validTo };
    if (Date.parse(parsed.validTo) < this.now()) this.log("error", "a certificate has expired", fields);
    else if (Date.parse(parsed.validFrom) > this.now()) this.log("error", "a certificate is not valid yet", fields);
  }
}

/** A sentence for what Node says of a server's certificate; undefined when it says something else. */
export function whyNotTrusted(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return "the server's certificate has expired (ingest.tls.cert_file of the server), or this node's clock is wrong";
    case "CERT_NOT_YET_VALID":
      return "the server's certificate is not valid yet: check both clocks";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `the server's certificate is for other names than that of server.url: ${messageOf(error)}`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return `none of the authorities that are trusted here has signed the server's certificate (${code}): give the one that has as server.ca_file`;
    default:
      return undefined;
  }
}
