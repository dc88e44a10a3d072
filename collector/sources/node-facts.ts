import { readdirSync, readFileSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { InterfaceFacts, NodeFacts } from "../conf/facts.ts";

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
    ...accountsOf(""),
  };
}

/**
 * Users and groups of the files below a folder.
 * @param root  folder that stands for `/`, without a slash at its end
 */
export function accountsOf(root: string): Pick<NodeFacts, "users" | "groups"> {
  const users = namesIn(`${root}/etc/passwd`);
  const groups = namesIn(`${root}/etc/group`);
  // A directory service may know more names than the files.
  return { ...(users === undefined ? {} : { users }), ...(groups === undefined ? {} : { groups }) };
}

function namesIn(path: string): ReadonlySet<string> | undefined {
  try {
    const names = readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.slice(0, Math.max(0, line.indexOf(":"))));
    return new Set(names.filter(Boolean));
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
