import { createHash } from "node:crypto";
import { type ConfFile, type ConfFiles, type ConfTree, parseConf } from "./parser.ts";

/** As much of a configuration as tells what it starts: what stands in its blocks is left out, but for `global_defs`. */
export interface ConfOutline extends Pick<ConfTree, "nodes" | "unreadable"> {
  readonly files: readonly Pick<ConfFile, "path">[];
}

export type ReadOutline = (path: string, files: ConfFiles, configId: string) => ConfOutline;

/** Outlines that are asked for again and again: what was made of the files holds for as long as they read the same. */
export function createOutlines(): ReadOutline {
  let known: { readonly asked: string; readonly seen: readonly Seen[]; readonly outline: ConfOutline } | undefined;
  return (path, files, configId) => {
    const asked = JSON.stringify([path, configId]);
    if (known?.asked === asked && known.seen.every((one) => one.look(files) === one.was)) return known.outline;
    const seen: Seen[] = [];
    const outline = outlineOf(parseConf(path, watched(files, seen), configId));
    known = { asked, seen, outline };
    return outline;
  };
}

/** One question that was asked of the files, and what the answer was. */
interface Seen {
  readonly look: (files: ConfFiles) => string;
  readonly was: string;
}

/** The same files, which note what they are asked. */
function watched(files: ConfFiles, seen: Seen[]): ConfFiles {
  return {
    read(path) {
      const text = files.read(path);
      seen.push({ look: (again) => digest(again.read(path)), was: digest(text) });
      return text;
    },
    glob(pattern, directory) {
      const paths = files.glob(pattern, directory);
      seen.push({ look: (again) => digest(again.glob(pattern, directory)), was: digest(paths) });
      return paths;
    },
  };
}

const digest = (answer: unknown): string => createHash("sha256").update(JSON.stringify(answer)).digest("base64");

function outlineOf({ nodes, unreadable, files }: ConfTree): ConfOutline {
  return {
    nodes: nodes.map((node) =>
      node.children === undefined || node.keyword.text === "global_defs" ? node : { ...node, children: [] },
    ),
    files: files.map(({ path }) => ({ path })),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}
