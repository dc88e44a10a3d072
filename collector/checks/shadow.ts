import type { Checker as CheckerConf } from "../conf/model/server-types.ts";
import type { MonoUs } from "../core/time.ts";
import type { EventBody } from "../events/event.ts";
import { type CheckerEffect, type CheckerState, type ProbeResult, startChecker, step, targetsOf } from "./checker.ts";
import type { CheckerPlan, Plan, PoolPlan, ServerPlan } from "./plan.ts";
import { isServerUp, type PoolEffect, type PoolState, startPool, stepPool, weightSum } from "./pool.ts";

/**
 * All checkers and pools of one configuration together: what is due, and what a result means for the servers behind it. Pure:
 * time and chance are arguments, and events come out.
 */

/** Names one checker: its places in the plan. */
export interface CheckerAddress {
  readonly pool: number;
  readonly server: number;
  readonly checker: number;
}

export interface DueProbe extends CheckerAddress {
  readonly target: number;
  readonly isUp: boolean;
}

/** What a probe, a file or the log says of one checker. */
export interface Finding {
  readonly result: ProbeResult;
  readonly status?: number;
  readonly url?: string;
  readonly added?: number;
  readonly latencyUs?: number;
}

interface CheckerCell {
  readonly plan: CheckerPlan;
  state: CheckerState;
}

interface PoolCell {
  readonly plan: PoolPlan;
  state: PoolState;
  readonly checkers: readonly (readonly CheckerCell[])[];
  active: boolean;
  /** Servers and quorums whose state has been told. */
  readonly told: Set<number>;
  toldQuorum: boolean;
}

/** @returns in [0, 1) */
export type Chance = () => number;

export class ShadowChecks {
  readonly plan: Plan;
  private readonly pools: readonly PoolCell[];
  private readonly chance: Chance;

  /** @param before  what was known of the servers that are in both configurations is kept, as keepalived does at a reload */
  constructor(plan: Plan, now: MonoUs, chance: Chance, before?: ShadowChecks) {
    this.plan = plan;
    this.chance = chance;
    const known = new Map(before?.cells().map((cell) => [cell.key, cell.state]));
    this.pools = plan.pools.map((pool) => {
      const checkers = pool.servers.map((server) =>
        server.checkers.map((one): CheckerCell => {
          const kept = known.get(keyOf(pool, server, one));
          const fresh = startChecker(one.checker, now, chance());
          // A probe that is under way belongs to the configuration before.
          return { plan: one, state: kept ? { ...fresh, up: kept.up, hasRun: kept.hasRun } : fresh };
        }),
      );
      return {
        plan: pool,
        checkers,
        state: startPool(withKnown(pool, checkers))[0],
        active: false,
        told: new Set<number>(),
        toldQuorum: false,
      };
    });
  }

  /** A pool begins to be probed, or pauses. @returns one event a real server that is watched */
  activate(pool: number, active: boolean, now: MonoUs): EventBody[] {
    const cell = this.pools[pool];
    if (cell === undefined || cell.active === active) return [];
    cell.active = active;
    cell.told.clear();
    cell.toldQuorum = false;
    for (const one of cell.checkers.flat()) {
      const [suspended] = step(one.plan.checker, one.state, { kind: "suspend" }, now, this.plan.release);
      one.state = active ? this.resumed(one, suspended, now) : suspended;
    }
    const events: EventBody[] = cell.plan.servers
      .filter(isWatched)
      .map(({ name }) => ({ kind: "check.activation", service: name, active, virtualServer: cell.plan.name }));
    if (active && !cell.state.quorumUp && cell.plan.settings.sorry && cell.plan.servers.some(isWatched)) {
      events.push(...quorumEvents(cell, { kind: "quorum", up: false, weight: this.weight(cell), initial: true }));
      events.push(...poolEvents(cell, { kind: "sorry", active: true }));
    }
    return events;
  }

  /** What a reload brings to an end: servers that the configuration after it has not, or not to be probed. */
  leave(after: ShadowChecks, now: MonoUs): EventBody[] {
    const stays = new Set(
      after.plan.pools.flatMap(({ name, servers }) =>
        servers.filter(isWatched).map((server) => JSON.stringify([name, server.name])),
      ),
    );
    return this.pools
      .flatMap((_, pool) => this.activate(pool, false, now))
      .filter(
        (event) =>
          event.kind === "check.activation" && !stays.has(JSON.stringify([event.virtualServer, event.service])),
      );
  }

  isActive(pool: number): boolean {
    return this.pools[pool]?.active ?? false;
  }

  /** When the next probe is due; undefined: none ever, as things are. */
  nextDueAt(): MonoUs | undefined {
    let next: MonoUs | undefined;
    for (const { state } of this.probed())
      if (state.phase === "waiting" && (next === undefined || state.dueAt < next)) next = state.dueAt;
    return next;
  }

