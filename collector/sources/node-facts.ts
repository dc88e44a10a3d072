import { readdirSync, readFileSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { droppedAddresses } from "./firewall.ts";
import type { InterfaceFacts, NodeFacts, RouteTables } from "../conf/facts.ts";

/** Flag of /sys/class/net/NAME/flags: the interface is administratively up (IFF_UP, netdevice(7)). */
const IFF_UP = 0x1;

/** What this machine is, as far as a configuration depends on it. */
export function systemFacts(): NodeFacts {
  const interfaces = interfacesOf();
  return {
    hostname: hostname(),
    ...(interfaces === undefined ? {} : { interfaces }),
    stat(path) {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (!stat) return undefined;
      const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other";
      return { kind, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
    },
    routeTables: { etc: new Set(), iproute2: new Set() },
    ...namesBelow(""),
    ...processorsOf(),
    droppedAddresses: (family, table) => droppedAddresses(family, table),
  };
}

/** keepalived counts as sysconf(_SC_NPROCESSORS_ONLN) does, which reads the same file: a list of ranges. */
function processorsOf(): Pick<NodeFacts, "processors"> {
  try {
    const ranges = readFileSync("/sys/devices/system/cpu/online", "utf8").trim().split(",");
    const processors = ranges.reduce((sum, range) => {
      const [first = "", last = first] = range.split("-");
      return sum + Number(last) - Number(first) + 1;
    }, 0);
    return Number.isSafeInteger(processors) && processors > 0 ? { processors } : {};
  } catch {
    return {};
  }
}

/**
 * Users, groups and routing tables of the files below a folder.
 * @param root  folder that stands for `/`, without a slash at its end
 */
export function namesBelow(root: string): Pick<NodeFacts, "users" | "groups" | "routeTables"> {
  const users = namesIn(`${root}/etc/passwd`);
  const groups = namesIn(`${root}/etc/group`);
  const routeTables = routeTablesOf(root);
  // A directory service may know more names than the files.
  return {
    ...(users === undefined ? {} : { users }),
    ...(groups === undefined ? {} : { groups }),
    ...(routeTables === undefined ? {} : { routeTables }),
  };
}

/** @returns undefined when no file has names of routing tables, as in an incomplete copy */
function routeTablesOf(root: string): RouteTables | undefined {
  const places = [`${root}/etc/iproute2/rt_tables`, `${root}/usr/share/iproute2/rt_tables`];
  const files = places.flatMap((place) => [place, ...confFilesIn(`${place}.d`)]);
  const [etc, ...others] = files.map((path) => textOf(path));
  if (etc === undefined && others.every((text) => text === undefined)) return undefined;
  return {
    etc: tableNames(etc ?? "", { hasComments: false }),
    iproute2: new Set([etc, ...others].flatMap((text) => [...tableNames(text ?? "", { hasComments: true })])),
  };
}

function namesIn(path: string): ReadonlySet<string> | undefined {
  const lines = textOf(path)?.split("\n");
  return lines && new Set(lines.map((line) => line.slice(0, Math.max(0, line.indexOf(":")))).filter(Boolean));
}

/** Up to 2.2.7 a line with a comment behind the name is none; later the comment is cut off. */
function tableNames(text: string, { hasComments }: { readonly hasComments: boolean }): Set<string> {
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    const [number = "", name, ...more] = (hasComments ? line.replace(/#.*/, "") : line).split(/[ \t]+/).filter(Boolean);
    if (name !== undefined && more.length === 0 && /^(0[xX][0-9a-fA-F]+|\d+)$/.test(number)) names.add(name);
  }
  return names;
}

function confFilesIn(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => (/^[^.].*\.conf$/.test(name) ? [`${folder}/${name}`] : []));
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The kernel lists every interface; only those that are up have their addresses in the other list. */
function interfacesOf(): ReadonlyMap<string, InterfaceFacts> | undefined {
  let names: readonly string[];
  try {
    names = readdirSync("/sys/class/net");
  } catch {
    return undefined;
  }
  const known = networkInterfaces();
  return new Map(
    names.map((name) => {
      const addresses = (known[name] ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [cidr]));
      return [name, { up: isUp(name), addresses }];
    }),
  );
}

function isUp(name: string): boolean {
  try {
    return (Number(readFileSync(`/sys/class/net/${name}/flags`, "utf8").trim()) & IFF_UP) !== 0;
  } catch {
    return false;
  }
}
