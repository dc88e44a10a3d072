import { createHash, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { gunzip as gunzipCallback } from "node:zlib";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Compile } from "typebox/compile";
import { BATCH_BYTES_MAX, type Batch, BatchEnvelope, type BatchReceipt } from "../../collector/events/batch.ts";
import { type Event, eventFault } from "../../collector/events/event.ts";
import { messageOf } from "../../collector/core/errors.ts";
import type { Clock } from "../../collector/core/time.ts";
import { ProblemError } from "../api/problems.ts";
import type { ServerConfig } from "../config.ts";
import type { Metrics } from "../metrics.ts";
import type { Store } from "../store/store.ts";

const gunzip = promisify(gunzipCallback);
const envelope = Compile(BatchEnvelope);

/** Most faults of one batch that are told. */
const FAULTS_MAX = 20;
/** What a collector is asked to wait when the store is behind, seconds. */
const RETRY_AFTER_S = 2;

export interface IngestDeps {
  readonly config: ServerConfig["ingest"];
  readonly store: Pick<Store, "insertBatch">;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Called once a batch is durable, before it is acknowledged. */
  readonly onStored: (batch: Batch) => void;
}

/** Takes batches: checked against the contract, stored, and only then acknowledged. */
export function ingestRoutes(app: FastifyInstance, deps: IngestDeps): void {
  const { config, store, clock, metrics, onStored } = deps;
  let inFlight = 0;

  app.register(async (scope) => {
    scope.addContentTypeParser(
      "application/json",
      { parseAs: "buffer", bodyLimit: BATCH_BYTES_MAX },
      async (request: FastifyRequest, body: Buffer) => parseBody(body, request.headers["content-encoding"]),
    );
    scope.addHook("onRequest", async (request) => {
      if (inFlight >= config.in_flight_max) {
        metrics.refused("overload");
        throw new ProblemError(429, "too many batches wait for the store", {
          headers: { "retry-after": String(RETRY_AFTER_S) },
        });
      }
      if (config.tokens.length > 0 && tokenOwners(config.tokens, request.headers.authorization).length === 0) {
        metrics.refused("unauthorised");
        throw new ProblemError(
          401,
          "a token that ingest.tokens of this server lists is needed: Authorization: Bearer …",
        );
      }
    });
    scope.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof ProblemError)) metrics.refused("malformed");
      throw error;
      void reply;
    });
    scope.post(
      "/api/v1/ingest",
      {
        schema: { summary: "One batch of events from a collector", body: BatchEnvelope },
        validatorCompiler: () => () => true,
      },
      async (request): Promise<BatchReceipt> => {
        inFlight += 1;
        try {
          const batch = admit(request.body, metrics);
          const owners = tokenOwners(config.tokens, request.headers.authorization);
          if (config.tokens.length > 0 && !owners.includes(batch.node)) {
            metrics.refused("foreign-node");
            throw new ProblemError(403, `the token is not one of node ${batch.node}`);
          }
          const { duplicate } = await insert(store, batch, metrics);
          if (!duplicate) onStored(batch);
          metrics.accepted(batch.events.length, duplicate);
          return { accepted: duplicate ? 0 : batch.events.length, duplicate, serverTs: clock.epoch() };
        } finally {
          inFlight -= 1;
        }
      },
    );
  });
}

async function insert(
  store: IngestDeps["store"],
  batch: Batch,
  metrics: Metrics,
): Promise<{ readonly duplicate: boolean }> {
  try {
    return await store.insertBatch(batch);
  } catch (error) {
    metrics.refused("store");
    throw new ProblemError(503, `the store does not take events: ${messageOf(error).split("\n")[0]}`, {
      headers: { "retry-after": String(RETRY_AFTER_S) },
    });
  }
}

async function parseBody(body: Buffer, encoding: string | undefined): Promise<unknown> {
  let text = body;
  if (encoding === "gzip") {
    try {
      text = await gunzip(body, { maxOutputLength: BATCH_BYTES_MAX });
    } catch (error) {
      const tooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      throw tooLarge
        ? new ProblemError(413, `the batch is larger than ${BATCH_BYTES_MAX} bytes when it is decompressed`)
        : new ProblemError(400, "the body is not sound gzip data");
    }
  } else if (encoding !== undefined && encoding !== "identity")
    throw new ProblemError(415, `content-encoding ${encoding.slice(0, 40)} is not supported: send gzip or none`);
  try {
    return JSON.parse(text.toString("utf8"));
  } catch (error) {
    throw new ProblemError(400, `the body is not JSON: ${messageOf(error)}`);
  }
}

/** The whole batch or none of it: what is wrong is told by event and field. */
function admit(body: unknown, metrics: Metrics): Batch {
  const faults: { at: string; message: string }[] = [];
  if (envelope.Check(body)) {
    for (const [i, event] of body.events.entries()) {
      const fault = eventFault(event) ?? foreignFault(event as Event, body);
      if (fault && faults.length < FAULTS_MAX)
        faults.push({ at: `events[${i}].${fault.field}`, message: fault.message });
    }
    if (faults.length === 0) return body as Batch;
  } else
    for (const { instancePath, message } of envelope.Errors(body).slice(0, FAULTS_MAX))
      faults.push({ at: instancePath.slice(1).replaceAll("/", ".") || "body", message });
  metrics.refused("malformed");
  throw new ProblemError(
    400,
    `the batch does not keep to the event contract: ${faults[0]?.at}: ${faults[0]?.message}`,
    { faults },
  );
}

function foreignFault(
  event: Event,
  batch: { readonly cluster: string; readonly node: string },
): { field: string; message: string } | undefined {
  if (event.node !== batch.node) return { field: "node", message: "is not the batch's node" };
  return event.cluster === batch.cluster ? undefined : { field: "cluster", message: "is not the batch's cluster" };
}

/** Nodes whose token this is. Compared in constant time, hash with hash. */
function tokenOwners(tokens: ServerConfig["ingest"]["tokens"], header: string | undefined): string[] {
  const token = /^Bearer (\S{1,512})$/.exec(header ?? "")?.[1];
  if (token === undefined) return [];
  const hash = createHash("sha256").update(token).digest();
  return tokens.filter(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, "hex"), hash)).map(({ node }) => node);
}
