import { isKind, type Event } from "../../../collector/events/event.ts";
import type { NodeView } from "../claims.ts";
import type { RouterView } from "../detector.ts";
import { goneDelayUs, type WireSpan } from "../evidence.ts";
import { eventsBetween } from "../order.ts";

/** Who heard whom, by captures and by what keepalived logged. A capture sees packets before a firewall of the host drops them. */

export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Ear {
  readonly node: NodeView;
  /** It would show if it heard something. */
  readonly able: boolean;
  readonly hasLog: boolean;
  /** Other masters whose adverts its capture has. */
  readonly captured: readonly string[];
  /** It logged that it heard another master. */
  readonly logged: boolean;
  readonly events: readonly Event[];
}

export function earsOf(nodes: readonly NodeView[], window: Window, view: RouterView): Ear[] {
  const names = nodes.map(({ node }) => node);
  const openTo = (node: NodeView): number => node.watchedTo - goneDelayUs(view.router.advertIntervalUs);
  return nodes
    .filter(({ real }) => real)
    .map((node) => {
      const spans = node.heard.filter(
        ({ sender, span }) =>
          sender !== node.node &&
          names.includes(sender) &&
          span.from.ts < window.to &&
          heardTo(span, openTo(node)) > window.from,
      );
      const lines = loggedLines(node, names, window, view);
      return {
        node,
        able: node.captures || node.log.length > 0,
        hasLog: node.log.length > 0,
        captured: [...new Set(spans.map(({ sender }) => sender))].sort(),
        logged: lines.length > 0,
        events: [...spans.map(({ span }) => span.from.event), ...lines],
      };
    });
}

/** Beyond its first advert an open span says nothing about the time in which a capture cannot yet know of a silence. */
const heardTo = (span: WireSpan, openTo: number): number => span.to?.ts ?? Math.max(span.from.ts, openTo);

function loggedLines({ events, node }: NodeView, names: readonly string[], window: Window, view: RouterView): Event[] {
  return eventsBetween(events, window.from, window.to).filter((event) => {
    if (event.ts + event.tsUncertaintyUs > window.to) return false;
    if (!isKind(event, "vrrp.advert-lower-priority", "vrrp.advert-higher-priority") || !view.isAbout(event))
      return false;
    const sender = event.peer === undefined ? undefined : view.nodeOfAddress(event.peer);
    // Of an address that nobody knows it can only be one of them.
    const isKnown = view.nodes.some((one) => one.node === sender);
    return sender === undefined || (sender !== node && (names.includes(sender) || !isKnown));
  });
}
