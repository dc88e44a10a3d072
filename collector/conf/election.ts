import { compareAddresses } from "../core/address.ts";

/**
 * Who will be master, for every combination of failures: keepalived's own arithmetic over all nodes' configurations
 * (keepalived 2.x, vrrp/vrrp.c and vrrp/vrrp_track.c; tried with 2.2.7). Pure: no packet, no clock.
 */

/** What an instance watches. */
export interface Tracker {
  readonly kind: "interface" | "script" | "process" | "file" | "bfd";
  readonly name: string;
  /** 0: its failure puts the instance into FAULT. Above 0: added while it is well. Below 0: added while it has failed. */
  readonly weight: number;
  /** `reverse`: the weight counts with the opposite sign, and with weight 0 being well is the fault. */
  readonly reverse: boolean;
}

/** One vrrp_instance of one node, as keepalived will run it. */
export interface ElectionMember {
  readonly node: string;
  readonly instance: string;
  /** 1 to 255, before tracking. 255 is the owner's, which tracking never changes. */
  readonly priority: number;
  readonly nopreempt: boolean;
  /** Source address of its adverts, which decides between equal priorities; undefined when no file says it. */
  readonly address?: string;
  /** Why it never runs at all, whatever happens: its configuration ends the daemon. */
  readonly unable?: string;
  /** Its own interface is among them, with weight 0, unless dont_track_primary; with a sync group, its partners' as well. */
  readonly trackers: readonly Tracker[];
}

/** Something that can fail: a whole node, or what one of its instances watches. */
export interface Element {
  readonly node: string;
  readonly kind: Tracker["kind"] | "node";
  /** Empty for a node. */
  readonly name: string;
}

export interface ElectionRow {
  readonly failed: readonly Element[];
  /** Who holds the router, when it was held by the intact state's master before; undefined: nobody can. */
  readonly master?: string;
  /** Nodes with the same highest priority as the master, when no address says which of them it is. */
  readonly undecided: readonly string[];
  /** Effective priority by node; undefined: dead or in FAULT. */
  readonly priorities: Readonly<Record<string, number | undefined>>;
}

export interface ElectionFinding {
  readonly code:
    | "election_nobody"
    | "election_equal_priority"
    | "election_never_moves"
    | "election_tracker_never_moves"
    | "election_common_fault"
    | "election_nothing_tracked";
  readonly message: string;
  readonly fix?: string;
  /** Whose configuration to show. */
  readonly node: string;
  readonly instance: string;
}

export interface ElectionProof {
  readonly rows: readonly ElectionRow[];
  readonly elements: readonly Element[];
  /** All combinations of up to so many failures were tried. */
  readonly failuresMax: number;
  /** That is all combinations there are. */
  readonly complete: boolean;
  readonly findings: readonly ElectionFinding[];
}

/** Most combinations that are tried: all of them for two nodes with five tracked things each. */
export const COMBINATIONS_MAX = 4096;

const OWNER_PRIORITY = 255;

/**
 * Tries every combination of failures, fewest failures first.
 * @param members  the instances of one virtual router, at most one a node
 */
export function proveElection(members: readonly ElectionMember[], combinationsMax = COMBINATIONS_MAX): ElectionProof {
  const elements = elementsOf(members);
  const intact = holderOf(members, new Set(), undefined);
  const incumbent = intact?.undecided.length === 0 ? intact.member : undefined;
  const rows: ElectionRow[] = [];
  let failuresMax = -1;
  for (let size = 0; size <= elements.length; size++) {
    const sets = firstOf(subsets(elements, size), combinationsMax - rows.length);
    if (!sets) break;
    for (const failed of sets) rows.push(rowOf(members, failed, incumbent));
    failuresMax = size;
  }
  const complete = failuresMax === elements.length;
  return { rows, elements, failuresMax, complete, findings: findingsOf(members, rows, elements) };
}

/** Files with a weight are left out: what their content will be, nobody knows; they count as 0. */
function elementsOf(members: readonly ElectionMember[]): Element[] {
  return members.flatMap(({ node, trackers }) => {
    const seen = new Map<string, Element>();
    for (const { kind, name, weight } of trackers)
      if (kind !== "file" || weight === 0) seen.set(`${kind} ${name}`, { node, kind, name });
    return [{ node, kind: "node", name: "" } as const, ...seen.values()];
  });
}

const keyOf = ({ node, kind, name }: Element): string => `${node}\0${kind}\0${name}`;

