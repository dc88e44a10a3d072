import type { MonoUs } from "../core/time.ts";
import type { Daemon, ProcessState, VrrpState } from "../events/vocabulary.ts";
import type { Changeable } from "./draft.ts";
import {
  type Difference,
  differencesOf,
  type Scene,
  frozenDifference,
  type ObservedService,
  serviceDifference,
} from "./differences.ts";
import {
  BLIND,
  NOTHING_OBSERVED,
  type Observed,
  type ObservedProcess,
  type Seen,
  type Sight,
  type Subject,
  type Witness,
} from "./observed.ts";

/** What somebody saw or the shadow said. */
export type Fact =
  /** The instances there are from now on; what is known of those that stay is kept. */
  | { readonly kind: "subjects"; readonly subjects: readonly Subject[]; readonly keepsVips: boolean }
  /** Whether a source sees, from now on. */
  | { readonly kind: "sight"; readonly source: keyof Sight; readonly sees: boolean }
  /** `state` undefined: the shadow cannot say. */
  | {
      readonly kind: "expected";
      readonly instance: string;
      readonly state: VrrpState | undefined;
      readonly by: Witness;
    }
  | { readonly kind: "logged"; readonly instance: string; readonly state: VrrpState; readonly by: Witness }
  | { readonly kind: "timeout"; readonly instance: string; readonly by: Witness }
  /** Without an instance the line does not say which. */
  | { readonly kind: "rejection"; readonly instance: string | undefined; readonly reason: string; readonly by: Witness }
  | { readonly kind: "vip"; readonly address: string; readonly present: boolean; readonly by: Witness }
  /** Of a priority above 0. `peer` undefined: its own. */
  | {
      readonly kind: "advert";
      readonly instance: string;
      readonly peer: string | undefined;
      readonly priority: number;
      readonly by: Witness;
    }
  | {
      readonly kind: "process";
      readonly daemon: Daemon;
      readonly pid: number;
      readonly state: ProcessState | "gone";
      readonly by: Witness;
    }
  /** The services there are from now on; what is known of those that stay is kept. */
  | {
      readonly kind: "services";
      readonly services: readonly { readonly virtualServer: string; readonly realServer: string }[];
    }
  /** The checker process is gone: what it held of services is void. */
  | { readonly kind: "forget-services" }
  /** keepalived was told to stop, or to end a child: who goes now goes in order. */
  | { readonly kind: "stopping" }
  | {
      readonly kind: "service";
      readonly virtualServer: string;
      readonly realServer: string;
      readonly by: "check" | "log";
      readonly up: boolean;
      readonly toleranceUs: number;
      readonly witness: Witness;
    };

/** A divergence begins, or is over. */
export interface Divergence {
  readonly phase: "begin" | "end";
  readonly difference: Difference;
  /** Since when they differ, or agree again. */
  readonly at: MonoUs;
}

export interface Verdicts {
  tell(fact: Fact, now: MonoUs): void;
  /** What has become a divergence up to `now`, and what is none any more. */
  judge(now: MonoUs): Divergence[];
}

/** A stop takes this long at most, from the word to the last process: keepalived waits a second, and for scripts. */
const STOPPING_US = 20_000_000;
/** A pause between two own adverts longer than this many intervals begins a new run of them. */
const PAUSE_INTERVALS = 3;

/**
 * Compares what the shadow says with what is seen of this node: a pure book-keeper that is told facts with their instants.
 * A difference becomes a divergence when it lasts longer than its tolerance. See README.md for each.
 */
export function createVerdicts(): Verdicts {
  return new Book();
}

class Book implements Verdicts {
  private subjects: readonly Subject[] = [];
  private intervals: ReadonlyMap<string, number> = new Map();
  private keepsVips = false;
  private sight: Sight = BLIND;
  private readonly observed = new Map<string, Observed>();
  private readonly processes = new Map<Daemon, ObservedProcess>();
  private readonly vips = new Map<string, Seen<true>>();
  private readonly services = new Map<string, ObservedService>();
  private stoppingAt: MonoUs | undefined;
  /** By code and subject: told ones only. */
  private readonly open = new Map<string, Difference>();
  /** When one ended last: it does not begin again before that, whatever its cause. */
  private readonly endedAt = new Map<string, MonoUs>();

