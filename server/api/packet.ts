import { encodeAdvert } from "../../collector/vrrp/encode.ts";
import { packetParts } from "../../collector/vrrp/packet-parts.ts";
import type { Store } from "../store/store.ts";
import type { AdvertPacket, AdvertTick, RouterSummary } from "./types.ts";

/** Most adverts of one router in one microsecond: each node hears each sender on each interface. */
const AT_ONCE_MAX = 1_000;

/** One advert with its bytes. @returns undefined when it is not kept */
export async function packetOf(
  { cluster, family, vrid }: Pick<RouterSummary, "cluster" | "family" | "vrid">,
  { node, sender, ts }: Pick<AdvertTick, "node" | "sender" | "ts">,
  store: Pick<Store, "adverts">,
): Promise<AdvertPacket | undefined> {
  if (family === null || vrid === null) return undefined;
  const events = await store.adverts({ cluster, family, vrid, from: ts, to: ts, limit: AT_ONCE_MAX });
  for (const advert of events) {
    if (advert.kind !== "wire.advert" || advert.node !== node || advert.peer !== sender) continue;
    const packet = encodeAdvert(advert);
    return {
      advert,
      bytes: packet ? Buffer.from(packet).toString("hex") : null,
      parts: packet ? packetParts(packet, advert) : [],
      leftOut: [...(advert.authType === "ah" ? ["ah" as const] : []), ...(advert.hmac ? ["hmac" as const] : [])],
    };
  }
  return undefined;
}
