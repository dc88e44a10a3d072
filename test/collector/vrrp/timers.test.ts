import { expect, test } from "vitest";
import { masterDownUs, skewUs } from "../../../collector/vrrp/timers.ts";

// Values of keepalived 2.2.7 with down_timer_adverts 3.
test.each([
  [2, 100, 1_000_000, 3_609_375],
  [3, 100, 1_000_000, 3_609_375],
  [2, 150, 1_000_000, 3_414_062],
  [2, 254, 1_000_000, 3_007_812],
  [2, 255, 1_000_000, 3_003_906],
  // Version 2 does not scale the skew.
  [2, 100, 10_000_000, 30_609_375],
  [3, 100, 10_000_000, 36_093_750],
  [3, 100, 100_000, 360_937],
  [3, 1, 10_000, 39_960],
] as const)(
  "version %i, priority %i, interval %i µs: a master is down after %i µs",
  (version, priority, interval, down) => {
    expect(masterDownUs(version, priority, interval)).toBe(down);
  },
);

test("keepalived counts down_timer_adverts, not the RFC's fixed three", () => {
  expect(masterDownUs(2, 100, 1_000_000, 5)).toBe(5_000_000 + skewUs(2, 100, 1_000_000));
});
