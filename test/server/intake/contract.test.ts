import fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_KINDS, type EventKind, eventFault, eventSchema } from "../../../collector/events/event.ts";
import { contractFault } from "../../../server/intake/contract.ts";
import { near } from "../../collector/core/near-schema.ts";

test.each(Object.keys(EVENT_KINDS) as EventKind[])("%s, compiled, is refused as the contract refuses it", (kind) => {
  const schema = eventSchema(kind);
  const seen = { right: 0, wrong: 0 };
  // Right but for a field that nobody knows.
  const withMore = near(schema, true).map((value) => ({ ...(value as object), unheardOf: 1 }));
  fc.assert(
    fc.property(fc.oneof(near(schema, true), near(schema, false), withMore), (value) => {
      const fault = eventFault(value);
      expect(contractFault(value)).toEqual(fault);
      seen[fault ? "wrong" : "right"] += 1;
    }),
    { numRuns: 200 },
  );
  expect(seen.wrong).toBeGreaterThan(0);
  expect(seen.right).toBeGreaterThan(0);
});

test.each([
  [null],
  [1],
  ["kind"],
  [[]],
  [{}],
  [{ kind: 1 }],
  [{ kind: "toString" }],
  [{ kind: "vrrp.election", toString: 1 }],
])("%j is no event", (value) => {
  expect(contractFault(value)).toEqual(eventFault(value));
  expect(contractFault(value)).toBeDefined();
});