/** @returns the effective priority, or undefined for a node that is dead or in FAULT */
function effectivePriority(member: ElectionMember, failed: ReadonlySet<string>): number | undefined {
  if (member.unable !== undefined || failed.has(keyOf({ node: member.node, kind: "node", name: "" }))) return undefined;
  let total = member.priority;
  for (const { kind, name, weight, reverse } of member.trackers) {
    const isWell = !failed.has(keyOf({ node: member.node, kind, name }));
    if (weight === 0) {
      if (isWell === reverse) return undefined;
    } else if (kind !== "file" && weight > 0 === isWell) total += reverse ? -weight : weight;
  }
  return member.priority === OWNER_PRIORITY ? OWNER_PRIORITY : Math.min(Math.max(total, 1), OWNER_PRIORITY - 1);
}

interface Standing {
  readonly member: ElectionMember;
  readonly priority: number;
}

/** @param incumbent  who was master before the failures */
function holderOf(
  members: readonly ElectionMember[],
  failed: ReadonlySet<string>,
  incumbent: ElectionMember | undefined,
): { readonly member: ElectionMember; readonly undecided: readonly string[] } | undefined {
  const standing = members.flatMap((member): Standing[] => {
    const priority = effectivePriority(member, failed);
    return priority === undefined ? [] : [{ member, priority }];
  });
  const highest = Math.max(...standing.map(({ priority }) => priority));
  const now = standing.find(({ member }) => member === incumbent);
  // A backup accepts an equal priority, and with nopreempt any: then the master stays.
  const challengers = now
    ? standing.filter(({ member, priority }) => priority > now.priority && !member.nopreempt)
    : standing.filter(({ priority }) => priority === highest);
  if (now && challengers.length === 0) return { member: now.member, undecided: [] };
  const best = Math.max(...challengers.map(({ priority }) => priority));
  const equals = challengers.filter(({ priority }) => priority === best).map(({ member }) => member);
  const [first] = equals;
  if (!first) return undefined;
  if (equals.some(({ address }) => address === undefined))
    return { member: first, undecided: equals.length > 1 ? equals.map(({ node }) => node) : [] };
  return {
    member: equals.reduce((a, b) => (compareAddresses(a.address ?? "", b.address ?? "") >= 0 ? a : b)),
    undecided: [],
  };
}

function rowOf(
  members: readonly ElectionMember[],
  failed: readonly Element[],
  incumbent: ElectionMember | undefined,
): ElectionRow {
  const keys = new Set(failed.map(keyOf));
  const holder = holderOf(members, keys, incumbent);
  return {
    failed,
    ...(holder ? { master: holder.member.node } : {}),
    undecided: holder?.undecided ?? [],
    priorities: Object.fromEntries(members.map((member) => [member.node, effectivePriority(member, keys)])),
  };
}

/** @returns undefined when there are more than `max` */
function firstOf<T>(values: Iterable<T>, max: number): T[] | undefined {
  const taken: T[] = [];
  for (const value of values) {
    if (taken.length >= max) return undefined;
    taken.push(value);
  }
  return taken;
}

/** Without those in which something fails on a node that is dead: it changes nothing. A node comes before what is on it. */
function* subsets(elements: readonly Element[], size: number, from = 0, dead = ""): Generator<readonly Element[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i < elements.length; i++) {
    const element = elements[i] as Element;
    if (element.node === dead) continue;
    for (const rest of subsets(elements, size - 1, i + 1, element.kind === "node" ? element.node : dead))
      yield [element, ...rest];
  }
}

/** What a person calls it: `chk_nginx on lb1`, `lb1`. */
export function nameOf({ node, kind, name }: Element): string {
  if (kind === "node") return `node ${node}`;
  return `${kind} ${name} on ${node}`;
}

function findingsOf(
  members: readonly ElectionMember[],
  rows: readonly ElectionRow[],
  elements: readonly Element[],
): ElectionFinding[] {
  const [intact] = rows;
  const at = members.find(({ node }) => node === intact?.master) ?? members[0];
  if (!intact || !at) return [];
  const finding = (code: ElectionFinding["code"], message: string, fix?: string): ElectionFinding => ({
    code,
    message,
    node: at.node,
    instance: at.instance,
    ...(fix === undefined ? {} : { fix }),
  });
  if (intact.master === undefined)
    return [finding("election_nobody", `nobody can be master, even when nothing has failed${reasons(members)}`)];
  return [
    ...equalPriorities(members, intact, finding),
    ...(members.length > 1 ? moves(members, rows, elements, intact.master, finding) : []),
    ...commonFaults(members, finding),
  ];
}

type Finding = (code: ElectionFinding["code"], message: string, fix?: string) => ElectionFinding;