  /** Probes that are due, the longest overdue first. They count as begun only when `begin` says so. */
  due(now: MonoUs): CheckerAddress[] {
    const found: { at: MonoUs; address: CheckerAddress }[] = [];
    for (const [pool, cell] of this.pools.entries())
      if (cell.active)
        for (const [server, checkers] of cell.checkers.entries())
          for (const [checker, { plan, state }] of checkers.entries())
            if (plan.by === "probe" && state.phase === "waiting" && state.dueAt <= now)
              found.push({ at: state.dueAt, address: { pool, server, checker } });
    return found.sort((a, b) => a.at - b.at).map(({ address }) => address);
  }

  /** @returns undefined when it is not due */
  begin(address: CheckerAddress, now: MonoUs): DueProbe | undefined {
    const cell = this.cell(address);
    if (cell === undefined) return undefined;
    const [state, effects] = step(cell.plan.checker, cell.state, { kind: "tick" }, now, this.plan.release);
    cell.state = state;
    const effect = effects.find((one) => one.kind === "probe");
    return effect && { ...address, target: effect.target, isUp: effect.isUp };
  }

  /** The verdict of a probe that was begun. */
  finish(address: CheckerAddress, finding: Finding, now: MonoUs): EventBody[] {
    const [pool, server, one] = [this.pools[address.pool], this.server(address), this.cell(address)];
    if (pool === undefined || server === undefined || one === undefined || one.state.phase !== "probing") return [];
    const input = { kind: "result", result: finding.result } as const;
    const [state, effects] = step(one.plan.checker, one.state, input, now, this.plan.release);
    one.state = state;
    const events = effects.flatMap((effect) => resultEvents(effect, one.plan, server, pool.plan, finding));
    // With alpha it was assumed to be down; where nothing can be said, nothing is held against it.
    if (finding.result.kind === "unable" && !state.hasRun)
      pool.state = stepPool(pool.plan.settings, pool.state, { ...address, kind: "checker", up: true })[0];
    if (finding.added !== undefined && finding.result.kind === "success")
      events.push(...this.settle(pool, { ...address, kind: "weight", added: finding.added }));
    for (const effect of effects)
      if (effect.kind === "state") events.push(...this.settle(pool, { ...address, kind: "checker", up: effect.up }));
    return [...events, ...this.firstWords(pool, address.server)];
  }

  /** What the log or a file says of a checker that is not probed. */
  hear(address: CheckerAddress, up: boolean, added = 0): EventBody[] {
    const [pool, one] = [this.pools[address.pool], this.cell(address)];
    if (pool === undefined || one === undefined) return [];
    one.state = { ...one.state, up, hasRun: true };
    return [
      ...this.settle(pool, { ...address, kind: "weight", added }),
      ...this.settle(pool, { ...address, kind: "checker", up }),
      ...(pool.active && one.plan.by === "file" ? this.firstWords(pool, address.server) : []),
    ];
  }

  /** Those that are not probed, for whoever brings their verdicts. */
  unprobed(): {
    readonly address: CheckerAddress;
    readonly plan: CheckerPlan;
    readonly server: ServerPlan;
    readonly pool: PoolPlan;
  }[] {
    return this.pools.flatMap(({ plan: pool }, i) =>
      pool.servers.flatMap((server, j) =>
        server.checkers.flatMap((plan, k) =>
          plan.by === "probe" ? [] : [{ address: { pool: i, server: j, checker: k }, plan, server, pool }],
        ),
      ),
    );
  }

  server({ pool, server }: CheckerAddress): ServerPlan | undefined {
    return this.pools[pool]?.plan.servers[server];
  }

  checkerPlan(address: CheckerAddress): CheckerPlan | undefined {
    return this.cell(address)?.plan;
  }

  private resumed(one: CheckerCell, suspended: CheckerState, now: MonoUs): CheckerState {
    const input = { kind: "resume", fraction: this.chance() } as const;
    return step(one.plan.checker, suspended, input, now, this.plan.release)[0];
  }

  private settle(cell: PoolCell, input: Parameters<typeof stepPool>[2]): EventBody[] {
    const [state, effects] = stepPool(cell.plan.settings, cell.state, input);
    cell.state = state;
    if (!cell.active || !cell.plan.servers.some(isWatched)) return [];
    const server = cell.plan.servers[input.server];
    return effects
      .filter(({ kind }) => (kind !== "server" && kind !== "weight") || (server !== undefined && isWatched(server)))
      .flatMap((effect) => poolEvents(cell, effect));
  }

  /** What is known of a server, and of its quorum, is told once after a start even if it is what was assumed. */
  private firstWords(cell: PoolCell, server: number): EventBody[] {
    const plan = cell.plan.servers[server];
    const events: EventBody[] = [];
    const isKnown = (i: number): boolean =>
      cell.checkers[i]?.every(({ plan: { by }, state }) => by !== "probe" || state.hasRun) ?? true;
    if (plan && !cell.told.has(server) && isKnown(server))
      events.push(...poolEvents(cell, { kind: "server", server, up: isServerUp(cell.state, server) }));
    if (!cell.toldQuorum && cell.checkers.every((_, i) => isKnown(i)))
      events.push(
        ...quorumEvents(cell, { kind: "quorum", up: cell.state.quorumUp, weight: this.weight(cell), initial: true }),
      );
    return events;
  }

