import { messageOf } from "../../collector/core/errors.ts";
import { jsonSizeFault } from "../intake/json-size.ts";
import {
  type Budget,
  DEPTH_MAX,
  ENTRIES_MAX,
  type Fields,
  NO_FIELDS,
  RequestFault,
  type Value,
  type Visit,
} from "./record.ts";

/**
 * OTLP's messages in JSON: names in lowerCamelCase, 64-bit integers as text or as numbers, fields that are not known passed over.
 * What is wrong is told with its place.
 */

type Json = Readonly<Record<string, unknown>>;

/** @throws RequestFault */
export function readJson(body: Buffer, budget: Budget, visit: Visit): void {
  const tooLarge = jsonSizeFault(body);
  if (tooLarge) throw new RequestFault(tooLarge.reason, tooLarge.message);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new RequestFault("malformed", `the body is not JSON: ${messageOf(error)}`);
  }
  const request = objectAt(parsed, "the body");
  if (request["resource_logs"] !== undefined)
    throw new RequestFault("malformed", "resource_logs: OTLP's JSON has its names in lowerCamelCase: resourceLogs");
  for (const [logs, at] of itemsOf(request, "resourceLogs", "", budget)) {
    const { resource } = logs;
    const fields = absent(resource)
      ? NO_FIELDS
      : fieldsOf(objectAt(resource, `${at}.resource`), "attributes", `${at}.resource`, budget, DEPTH_MAX);
    for (const [scope, scopeAt] of itemsOf(logs, "scopeLogs", at, budget))
      for (const [record, recordAt] of itemsOf(scope, "logRecords", scopeAt, budget)) {
        budget.record();
        visit(
          {
            timeNs: nanosecondsAt(record["timeUnixNano"], `${recordAt}.timeUnixNano`),
            observedNs: nanosecondsAt(record["observedTimeUnixNano"], `${recordAt}.observedTimeUnixNano`),
            body: valueOf(record["body"], `${recordAt}.body`, budget, DEPTH_MAX),
            attributes: fieldsOf(record, "attributes", recordAt, budget, DEPTH_MAX),
          },
          fields,
        );
      }
  }
}

const absent = (value: unknown): boolean => value === undefined || value === null;

const wrong = (at: string, what: string): RequestFault => new RequestFault("malformed", `${at} is not ${what}`);

function objectAt(value: unknown, at: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(at, "an object");
  return value as Json;
}

function listAt(value: unknown, at: string): readonly unknown[] {
  if (absent(value)) return [];
  if (!Array.isArray(value)) throw wrong(at, "a list");
  return value;
}

function* itemsOf(parent: Json, name: string, parentAt: string, budget: Budget): Generator<[item: Json, at: string]> {
  const at = parentAt === "" ? name : `${parentAt}.${name}`;
  for (const [i, item] of listAt(parent[name], at).entries()) {
    budget.message();
    yield [objectAt(item, `${at}[${i}]`), `${at}[${i}]`];
  }
}

function fieldsOf(parent: Json, name: string, parentAt: string, budget: Budget, depth: number): Fields {
  const fields = new Map<string, Value>();
  for (const [{ key, value }, at] of itemsOf(parent, name, parentAt, budget)) {
    if (fields.size >= ENTRIES_MAX) break;
    if (!absent(key) && typeof key !== "string") throw wrong(`${at}.key`, "text");
    fields.set(typeof key === "string" ? key : "", valueOf(value, `${at}.value`, budget, depth));
  }
  return fields;
}

function valueOf(value: unknown, at: string, budget: Budget, depth: number): Value {
  if (absent(value) || depth === 0) return undefined;
  budget.message();
  const any = objectAt(value, at);
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue } = any;
  if (!absent(stringValue)) return textAt(stringValue, `${at}.stringValue`);
  if (!absent(intValue)) return integerAt(intValue, `${at}.intValue`);
  if (!absent(boolValue)) return boolValue === true;
  // NaN and the infinities are text.
  if (!absent(doubleValue)) return Number(doubleValue);
  if (!absent(bytesValue)) return Buffer.from(textAt(bytesValue, `${at}.bytesValue`), "base64");
  if (!absent(kvlistValue))
    return fieldsOf(objectAt(kvlistValue, `${at}.kvlistValue`), "values", `${at}.kvlistValue`, budget, depth - 1);
  if (!absent(arrayValue))
    return listAt(objectAt(arrayValue, `${at}.arrayValue`)["values"], `${at}.arrayValue.values`)
      .slice(0, ENTRIES_MAX)
      .map((item, i) => valueOf(item, `${at}.arrayValue.values[${i}]`, budget, depth - 1));
  return undefined;
}

function textAt(value: unknown, at: string): string {
  if (typeof value !== "string") throw wrong(at, "text");
  return value;
}

function integerAt(value: unknown, at: string): bigint {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrong(at, "a 64-bit integer");
}

function nanosecondsAt(value: unknown, at: string): bigint {
  const ns = absent(value) ? 0n : integerAt(value, at);
  if (ns < 0n) throw wrong(at, "a time");
  return ns;
}
