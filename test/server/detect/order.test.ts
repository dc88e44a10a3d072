import { expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { compareEvents } from "../../../server/detect/order.ts";
import { scenario } from "./scenario.ts";

const IDS = [
  ["0", "1"],
  ["1", "0"],
] as const;

test.each([
  ["a sender of one advert is seen before it is gone", "wire lb2 seen", "wire lb2 gone silent"],
  ["a difference begins before it ends", "diverges begin frozen", "diverges end frozen"],
])("at one instant %s, whatever their ids are", (_, begin, end) => {
  const [first, last] = scenario(`at 5 lb1 ${begin}\nat 5 lb1 ${end}`) as [Event, Event];
  for (const [a, b] of IDS) {
    const order = [
      { ...last, id: b },
      { ...first, id: a },
    ].sort(compareEvents);
    expect(order.map(({ id }) => id)).toEqual([a, b]);
  }
});
