import type { FileFacts, NodeFacts } from "../../../collector/conf/facts.ts";

const program: FileFacts = { kind: "file", mode: 0o755, uid: 0 };
const folder: FileFacts = { kind: "directory", mode: 0o755, uid: 0 };
const FILES: Readonly<Record<string, FileFacts>> = {
  "/": folder,
  "/bin": folder,
  "/bin/true": program,
  "/bin/false": program,
  "/bin/sh": program,
  "/bin/echo": program,
  "/bin/ps": program,
  "/bin/pidof": program,
  "/usr": folder,
  "/usr/bin": folder,
  "/usr/bin/true": program,
  "/usr/bin/killall": program,
  "/etc": folder,
  "/etc/hosts": { kind: "file", mode: 0o644, uid: 0 },
  "/tmp": { kind: "directory", mode: 0o1777, uid: 0 },
  "/run": folder,
  "/run/keepwatch": { kind: "directory", mode: 0o777, uid: 0, gid: 0 },
  "/run/keepwatch/insecure.sh": program,
  "/usr/bin/[": program,
};

/** The node the fixtures are for: two interfaces, the usual users. */
export const NODE: NodeFacts = {
  hostname: "lb1",
  interfaces: new Map([
    ["lo", { up: true, addresses: ["127.0.0.1/8", "::1/128"] }],
    ["eth0", { up: true, addresses: ["10.99.0.1/24", "fd99::1/64", "fe80::1:1/64"] }],
    ["eth1", { up: true, addresses: ["10.99.1.1/24", "fe80::1:2/64"] }],
  ]),
  stat: (path) => FILES[path],
  users: new Set(["root", "nobody"]),
  groups: new Set(["root", "nogroup"]),
  processors: 2,
  droppedAddresses: () => new Set(["10.99.0.201", "10.99.0.202"]),
  routeTables: { etc: new Set(["uplink"]), iproute2: new Set(["uplink", "dropped-in"]) },
};
