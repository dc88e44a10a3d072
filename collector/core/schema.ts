import type * as typebox from "typebox";

/**
 * TypeBox's own types over plain JSON Schema, and a check of the part of it that is used here, with TypeBox's sentences.
 * TypeBox itself would be eighteen megabytes of the memory of a collector, a fifth of it. It compiles the same schemas where
 * there is more room, and tests hold this check against it.
 */

/** One thing wrong with a value. */
export interface SchemaFault {
  /** JSON Pointer; empty for the whole. */
  readonly instancePath: string;
  readonly message: string;
}

/** The keywords that are used, and the only ones that are checked. */
interface JsonSchema {
  readonly type?: "string" | "integer" | "number" | "boolean" | "array" | "object";
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
}

type Builders = Pick<
  typeof typebox,
  | "Array"
  | "Boolean"
  | "Enum"
  | "Integer"
  | "Literal"
  | "Number"
  | "Object"
  | "Optional"
  | "Record"
  | "String"
  | "Union"
  | "Unknown"
  | "Unsafe"
>;

type Options = Readonly<Record<string, unknown>>;

/** As TypeBox marks what may be absent. */
const OPTIONAL = "~optional";

/** Named and typed as in TypeBox. */
export const Type = {
  String: (options?: Options) => ({ type: "string", ...options }),
  Integer: (options?: Options) => ({ type: "integer", ...options }),
  Number: (options?: Options) => ({ type: "number", ...options }),
  Boolean: () => ({ type: "boolean" }),
  Unknown: () => ({}),
  Unsafe: (schema: JsonSchema) => schema,
  Literal: (value: unknown) => ({ type: typeof value, const: value }),
  Enum: (values: readonly unknown[]) => ({ enum: values }),
  Union: (anyOf: readonly JsonSchema[]) => ({ anyOf }),
  Array: (items: JsonSchema, options?: Options) => ({ type: "array", items, ...options }),
  Record: (_key: JsonSchema, value: JsonSchema) => ({ type: "object", additionalProperties: value }),
  Optional: (schema: JsonSchema) => Object.defineProperty({ ...schema }, OPTIONAL, { value: true }),
  Object: (properties: Readonly<Record<string, JsonSchema>>, options?: Options) => {
    const required = Object.keys(properties).filter((key) => !(OPTIONAL in (properties[key] as object)));
    return { type: "object", ...(required.length === 0 ? {} : { required }), properties, ...options };
  },
} as unknown as Builders;

/** Most faults of one value that are told. */
const FAULTS_MAX = 8;

export interface Checker<T> {
  Check(value: unknown): value is T;
  /** The first faults, in the order of the schema. */
  Errors(value: unknown): readonly SchemaFault[];
}

export function checkerOf<S extends typebox.TSchema>(schema: S): Checker<typebox.Static<S>> {
  return {
    Check: (value): value is typebox.Static<S> => holds(schema, value, undefined, ""),
    Errors: (value) => {
      const faults: SchemaFault[] = [];
      holds(schema, value, faults, "");
      return faults;
    },
  };
}

type Faults = SchemaFault[] | undefined;

function fail(faults: Faults, instancePath: string, message: string): false {
  if (faults && faults.length < FAULTS_MAX) faults.push({ instancePath, message });
  return false;
}

/** @param faults  where they are told; undefined: the first one ends it */
function holds(schema: JsonSchema, value: unknown, faults: Faults, path: string): boolean {
  if (faults && faults.length >= FAULTS_MAX) return false;
  const { type, enum: choices, anyOf } = schema;
  let ok = type === undefined || isOfType(value, type) || fail(faults, path, `must be ${type}`);
  if (!ok && !faults) return false;
  if (typeof value === "string") ok = textHolds(schema, value, faults, path) && ok;
  else if (typeof value === "number") ok = numberHolds(schema, value, faults, path) && ok;
  else if (Array.isArray(value)) ok = listHolds(schema, value, faults, path) && ok;
  else if (isRecord(value)) ok = recordHolds(schema, value, faults, path) && ok;
  if (!ok && !faults) return false;
  if ("const" in schema && value !== schema.const) ok = fail(faults, path, "must be equal to constant");
  if (choices && !choices.includes(value)) ok = fail(faults, path, "must be equal to one of the allowed values");
  if (anyOf && !anyOf.some((one) => holds(one, value, undefined, path))) {
    if (faults) for (const one of anyOf) holds(one, value, faults, path);
    ok = fail(faults, path, "must match a schema in anyOf");
  }
  return ok;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isOfType(value: unknown, type: NonNullable<JsonSchema["type"]>): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "number") return Number.isFinite(value);
  if (type === "array") return Array.isArray(value);
  return type === "object" ? isRecord(value) : typeof value === type;
}

