import { compareAddresses } from "../core/address.ts";
import type { Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";
import {
  arm,
  type Changeable,
  type Daemon,
  type Draft,
  patch,
  renew,
  routerAt,
  setTimer,
  tellPriority,
} from "./draft.ts";
import type { ShadowInput } from "./input.ts";
import { type HeardPeer, isBefore, isOld, type Router, skewOfUs } from "./router.ts";
import { OWNER_PRIORITY } from "./track.ts";
import { yieldTo } from "./transitions.ts";
import { isMulticast, validate } from "./validate.ts";
import { sourceOf, type World } from "./world.ts";

/** What an instance makes of an advert. (2.2.7, vrrp/vrrp.c:vrrp_state_backup, vrrp_state_master_rx) */

/** An advert, and where it came by. */
export type Arrival = Omit<Extract<ShadowInput, { readonly kind: "advert" }>, "kind">;

/** Most sources remembered of one virtual router. */
const PEERS_MAX = 16;
/** From here on adverts are not looked at before the startup delay is over. */
const DEAF_WHILE_DELAYED: Release = [2, 2, 8];
/** From here on two address owners settle it by their addresses. */
const OWNERS_COMPARE: Release = [2, 3, 3];

/** @param at  when the kernel had it; a process that was frozen reads it later */
export function hear(draft: Draft, heard: Arrival, at: MonoUs): void {
  const index = receiverOf(draft, draft.world, heard);
  if (index === undefined) return;
  const router = routerAt(draft, index);
  if (heard.outgoing) {
    if (router.state === "MASTER") renew(draft, index).armedAt = at;
    return;
  }
  if (isDeaf(draft)) return;
  const isDown = router.state !== "BACKUP" && router.state !== "MASTER";
  const { advert } = heard;
  const verdict = validate(advert, {
    instance: router.conf,
    release: draft.release,
    state: router.state,
    source: router.source,
  });
  if (!verdict.accepted) {
    // In FAULT nothing is read.
    if (isDown) return;
    draft.effects.push({
      kind: "rejected",
      instance: router.conf.name,
      peer: advert.source,
      reason: verdict.reason,
      at: draft.now,
    });
    ignore(draft, index, verdict.reason === "interval");
    return;
  }
  const peer = { address: advert.source, priority: advert.priority, intervalUs: advert.advertIntervalUs, heardAt: at };
  const hearing = renew(draft, index);
  hearing.peers = remember(router.peers, peer);
  if (isDown) return;
  if (router.state === "MASTER" || router.transitioning) hearAsMaster(draft, index, peer);
  else hearAsBackup(draft, index, peer, hearing);
}

const isDeaf = ({ release, delayedUntil, now }: Draft): boolean =>
  delayedUntil !== undefined && now < delayedUntil && !isBefore(release, DEAF_WHILE_DELAYED);

/** The instance whose socket gets it; none, when keepalived never sees it. */
export function receiverOf(
  { routers, places }: Pick<Daemon, "routers" | "places">,
  world: World,
  { interface: nic, outgoing, advert }: Arrival,
): number | undefined {
  const multicast = isMulticast(advert);
  if (!outgoing && !multicast && !isOwnAddress(world, advert.destination)) return undefined;
  const found: number[] = [];
  for (const index of places.get(advert.vrid) ?? []) {
    const conf = routers[index]?.conf;
    if (conf === undefined) continue;
    if (conf.family !== advert.family) continue;
    const isHere = conf.interface === nic || (conf.interface === undefined && conf.unicastPeers.length > 0);
    if (!isHere && !(outgoing && conf.vmac?.interface === nic)) continue;
    // Sockets are bound: a unicast one to the own address, a multicast one joins its group, and each has its protocol.
    if (multicast && conf.multicastGroup !== advert.destination) continue;
    if ((advert.ah !== undefined) !== (conf.authentication.type === "AH")) continue;
    found.push(index);
  }
  // Several unicast instances may share a VRID: the peer tells them apart.
  if (found.length < 2) return found[0];
  return (
    found.find((index) => routers[index]?.conf.unicastPeers.some(({ address }) => address === advert.source)) ??
    found[0]
  );
}

/** When nobody told of any address, it is taken as one. */
function isOwnAddress(world: World, address: string): boolean {
  if (world.addresses.size === 0) return true;
  for (const list of world.addresses.values()) if (list.includes(address)) return true;
  return false;
}

function remember(peers: readonly HeardPeer[], peer: HeardPeer): readonly HeardPeer[] {
  if (peers.length === 0 || (peers.length === 1 && peers[0]?.address === peer.address)) return [peer];
  return [...peers.filter(({ address }) => address !== peer.address), peer].slice(-PEERS_MAX);
}

/** A refused packet, or a discarded advert: a backup's timer goes on, a master's begins anew. */
function ignore(draft: Draft, index: number, isIntervalMismatch: boolean): void {
  const router = routerAt(draft, index);
  if (router.state === "MASTER") rearm(draft, index);
  else if (isOld(draft.release) && !router.transitioning) {
    // 1.x takes any packet for a sign of life, and one with another interval for a good one.
    arm(draft, index);
    if (isIntervalMismatch) patch(draft, index, { armedAt: draft.now });
  } else if (router.expiresAt !== undefined) {
    arm(draft, index, { downUs: router.expiresAt - draft.now, cause: router.expiryCause });
  }
}

/** A master sends an interval after the last packet it got, its own included. */
function rearm(draft: Draft, index: number): void {
  const { conf } = routerAt(draft, index);
  if (!conf.lowerPrioNoAdvert || isOld(draft.release)) renew(draft, index).armedAt = draft.now;
}

/** @param router  the copy that is being changed */
function hearAsBackup(draft: Draft, index: number, peer: HeardPeer, router: Changeable<Router>): void {
  if (peer.priority === 0) {
    patch(draft, index, { master: undefined });
    arm(draft, index, { downUs: skewOfUs(router, draft.release), cause: "priority-zero" });
    return;
  }
  const isLower = peer.priority < router.effective;
  if (isLower && !router.conf.nopreempt && !isPreemptDelayed(router, draft.now)) {
    patch(draft, index, { source: peer.address });
    if (isOld(draft.release)) {
      // Its own advert makes the other step back; then it takes over.
      patch(draft, index, { wants: "MASTER", transitioning: true });
      arm(draft, index, { downUs: router.conf.advertIntervalUs });
    } else ignore(draft, index, false);
    return;
  }
  tellNearMiss(draft, router, peer);
  const { conf } = router;
  router.wants = "BACKUP";
  router.master = peer;
  router.source = peer.address;
  router.armedAt = draft.now;
  router.preemptAt = preemptAtAfter(router, isLower, draft.now);
  router.masterIntervalUs = conf.version === 3 && !isOld(draft.release) ? peer.intervalUs : conf.advertIntervalUs;
  setTimer(draft, router);
}

/** The delay begins with the first lower advert, and until it is over lower adverts are accepted. */
function isPreemptDelayed({ conf, preemptAt }: Router, now: MonoUs): boolean {
  return conf.preemptDelayUs > 0 && (preemptAt === undefined || now < preemptAt);
}

function preemptAtAfter({ conf, preemptAt }: Router, isLower: boolean, now: MonoUs): MonoUs | undefined {
  if (conf.preemptDelayUs === 0 || !isLower) return undefined;
  return preemptAt ?? ((now + conf.preemptDelayUs) as MonoUs);
}

function tellNearMiss(draft: Draft, { conf, master, armedAt, expiresAt }: Router, peer: HeardPeer): void {
  // Another's first advert is a hand-over, not the old master heard again.
  if (!master || master.address !== peer.address || expiresAt === undefined) return;
  const missed = Math.round((peer.heardAt - master.heardAt) / master.intervalUs) - 1;
  if (missed < 1) return;
  const used = (peer.heardAt - master.heardAt) / Math.max(1, expiresAt - armedAt);
  draft.effects.push({
    kind: "near-miss",
    instance: conf.name,
    peer: peer.address,
    missed,
    marginUsed: Math.min(1, Math.max(0, used)),
    at: draft.now,
  });
}

function hearAsMaster(draft: Draft, index: number, peer: HeardPeer): void {
  if (peer.priority === OWNER_PRIORITY && routerAt(draft, index).base === OWNER_PRIORITY) meetOwner(draft, index);
  const router = routerAt(draft, index);
  const source = sourceOf(router.conf, draft.world, draft.virtual);
  const isBeyond = source === undefined ? 0 : compareAddresses(peer.address, source);
  const isBetter = peer.priority > router.effective || (peer.priority === router.effective && isBeyond > 0);
  if (peer.priority === 0 || !isBetter) {
    rearm(draft, index);
    return;
  }
  patch(draft, index, {
    master: peer,
    source: peer.address,
    masterIntervalUs:
      router.conf.version === 3 && !isOld(draft.release) ? peer.intervalUs : router.conf.advertIntervalUs,
  });
  yieldTo(draft, index, "outranked");
}

/** Two address owners. Up to 2.3.2 the one that hears the other gives up its priority for good, from 2.3.3 the one with the lower address steps back first. */
function meetOwner(draft: Draft, index: number): void {
  const router = routerAt(draft, index);
  if (isBefore(draft.release, OWNERS_COMPARE)) {
    reduce(draft, index);
    return;
  }
  const since = router.rivalSince ?? draft.now;
  // Two own adverts later it is still there.
  if (draft.now - since > 2 * router.conf.advertIntervalUs) reduce(draft, index);
  else patch(draft, index, { rivalSince: since });
}

function reduce(draft: Draft, index: number): void {
  tellPriority(draft, routerAt(draft, index), OWNER_PRIORITY - 1);
  patch(draft, index, { base: OWNER_PRIORITY - 1, effective: OWNER_PRIORITY - 1 });
}
