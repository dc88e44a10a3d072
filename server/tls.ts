import { constants, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import { messageOf, OperatorError } from "../collector/core/errors.ts";
import type { Log } from "../collector/core/log.ts";

export interface TlsFiles {
  readonly cert_file: string;
  readonly key_file: string;
  readonly client_ca_file?: string;
}

/** How often the files are looked at, milliseconds. */
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
/** A certificate that ends within this is warned of, days. */
const ENDS_SOON_DAYS = 14;

/** A server's certificate, key and the authorities of its clients, read again when one of the files changes. */
export class Certificates {
  private readonly files: TlsFiles;
  private readonly table: string;
  private readonly log: Log;
  private readonly now: () => number;
  private readonly hearers = new Set<(context: SecureContextOptions) => void>();
  private current: SecureContextOptions = {};
  private signs = "";
  private timer: NodeJS.Timeout | undefined;

  /** @param now  epoch milliseconds */
  private constructor(files: TlsFiles, table: string, log: Log, now: () => number) {
    this.files = files;
    this.table = table;
    this.log = log;
    this.now = now;
  }

  /**
   * @param table  where the configuration names the files, for the sentences: `tls`
   * @throws OperatorError when a file cannot be read or used
   */
  static async open(files: TlsFiles, table: string, deps: { log: Log; now: () => number }): Promise<Certificates> {
    const made = new Certificates(files, table, deps.log, deps.now);
    made.signs = await made.signsNow();
    made.current = await made.read();
    made.timer = setInterval(() => void made.look(), LOOK_MS).unref();
    return made;
  }

  context(): SecureContextOptions {
    return this.current;
  }

  /** Hears of each new set of files that can be used. */
  onChange(hear: (context: SecureContextOptions) => void): void {
    this.hearers.add(hear);
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Reads the files again if they changed. Those that cannot be used are told of, and the ones before stay in use. */
  async look(): Promise<void> {
    const signs = await this.signsNow();
    if (signs === this.signs) return;
    try {
      this.current = await this.read();
      this.signs = signs;
      for (const hear of this.hearers) hear(this.current);
      this.log("info", "the certificates were read again", { table: this.table });
    } catch (error) {
      // A renewal writes one file after the other: those of the next look may fit.
      this.log("error", "the changed certificates cannot be used; the ones before are", { why: messageOf(error) });
      this.signs = signs;
    }
  }

  private async signsNow(): Promise<string> {
    const { cert_file: cert, key_file: key, client_ca_file: ca } = this.files;
    const stats = await Promise.all(
      [cert, key, ...(ca === undefined ? [] : [ca])].map((path) => stat(path).catch(() => undefined)),
    );
    return stats.map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeMs}` : "none")).join();
  }

  private async read(): Promise<SecureContextOptions> {
    const { cert_file: certFile, key_file: keyFile, client_ca_file: caFile } = this.files;
    const cert = await this.pem("cert_file", certFile);
    const key = await this.pem("key_file", keyFile);
    const ca = caFile === undefined ? undefined : await this.pem("client_ca_file", caFile);
    this.checkTime("cert_file", certFile, cert);
    if (ca !== undefined) this.checkTime("client_ca_file", caFile ?? "", ca);
    const context: SecureContextOptions = {
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      minVersion: "TLSv1.2",
      // A session that is resumed would not be asked for its certificate again.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
    try {
      createSecureContext(context);
    } catch (cause) {
      throw new OperatorError(
        "TLS_UNUSABLE",
        `${this.table}: ${certFile} and ${keyFile} cannot be used together: ${messageOf(cause)}`,
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
      throw new OperatorError("TLS_UNREADABLE", `${this.table}.${key}: ${path} cannot be read: ${messageOf(cause)}`, {
        cause,
        remedy: "Check the path and the permissions",
      });
    }
    if (!text.includes("-----BEGIN "))
      throw new OperatorError("TLS_UNUSABLE", `${this.table}.${key}: ${path} is not PEM`, {
        remedy: "openssl x509 -in FILE -inform DER, or openssl pkey for a key, makes PEM of it",
      });
    return text;
  }

  private checkTime(key: string, path: string, pem: Buffer): void {
    let parsed: X509Certificate;
    try {
      parsed = new X509Certificate(pem);
    } catch (cause) {
      throw new OperatorError("TLS_UNUSABLE", `${this.table}.${key}: ${path} holds no certificate`, { cause });
    }
    const days = Math.floor((Date.parse(parsed.validTo) - this.now()) / DAY_MS);
    const fields = { key: `${this.table}.${key}`, path, until: parsed.validTo };
    if (days < 0) this.log("error", "a certificate has expired: nobody who checks it will go on", fields);
    else if (Date.parse(parsed.validFrom) > this.now())
      this.log("error", "a certificate is not valid yet", { ...fields, from: parsed.validFrom });
    else if (days < ENDS_SOON_DAYS) this.log("warn", "a certificate ends soon", { ...fields, days });
  }
}

/** What a client's certificate shows of it. */
export type ClientCertificate =
  | { readonly state: "none" }
  | { readonly state: "refused"; readonly why: string }
  | { readonly state: "accepted"; readonly names: readonly string[] };

/** The names a verified certificate is for: its DNS names, or where it has none, as RFC 6125 has it, its common name. */
export function clientCertificate(socket: TLSSocket): ClientCertificate {
  const peer = socket.getPeerX509Certificate();
  if (!peer) return { state: "none" };
  if (!socket.authorized) return { state: "refused", why: whyRefused(String(socket.authorizationError ?? "")) };
  const { subject } = socket.getPeerCertificate();
  const alternative = [...(peer.subjectAltName ?? "").matchAll(/DNS:([^,\s"]+)/g)].map(([, name = ""]) => name);
  const common = [subject?.CN ?? []].flat();
  return { state: "accepted", names: alternative.length > 0 ? alternative : common };
}

/** A sentence for OpenSSL's word on a certificate. */
export function whyRefused(code: string): string {
  switch (code.replace(/^Error: /, "")) {
    case "CERT_HAS_EXPIRED":
      return "it has expired";
    case "CERT_NOT_YET_VALID":
      return "it is not valid yet: check both clocks";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return `none of the authorities that are trusted here has signed it (${code})`;
    case "INVALID_PURPOSE":
      return "it is not made for clients (extendedKeyUsage)";
    default:
      return code === "" ? "it cannot be verified" : code;
  }
}
