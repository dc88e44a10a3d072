import type { SecureContextOptions } from "node:tls";
import { messageOf } from "../core/errors.ts";
import { type PemDeps, PemFiles } from "./pem-files.ts";

export interface TlsFiles {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
}

/** How often it is looked whether the files changed, milliseconds; only when something is to be sent. */
const LOOK_MS = 5_000;

/** What this side of a TLS connection shows, and whom it trusts; read again when one of the files changes. */
export class ClientTls {
  private readonly files: PemFiles;
  private readonly now: () => number;
  private lookedMs: number;

  private constructor(files: PemFiles, now: () => number) {
    this.files = files;
    this.now = now;
    this.lookedMs = now();
  }

  /** @throws OperatorError when a file cannot be read or used */
  static async open(files: TlsFiles, deps: PemDeps): Promise<ClientTls> {
    return new ClientTls(await PemFiles.open("server", files, deps), deps.now);
  }

  /** What to connect with: another object after a change. */
  async context(): Promise<SecureContextOptions> {
    const elapsed = this.now() - this.lookedMs;
    if (elapsed < 0 || elapsed >= LOOK_MS) {
      this.lookedMs = this.now();
      await this.files.look();
    }
    return this.files.context();
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
