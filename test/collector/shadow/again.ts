import { expect } from "vitest";
import type { MonoUs } from "../../../collector/core/time.ts";
import { Again } from "../../../collector/shadow/again.ts";
import { step } from "../../../collector/shadow/engine.ts";
import type { ShadowInput } from "../../../collector/shadow/input.ts";
import { node } from "./scenario.ts";

/**
 * Feeds one shadow by steps alone and one that takes in place what it can, and holds them against each other after each.
 * @returns how many were taken in place
 */
export function takenInPlace(timed: readonly { readonly input: ShadowInput; readonly now: MonoUs }[]): number {
  let [plain, own] = [node(), node()];
  let taken = 0;
  const again = new Again();
  for (const { input, now } of timed) {
    const [next, effects] = step(plain, input, now);
    plain = next;
    if (input.kind === "advert" && again.hear(own, input, now)) {
      taken += 1;
      expect(effects).toEqual([]);
    } else {
      const before = own;
      const [stepped, told] = step(own, input, now);
      own = stepped;
      if (input.kind === "advert") again.learn(before, own, input);
      expect(told).toEqual(effects);
    }
    expect(own).toEqual(plain);
  }
  return taken;
}
