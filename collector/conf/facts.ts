import type { Family } from "../events/event.ts";

/**
 * What is known about the node that a configuration is for. A field that is undefined is not known, and then nothing is
 * said about it: a laptop that checks a router's file has none of the router's interfaces.
 */
export interface NodeFacts {
  /** Full host name. The config id is its part before the first dot, unless `-i` says otherwise. */
  readonly hostname?: string;
  /** By name. */
  readonly interfaces?: ReadonlyMap<string, InterfaceFacts>;
  /** Follows symbolic links. @returns undefined when there is no such file */
  readonly stat?: (path: string) => FileFacts | undefined;
  readonly users?: ReadonlySet<string>;
  readonly groups?: ReadonlySet<string>;
  /** Processors that are online. */
  readonly processors?: number;
  /** What the kernel's firewall drops by a table of keepalived's. @returns undefined when that cannot be seen */
  readonly droppedAddresses?: (family: Family, table: string) => ReadonlySet<string> | undefined;
  /** Names of routing tables besides those that every kernel has. */
  readonly routeTables?: RouteTables;
}

export interface InterfaceFacts {
  readonly up: boolean;
  /** Addresses with their prefix length, `192.0.2.1/24`. */
  readonly addresses: readonly string[];
}

export interface FileFacts {
  readonly kind: "file" | "directory" | "other";
  /** Permission bits, as in stat(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid?: number;
}

export interface RouteTables {
  /** Of /etc/iproute2/rt_tables. */
  readonly etc: ReadonlySet<string>;
  /** Of all places where iproute2 looks. */
  readonly iproute2: ReadonlySet<string>;
}
