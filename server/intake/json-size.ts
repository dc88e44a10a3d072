/** Most objects and lists of one body, and how deep they may lie. */
const OPENED_MAX = 1_000_000;
const NESTED_MAX = 200;
/** Most fields of one object, far more than any of a contract has: of an object of a million names the engine makes a table of hundreds of bytes each. */
const FIELDS_MAX = 1_000;
/** A smaller body is read without that: whatever is in it, it takes some tens of milliseconds and megabytes. */
const COUNTED_FROM_BYTES = 1024 * 1024;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Why a body is not to be read. */
export interface JsonSizeFault {
  readonly reason: "malformed" | "too-large";
  readonly message: string;
}

/** Counts what is in a body of JSON before it is read, as JSON.parse would make all of it at once. @returns undefined when it may be read */
export function jsonSizeFault(body: Buffer): JsonSizeFault | undefined {
  if (body.length < COUNTED_FROM_BYTES) return undefined;
  const fields = new Uint32Array(NESTED_MAX + 1);
  let opened = 0;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) isText = !isText;
    else if (isText) {
      if (byte === BACKSLASH) at += 1;
    } else if (byte === COLON) {
      const count = (fields[depth] ?? 0) + 1;
      if (count > FIELDS_MAX) return { reason: "malformed", message: `an object has more than ${FIELDS_MAX} fields` };
      fields[depth] = count;
    } else if (byte === 0x7b || byte === 0x5b) {
      opened += 1;
      depth += 1;
      if (opened > OPENED_MAX)
        return {
          reason: "too-large",
          message: `the request has more than ${OPENED_MAX} objects: send smaller batches`,
        };
      if (depth > NESTED_MAX) return { reason: "malformed", message: `the body is nested deeper than ${NESTED_MAX}` };
      fields[depth] = 0;
    } else if ((byte === 0x7d || byte === 0x5d) && depth > 0) depth -= 1;
  }
  return undefined;
}
