import { hash } from "node:crypto";

/**
 * The id of an event: the same input gives the same id, whoever reads it and however often.
 * @param parts  what makes the observation unique at its origin, for example node, file fingerprint and byte offset
 */
export function eventId(...parts: readonly (string | number)[]): string {
  return hash("sha256", JSON.stringify(parts), "hex").slice(0, 32);
}
