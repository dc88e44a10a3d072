import { createHash } from "node:crypto";
import type { Event } from "../../collector/events/event.ts";
import { type Identity, toEvent } from "../../collector/events/observation.ts";
import { createLogReader, UNREADABLE_TIME_UNCERTAINTY_US } from "../../collector/logs/reader.ts";
import { plainAddress } from "../intake/names.ts";
import { Occurrences } from "../intake/occurrences.ts";

/** Most messages of one sender that are remembered, to tell a second one from the first sent again: with a thousand senders a hundred megabytes at most. */
const REMEMBERED_MAX = 1_024;

export interface SenderOptions {
  readonly address: string;
  /** Zone of timestamps that name none. */
  readonly zone: string;
  readonly identify: (called: string | undefined, address: string) => Identity;
}

/**
 * What one connection, or one address by UDP, sends. A message has no number of its own, so its id is made of its text without passwords, and of how many of
 * the same came before it on this connection: what a forwarder sends again on the next connection is the same event, and of a line that
 * keepalived wrote five times in one second there are five.
 */
export class Sender {
  private readonly options: SenderOptions;
  private readonly address: string;
  private readonly reader: ReturnType<typeof createLogReader>;
  private readonly before = new Occurrences(REMEMBERED_MAX);
  private sequence = 0;

  constructor(options: SenderOptions) {
    this.options = options;
    this.address = plainAddress(options.address);
    this.reader = createLogReader({ path: `syslog:${this.address}`, fingerprint: "syslog", zone: options.zone });
  }

  /** @returns undefined when the message is not keepalived's */
  read(message: Buffer, arrivedUs: number): Event | undefined {
    this.sequence += 1;
    const seen = this.reader.read(message, { offset: this.sequence }, arrivedUs);
    if (!seen) return undefined;
    const content = createHash("sha256")
      .update(seen.raw ?? "")
      .digest("hex")
      .slice(0, 32);
    const isDated = seen.tsUncertaintyUs !== UNREADABLE_TIME_UNCERTAINTY_US;
    return toEvent(
      {
        ...seen,
        // Its own year and zone are part of when it was; when it came is not.
        idParts: ["syslog", content, isDated ? seen.ts : 0, this.before.count(content)],
        ts: isDated ? seen.ts : arrivedUs,
        at: `syslog:${this.address}`,
      },
      this.options.identify(seen.host, this.address),
      arrivedUs,
    );
  }
}
