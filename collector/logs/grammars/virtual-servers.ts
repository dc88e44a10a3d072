import { type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import type { EventBody } from "../../events/event.ts";
import { count, integer, known, name, service } from "./fields.ts";

/** Real servers and virtual servers, as the checkers put them into IPVS and take them out. */

type Servers = { readonly virtualServer: string; readonly realServer: string };

/** Both servers are named, or the line is not what it looks like. */
function servers(words: Words, event: (servers: Servers) => EventBody): EventBody {
  const [virtualServer, realServer] = [service(words, "vs"), service(words, "rs")];
  return virtualServer === undefined || realServer === undefined ? UNRECOGNISED : event({ virtualServer, realServer });
}

function quorumOf(words: Words): { threshold?: number; quorum?: number; hysteresis?: number; weight?: number } {
  return known({
    threshold: count(words, "threshold"),
    quorum: count(words, "quorum"),
    hysteresis: count(words, "hysteresis"),
    weight: count(words, "weight"),
  });
}

const ACTIONS: Readonly<Record<string, "added" | "enabled" | "removed" | "disabled">> = {
  Adding: "added",
  Enabling: "enabled",
  Removing: "removed",
  Disabling: "disabled",
};
const actionOf = (message: string): "added" | "enabled" | "removed" | "disabled" =>
  ACTIONS[message.slice(0, message.indexOf(" "))] ?? "removed";

const inhibitedIn = (message: string): { inhibited?: true } =>
  message.includes("(inhibited)") ? { inhibited: true } : {};

export const virtualServerGrammars: readonly LineGrammar[] = [
  {
    id: "check.server-up",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Adding service [10.99.0.12]:tcp:80 to VS [10.99.0.100]:tcp:80",
      "Enabling service [10.99.0.12]:80 to VS [web]:0",
      "Enabling service [10.99.0.12]:tcp:80 of VS FWM 7",
    ],
    templates: [
      "Adding service {rs} to VS {vs}",
      "Enabling service {rs} to VS {vs}",
      "Enabling service {rs} of VS {vs}",
    ],
    toEvent: (words, { message }) =>
      servers(words, (both) => ({
        kind: "check.server-up",
        ...both,
        action: message.startsWith("Enabling") ? "enabled" : "added",
      })),
  },
  {
    // 1.3.7 to 2.2.2 write "to VS" for both ways.
    id: "check.server-down",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Removing service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80",
      "Removing service [10.99.0.12]:tcp:80 to VS [10.99.0.100]:tcp:80",
      "Disabling service [10.99.0.12]:80 from VS [web]:0",
      "Disabling service [10.99.0.12]:tcp:80 of VS FWM 7",
    ],
    templates: [
      "Removing service {rs} from VS {vs}",
      "Removing service {rs} to VS {vs}",
      "Disabling service {rs} from VS {vs}",
      "Disabling service {rs} to VS {vs}",
      "Disabling service {rs} of VS {vs}",
    ],
    toEvent: (words, { message }) =>
      servers(words, (both) => ({
        kind: "check.server-down",
        ...both,
        action: message.startsWith("Disabling") ? "disabled" : "removed",
      })),
  },
  {
    id: "check.server-gone.shutdown",
    source: "check/ipwrapper.c",
    since: "2.0.0",
    samples: [
      "Shutting down service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80",
      "Shutting down (inhibited) service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80",
    ],
    templates: ["Shutting down service {rs} from VS {vs}", "Shutting down (inhibited) service {rs} from VS {vs}"],
    toEvent: (words, { message }) =>
      servers(words, (both) => ({ kind: "check.server-gone", ...both, reason: "shutdown", ...inhibitedIn(message) })),
  },
  {
    // The words of a failed one, with what only the end of a virtual server or a reload adds.
    id: "check.server-gone.inhibited",
    source: "check/ipwrapper.c",
    since: "2.0.0",
    samples: ["Removing (inhibited) service [10.99.0.12]:tcp:80 from VS [10.99.0.100]:tcp:80"],
    templates: ["Removing (inhibited) service {rs} from VS {vs}"],
    toEvent: (words, { message }) =>
      servers(words, (both) => ({ kind: "check.server-gone", ...both, reason: "reload", ...inhibitedIn(message) })),
  },
  {
    id: "check.server-gone.reload",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: ["service [10.99.0.12]:tcp:80 no longer exist", "service [[10.99.0.12]:80] no longer exist"],
    templates: ["service {rs} no longer exist"],
    toEvent: (words) => {
      const realServer = service(words, "rs");
      return realServer === undefined ? UNRECOGNISED : { kind: "check.server-gone", realServer, reason: "reload" };
    },
  },
  {
    id: "check.weight-changed",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Changing weight from 10 to 1 for active service [10.99.0.12]:tcp:80 of VS [10.99.0.100]:tcp:80",
      "Changing weight from 10 to 1 for inactive service [10.99.0.12]:80 of VS FWM 7",
    ],
    templates: [
      "Changing weight from {from:d} to {to:d} for active service {rs} of VS {vs}",
      "Changing weight from {from:d} to {to:d} for inactive service {rs} of VS {vs}",
    ],
    toEvent: (words, { message }) => {
      const [from, to] = [integer(words, "from"), integer(words, "to")];
      if (from === undefined || to === undefined) return UNRECOGNISED;
      return servers(words, (both) => ({
        kind: "check.weight-changed",
        ...both,
        from,
        to,
        active: !message.includes(" for inactive "),
      }));
    },
  },
  {
    id: "check.quorum-gained",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: ["Gained quorum 1+0=1 <= 2 for VS [10.99.0.100]:tcp:80"],
    templates: ["Gained quorum {quorum:d}+{hysteresis:d}={threshold:d} <= {weight:d} for VS {vs}"],
    toEvent: (words) => {
      const virtualServer = service(words, "vs");
      return virtualServer === undefined
        ? UNRECOGNISED
        : { kind: "check.quorum-gained", virtualServer, ...quorumOf(words) };
    },
  },
  {
    id: "check.quorum-lost",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Lost quorum 1-0=1 > 0 for VS [10.99.0.100]:tcp:80",
      "Starting with quorum down 1-0=1 > 0 for VS [web]:0",
    ],
    templates: [
      "Lost quorum {quorum:d}-{hysteresis:d}={threshold:d} > {weight:d} for VS {vs}",
      "Starting with quorum down {quorum:d}-{hysteresis:d}={threshold:d} > {weight:d} for VS {vs}",
    ],
    toEvent: (words, { message }) => {
      const virtualServer = service(words, "vs");
      return virtualServer === undefined
        ? UNRECOGNISED
        : {
            kind: "check.quorum-lost",
            virtualServer,
            ...quorumOf(words),
            initial: message.startsWith("Starting"),
          };
    },
  },
  {
    id: "check.sorry-server",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Adding sorry server [10.99.0.99]:tcp:80 to VS [10.99.0.100]:tcp:80",
      "Removing sorry server [10.99.0.99]:80 from VS [10.99.0.100]:80",
      "Disabling sorry server [10.99.0.99]:tcp:80 from VS [10.99.0.100]:tcp:80",
    ],
    templates: [
      "Adding sorry server {rs} to VS {vs}",
      "Enabling sorry server {rs} to VS {vs}",
      "Removing sorry server {rs} from VS {vs}",
      "Disabling sorry server {rs} from VS {vs}",
    ],
    toEvent: (words, { message }) =>
      servers(words, ({ virtualServer, realServer }) => ({
        kind: "check.sorry-server",
        virtualServer,
        sorryServer: realServer,
        action: actionOf(message),
      })),
  },
  {
    id: "check.pool",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "Adding alive servers to the pool for VS [10.99.0.100]:tcp:80",
      "Removing alive servers from the pool for VS [10.99.0.100]:tcp:80",
    ],
    templates: ["Adding alive servers to the pool for VS {vs}", "Removing alive servers from the pool for VS {vs}"],
    toEvent: (words, { message }) => {
      const virtualServer = service(words, "vs");
      return virtualServer === undefined
        ? UNRECOGNISED
        : { kind: "check.pool", virtualServer, action: message.startsWith("Adding") ? "adding" : "removing" };
    },
  },
  {
    id: "check.virtual-server",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: ["Removing Virtual Server [10.99.0.100]:tcp:80", "Removing Virtual Server FWM 7"],
    templates: ["Removing Virtual Server {vs}"],
    toEvent: (words) => {
      const virtualServer = service(words, "vs");
      return virtualServer === undefined
        ? UNRECOGNISED
        : { kind: "check.virtual-server", virtualServer, action: "removed" };
    },
  },
  {
    id: "check.virtual-server.group",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: ["Removing Virtual Server Group [web]"],
    templates: ["Removing Virtual Server Group [{group}]"],
    toEvent: (words) => ({
      kind: "check.virtual-server",
      virtualServer: `[${name(words, "group").slice(0, 200)}]`,
      action: "removed",
    }),
  },
  {
    // Addresses, ranges and firewall marks: they are told apart by how they look, and kept as they are written.
    id: "check.group-entry.removed",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    samples: [
      "VS [10.99.0.100:0:80] in group web no longer exists",
      "VS [[10.99.0.100]:tcp:80-10.99.0.110] in group web no longer exists",
      "VS [7] in group web no longer exist",
    ],
    templates: ["VS [{entry}] in group {group} no longer exists", "VS [{entry}] in group {group} no longer exist"],
    toEvent: (words) => ({
      kind: "check.group-entry",
      group: name(words, "group"),
      entry: name(words, "entry"),
      action: "removed",
    }),
  },
  {
    id: "check.group-entry.added",
    source: "check/ipwrapper.c",
    since: "1.2.16",
    samples: ["VS [FWM 7] added into group web", "VS [[10.99.0.100]:tcp:80] added into group web"],
    templates: ["VS [{entry}] added into group {group}"],
    toEvent: (words) => ({
      kind: "check.group-entry",
      group: name(words, "group"),
      entry: name(words, "entry"),
      action: "added",
    }),
  },
  {
    id: "check.activation",
    source: "check/check_api.c",
    since: "1.2.2",
    samples: [
      "Activating healthchecker for service [10.99.0.12]:tcp:80 for VS [10.99.0.100]:tcp:80",
      "Suspending healthchecker for service [10.99.0.12]:80",
      "Activating healtchecker for service [10.99.0.12]:80",
    ],
    templates: [
      "Activating healtchecker for service {service}",
      "Suspending healtchecker for service {service}",
      "Activating healthchecker for service {service}",
      "Deactivating healthchecker for service {service}",
      "Suspending healthchecker for service {service}",
      "Activating healthchecker for service {service} for VS {vs}",
      "Deactivating healthchecker for service {service} for VS {vs}",
      "Suspending healthchecker for service {service} for VS {vs}",
    ],
    toEvent: (words, { message }) => {
      const of = service(words, "service");
      return of === undefined
        ? UNRECOGNISED
        : {
            kind: "check.activation",
            service: of,
            active: message.startsWith("Activating"),
            ...known({ virtualServer: service(words, "vs") }),
          };
    },
  },
  {
    id: "script.notify",
    source: "check/ipwrapper.c",
    since: "1.2.2",
    until: "1.4.5",
    samples: [
      "Executing [/usr/local/bin/down.sh] for service [10.99.0.12]:80 in VS [10.99.0.100]:80",
      "Executing [/usr/local/bin/quorum.sh] for VS [10.99.0.100]:80",
    ],
    templates: ["Executing [{script}] for service {rs} in VS {vs}", "Executing [{script}] for VS {vs}"],
    toEvent: (words) => {
      const virtualServer = service(words, "vs");
      return virtualServer === undefined
        ? UNRECOGNISED
        : {
            kind: "script.notify",
            script: words.text("script").slice(0, 1024),
            virtualServer,
            ...known({ realServer: service(words, "rs") }),
          };
    },
  },
];
