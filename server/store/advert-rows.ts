import { eventId } from "../../collector/events/id.ts";
import type { Event, EventOf } from "../../collector/events/event.ts";
import { distinct } from "./event-rows.ts";
import {
  booleans,
  type Column,
  fixedTexts,
  integers,
  longIntegers,
  repeatedTextLists,
  repeatedTexts,
  texts,
} from "./native-block.ts";

export type Advert = EventOf<"wire.advert">;

/**
 * What tells two adverts apart in the store: who sent it for what, when, and which node heard it on which interface. An id says no more and is
 * by chance, so that it would take ten times the room of all the rest; it is made again of these when an advert is read.
 */
const keyOf = ({ family, vrid, peer, ts, interface: nic, outgoing }: Advert): string =>
  `${family} ${vrid} ${peer} ${ts} ${nic} ${Number(outgoing)}`;

const idOf = (advert: Advert): string => eventId(advert.node, "advert", advert.cluster, keyOf(advert));

/** Adverts of one batch that have their key in common: of a recording whose clock counts seconds. These keep their ids. */
export function twinsOf(adverts: readonly Advert[]): ReadonlySet<Advert> {
  const twins = new Set<Advert>();
  if (areAllOfTheirTime(adverts)) return twins;
  const first = new Map<string, Advert>();
  for (const advert of adverts) {
    const key = keyOf(advert);
    const other = first.get(key) ?? advert;
    first.set(key, other);
    if (other.id !== advert.id) twins.add(advert).add(other);
  }
  return twins;
}

/** What the store would show once is stored once. */
export const distinctAdverts = (adverts: readonly Advert[], twins: ReadonlySet<Event>): readonly Advert[] =>
  areAllOfTheirTime(adverts)
    ? adverts
    : distinct(adverts, (advert) =>
        [keyOf(advert), advert.node, advert.cluster, twins.has(advert) ? advert.id : ""].join("\n"),
      );

/** Nearly always, and soon found out, as they are captured in order: then no two have their key in common. */
const areAllOfTheirTime = (adverts: readonly Advert[]): boolean =>
  adverts.every(({ ts }, at) => at === 0 || ts > (adverts[at - 1]?.ts ?? ts)) ||
  new Set(adverts.map(({ ts }) => ts)).size === adverts.length;

/** What few adverts have: in one column, as JSON. */
function rareOf(advert: Advert): string {
  const { ah, checksumVariant, hmac, ipId, pid, raw, rawTruncated, repeated, secondPass, vmac } = advert;
  const isUsual =
    vmac === undefined &&
    ah === undefined &&
    hmac === undefined &&
    ipId === undefined &&
    checksumVariant === undefined &&
    secondPass === undefined &&
    raw === undefined &&
    repeated === undefined &&
    pid === undefined &&
    advert.tsUncertaintyUs === 0;
  if (isUsual) return "";
  const tsUncertaintyUs = advert.tsUncertaintyUs === 0 ? undefined : advert.tsUncertaintyUs;
  const rare = { ah, checksumVariant, hmac, ipId, pid, raw, rawTruncated, repeated, secondPass, tsUncertaintyUs, vmac };
  return JSON.stringify(rare);
}

export const advertColumns = (twins: ReadonlySet<Event>): readonly Column<Advert>[] => [
  repeatedTexts("cluster", (e) => e.cluster),
  repeatedTexts("family", (e) => e.family),
  integers("vrid", "UInt8", (e) => e.vrid),
  repeatedTexts("peer", (e) => e.peer),
  longIntegers("ts", "Int64", (e) => e.ts),
  repeatedTexts("node", (e) => e.node),
  fixedTexts("id", 32, (e) => (twins.has(e) ? e.id : "")),
  repeatedTexts("heardOn", (e) => (e.outgoing ? `out ${e.interface}` : e.interface)),
  repeatedTexts("interface", (e) => e.interface),
  booleans("outgoing", (e) => e.outgoing),
  integers("priority", "UInt8", (e) => e.priority),
  repeatedTextLists("vips", (e) => e.vips),
  integers("advertIntervalUs", "UInt32", (e) => e.advertIntervalUs),
  repeatedTexts("destination", (e) => e.destination),
  integers("version", "UInt8", (e) => e.version),
  integers("ttl", "UInt8", (e) => e.ttl),
  repeatedTexts("authType", (e) => e.authType),
  repeatedTexts("checksum", (e) => e.checksum),
  longIntegers("lagUs", "Int64", (e) => e.observedTs - e.ts),
  texts("at", (e) => e.at ?? ""),
  texts("rare", rareOf),
];

/** An advert as it is read: its columns, and what is in `rare`. */
export type StoredAdvert = Omit<Advert, "at" | "source" | "kind" | "tsUncertaintyUs"> & {
  readonly at: string;
  readonly rare: string;
};

export const STORED_ADVERT =
  "* EXCEPT (storedAt, heardOn, lagUs) REPLACE (toFloat64(ts) AS ts), toFloat64(adverts.ts + lagUs) AS observedTs";

export function advertOf({ at, rare, id, ...columns }: StoredAdvert): Advert {
  const advert = {
    source: "wire",
    kind: "wire.advert",
    tsUncertaintyUs: 0,
    ...columns,
    ...(at === "" ? {} : { at }),
    ...(rare === "" ? {} : (JSON.parse(rare) as Partial<Advert>)),
    id,
  } as const;
  return hasId(id) ? advert : { ...advert, id: idOf(advert) };
}

const hasId = (id: string): boolean => !/^\0*$/.test(id);

/** Which of these are among those that are stored: by their key, and where it stands in either, by their id. */
export function alreadyStored(
  adverts: readonly Advert[],
  twins: ReadonlySet<Event>,
  stored: readonly StoredAdvert[],
): ReadonlySet<Event> {
  const keys = new Set(stored.map((row) => `${keyOf(advertOf(row))} ${hasId(row.id) ? row.id : ""}`));
  return new Set(
    adverts.filter((advert) => {
      const key = keyOf(advert);
      return keys.has(`${key} ${advert.id}`) || (!twins.has(advert) && keys.has(`${key} `));
    }),
  );
}
