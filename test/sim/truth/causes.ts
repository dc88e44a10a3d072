import type { Deed, Scenario } from "../model.ts";

/** What was wrong at an instant, as incidents name it. */
type Trouble = "partition" | "one-way" | "filtered" | "frozen" | "zombie-vip" | "stopped" | "link-down";

/**
 * The one thing that is wrong at an instant.
 * @returns undefined when there is none, or more than one: then no cause is expected
 */
export function causeAt({ deeds, path, nodes }: Scenario, at: number): Trouble | undefined {
  if (path.loss > 0) return undefined;
  /** By node, or `""` for the network. */
  const troubles = new Map<string, Trouble>();
  for (const { at: doneAt, deed } of deeds) if (doneAt <= at) note(troubles, deed);
  const kinds = new Set(troubles.values());
  const [only] = kinds;
  if (kinds.size !== 1 || only === undefined) return undefined;
  // That some are stopped, or without a link, explains nothing while others run.
  const isOfAll = only === "stopped" || only === "link-down";
  return isOfAll && troubles.size < nodes.length ? undefined : only;
}

function note(troubles: Map<string, Trouble>, deed: Deed): void {
  const set = (node: string, trouble: Trouble | undefined): void => {
    if (trouble === undefined) troubles.delete(node);
    else troubles.set(node, trouble);
  };
  switch (deed.kind) {
    case "partition":
      return set("", "partition");
    case "path":
      return set("", "one-way");
    case "heal":
      return set("", undefined);
    case "filter":
      return set(deed.node, "filtered");
    case "freeze":
      return set(deed.node, "frozen");
    case "kill":
      return set(deed.node, "zombie-vip");
    case "stop":
      return set(deed.node, "stopped");
    case "link":
      return set(deed.node, deed.up ? undefined : "link-down");
    case "unfilter":
    case "thaw":
    case "start":
      return set(deed.node, undefined);
    default:
  }
}
