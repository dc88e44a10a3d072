import type { MonoUs } from "../core/time.ts";
import type { EventBody } from "../events/event.ts";
import type { ShadowEffect } from "./input.ts";

type Rejected = Extract<ShadowEffect, { readonly kind: "rejected" }>;
type Told = EventBody<"shadow.advert-rejected">;

/** A sender of which no advert was refused for this long is refused no longer, microseconds: the slowest adverts come every 255 s. */
const OVER_US = 300_000_000;
/** Most senders followed. What comes beyond is not told. */
const SENDERS_MAX = 1_000;

/** Turns every refused advert into an edge when a sender begins to be refused, and one when it no longer is. */
export class Rejections {
  private readonly open = new Map<string, { readonly told: Told; lastAt: MonoUs }>();

  add({ instance, peer, reason, at }: Rejected): Told[] {
    const key = [instance, peer, reason].join("\0");
    const known = this.open.get(key);
    if (known) {
      known.lastAt = at;
      return [];
    }
    if (this.open.size >= SENDERS_MAX) return [];
    const told: Told = { kind: "shadow.advert-rejected", instance, peer, reason, over: false };
    this.open.set(key, { told, lastAt: at });
    return [told];
  }

  tick(now: MonoUs): Told[] {
    const over: Told[] = [];
    for (const [key, { told, lastAt }] of this.open) {
      if (now - lastAt < OVER_US) continue;
      this.open.delete(key);
      over.push({ ...told, over: true });
    }
    return over;
  }

  clear(): void {
    this.open.clear();
  }
}
