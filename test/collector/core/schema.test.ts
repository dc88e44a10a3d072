import fc from "fast-check";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { expect, test } from "vitest";
import { checkerOf, Type } from "../../../collector/core/schema.ts";
import { BatchEnvelope, BatchReceipt } from "../../../collector/events/batch.ts";
import { EVENT_KINDS, type EventKind, eventSchema } from "../../../collector/events/event.ts";
import { near } from "./near-schema.ts";

function holdAgainstTypeBox(schema: TSchema, numRuns: number): void {
  const [ours, theirs] = [checkerOf(schema), Compile(schema)];
  const seen = { right: 0, wrong: 0 };
  fc.assert(
    fc.property(fc.oneof(near(schema, true), near(schema, false)), (value) => {
      expect(ours.Check(value)).toBe(theirs.Check(value));
      const told = theirs.Errors(value).map(({ instancePath, message }) => ({ instancePath, message }));
      expect(ours.Errors(value)).toEqual(told);
      seen[told.length === 0 ? "right" : "wrong"] += 1;
    }),
    { numRuns },
  );
  expect(seen.wrong).toBeGreaterThan(0);
  expect(seen.right).toBeGreaterThan(0);
}

test.each(Object.keys(EVENT_KINDS) as EventKind[])("%s is checked as TypeBox checks it", (kind) => {
  holdAgainstTypeBox(eventSchema(kind), 200);
});

test("envelope and receipt of a batch are checked as TypeBox checks them", () => {
  holdAgainstTypeBox(BatchEnvelope, 500);
  holdAgainstTypeBox(BatchReceipt, 500);
});

test("a schema is what TypeBox would make of the same words", async () => {
  const { default: theirs } = await import("typebox");
  const made = (from: typeof Type) =>
    from.Object(
      {
        list: from.Array(from.String({ maxLength: 3 }), { maxItems: 2 }),
        maybe: from.Optional(from.Number({ minimum: 1 })),
        either: from.Union([from.Literal(2), from.Literal("x")]),
        word: from.Enum(["a", "b"]),
        whole: from.Integer(),
        any: from.Unknown(),
        yes: from.Boolean(),
      },
      { additionalProperties: false },
    );
  expect(JSON.parse(JSON.stringify(made(Type)))).toEqual(JSON.parse(JSON.stringify(made(theirs))));
  const without = (from: typeof Type) => from.Object({ maybe: from.Optional(from.Boolean()) });
  expect(JSON.parse(JSON.stringify(without(Type)))).toEqual(JSON.parse(JSON.stringify(without(theirs))));
});
