import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { messageOf, OperatorError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/** Paths of PEM files, by the key that names each in a table of the configuration. */
export type PemPaths = Readonly<Partial<Record<"cert_file" | "key_file" | "ca_file" | "client_ca_file", string>>>;

export interface PemDeps {
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const DAY_MS = 86_400_000;
/** A certificate that ends within this is warned of, days. */
const ENDS_SOON_DAYS = 14;
const PART_OF = { cert_file: "cert", key_file: "key", ca_file: "ca", client_ca_file: "ca" } as const;

/** One side of a TLS connection as files: certificate, key, and the authorities of the other side. */
export class PemFiles {
  private readonly table: string;
  private readonly paths: readonly (readonly [keyof PemPaths, string])[];
  private readonly options: SecureContextOptions;
  private readonly log: Log;
  private readonly now: () => number;
  private current: SecureContextOptions = {};
  private signs = "";

  private constructor(table: string, paths: PemPaths, options: SecureContextOptions, deps: PemDeps) {
    this.table = table;
    this.paths = (Object.keys(PART_OF) as (keyof PemPaths)[]).flatMap((key) => {
      const path = paths[key];
      return path === undefined ? [] : [[key, path] as const];
    });
    this.options = { minVersion: "TLSv1.2", ...options };
    this.log = deps.log;
    this.now = deps.now;
  }

  /**
   * @param table  where the configuration names the files, for the sentences: `ingest.tls`
   * @param options  what else the connection is made with
   * @throws OperatorError when a file cannot be read or used
   */
  static async open(
    table: string,
    paths: PemPaths,
    deps: PemDeps,
    options: SecureContextOptions = {},
  ): Promise<PemFiles> {
    const made = new PemFiles(table, paths, options, deps);
    made.signs = await made.signsNow();
    made.current = await made.read();
    return made;
  }

  /** What to connect with, or to answer with: another object after a change. */
  context(): SecureContextOptions {
    return this.current;
  }

  /**
   * Reads the files again if they changed. Those that cannot be used are told of, and the ones before stay in use.
   * @returns whether others are in use now
   */
  async look(): Promise<boolean> {
    const signs = await this.signsNow();
    if (signs === this.signs) return false;
    this.signs = signs;
    try {
      this.current = await this.read();
    } catch (error) {
      // A renewal writes one file after the other: those of the next look may fit.
      this.log("error", "the changed certificates cannot be used; the ones before are", { why: messageOf(error) });
      return false;
    }
    this.log("info", "the certificates were read again", { table: this.table });
    return true;
  }

  private async signsNow(): Promise<string> {
    const stats = await Promise.all(this.paths.map(([, path]) => stat(path).catch(() => undefined)));
    return stats.map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeMs}` : "none")).join();
  }

  private async read(): Promise<SecureContextOptions> {
    const context: SecureContextOptions = { ...this.options };
    for (const [key, path] of this.paths) {
      const pem = await this.pem(key, path);
      if (key !== "key_file") this.checkTime(key, path, pem);
      context[PART_OF[key]] = pem;
    }
    try {
      createSecureContext(context);
    } catch (cause) {
      throw new OperatorError(
        "TLS_UNUSABLE",
        `${this.table}: ${this.paths.map(([, path]) => path).join(", ")} cannot be used together: ${messageOf(cause)}`,
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
