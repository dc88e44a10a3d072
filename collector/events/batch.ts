import type { Static } from "typebox";
import { Type } from "../core/schema.ts";
import type { Event } from "./event.ts";

/** Most events in one batch. A larger batch is refused whole with 413. */
export const BATCH_EVENTS_MAX = 5_000;
/** Largest ingest body, in bytes, after decompression. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** Header of a request that brings what may have been stored before, `again` or `restored`: the store looks for each event before it takes it. */
export const RESENT_HEADER = "keepwatch-resent";
/** An attempt before this one had no answer. */
export const AGAIN = "again";
/** It was acknowledged by a store that is there no more: batches of that time in one, under a `batchId` of their own. */
export const RESTORED = "restored";

/** Which collector it is, whatever its node is called: 32 hex digits each. */
export const CollectorId = Type.Object(
  {
    /** Made with the spool. */
    id: Type.String({ pattern: "^[0-9a-f]{32}$" }),
    /** Fingerprint of the boot of its host; absent where the kernel does not tell. */
    boot: Type.Optional(Type.String({ pattern: "^[0-9a-f]{32}$" })),
  },
  { additionalProperties: false },
);
export type CollectorId = Static<typeof CollectorId>;

/**
 * What a collector sends: immutable once it is in the spool, retried byte for byte.
 * `batchId` is 32 hex digits, unique to the batch; the server shows a batch that arrives twice once.
 */
export const BatchEnvelope = Type.Object(
  {
    version: Type.Literal(1),
    batchId: Type.String({ pattern: "^[0-9a-f]{32}$" }),
    cluster: Type.String({ minLength: 1, maxLength: 64 }),
    node: Type.String({ minLength: 1, maxLength: 255 }),
    collector: Type.Optional(CollectorId),
    /** Each is checked against its own kind's schema by `eventFault`. */
    events: Type.Array(Type.Unknown(), { maxItems: BATCH_EVENTS_MAX }),
  },
  { additionalProperties: false },
);
export type Batch = Omit<Static<typeof BatchEnvelope>, "events"> & { readonly events: readonly Event[] };

/** The server's answer once the store has the batch. */
export const BatchReceipt = Type.Object({
  /** Events that the store did not have. */
  accepted: Type.Integer(),
  /** The store had this batch already. */
  duplicate: Type.Boolean(),
  /** The server's clock in epoch microseconds when it answered, for the collector's offset estimate. */
  serverTs: Type.Integer(),
  /** The same when the request reached it. */
  receivedTs: Type.Optional(Type.Integer()),
  /** Which store has the batch: another one than before, and what that one was given need not be in it. */
  incarnation: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
export type BatchReceipt = Static<typeof BatchReceipt>;