  tell(fact: Fact, now: MonoUs): void {
    switch (fact.kind) {
      case "subjects":
        return this.setSubjects(fact.subjects, fact.keepsVips);
      case "sight":
        return this.setSight(fact.source, fact.sees, now);
      case "expected":
        return this.note(fact.instance, ({ expected }) => ({
          expected: fact.state === undefined ? undefined : seen(expected, fact.state, now, fact.by),
        }));
      case "logged":
        return this.note(fact.instance, ({ logged }) => ({ logged: seen(logged, fact.state, now, fact.by) }));
      case "timeout":
        return this.note(fact.instance, () => ({ timeout: { value: true, since: now, by: fact.by } }));
      case "rejection": {
        const rejection = { value: fact.reason, since: now, by: fact.by };
        const names = fact.instance === undefined ? this.subjects.map(({ instance }) => instance) : [fact.instance];
        for (const name of names) this.note(name, () => ({ rejection }));
        return;
      }
      case "vip":
        return this.setVip(fact, now);
      case "advert":
        return this.setAdvert(fact, now);
      case "process":
        return this.setProcess(fact, now);
      case "stopping":
        this.stoppingAt = now;
        return this.markOrderly(now);
      case "service":
        return this.setService(fact, now);
      case "services": {
        const kept = new Set(fact.services.map(serviceKey));
        for (const key of this.services.keys()) if (!kept.has(key)) this.services.delete(key);
        return;
      }
      case "forget-services":
        for (const [key, service] of this.services) this.services.set(key, { ...service, logged: undefined });
        return;
    }
  }

  judge(now: MonoUs): Divergence[] {
    const found = new Map(this.differences(now).map((difference) => [keyOf(difference), difference]));
    const told: Divergence[] = [];
    for (const [key, difference] of this.open) {
      if (found.has(key)) continue;
      this.open.delete(key);
      this.endedAt.set(key, now);
      told.push({ phase: "end", difference, at: now });
    }
    for (const [key, difference] of found) {
      const since = Math.max(difference.since, (this.endedAt.get(key) ?? 0) + 1) as MonoUs;
      if (this.open.has(key) || now - since < difference.toleranceUs) continue;
      this.open.set(key, difference);
      told.push({ phase: "begin", difference, at: since });
    }
    return told;
  }

  private differences(now: MonoUs): Difference[] {
    const vrrp = this.processes.get("vrrp");
    const { sight, keepsVips } = this;
    const ofInstances: Difference[] = [];
    // One scene for all: there are hundreds, looked at several times a second, and nearly none differs.
    let scene: Changeable<Scene> | undefined;
    for (const subject of this.subjects) {
      const observed = this.observed.get(subject.instance) ?? NOTHING_OBSERVED;
      scene ??= { subject, observed, vips: this.vips, vrrp, sight, keepsVips, now };
      scene.subject = subject;
      scene.observed = observed;
      const found = differencesOf(scene);
      if (found.length > 0) ofInstances.push(...found);
    }
    const frozen = sight.process
      ? [...this.processes.values()].map((process) => frozenDifference(process, this.subjects))
      : [];
    const services = [...this.services.values()].map(serviceDifference);
    return [...ofInstances, ...[...frozen, ...services].filter((difference) => difference !== undefined)];
  }

  private setSight(source: keyof Sight, sees: boolean, now: MonoUs): void {
    if (source === "wire") this.sight = { ...this.sight, wire: sees ? (this.sight.wire ?? now) : undefined };
    else this.sight = { ...this.sight, [source]: sees };
    // What was there when it went blind may be gone.
    if (source === "kernel" && !sees) this.vips.clear();
  }

  private setSubjects(subjects: readonly Subject[], keepsVips: boolean): void {
    this.subjects = subjects;
    this.intervals = new Map(subjects.map(({ instance, advertIntervalUs }) => [instance, advertIntervalUs]));
    this.keepsVips = keepsVips;
    const names = new Set(subjects.map(({ instance }) => instance));
    for (const name of this.observed.keys()) if (!names.has(name)) this.observed.delete(name);
  }

