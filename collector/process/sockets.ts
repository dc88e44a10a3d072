/** A socket of /proc/net/raw or /proc/net/raw6. */
export interface RawSocket {
  readonly inode: number;
  /** Received, and not yet read by the program; with the kernel's own overhead. */
  readonly waitingBytes: number;
  /** Packets lost since the socket was made: its buffer was full. */
  readonly dropped: number;
}

/** VRRP is IP protocol 112; with an authentication header the packet is of protocol 51. */
const PROTOCOLS: ReadonlySet<number> = new Set([112, 51]);
/** Most sockets read: two for each interface and family. */
const SOCKETS_MAX = 4_096;

/** The sockets that VRRP comes in by. The local "port" is the protocol. @see proc(5) */
export function parseRawSockets(text: string): RawSocket[] {
  return text
    .split("\n")
    .slice(1, SOCKETS_MAX + 1)
    .flatMap((line): RawSocket[] => {
      const [, local = "", , , queues = "", , , , , inode = "", , , dropped = ""] = line.trim().split(/\s+/);
      const protocol = Number.parseInt(local.split(":")[1] ?? "", 16);
      const waitingBytes = Number.parseInt(queues.split(":")[1] ?? "", 16);
      if (!PROTOCOLS.has(protocol) || !/^\d+$/.test(inode) || Number.isNaN(waitingBytes)) return [];
      return [{ inode: Number(inode), waitingBytes, dropped: Number(dropped) || 0 }];
    });
}

/** keepalived reads an advert within milliseconds. What waits, and only grows, for this long is not read, microseconds. */
export const UNREAD_AFTER_US = 3_000_000;

interface Waiting {
  readonly since: number;
  readonly bytes: number;
}

export interface UnreadChange {
  readonly unread: boolean;
  /** Since when, epoch microseconds: what waits arrived before this look and after the one before it. */
  readonly atUs: number;
  readonly uncertaintyUs: number;
  readonly waitingBytes: number;
  readonly dropped: number;
}

/** Follows the sockets of one process from look to look. */
export class UnreadSockets {
  private waiting = new Map<number, Waiting>();
  private lookedAt: number | undefined;
  private isUnread = false;

  /** @param sockets  those of the process, at `nowUs`, epoch microseconds */
  look(sockets: readonly RawSocket[], nowUs: number): UnreadChange | undefined {
    const before = this.waiting;
    const last = Math.min(this.lookedAt ?? nowUs, nowUs);
    this.lookedAt = nowUs;
    this.waiting = new Map();
    for (const { inode, waitingBytes } of sockets) {
      if (waitingBytes === 0) continue;
      const known = before.get(inode);
      const since = known && known.bytes <= waitingBytes ? known.since : last;
      this.waiting.set(inode, { since: Math.min(since, nowUs), bytes: waitingBytes });
    }
    const since = Math.min(Number.POSITIVE_INFINITY, ...[...this.waiting.values()].map((one) => one.since));
    const unread = nowUs - since >= UNREAD_AFTER_US;
    if (unread === this.isUnread) return undefined;
    this.isUnread = unread;
    const sum = (of: (socket: RawSocket) => number): number => sockets.reduce((all, one) => all + of(one), 0);
    const told = { unread, waitingBytes: sum((one) => one.waitingBytes), dropped: sum((one) => one.dropped) };
    if (!unread) return { ...told, atUs: last, uncertaintyUs: nowUs - last };
    return { ...told, atUs: since, uncertaintyUs: SOCKETS_LOOK_US };
  }
}

/** How often the sockets are looked at, microseconds. */
export const SOCKETS_LOOK_US = 1_000_000;