function equalPriorities(members: readonly ElectionMember[], intact: ElectionRow, finding: Finding): ElectionFinding[] {
  const best = intact.priorities[intact.master ?? ""];
  const equals = members.filter(({ node }) => intact.priorities[node] === best).map(({ node }) => node);
  if (equals.length < 2) return [];
  const decided =
    intact.undecided.length > 0
      ? "the higher source address decides, which no file names"
      : `the higher source address decides: ${intact.master}`;
  return [finding("election_equal_priority", `${listOf(equals)} have the same priority ${best}: ${decided}`)];
}

/** Whether a failure moves the router at all, and which tracked thing never does. */
function moves(
  members: readonly ElectionMember[],
  rows: readonly ElectionRow[],
  elements: readonly Element[],
  intactMaster: string,
  finding: Finding,
): ElectionFinding[] {
  const masterOf = new Map(rows.map(({ failed, master }) => [keysOf(failed), master]));
  /** A combination in which this failure takes the router away from its node. */
  const moving = (element: Element): ElectionRow | undefined =>
    rows.find((row) => {
      if (!row.failed.includes(element) || row.master === element.node) return false;
      return masterOf.get(keysOf(row.failed.filter((other) => other !== element))) === element.node;
    });
  const found: ElectionFinding[] = [];
  const watched = elements.filter(({ kind }) => kind !== "node");
  if (!rows.some(({ master }) => master !== undefined && master !== intactMaster))
    return [
      finding(
        "election_never_moves",
        `no combination of failures moves the addresses away from ${intactMaster}: no other node can ever be master${reasons(members)}`,
      ),
    ];
  const weighted = watched.filter(
    ({ node, kind, name }) =>
      node === intactMaster &&
      members.some(
        (member) =>
          member.node === node &&
          member.trackers.some((tracker) => tracker.kind === kind && tracker.name === name && tracker.weight !== 0),
      ),
  );
  for (const element of weighted) {
    if (!moving(element)) found.push(tooLight(element, members, rows, finding));
  }
  const beyondInterfaces = members.some(({ trackers }) => trackers.some(({ kind }) => kind !== "interface"));
  if (!beyondInterfaces)
    found.push(
      finding(
        "election_nothing_tracked",
        "only the death of a node or of a watched interface moves the addresses: a service that dies behind them does not",
      ),
    );
  return found;
}

const keysOf = (failed: readonly Element[]): string => failed.map(keyOf).join("\u0001");

function tooLight(
  element: Element,
  members: readonly ElectionMember[],
  rows: readonly ElectionRow[],
  finding: Finding,
): ElectionFinding {
  const intact = rows[0]?.priorities ?? {};
  const alone = rows.find(({ failed }) => failed.length === 1 && failed[0] === element);
  const before = intact[element.node];
  const after = alone?.priorities[element.node] ?? before;
  const others = members.filter(({ node }) => node !== element.node);
  const next = Math.max(...others.map(({ node }) => intact[node] ?? 0));
  const rival = others.find(({ node }) => intact[node] === next);
  const change = `when ${nameOf(element)} fails, the priority goes from ${before} to ${after}`;
  if (others.every(({ nopreempt }) => nopreempt))
    return finding(
      "election_tracker_never_moves",
      `${change}, and nobody takes over: ${listOf(others.map(({ node }) => node))} ${others.length > 1 ? "have" : "has"} nopreempt, and with it a backup accepts any priority of a living master`,
      "Use weight 0, so that the failure is a FAULT, or remove nopreempt",
    );
  const owner = before === OWNER_PRIORITY ? " (priority 255 is the owner's and no weight changes it)" : "";
  return finding(
    "election_tracker_never_moves",
    `${change}${owner}, and ${rival?.node ?? "the other node"} has ${next}: in no combination does this failure move the addresses`,
    `Make the weight larger than the difference of the priorities (more than ${Math.max((before ?? 0) - next, 0)}), or use weight 0 for a FAULT`,
  );
}

/** The same check with weight 0 on every node: when what it tests is gone for all of them, the addresses are nowhere. */
function commonFaults(members: readonly ElectionMember[], finding: Finding): ElectionFinding[] {
  const [first, ...rest] = members;
  if (!first || rest.length === 0) return [];
  const shared = first.trackers.filter(
    ({ kind, name, weight }) =>
      kind !== "interface" &&
      weight === 0 &&
      rest.every(({ trackers }) =>
        trackers.some((other) => other.kind === kind && other.name === name && other.weight === 0),
      ),
  );
  return shared.map(({ kind, name }) =>
    finding(
      "election_common_fault",
      `${kind} ${name} has weight 0 on every node: when it fails on all of them at once, no node is master and the addresses are nowhere`,
    ),
  );
}

const reasons = (members: readonly ElectionMember[]): string =>
  members.map(({ node, unable }) => (unable === undefined ? "" : ` (${node}: ${unable})`)).join("");

const listOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
