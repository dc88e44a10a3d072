import { Compile } from "typebox/compile";
import { Type } from "../../collector/core/schema.ts";
import { EVENT_KINDS, type EventFault, type EventKind, eventFault, eventSchema } from "../../collector/events/event.ts";

type Check = (value: object) => boolean;

const checks = new Map<string, Check>();

/**
 * `eventFault`, by code that is compiled from the same schemas: an event in order, as nearly all are, costs a tenth. What is wrong with
 * another one is for `eventFault` to say.
 */
export function contractFault(value: unknown): EventFault | undefined {
  if (typeof value !== "object" || value === null) return eventFault(value);
  const kind = "kind" in value ? value.kind : undefined;
  if (typeof kind !== "string" || !Object.hasOwn(EVENT_KINDS, kind)) return eventFault(value);
  let check = checks.get(kind);
  if (!check) {
    check = checkOf(kind as EventKind);
    checks.set(kind, check);
  }
  return check(value) ? undefined : eventFault(value);
}

/** Which fields there are is looked up here: compiled, it is a regular expression for each field of an event, and most of the work. */
function checkOf(kind: EventKind): Check {
  const { properties } = eventSchema(kind);
  const compiled = Compile(Type.Object(properties));
  const known = new Set(Object.keys(properties));
  return (value) => {
    if (!compiled.Check(value)) return false;
    for (const field in value) if (!known.has(field)) return false;
    return true;
  };
}