function textHolds(schema: JsonSchema, value: string, faults: Faults, path: string): boolean {
  const { minLength, maxLength, pattern } = schema;
  let ok = true;
  if (minLength !== undefined && value.length < 2 * minLength && lengthOf(value, 2 * minLength) < minLength)
    ok = fail(faults, path, `must not have fewer than ${minLength} characters`);
  if (maxLength !== undefined && value.length > maxLength && lengthOf(value, 2 * maxLength) > maxLength)
    ok = fail(faults, path, `must not have more than ${maxLength} characters`);
  if (pattern !== undefined && !regExpOf(schema, pattern).test(value))
    ok = fail(faults, path, `must match pattern "${pattern}"`);
  return ok;
}

/** In code points; of what has more units than `unitsMax`, the units. */
function lengthOf(text: string, unitsMax: number): number {
  if (text.length > unitsMax) return text.length;
  let points = 0;
  for (let at = 0; at < text.length; points += 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return points;
}

const regExps = new WeakMap<JsonSchema, RegExp>();

function regExpOf(schema: JsonSchema, pattern: string): RegExp {
  const known = regExps.get(schema);
  if (known) return known;
  const regExp = new RegExp(pattern, "u");
  regExps.set(schema, regExp);
  return regExp;
}

function numberHolds({ minimum, maximum }: JsonSchema, value: number, faults: Faults, path: string): boolean {
  if (!Number.isFinite(value)) return true;
  let ok = true;
  if (minimum !== undefined && value < minimum) ok = fail(faults, path, `must be >= ${minimum}`);
  if (maximum !== undefined && value > maximum) ok = fail(faults, path, `must be <= ${maximum}`);
  return ok;
}

function listHolds({ items, maxItems }: JsonSchema, value: readonly unknown[], faults: Faults, path: string): boolean {
  let ok = true;
  if (items)
    for (let at = 0; at < value.length; at += 1) {
      if (holds(items, value[at], faults, faults ? `${path}/${at}` : path)) continue;
      ok = false;
      if (!faults || faults.length >= FAULTS_MAX) return false;
    }
  if (maxItems !== undefined && value.length > maxItems)
    ok = fail(faults, path, `must not have more than ${maxItems} items`);
  return ok;
}

function recordHolds(schema: JsonSchema, value: Record<string, unknown>, faults: Faults, path: string): boolean {
  const { required = [], properties = {}, additionalProperties } = schema;
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  let ok = missing.length === 0 || fail(faults, path, `must have required properties ${missing.join(", ")}`);
  if (!ok && !faults) return false;
  if (additionalProperties !== undefined) {
    let isClosed = true;
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(properties, key)) continue;
      const below = faults ? `${path}/${fragmentOf(key)}` : path;
      if (additionalProperties === false) isClosed = fail(faults, below, "schema is false");
      else isClosed = holds(additionalProperties, value[key], faults, below) && isClosed;
      if (!isClosed && !faults) return false;
    }
    if (!isClosed) ok = fail(faults, path, "must not have additional properties");
  }
  for (const key in properties) {
    // What may be absent may be undefined too, as JSON leaves it out.
    if (!Object.hasOwn(value, key) || (value[key] === undefined && !required.includes(key))) continue;
    if (holds(properties[key] as JsonSchema, value[key], faults, faults ? `${path}/${fragmentOf(key)}` : path))
      continue;
    ok = false;
    if (!faults) return false;
  }
  return ok;
}

const fragmentOf = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
