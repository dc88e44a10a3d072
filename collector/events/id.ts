import { createHash } from "node:crypto";

/**
 * The id of an event: the same input gives the same id, whoever reads it and however often.
 * @param parts  what makes the observation unique at its origin, for example node, file fingerprint and byte offset
 */
export function eventId(...parts: readonly (string | number)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