  private weight({ plan, state }: PoolCell): number {
    return weightSum(plan.settings, state);
  }

  private cell({ pool, server, checker }: CheckerAddress): CheckerCell | undefined {
    return this.pools[pool]?.checkers[server]?.[checker];
  }

  private probed(): CheckerCell[] {
    return this.pools.flatMap(({ active, checkers }) =>
      active ? checkers.flat().filter(({ plan }) => plan.by === "probe") : [],
    );
  }

  private cells(): { readonly key: string; readonly state: CheckerState }[] {
    return this.pools.flatMap(({ plan, checkers }) =>
      plan.servers.flatMap((server, i) =>
        (checkers[i] ?? []).map((one) => ({ key: keyOf(plan, server, one.plan), state: one.state })),
      ),
    );
  }
}

/** What makes a checker the same one after a reload: all of its settings. */
function keyOf(pool: PoolPlan, server: ServerPlan, { checker, by }: CheckerPlan): string {
  const { at: _, ...settings } = checker;
  return JSON.stringify([pool.name, server.name, by, settings satisfies Omit<CheckerConf, "at">]);
}

/** The pool's settings, begun with what is known. */
function withKnown({ settings }: PoolPlan, checkers: readonly (readonly CheckerCell[])[]): PoolPlan["settings"] {
  return {
    ...settings,
    servers: settings.servers.map((server, i) => ({
      ...server,
      checkers: server.checkers.map((assumed, k) => {
        const cell = checkers[i]?.[k];
        return cell?.state.hasRun ? { up: cell.state.up } : assumed;
      }),
    })),
  };
}

/** What rests on the log alone would only repeat it: such a server gets no claims. */
const isWatched = ({ checkers }: ServerPlan): boolean => checkers.some(({ by }) => by !== "log");

function resultEvents(
  effect: CheckerEffect,
  { word, checker }: CheckerPlan,
  server: ServerPlan,
  pool: PoolPlan,
  { status, url, latencyUs }: Finding,
): EventBody[] {
  if (effect.kind !== "result") return [];
  const script = checker.check.kind === "misc" ? checker.check.command.words[0] : undefined;
  return [
    {
      kind: "check.result",
      checker: word,
      outcome: effect.outcome,
      service: server.name,
      virtualServer: pool.name,
      ...(effect.reason === undefined ? {} : { reason: effect.reason }),
      ...(effect.retries === undefined ? {} : { retries: effect.retries }),
      ...(status === undefined ? {} : { status }),
      ...(url === undefined || targetsOf(checker) < 2 ? {} : { url: url.slice(0, 1024) }),
      ...(script === undefined ? {} : { script: script.slice(0, 1024) }),
      ...(latencyUs === undefined ? {} : { latencyUs }),
    },
  ];
}

function poolEvents(cell: PoolCell, effect: PoolEffect): EventBody[] {
  const { plan } = cell;
  const virtualServer = plan.name;
  switch (effect.kind) {
    case "server": {
      const { name, inhibitOnFailure } = plan.settings.servers[effect.server] ?? { name: "", inhibitOnFailure: false };
      cell.told.add(effect.server);
      const who = { virtualServer, realServer: name };
      return effect.up
        ? [{ kind: "check.server-up", ...who, action: inhibitOnFailure ? "enabled" : "added" }]
        : [{ kind: "check.server-down", ...who, action: inhibitOnFailure ? "disabled" : "removed" }];
    }
    case "weight": {
      const { server, from, to, active } = effect;
      const realServer = plan.settings.servers[server]?.name ?? "";
      return [{ kind: "check.weight-changed", virtualServer, realServer, from, to, active }];
    }
    case "quorum":
      return quorumEvents(cell, effect);
    case "sorry": {
      const { name, inhibit } = plan.settings.sorry ?? { name: "", inhibit: false };
      const action = effect.active ? (inhibit ? "enabled" : "added") : inhibit ? "disabled" : "removed";
      return [{ kind: "check.sorry-server", virtualServer, sorryServer: name, action }];
    }
    case "pool":
      return [{ kind: "check.pool", virtualServer, action: effect.action }];
  }
}

function quorumEvents(cell: PoolCell, { up, weight, initial }: Extract<PoolEffect, { kind: "quorum" }>): EventBody[] {
  cell.toldQuorum = true;
  const { quorum, hysteresis } = cell.plan.settings;
  const threshold = Math.max(0, up ? quorum + hysteresis : quorum - hysteresis);
  const fields = { virtualServer: cell.plan.name, quorum, hysteresis, threshold, weight };
  return up ? [{ kind: "check.quorum-gained", ...fields }] : [{ kind: "check.quorum-lost", ...fields, initial }];
}
