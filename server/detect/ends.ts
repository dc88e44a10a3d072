import type { Event } from "../../collector/events/event.ts";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import { eventsBetween } from "./order.ts";
import type { Bar, MastershipEnd } from "./view.ts";

/** How a mastership ended: an orderly hand-over is told apart from a failure. */

/** The parent says "Stopping" up to this long before its child has given all addresses up. */
const STOPPING_US = 10 * US_PER_SECOND;
/** Lines and addresses tell of one end this far apart; a classic syslog line has whole seconds. */
const NEAR_US = 2 * US_PER_SECOND;

/** What is asked first says most: a daemon that stops also enters no state, and one in FAULT had been outranked by nobody. */
const ENDS: readonly {
  readonly end: MastershipEnd;
  readonly beforeUs: number;
  readonly shows: (event: Event) => boolean;
}[] = [
  { end: "stopped", beforeUs: STOPPING_US, shows: ({ kind }) => kind === "daemon.stopping" },
  { end: "fault", beforeUs: NEAR_US, shows: (event) => event.kind === "vrrp.state" && event.state === "FAULT" },
  { end: "reloaded", beforeUs: NEAR_US, shows: ({ kind }) => kind === "daemon.reloading" },
  {
    end: "died",
    beforeUs: NEAR_US,
    shows: (event) =>
      (event.kind === "process.gone" && event.daemon === "vrrp") ||
      (event.kind === "daemon.child-exited" && (event.daemon === "vrrp" || event.permanentError !== undefined)),
  },
  { end: "outranked", beforeUs: NEAR_US, shows: (event) => event.kind === "vrrp.state" && event.state === "BACKUP" },
];

/**
 * @param events    of the node, in order of time
 * @param end       when it ended at the earliest, epoch microseconds
 * @param instance  what the node calls it; null: whatever is told counts
 * @returns undefined when nothing says how
 */
export function endOfMastership(
  events: readonly Event[],
  end: number,
  instance: string | null,
): MastershipEnd | undefined {
  const around = eventsBetween(events, end - STOPPING_US, end + NEAR_US).filter(
    (event) =>
      instance === null || !("instance" in event) || event.instance === undefined || event.instance === instance,
  );
  // A daemon that was started again since was not stopped by that word.
  const started = around.findLast(({ kind, ts }) => kind === "daemon.starting" && ts <= end - NEAR_US)?.ts;
  const recent = started === undefined ? around : around.filter(({ ts }) => ts > started);
  return ENDS.find(({ beforeUs, shows }) => recent.some((event) => event.ts >= end - beforeUs && shows(event)))?.end;
}

/** The bars of one lane; of each mastership that is over, how it ended. */
export function withEnds(bars: readonly Bar[], events: readonly Event[], instance: string | null): Bar[] {
  return bars.map((bar) => {
    if (bar.state !== "MASTER" || bar.to === null || bar.source === "shadow") return bar;
    const ended = endOfMastership(events, bar.to, instance);
    // In this order: V8 gives each object that is copied and then added to a hidden class of its own, some 300 bytes.
    return ended === undefined ? bar : { ended, ...bar };
  });
}

/** In words, behind "was master". */
export const END_WORDS: Readonly<Record<MastershipEnd, string>> = {
  stopped: "stopped in order",
  reloaded: "reloaded",
  fault: "in FAULT",
  died: "its daemon died",
  outranked: "gave way to a better one",
};
