import { constants } from "node:crypto";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { type PemDeps, PemFiles } from "../collector/sinks/pem-files.ts";

export interface TlsFiles {
  readonly cert_file: string;
  readonly key_file: string;
  readonly client_ca_file?: string;
}

/** How often the files are looked at, milliseconds. */
const LOOK_MS = 5_000;

/** A server's certificate, key and the authorities of its clients, read again when one of the files changes. */
export class Certificates {
  private readonly files: PemFiles;
  private readonly hearers = new Set<(context: SecureContextOptions) => void>();
  private readonly timer: NodeJS.Timeout;

  private constructor(files: PemFiles) {
    this.files = files;
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /**
   * @param table  where the configuration names the files, for the sentences: `tls`
   * @throws OperatorError when a file cannot be read or used
   */
  static async open(files: TlsFiles, table: string, deps: PemDeps): Promise<Certificates> {
    // A session that is resumed would not be asked for its certificate again.
    const options = { secureOptions: constants.SSL_OP_NO_TICKET };
    return new Certificates(await PemFiles.open(table, files, deps, options));
  }

  context(): SecureContextOptions {
    return this.files.context();
  }

  /** Hears of each new set of files that can be used. */
  onChange(hear: (context: SecureContextOptions) => void): void {
    this.hearers.add(hear);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (await this.files.look()) for (const hear of this.hearers) hear(this.files.context());
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
