/**
 * The real servers of one virtual server: who is in service, whether the quorum is met, and whether the sorry server takes
 * its place. Pure. (keepalived 2.2.7, check/ipwrapper.c)
 */
export interface PoolSettings {
  readonly quorum: number;
  readonly hysteresis: number;
  readonly sorry: { readonly name: string; readonly inhibit: boolean } | undefined;
  readonly servers: readonly PoolServerSettings[];
}

export interface PoolServerSettings {
  readonly name: string;
  readonly weight: number;
  /** It stays in the pool with weight 0 instead of being taken out. */
  readonly inhibitOnFailure: boolean;
  /** How many checkers it has, and which of them hold it for down at the start (alpha). */
  readonly checkers: readonly { readonly up: boolean }[];
}

export interface PoolState {
  readonly quorumUp: boolean;
  readonly servers: readonly {
    /** Checkers that hold it for ill, by their number. */
    readonly failed: ReadonlySet<number>;
    /** What checkers add to its weight (FILE_CHECK, misc_dynamic), by their number. */
    readonly added: ReadonlyMap<number, number>;
  }[];
}

export type PoolInput =
  | { readonly kind: "checker"; readonly server: number; readonly checker: number; readonly up: boolean }
  | { readonly kind: "weight"; readonly server: number; readonly checker: number; readonly added: number };

export type PoolEffect =
  | { readonly kind: "server"; readonly server: number; readonly up: boolean }
  | {
      readonly kind: "weight";
      readonly server: number;
      readonly from: number;
      readonly to: number;
      readonly active: boolean;
    }
  | { readonly kind: "quorum"; readonly up: boolean; readonly weight: number; readonly initial: boolean }
  | { readonly kind: "sorry"; readonly active: boolean }
  /** All that are up are put in, or taken out, with the sorry server. */
  | { readonly kind: "pool"; readonly action: "adding" | "removing" };

type Step = readonly [PoolState, readonly PoolEffect[]];

const WEIGHT_MAX = 2_147_483_647;

export function startPool(settings: PoolSettings): Step {
  const state: PoolState = {
    quorumUp: true,
    servers: settings.servers.map(({ checkers }) => ({
      failed: new Set(checkers.flatMap(({ up }, i) => (up ? [] : [i]))),
      added: new Map(),
    })),
  };
  const [next, effects] = withQuorum(settings, state, true);
  // Without a sorry server a start below the quorum is not told: nothing takes the servers' place.
  return [next, settings.sorry ? effects : []];
}

export function stepPool(settings: PoolSettings, state: PoolState, input: PoolInput): Step {
  const before = state.servers[input.server];
  if (before === undefined) return [state, []];
  const after =
    input.kind === "checker"
      ? { ...before, failed: changed(before.failed, input.checker, !input.up) }
      : { ...before, added: new Map([...before.added, [input.checker, input.added]]) };
  const next = { ...state, servers: state.servers.map((one, i) => (i === input.server ? after : one)) };
  const own: PoolEffect[] = [];
  const wasUp = before.failed.size === 0;
  const isUp = after.failed.size === 0;
  if (wasUp !== isUp) own.push({ kind: "server", server: input.server, up: isUp });
  const [from, to] = [weightOf(settings, state, input.server), weightOf(settings, next, input.server)];
  if (from !== to) own.push({ kind: "weight", server: input.server, from, to, active: isUp });
  const [settled, effects] = withQuorum(settings, next, false);
  return [settled, [...own, ...effects]];
}

export function isServerUp(state: PoolState, server: number): boolean {
  return state.servers[server]?.failed.size === 0;
}

/** What a server counts for while it is up. */
export function weightOf({ servers }: PoolSettings, state: PoolState, server: number): number {
  const added = [...(state.servers[server]?.added.values() ?? [])].reduce((sum, one) => sum + one, 0);
  return Math.min(WEIGHT_MAX, Math.max(0, (servers[server]?.weight ?? 0) + added));
}

/** The weights of those that are up. */
export function weightSum(settings: PoolSettings, state: PoolState): number {
  return state.servers.reduce(
    (sum, { failed }, i) => (failed.size === 0 ? sum + weightOf(settings, state, i) : sum),
    0,
  );
}

function withQuorum(settings: PoolSettings, state: PoolState, initial: boolean): Step {
  const weight = weightSum(settings, state);
  const { quorum, hysteresis, sorry } = settings;
  const gains = !state.quorumUp && weight >= quorum + hysteresis;
  const loses = state.quorumUp && (weight === 0 || weight < quorum - hysteresis);
  if (!gains && !loses) return [state, []];
  const effects: PoolEffect[] = [{ kind: "quorum", up: gains, weight, initial }];
  if (sorry && loses) effects.push({ kind: "sorry", active: true }, { kind: "pool", action: "removing" });
  if (sorry && gains) effects.push({ kind: "pool", action: "adding" }, { kind: "sorry", active: false });
  return [{ ...state, quorumUp: gains }, effects];
}

function changed(set: ReadonlySet<number>, value: number, isIn: boolean): ReadonlySet<number> {
  if (set.has(value) === isIn) return set;
  const next = new Set(set);
  if (isIn) next.add(value);
  else next.delete(value);
  return next;
}
