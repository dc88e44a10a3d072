import type { Running } from "../conf/model/types.ts";
import type { MonoUs } from "../core/time.ts";
import type { Decoded } from "../vrrp/advert.ts";
import { beginTimer, type Changeable, type Daemon, type Shadow } from "./draft.ts";
import { type Arrival, receiverOf } from "./hear.ts";
import type { HeardPeer, Router } from "./router.ts";
import type { World } from "./world.ts";

/** Whom an advert spoke to, and in which circumstances: in these it speaks to the same instance again. */
interface Place {
  readonly config: Running;
  readonly world: World;
  readonly interface: string;
  readonly outgoing: boolean;
  readonly router: number;
}

/**
 * Adverts repeat, every interval, for months: all that most of them do is to begin a timer anew. For these nothing is looked
 * up, judged or copied: the shadow is changed in place, which is why it must be nobody else's.
 */
export class Again {
  private readonly places = new WeakMap<Decoded, Place>();

  /**
   * Does what `step` would do about an advert that was heard before and changes nothing but when it was.
   * @param shadow  changed in place when the answer is true; else untouched
   * @returns false when there may be more to it: it is for `step` then
   */
  hear(shadow: Shadow, arrival: Arrival, now: MonoUs): boolean {
    const { daemon } = shadow;
    if (daemon === undefined || daemon.frozen !== undefined) return false;
    const place = this.places.get(arrival.advert);
    if (place === undefined || !isSame(place, arrival, daemon, shadow.world)) return false;
    const at = Math.max(now, shadow.now) as MonoUs;
    if (daemon.dueAt <= at) return false;
    if (daemon.delayedUntil !== undefined && at < daemon.delayedUntil) return false;
    const router = daemon.routers[place.router];
    if (router === undefined) return false;
    if (arrival.outgoing) {
      if (router.state === "MASTER") (router as Changeable<Router>).armedAt = at;
    } else if (!followsAgain(router, arrival.advert, at)) return false;
    else restart(daemon, router, at);
    (shadow as Changeable<Shadow>).now = at;
    return true;
  }

  /** `step` has dealt with an advert: whether it may be known when it comes again. */
  learn(before: Shadow, after: Shadow, arrival: Arrival): void {
    const { daemon, world } = after;
    if (daemon === undefined || daemon.frozen !== undefined || before.daemon?.config !== daemon.config) return;
    const router = receiverOf(daemon, world, arrival);
    if (router === undefined) return;
    const { interface: nic, outgoing, advert } = arrival;
    // Taken by a backup that goes by its sender: it has passed all tests, which are the same for as long as that is so.
    const master = daemon.routers[router]?.master;
    if (!outgoing && (master === undefined || master === before.daemon.routers[router]?.master)) return;
    this.places.set(advert, { config: daemon.config, world, interface: nic, outgoing, router });
  }
}

const isSame = (place: Place, { interface: nic, outgoing }: Arrival, { config }: Daemon, world: World): boolean =>
  place.config === config && place.world === world && place.outgoing === outgoing && place.interface === nic;

/** Whether a backup that takes this advert changes in nothing but its times, and has nothing to tell. */
function followsAgain(router: Router, { source, priority, advertIntervalUs }: Decoded, at: MonoUs): boolean {
  const { conf, master } = router;
  if (router.state !== "BACKUP" || router.wants !== "BACKUP") return false;
  if (router.expiresAt === undefined || router.preemptAt !== undefined) return false;
  if (master === undefined || master !== router.peers[router.peers.length - 1]) return false;
  // A reload keeps the master, and forgets whom it believed.
  if (router.source !== source) return false;
  if (master.address !== source || master.priority !== priority || master.intervalUs !== advertIntervalUs) return false;
  if (priority === 0 || (priority < router.effective && !(conf.nopreempt && conf.preemptDelayUs === 0))) return false;
  // Later than the next one would be: some are missing.
  return Math.round((at - master.heardAt) / master.intervalUs) <= 1;
}

function restart(daemon: Daemon, router: Changeable<Router>, at: MonoUs): void {
  const master: Changeable<HeardPeer> | undefined = router.master;
  if (master !== undefined) master.heardAt = at;
  router.armedAt = at;
  beginTimer(daemon, router, at);
}
