import type { Event } from "../../collector/events/event.ts";

/**
 * What of the past still matters. Detection looks at one stretch of time after the other, and takes over the cut between two
 * of them only the events that say how something is until the next event of the same key says otherwise.
 */

/** The key of what an event says the state of, within its node; undefined when it tells of a moment only. */
export function stateKey(event: Event): string | undefined {
  switch (event.kind) {
    case "vrrp.state":
    case "vrrp.priority-zero-sent":
    case "vrrp.vips":
      return keyOf(event.kind, event.instance);
    case "daemon.starting":
    case "daemon.ready":
    case "daemon.stopping":
    case "daemon.reloading":
    case "config.unreadable":
    case "kernel.addresses":
    case "collector.started":
    case "collector.stopped":
      return event.kind;
    case "daemon.stopped":
    case "daemon.child-exited":
      return keyOf(event.kind, event.daemon);
    // What the daemon has read may be an older one than what the files hold now.
    case "config.loaded":
      return keyOf(event.kind, ...event.files.flatMap(({ path, sha256 }) => [path, sha256]));
    case "config.diagnostic":
      return keyOf(event.kind, event.source, event.code, event.file, event.line);
    case "kernel.address-added":
    case "kernel.address-removed":
      return keyOf("kernel.address", event.interface, event.address);
    case "wire.master-seen":
    case "wire.master-gone":
      return keyOf(
        "wire.master",
        event.interface,
        event.family,
        event.vrid,
        event.peer,
        event.outgoing,
        ...[...event.vips].sort(),
      );
    case "check.server-up":
    case "check.server-down":
    case "check.server-gone":
      return keyOf("check.server", event.source, event.virtualServer, event.realServer);
    case "check.quorum-gained":
    case "check.quorum-lost":
      return keyOf("check.quorum", event.source, event.virtualServer);
    case "check.sorry-server":
    case "check.virtual-server":
      return keyOf(event.kind, event.source, event.virtualServer);
    case "check.activation":
      return keyOf(event.kind, event.source, event.virtualServer, event.service);
    case "kernel.link":
    case "vrrp.interface":
      return keyOf(event.kind, event.interface);
    case "process.snapshot":
      return event.kind;
    case "process.started":
    case "process.gone":
      return keyOf("process", event.daemon);
    case "process.state":
      return keyOf(event.kind, event.daemon);
    case "shadow.advert-rejected":
      return keyOf(event.kind, event.instance, event.peer);
    case "shadow.divergence":
      return keyOf(event.kind, event.code, event.instance, event.daemon, event.virtualServer, event.realServer);
    default:
      return undefined;
  }
}

const keyOf = (...parts: readonly (string | number | boolean | undefined)[]): string => parts.join("\0");
