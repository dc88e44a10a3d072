import type { Event, EventOf } from "../../collector/events/event.ts";

/** A node's clock as its collector measured it last. */
export interface NodeClock {
  /** To be added to the node's time for the reference's: positive when the node's clock is slow. */
  readonly offsetUs: number;
  /** The true offset is within so much of it. */
  readonly boundUs: number;
  /** Whose clock it is compared with: null for the server's. */
  readonly reference: string | null;
  /** By the node's clock. */
  readonly ts: number;
}

type Told = EventOf<"collector.started"> | EventOf<"collector.stopped"> | EventOf<"collector.clock">;

/** The newest event of each kind that there is. */
export type NewsDump = readonly Told[];

/** What a collector told of itself last. Nothing is concluded from it, so it needs no place in a stretch. */
export class CollectorNews {
  private started: EventOf<"collector.started"> | undefined;
  private stopped: EventOf<"collector.stopped"> | undefined;
  private clock: EventOf<"collector.clock"> | undefined;

  learn(event: Event): void {
    if (event.kind === "collector.started") this.started = newer(event, this.started);
    else if (event.kind === "collector.stopped") this.stopped = newer(event, this.stopped);
    else if (event.kind === "collector.clock" && event.offsetUs !== undefined) this.clock = newer(event, this.clock);
  }

  dump(): NewsDump {
    return [this.started, this.stopped, this.clock].filter((event) => event !== undefined);
  }

  load(dump: NewsDump): void {
    for (const event of dump) this.learn(event);
  }

  about(): {
    readonly version: string | null;
    readonly startedTs: number | null;
    readonly timeZone: string | null;
    readonly stoppedTs: number | null;
    readonly clock: NodeClock | null;
  } {
    const { started, stopped, clock } = this;
    return {
      version: started?.version ?? null,
      startedTs: started?.ts ?? null,
      timeZone: started?.timeZone ?? null,
      stoppedTs: stopped && stopped.ts > (started?.ts ?? 0) ? stopped.ts : null,
      clock: clock
        ? {
            offsetUs: clock.offsetUs ?? 0,
            boundUs: clock.boundUs ?? 0,
            reference: clock.reference ?? null,
            ts: clock.ts,
          }
        : null,
    };
  }
}

/** Of the same instant, one of them, whichever came first. */
function newer<T extends Event>(event: T, known: T | undefined): T {
  if (!known) return event;
  return event.ts > known.ts || (event.ts === known.ts && event.id > known.id) ? event : known;
}