  private note(instance: string, change: (before: Observed) => Partial<Observed>): void {
    const before = this.observed.get(instance) ?? NOTHING_OBSERVED;
    this.observed.set(instance, { ...before, ...change(before) });
  }

  /** It is what comes most: what has been so before is changed in place. Nobody keeps more of it than a witness. */
  private setAdvert({ instance, peer, priority, by }: Extract<Fact, { kind: "advert" }>, now: MonoUs): void {
    let observed: Changeable<Observed> | undefined = this.observed.get(instance);
    if (observed === undefined) this.observed.set(instance, (observed = { ...NOTHING_OBSERVED }));
    if (peer === undefined) {
      const pauseUs = PAUSE_INTERVALS * (this.intervals.get(instance) ?? 0);
      const { ownAdvert } = observed;
      if (ownAdvert === undefined || now - ownAdvert.since > pauseUs) observed.ownSince = now;
      observed.ownAdvert = renewed(ownAdvert, now, by) ?? { value: true, since: now, by };
      return;
    }
    const { peerAdvert } = observed;
    const isSame = peerAdvert?.value.peer === peer && peerAdvert.value.priority === priority;
    observed.peerAdvert = (isSame ? renewed(peerAdvert, now, by) : undefined) ?? {
      value: { peer, priority },
      since: now,
      by,
    };
  }

  private setVip({ address, present, by }: Extract<Fact, { kind: "vip" }>, now: MonoUs): void {
    if (!present) this.vips.delete(address);
    else if (!this.vips.has(address)) this.vips.set(address, { value: true, since: now, by });
  }

  private setProcess({ daemon, pid, state, by }: Extract<Fact, { kind: "process" }>, now: MonoUs): void {
    const before = this.processes.get(daemon);
    // The end of one that has a successor already.
    if (state === "gone" && before && before.pid !== pid) return;
    const isNew = before?.pid !== pid || before.state.value === "gone";
    const orderly = state === "gone" && this.stoppingAt !== undefined && now - this.stoppingAt <= STOPPING_US;
    this.processes.set(daemon, { daemon, pid, state: seen(isNew ? undefined : before.state, state, now, by), orderly });
    if (daemon !== "vrrp" || (state !== "gone" && !isNew)) return;
    // What the log of one process said says nothing of the next.
    for (const name of this.observed.keys())
      this.note(name, () => ({ logged: undefined, timeout: undefined, rejection: undefined }));
    if (state !== "gone") this.stoppingAt = undefined;
  }

  /** The word may come after the deed: a log is read a little later than a process goes. */
  private markOrderly(now: MonoUs): void {
    for (const [daemon, process] of this.processes)
      if (process.state.value === "gone" && now - process.state.since <= STOPPING_US)
        this.processes.set(daemon, { ...process, orderly: true });
  }

  private setService(fact: Extract<Fact, { kind: "service" }>, now: MonoUs): void {
    const { virtualServer, realServer, toleranceUs, up, witness } = fact;
    const key = serviceKey(fact);
    const before = this.services.get(key) ?? {
      virtualServer,
      realServer,
      checked: undefined,
      logged: undefined,
      toleranceUs,
    };
    const side = fact.by === "check" ? "checked" : "logged";
    this.services.set(key, { ...before, toleranceUs, [side]: seen(before[side], up, now, witness) });
  }
}

const serviceKey = ({
  virtualServer,
  realServer,
}: {
  readonly virtualServer: string;
  readonly realServer: string;
}): string => `${virtualServer}\0${realServer}`;

/** Seen once more, which makes it newer. */
function renewed<T>(before: Changeable<Seen<T>> | undefined, since: MonoUs, by: Witness): Seen<T> | undefined {
  if (before === undefined) return undefined;
  before.since = since;
  before.by = by;
  return before;
}

/** The same again is no news. */
const seen = <T>(before: Seen<T> | undefined, value: T, since: MonoUs, by: Witness): Seen<T> =>
  before?.value === value ? before : { value, since, by };

function keyOf({ code, instance, daemon, virtualServer, realServer }: Difference): string {
  return [code, instance, daemon, virtualServer, realServer].join("\0");
}
