import { type Event, type EventOf, isKind } from "../../collector/events/event.ts";
import { duration, evidenceList, lasting, listed, percent, routerName } from "./describe.ts";
import type { Detector, RouterView } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import { HMAC_WINDOW_USED } from "./options.ts";

/** auth_hmac (keepalived 2.4) refuses adverts of a sender whose clock is too far off: told before it is too far. */
export const hmacClock: Detector = { kind: "near-miss", scope: "router", detect };

type Told = EventOf<"collector.clock"> & { readonly offsetUs: number };

interface Apart {
  readonly start: number;
  end: number | null;
  /** When it was worst. */
  us: number;
  nodes: readonly string[];
  readonly events: Event[];
}

function detect(view: RouterView): IncidentDraft[] {
  const windowUs = windowOf(view);
  if (windowUs === undefined) return [];
  return apartOf(view, HMAC_WINDOW_USED * windowUs).map((apart) => toDraft(apart, windowUs, view));
}

/** The smallest of the newest configuration of each node. */
function windowOf({ nodes, router }: RouterView): number | undefined {
  const windows = nodes.flatMap(({ events }) => {
    const config = events.findLast((event) => event.kind === "config.loaded");
    if (!config || !isKind(config, "config.loaded")) return [];
    const own = config.instances.filter(
      ({ vrid, vips, family }) =>
        vrid === router.vrid &&
        family === router.family &&
        (vips.length === 0 || vips.some((vip) => router.vips.includes(vip))),
    );
    return own.flatMap(({ hmacWindowUs }) => hmacWindowUs ?? []);
  });
  return windows.length === 0 ? undefined : Math.min(...windows);
}

/** When any two of the nodes' clocks were certainly that far apart, by what was measured last of each. */
function apartOf({ nodes }: RouterView, limitUs: number): Apart[] {
  const told = nodes
    .flatMap(({ events }) =>
      events.filter((event): event is Told => event.kind === "collector.clock" && event.offsetUs !== undefined),
    )
    .sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1));
  const newest = new Map<string, Told>();
  const found: Apart[] = [];
  let open: Apart | undefined;
  for (const event of told) {
    newest.set(event.node, event);
    const ends = extremes([...newest.values()]);
    if (ends.us <= limitUs) {
      if (open) open.end = event.ts;
      open = undefined;
      continue;
    }
    if (!open) found.push((open = { start: event.ts, end: null, us: 0, nodes: [], events: [] }));
    open.events.push(...ends.of);
    if (ends.us > open.us) Object.assign(open, { us: ends.us, nodes: ends.of.map(({ node }) => node).sort() });
  }
  return found;
}

/** The two clocks that are furthest apart, by at least so much. */
function extremes(told: readonly Told[]): { readonly us: number; readonly of: readonly Told[] } {
  const sorted = [...told].sort((a, b) => a.offsetUs - b.offsetUs || (a.node < b.node ? -1 : 1));
  const [slow, fast] = [sorted.at(-1), sorted[0]];
  if (!slow || !fast || slow === fast) return { us: 0, of: [] };
  return { us: slow.offsetUs - fast.offsetUs - (slow.boundUs ?? 0) - (fast.boundUs ?? 0), of: [fast, slow] };
}

function toDraft({ start, end, us, nodes, events }: Apart, windowUs: number, view: RouterView): IncidentDraft {
  const text = `the clocks of ${listed(nodes)} are ${duration(us)} apart, ${percent(us / windowUs)} of the window of auth_hmac`;
  const then =
    us > windowUs
      ? "they refuse each other's adverts"
      : "beyond the window they refuse each other's adverts, and both become master";
  return {
    kind: "near-miss",
    certainty: "confirmed",
    severity: "warning",
    cluster: view.router.cluster,
    subject: { router: view.router.id, component: "auth_hmac", nodes },
    start,
    end,
    cause: { code: "hmac-clock", text },
    summary: `${routerName(view.router)} ${lasting(start, end).trim()}: ${text}; ${then}.`,
    evidence: evidenceList(events),
  };
}
