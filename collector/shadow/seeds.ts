import type { Running } from "../conf/model/types.ts";
import type { MonoUs } from "../core/time.ts";
import type { VrrpState } from "../events/vocabulary.ts";
import { OWNER_PRIORITY } from "./track.ts";

/** What an instance is found to be, and by what. */
export interface Ripe {
  readonly instance: string;
  readonly state: "BACKUP" | "MASTER";
  readonly priority?: number;
  readonly why: string;
}

interface Waiting {
  readonly instance: string;
  readonly since: MonoUs;
  /** How long the wire is listened to before silence means something. */
  readonly listenUs: number;
  readonly vips: readonly string[];
  /** Its sync group; members are seeded together. */
  readonly group: string;
  own: { readonly at: MonoUs; readonly priority: number } | undefined;
  peerAt: MonoUs | undefined;
}

/** A master sends one advert an interval, and may be late by half of one. */
const LISTEN_INTERVALS = 1.5;

/**
 * What instances of a daemon that ran before turn out to be: by their log where it says so, else by their addresses and adverts.
 * One that shows nothing, or is in FAULT for whatever reason, is waited for.
 */
export class Seeds {
  private readonly waiting = new Map<string, Waiting>();
  private readonly present = new Set<string>();
  private readonly states = new Map<string, VrrpState>();
  /** Addresses that are there without mastership. */
  private owned: ReadonlySet<string> = new Set();

  get size(): number {
    return this.waiting.size;
  }

  waits(instance: string): boolean {
    return this.waiting.has(instance);
  }

  clear(): void {
    this.waiting.clear();
    this.states.clear();
  }

  setVips({ instances }: Running): void {
    const owners = instances.filter(({ priority }) => priority === OWNER_PRIORITY);
    this.owned = new Set(owners.flatMap(({ vips }) => vips.map(({ address }) => address)));
  }

  await({ instances, syncGroups }: Running, now: MonoUs): void {
    this.waiting.clear();
    for (const { name, vips, advertIntervalUs } of instances)
      this.waiting.set(name, {
        instance: name,
        since: now,
        listenUs: LISTEN_INTERVALS * advertIntervalUs,
        vips: vips.map(({ address }) => address),
        group: syncGroups.find(({ members }) => members.includes(name))?.name ?? `\0${name}`,
        own: undefined,
        peerAt: undefined,
      });
  }

  advert(instance: string, outgoing: boolean, priority: number, at: MonoUs): void {
    const waiting = this.waiting.get(instance);
    if (!waiting) return;
    if (outgoing) waiting.own = { at, priority };
    else waiting.peerAt = at;
  }

  vip(address: string, present: boolean): void {
    if (present) this.present.add(address);
    else this.present.delete(address);
  }

  logged(instance: string, state: VrrpState): void {
    this.states.set(instance, state);
  }

  /** Those that have shown what they are, by sync group; they are waited for no longer. */
  ripe(now: MonoUs): Ripe[][] {
    const groups = new Map<string, { readonly waiting: Waiting; readonly ripe: Ripe | undefined }[]>();
    for (const waiting of this.waiting.values())
      groups.set(waiting.group, [...(groups.get(waiting.group) ?? []), { waiting, ripe: this.judge(waiting, now) }]);
    const seeded: Ripe[][] = [];
    for (const members of groups.values()) {
      const ripe = members.flatMap((member) => member.ripe ?? []);
      if (ripe.length < members.length) continue;
      for (const { instance } of ripe) this.waiting.delete(instance);
      seeded.push(ripe);
    }
    return seeded;
  }

  private judge(waiting: Waiting, now: MonoUs): Ripe | undefined {
    const { instance, since, listenUs, vips, own, peerAt } = waiting;
    if (now - since < listenUs) return undefined;
    const logged = this.states.get(instance);
    if (logged === "FAULT" || logged === "INIT") return undefined;
    const priority = own ? { priority: own.priority } : {};
    const address = vips.find((vip) => this.present.has(vip) && !this.owned.has(vip));
    if (logged !== undefined) return { instance, state: logged, ...priority, why: `its log says ${logged}` };
    if (own) return { instance, state: "MASTER", ...priority, why: "it sends adverts" };
    if (address !== undefined) return { instance, state: "MASTER", why: `it has ${address}` };
    return peerAt === undefined
      ? undefined
      : { instance, state: "BACKUP", why: "another node sends adverts, and it has no virtual address" };
  }
}
