import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readBuild } from "../../../collector/chain/build.ts";
import type { ChainFacts, StartChain } from "../../../collector/chain/chain.ts";
import { describeChain } from "../../../collector/chain/describe.ts";
import type { ChainFiles } from "../../../collector/chain/files.ts";
import { resolveChain } from "../../../collector/chain/resolve.ts";
import { parseRelease } from "../../../collector/conf/version.ts";
import { systemChainFiles } from "../../../collector/sources/chain-files.ts";

const FIXTURES = join(import.meta.dirname, "fixtures");

/** Each folder is a node's tree with one mistake, or none; facts.json holds what is known beside the files. */
export const fixtureNames = readdirSync(FIXTURES).sort();

export function fixture(name: string): StartChain {
  const folder = join(FIXTURES, name);
  const path = join(folder, "facts.json");
  const { version, release, ...known } = existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as Omit<ChainFacts, "release" | "build"> & {
        version?: string;
        release?: string;
      })
    : {};
  const build = version === undefined ? undefined : readBuild(version);
  const parsed = release === undefined ? undefined : parseRelease(release);
  return resolveChain(systemChainFiles(folder), {
    hostname: "lb1.example.net",
    ...known,
    ...(build === undefined ? {} : { build }),
    ...(parsed === undefined ? {} : { release: parsed }),
  });
}

/** The chain and what is wrong with it, as a page. */
export function rendered(chain: StartChain): string {
  const faults = chain.diagnostics.map(({ code, severity, message, at, fix }) => {
    const place = at ? `${at.file}:${at.line}:${at.column}` : "-";
    return `${severity} ${code}\n    ${place}\n    ${message}\n    ${fix}\n`;
  });
  return `${describeChain(chain).text}\n${faults.length === 0 ? "nothing to say\n" : faults.join("")}`;
}

type Entry =
  | string
  | { readonly link: string }
  | { readonly text: string; readonly mode?: number; readonly mtimeUs?: number };

/** A node's files as a table: folders are there because something is in them. */
export function tableFiles(table: Readonly<Record<string, Entry>>): ChainFiles {
  const folders = new Map<string, Set<string>>();
  for (const path of Object.keys(table)) {
    const parts = path.split("/").slice(1);
    parts.forEach((part, i) => {
      const folder = `/${parts.slice(0, i).join("/")}`;
      folders.set(folder, (folders.get(folder) ?? new Set()).add(part));
    });
  }
  const textOf = (entry: Entry | undefined): string | undefined =>
    typeof entry === "string" ? entry : entry && "text" in entry ? entry.text : undefined;
  return {
    read: (path) => textOf(table[path]) ?? { unreadable: `${path} does not exist` },
    stat(path) {
      const entry = table[path];
      if (entry === undefined) return folders.has(path) ? { kind: "directory", mode: 0o755, size: 0 } : undefined;
      if (typeof entry === "object" && "link" in entry) return { kind: "link", mode: 0o777, size: entry.link.length };
      const { mode = 0o644, mtimeUs }: { mode?: number; mtimeUs?: number } = typeof entry === "object" ? entry : {};
      return { kind: "file", mode, size: textOf(entry)?.length ?? 0, ...(mtimeUs === undefined ? {} : { mtimeUs }) };
    },
    readlink(path) {
      const entry = table[path];
      return typeof entry === "object" && "link" in entry ? entry.link : undefined;
    },
    list: (path) => [...(folders.get(path) ?? [])],
  };
}
