import fc from "fast-check";
import type { TSchema } from "typebox";

/** What JSON may hold where a schema wants something else. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, true, 0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "", [], {}),
  fc.string({ unit: "binary", maxLength: 70 }),
  fc.constantFrom(
    "😀".repeat(64),
    "😀".repeat(65),
    "x".repeat(255),
    "x".repeat(256),
    "x".repeat(5_000),
    "\ud83d".repeat(64),
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

interface Known {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Known>>;
  readonly required?: readonly string[];
  readonly items?: Known;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Known[];
}

/** What the schema wants or, unless it is to be right, mostly that, and what lies just beside it. */
export function near(schema: Known | TSchema, isRight: boolean): fc.Arbitrary<unknown> {
  const fitting = wanted(schema as Known, isRight);
  return isRight ? fitting : fc.oneof({ weight: 15, arbitrary: fitting }, { weight: 1, arbitrary: junk });
}

function wanted(schema: Known, isRight: boolean): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => near(one, isRight)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if ("const" in schema) return fc.constant(schema.const);
  const { minimum = -5, maximum = 2 ** 53 - 1, maxLength = 8, maxItems = 2 } = schema;
  const beside = isRight ? [] : [minimum - 1, maximum + 1, minimum + 0.5];
  const lengths = isRight ? [0, maxLength] : [maxLength, maxLength + 1];
  switch (schema.type) {
    case "object":
      return objects(schema, isRight);
    case "array": {
      const items = fc.array(near(schema.items ?? {}, isRight), { maxLength: Math.min(maxItems, 3) });
      const tooMany = fc.constant(Array.from({ length: maxItems + 1 }, () => 0));
      return isRight ? items : fc.oneof({ weight: 20, arbitrary: items }, { weight: 1, arbitrary: tooMany });
    }
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number":
      return fc.constantFrom(minimum, maximum, ...beside);
    case "string":
      if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern));
      return fc.oneof(
        fc.string({ maxLength: Math.min(maxLength, 20) }),
        fc.tuple(fc.constantFrom("é", "😀"), fc.constantFrom(...lengths)).map(([one, length]) => one.repeat(length)),
      );
    default:
      return junk;
  }
}

/** Keys that are missing, and keys that nobody knows. */
function objects({ properties = {}, required = [] }: Known, isRight: boolean): fc.Arbitrary<unknown> {
  const keys = Object.keys(properties);
  const known = fc.record(
    Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, near(one, isRight)])),
  );
  const unknown = fc.dictionary(fc.constantFrom("x", "a/b", "a~b", "toString", "constructor"), junk, { maxKeys: 1 });
  const missing = fc.subarray(isRight ? keys.filter((key) => !required.includes(key)) : keys);
  const more = isRight
    ? fc.constant({})
    : fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: unknown });
  return fc
    .tuple(known, more, fc.boolean(), missing)
    .map(([all, others, isWhole, gone]) =>
      Object.fromEntries(Object.entries({ ...all, ...others }).filter(([key]) => isWhole || !gone.includes(key))),
    );
}
