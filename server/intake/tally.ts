import type { ListenerState } from "../api/types.ts";

/** What came one way in, and what became of it. */
export class Tally<Reason extends string> {
  received = 0;
  kept = 0;
  cut = 0;
  lastTs: number | undefined;
  readonly dropped = new Map<Reason, number>();

  drop(reason: Reason, count = 1): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
  }

  state(name: string, address: string, connections?: number): ListenerState {
    return {
      name,
      address,
      ...(connections === undefined ? {} : { connections }),
      received: this.received,
      kept: this.kept,
      cut: this.cut,
      dropped: Object.fromEntries(this.dropped),
      ...(this.lastTs === undefined ? {} : { lastTs: this.lastTs }),
    };
  }
}
