import { US_PER_SECOND } from "../../collector/core/time.ts";

const HOUR_US = 3600 * US_PER_SECOND;
/** How long a digest gathers at least, microseconds: a storm has more to say in a moment. */
const GATHER_US = 300 * US_PER_SECOND;
/** Most addresses that are counted; the one that was written to longest ago is forgotten first. */
const ADDRESSES_MAX = 4096;

/** What mails of a digest have in common instead of labels. */
export const DIGEST = '{digest="mail"}';

/**
 * How many mails an address gets: at most so many in any hour. The last of an hour is kept for a digest, which has all that
 * would have come on top.
 */
export class MailBudget {
  readonly #perHour: number;
  readonly #sent = new Map<string, readonly number[]>();

  constructor(perHour: number) {
    this.#perHour = perHour;
  }

  /** Notes a mail that goes, or will. */
  take(addresses: readonly string[], at: number): void {
    for (const address of addresses) {
      const others = (this.#sent.get(address) ?? []).filter((ts) => ts > at - HOUR_US);
      this.#sent.delete(address);
      this.#sent.set(address, [...others, at]);
      const [oldest] = this.#sent.keys();
      if (this.#sent.size > ADDRESSES_MAX && oldest !== undefined) this.#sent.delete(oldest);
    }
  }

  /** One more may go by itself. */
  allows(addresses: readonly string[], now: number): boolean {
    return addresses.every((address) => this.#within(address, now).length < Math.max(1, this.#perHour - 1));
  }

  /** When a digest that begins to gather now may go. */
  digestDue(addresses: readonly string[], now: number): number {
    const free = addresses.map((address) => {
      const sent = this.#within(address, now).toSorted((a, b) => a - b);
      // So many have to be an hour old that it is one of those that are left.
      const last = sent[sent.length - this.#perHour];
      return last === undefined ? now : last + HOUR_US;
    });
    return Math.max(now + GATHER_US, ...free);
  }

  #within(address: string, now: number): readonly number[] {
    return (this.#sent.get(address) ?? []).filter((ts) => ts > now - HOUR_US);
  }
}
