import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Place, readPlace, writePlace } from "../../web/location.ts";

const hex = fc.stringMatching(/^[0-9a-f]{32}$/);
const place = fc.record({
  router: fc.option(fc.string({ minLength: 1 })),
  range: fc.option(
    fc
      .tuple(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: 1, max: 2 ** 45 }))
      .map(([from, span]) => ({ from, to: from + span })),
  ),
  incident: fc.option(hex),
});
const NOWHERE: Place = { router: null, range: null, incident: null };

describe("a link that can be handed on", () => {
  test("shows exactly what was seen, whatever it was", () => {
    fc.assert(
      fc.property(place, (seen) => {
        expect(readPlace(writePlace(seen))).toEqual(seen);
      }),
    );
  });

  test.each([
    ["", "nothing"],
    ["?from=5&to=5", "an empty range"],
    ["?from=9&to=5", "a range that runs backwards"],
    ["?from=1&to=99999999999999999999", "an instant beyond exact numbers"],
    ["?from=1&to=9999999999999999", "an instant that is not exact in a double"],
    ["?from=-1&to=5", "a negative instant"],
    ["?from=1e3&to=5000", "an exponent"],
    ["?from=1", "half a range"],
    ["?incident=../../etc", "a path for an incident"],
  ])("%s shows the live view: %s", (search) => {
    expect(readPlace(search)).toEqual(NOWHERE);
  });

  test("keeps a router's id with slashes and spaces", () => {
    expect(readPlace(writePlace({ ...NOWHERE, router: "rack 1/ipv4/51&x=1" })).router).toBe("rack 1/ipv4/51&x=1");
  });
});
