import { hash } from "node:crypto";

const EVENTS = ',"events":';
const CLOSE = Buffer.from("}");
const BATCH_ID = /"batchId":"[0-9a-f]{32}",/;

/**
 * A batch as it goes over the wire.
 * @param envelope  all of it but `batchId` and `events`, as JSON; not empty
 * @param events    as a JSON array
 */
export function bodyOf(envelope: string, events: string | Buffer): Buffer {
  const bytes = typeof events === "string" ? Buffer.from(events) : events;
  // Of the events alone: read again after a crash and gathered the same way, they are the same batch.
  const batchId = hash("sha256", bytes, "hex").slice(0, 32);
  return Buffer.concat([Buffer.from(`{"batchId":"${batchId}",${envelope.slice(1, -1)}${EVENTS}`), bytes, CLOSE]);
}

/** What a batch was made of, its events without the brackets; undefined when it is no such batch. */
export function partsOf(body: Buffer): { readonly envelope: string; readonly events: Buffer } | undefined {
  // In a value each quote has a backslash before it, so this cannot stand in one.
  const at = body.indexOf(`${EVENTS}[`);
  if (at < 0 || body.toString("latin1", body.length - 2) !== "]}") return undefined;
  const envelope = `${body.toString("utf8", 0, at).replace(BATCH_ID, "")}}`;
  return { envelope, events: body.subarray(at + EVENTS.length + 1, -2) };
}
