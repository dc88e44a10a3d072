import type { SourceLocation } from "../../core/errors.ts";
import type { Family } from "../../events/event.ts";
import type { Command } from "./types.ts";

/**
 * Virtual servers as keepalived will run them, with what each checker inherits filled in: the checker's own setting, else the
 * real server's, else the virtual server's, else the default. Durations are in microseconds. (keepalived 2.2.7, check/)
 */
export interface VirtualServer {
  /** As the file names it: `10.0.0.1 80`, `fwmark 1`, `group NAME`. */
  readonly name: string;
  readonly at: SourceLocation;
  readonly kind: "address" | "fwmark" | "group";
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly fwmark: number | undefined;
  readonly group: string | undefined;
  /** Of the virtual_server_group; empty for the other kinds, and for a group that is not defined. */
  readonly groupEntries: readonly GroupEntry[];
  readonly family: Family | undefined;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly scheduler: string;
  readonly method: string;
  readonly delayLoopUs: number;
  /** At most the weights of all real servers. */
  readonly quorum: number;
  /** Less than the quorum. */
  readonly hysteresis: number;
  readonly sorryServer: string | undefined;
  readonly sorry: SorryServer | undefined;
  /** Its checkers run only while one of its addresses is on this node. */
  readonly haSuspend: boolean;
  /** Notify commands for what goes down are run at the end, too. */
  readonly omega: boolean;
  readonly quorumUp: Command | undefined;
  readonly quorumDown: Command | undefined;
  readonly persistenceUs: number | undefined;
  readonly smtpAlert: boolean;
  readonly realServers: readonly RealServer[];
}

export type GroupEntry =
  | {
      readonly kind: "address";
      readonly first: string;
      /** Of a range: its last address, as the line writes it. */
      readonly last: string | undefined;
      readonly port: number | undefined;
    }
  | { readonly kind: "fwmark"; readonly fwmark: number };

/** What takes the connections while the quorum is lost. */
export interface SorryServer {
  readonly address: string;
  readonly port: number | undefined;
  /** It stays in the pool with weight 0 while it is not needed. */
  readonly inhibit: boolean;
}

export interface RealServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly at: SourceLocation;
  readonly weight: number;
  readonly method: string;
  readonly inhibitOnFailure: boolean;
  readonly smtpAlert: boolean;
  /** Commands for its ups and downs. */
  readonly notify: readonly Command[];
  /** Empty: always up. Checkers that keepalived drops when it reads them are not here. */
  readonly checkers: readonly Checker[];
}

/** One checker: its schedule, and what it looks at. */
export interface Checker {
  readonly kind: string;
  readonly at: SourceLocation;
  readonly delayLoopUs: number;
  /** The first probe comes after a random part of this. */
  readonly warmupUs: number;
  /** Failures in a row, beyond the first, before the server goes down. */
  readonly retry: number;
  readonly delayBeforeRetryUs: number;
  /** For each step: to connect, to write, to read an answer. */
  readonly connectTimeoutUs: number;
  /** The server counts as down until the first success. */
  readonly alpha: boolean;
  readonly logAllFailures: boolean;
  readonly check: Check;
}

/** Where a checker connects to, and from where. */
export interface Connection {
  readonly address: string;
  readonly port: number | undefined;
  readonly bindAddress: string | undefined;
  readonly bindPort: number | undefined;
  readonly bindInterface: string | undefined;
  /** 0: none. */
  readonly fwmark: number;
}

export type Check =
  | { readonly kind: "tcp"; readonly to: Connection }
  | { readonly kind: "ping"; readonly to: Connection }
  | HttpCheck
  | {
      readonly kind: "smtp";
      readonly heloName: string;
      /** The `host` blocks of old configurations, or the one server itself. */
      readonly hosts: readonly Connection[];
    }
  | { readonly kind: "dns"; readonly to: Connection; readonly type: string; readonly name: string }
  | UdpCheck
  | {
      readonly kind: "misc";
      readonly command: Command;
      readonly timeoutUs: number;
      /** The exit status sets the weight. */
      readonly dynamic: boolean;
    }
  | {
      readonly kind: "file";
      /** Name of the track_file. */
      readonly file: string;
      readonly path: string | undefined;
      readonly weight: number;
      readonly reverse: boolean;
    }
  | { readonly kind: "bfd"; readonly bfd: string };

export interface HttpCheck {
  readonly kind: "http";
  readonly to: Connection;
  /** SSL_GET. */
  readonly tls: boolean;
  readonly protocol: "1.0" | "1.0C" | "1.1";
  readonly fastRecovery: boolean;
  readonly urls: readonly Url[];
}

export interface Url {
  readonly path: string;
  /** MD5 of the body as it is sent, 32 hexadecimal digits in small letters. */
  readonly digest: string | undefined;
  /** First and last code of each range; empty: none is named, and the release says what that means. */
  readonly statusCodes: readonly (readonly [first: number, last: number])[];
  /** The Host header: the url's, checker's, real server's or virtual server's; undefined: the address and port. */
  readonly virtualhost: string | undefined;
  /** Server name in the TLS handshake, with enable_sni. The real server's virtualhost does not count here. */
  readonly serverName: string | undefined;
  readonly regex: UrlRegex | undefined;
}

export interface UrlRegex {
  /** PCRE2. */
  readonly pattern: string;
  /** A match is a failure. */
  readonly noMatch: boolean;
  readonly options: readonly string[];
  readonly minOffset: number;
  readonly maxOffset: number | undefined;
}

export interface UdpCheck {
  readonly kind: "udp";
  readonly to: Connection;
  /** undefined: none is named. */
  readonly payload: readonly number[] | undefined;
  readonly requireReply: boolean;
  /** Bytes of the reply, each with the bits of it that count. */
  readonly reply: readonly { readonly value: number; readonly mask: number }[];
  readonly minReplyLength: number;
  readonly maxReplyLength: number;
}
