import type { SourceLocation } from "../core/errors.ts";
import { byText, type ChainTree, matches } from "./files.ts";
import { parseUnit } from "./unit.ts";

/** What journald does with keepalived's lines: under systemd it owns /dev/log, and sees them first. */
export interface Journal {
  /** Where lines are kept; unknown for a copy without /var/log. */
  readonly storage: "persistent" | "volatile" | "none" | "unknown";
  /** A copy goes to a syslog daemon's socket. */
  readonly forwardsToSyslog: boolean;
  /** INFO, which is almost all of keepalived, is above `MaxLevelStore=` and not kept. */
  readonly dropsInfo: boolean;
  /** The line that decides, when one does. */
  readonly at?: SourceLocation;
}

const DIRECTORIES = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"].map((dir) => `${dir}/systemd`);
const LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/** @see journald.conf(5): the first journald.conf found, then the drop-ins of all directories. */
export function readJournal(tree: ChainTree): Journal {
  const dropIns = new Map<string, string>();
  for (const dir of DIRECTORIES)
    for (const name of tree.names(`${dir}/journald.conf.d`))
      if (matches("*.conf", name) && !dropIns.has(name)) dropIns.set(name, `${dir}/journald.conf.d/${name}`);
  const main = DIRECTORIES.map((dir) => `${dir}/journald.conf`).find((path) => tree.isFile(path));
  const files = [
    ...(main === undefined ? [] : [main]),
    ...[...dropIns].sort(([a], [b]) => byText(a, b)).map(([, path]) => path),
  ];
  const settings = new Map<string, { readonly value: string; readonly at: SourceLocation }>();
  for (const path of files)
    for (const { section, key, value, at } of parseUnit(path, tree.text(path) ?? ""))
      if (section === "Journal") settings.set(key, { value: value.text.trim().toLowerCase(), at });
  const storage = settings.get("Storage");
  const level = settings.get("MaxLevelStore");
  const rank = /^[0-7]$/.test(level?.value ?? "") ? Number(level?.value) : LEVELS.indexOf(level?.value ?? "debug");
  const dropsInfo = rank >= 0 && rank < LEVELS.indexOf("info");
  const at = storage?.value === "none" ? storage.at : dropsInfo ? level?.at : undefined;
  return {
    storage: storageOf(tree, storage?.value ?? "auto"),
    // The default changed to "no" with systemd 216 upstream, but Debian and Red Hat build it with "yes" or read the journal.
    forwardsToSyslog: !/^(no|false|0|off|n|f)$/.test(settings.get("ForwardToSyslog")?.value ?? ""),
    dropsInfo,
    ...(at === undefined ? {} : { at }),
  };
}

function storageOf(tree: ChainTree, value: string): Journal["storage"] {
  if (value === "none" || value === "volatile" || value === "persistent") return value;
  return tree.exists("/var/log/journal") ? "persistent" : tree.exists("/var/log") ? "volatile" : "unknown";
}
