import type { VirtualServer } from "../conf/model/server-types.ts";
import type { MonoUs } from "../core/time.ts";

/**
 * How much the shadow may add to what keepalived's own checkers already ask of a server. Pure: who may probe now, and which
 * node of a cluster probes at all.
 */
export interface GuardSettings {
  /** Probes that may be under way at once, on this node. */
  readonly concurrentMax: number;
  /** Probes a real server may get in one delay_loop, retries among them; undefined: as many as keepalived makes. */
  readonly perLoopMax: number | undefined;
}

/** Which real servers may be probed when. */
export class Guard {
  private readonly settings: GuardSettings;
  private running = 0;
  /** By real server: when it may be probed again. */
  private readonly next = new Map<string, MonoUs>();

  constructor(settings: GuardSettings) {
    this.settings = settings;
  }

  /** When the server may be probed next, if a place is free then. */
  allowedAt(server: string, now: MonoUs): MonoUs {
    return Math.max(now, this.next.get(server) ?? now) as MonoUs;
  }

  /** Takes a place for a probe. @returns false when there is none, or when the server has had its probes */
  take(server: string, delayLoopUs: number, now: MonoUs): boolean {
    if (this.running >= this.settings.concurrentMax || this.allowedAt(server, now) > now) return false;
    this.running += 1;
    const { perLoopMax } = this.settings;
    if (perLoopMax !== undefined) this.next.set(server, (now + Math.ceil(delayLoopUs / perLoopMax)) as MonoUs);
    return true;
  }

  /** A probe has ended. */
  release(): void {
    this.running -= 1;
  }

  isFull(): boolean {
    return this.running >= this.settings.concurrentMax;
  }

  /** After a reload, of servers that are gone. */
  keep(servers: ReadonlySet<string>): void {
    for (const server of this.next.keys()) if (!servers.has(server)) this.next.delete(server);
  }
}

export interface ElectionFacts {
  readonly node: string;
  /** Nodes that keepwatch's configuration names for the checks; empty: none. */
  readonly nodes: readonly string[];
  /** Addresses that this node has now. */
  readonly addresses: ReadonlySet<string>;
  /** Addresses of the vrrp_instances of this configuration. */
  readonly vips: ReadonlySet<string>;
}

/**
 * Whether this node is the one that probes a virtual server. No node asks another: who has the virtual address does it; where
 * no vrrp_instance has it, the first of the named nodes; where none are named, every node.
 */
export function isElected(virtual: VirtualServer, { node, nodes, addresses, vips }: ElectionFacts): boolean {
  const own = addressesOf(virtual);
  const moving = own.filter((address) => vips.has(address));
  if (moving.length > 0) return moving.some((address) => addresses.has(address));
  const first = [...nodes].sort()[0];
  return first === undefined || first === node;
}

/** The addresses of a virtual server, as far as they are written out. */
export function addressesOf({ address, groupEntries }: VirtualServer): string[] {
  const ofGroup = groupEntries.flatMap((entry) => (entry.kind === "address" ? [entry.first] : []));
  return address === undefined ? ofGroup : [address];
}
