import type { Deed, NodeSpec, PathSpec, RouterSpec, Scenario } from "./model.ts";
import { PROMPT, QUIET_PATH, SOURCE_NAMES } from "./model.ts";

/** A scenario as text.ts reads it. */
export function printScenario({ title, seed, nodes, routers, path, delivery, deeds, until }: Scenario): string {
  const { lateShare, lateUs, twice } = delivery;
  return [
    `title ${title}`,
    `seed ${seed}`,
    `nodes ${nodes.map(({ name }) => name).join(" ")}`,
    ...nodes.flatMap(nodeLine),
    ...routers.map(routerLine),
    ...(samePath(path, QUIET_PATH) ? [] : [`network ${pathText(path)}`]),
    ...(lateShare === PROMPT.lateShare && twice === PROMPT.twice
      ? []
      : [`delivery late ${share(lateShare)} by ${time(lateUs)} twice ${share(twice)}`]),
    `until ${time(until)}`,
    "",
    ...deeds.map(({ at, deed }) => `at ${time(at)} ${deedText(deed)}`),
    "",
  ].join("\n");
}

const time = (us: number): string => (us % 1_000 === 0 ? `${us / 1_000_000}s` : `${us}us`);
const share = (of: number): string => `${Math.round(of * 1e6) / 1e4}%`;
const samePath = (a: PathSpec, b: PathSpec): boolean => pathText(a) === pathText(b);

function nodeLine({ name, log, sources, clockOffsetUs, clockDriftPpm }: NodeSpec): string[] {
  const options = [
    ...(log === "exact" ? [] : [`log ${log}`]),
    ...(sources.length === SOURCE_NAMES.length ? [] : [`sources ${sources.join(",")}`]),
    ...(clockOffsetUs === 0 ? [] : [`clock ${time(clockOffsetUs)}`]),
    ...(clockDriftPpm === 0 ? [] : [`drift ${clockDriftPpm}ppm`]),
  ];
  return options.length === 0 ? [] : [`node ${name} ${options.join(" ")}`];
}

function routerLine({ vrid, priorities, intervalUs, version, interface: nic, vips, nopreempt }: RouterSpec): string {
  const ranks = [...priorities].map(([node, priority]) => `${node}=${priority}`).join(" ");
  const tail = nopreempt ? " nopreempt" : "";
  return `router ${vrid} ${ranks} interval ${time(intervalUs)} version ${version} interface ${nic} vips ${vips.join(",")}${tail}`;
}

function pathText({ delayUs, jitterUs, loss, duplicates }: Partial<PathSpec>): string {
  return [
    ...(delayUs === undefined ? [] : [`delay ${time(delayUs)}`]),
    ...(jitterUs === undefined ? [] : [`jitter ${time(jitterUs)}`]),
    ...(loss === undefined ? [] : [`loss ${share(loss)}`]),
    ...(duplicates === undefined ? [] : [`duplicates ${share(duplicates)}`]),
  ].join(" ");
}

export function deedText(deed: Deed): string {
  switch (deed.kind) {
    case "partition":
      return `partition ${deed.groups.map((group) => group.join(" ")).join(" | ")}`;
    case "heal":
      return "heal";
    case "path":
      return `path ${deed.from} > ${deed.to} ${pathText(deed.path)}`;
    case "link":
      return `link ${deed.node} ${deed.interface} ${deed.up ? "up" : "down"}`;
    case "clock":
      return `clock ${deed.node} step ${time(deed.stepUs)}`;
    case "collector":
      return `collector ${deed.node} ${deed.does}`;
    case "reload":
      return reloadText(deed);
    default:
      return `${deed.kind} ${deed.node}`;
  }
}

function reloadText({ node, vrid, changes }: Extract<Deed, { kind: "reload" }>): string {
  if (vrid === undefined) return `reload ${node}`;
  const { priority, intervalUs, vips } = changes;
  return [
    `reload ${node} ${vrid}`,
    ...(priority === undefined ? [] : [`priority ${priority}`]),
    ...(intervalUs === undefined ? [] : [`interval ${time(intervalUs)}`]),
    ...(vips === undefined ? [] : [`vips ${vips.join(",")}`]),
  ].join(" ");
}
