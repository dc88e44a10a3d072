import { isAscii } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Compile } from "typebox/compile";
import {
  BATCH_BYTES_MAX,
  BATCH_EVENTS_MAX,
  type Batch,
  BatchEnvelope,
  type BatchReceipt,
  RESENT_HEADER,
  RESTORED,
} from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { messageOf } from "../../collector/core/errors.ts";
import type { Clock } from "../../collector/core/time.ts";
import { ProblemError } from "../api/problems.ts";
import { Answers, BatchBody } from "../api/schemas.ts";
import { isLoopback, type ServerConfig } from "../config.ts";
import { contractFault } from "../intake/contract.ts";
import { unpacked } from "../intake/gunzip.ts";
import { jsonSizeFault } from "../intake/json-size.ts";
import type { Metrics, RefusalReason } from "../metrics.ts";
import type { ClientCertificate } from "../tls.ts";
import { certificateOf, nodesOf } from "./door.ts";
import type { Namesakes } from "./namesakes.ts";
import { type Store, StoreRefusal } from "../store/store.ts";
import { tokenReader } from "../tokens.ts";

const envelope = Compile(BatchEnvelope);

/** Most faults of one batch that are told. */
const FAULTS_MAX = 20;
/** What a collector is asked to wait when the store is behind, seconds. */
const RETRY_AFTER_S = 2;
const RETRY = { headers: { "retry-after": String(RETRY_AFTER_S) } } as const;

export interface IngestDeps {
  readonly config: ServerConfig["ingest"];
  readonly store: Pick<Store, "insertBatch" | "insertResent" | "incarnation">;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "accepted" | "refused">;
  readonly namesakes: Namesakes;
  /** Called once a batch is durable, before it is acknowledged. */
  readonly onStored: (batch: Batch) => void;
  /** Hears of a batch that the store did not take, and may take later. */
  readonly onStoreFailure?: (batch: Batch, error: unknown) => void;
}

/** A batch that is not taken, and why: the reason labels a metric. */
class Refusal extends ProblemError {
  readonly reason: RefusalReason;

  constructor(
    reason: RefusalReason,
    statusCode: number,
    detail: string,
    options: ConstructorParameters<typeof ProblemError>[2] = {},
  ) {
    super(statusCode, detail, options);
    this.reason = reason;
  }
}

/** Takes batches: checked against the contract, stored, and only then acknowledged. */
export function ingestRoutes(
  app: FastifyInstance,
  { config, store, clock, metrics, namesakes, onStored, onStoreFailure }: IngestDeps,
): void {
  const ownersOf = tokenReader(config.tokens);
  /** Of each request from somebody who has to say who it is. */
  const owners = new WeakMap<FastifyRequest, Owner>();
  const arrivals = new WeakMap<FastifyRequest, number>();
  let inFlight = 0;

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "application/json",
      { parseAs: "buffer", bodyLimit: BATCH_BYTES_MAX },
      async (request: FastifyRequest, body: Buffer) => parseBody(body, request.headers["content-encoding"]),
    );
    // Before the body is read: who may not write, or comes when too many wait, costs no memory.
    scope.addHook("onRequest", async (request, reply) => {
      arrivals.set(request, clock.epoch());
      const found = ownersOf(request.headers.authorization);
      const client = certificateOf(request.raw.socket, config.tls);
      const byCertificate =
        config.tls && client?.state === "accepted" ? nodesOf(client.names, config.tls) : () => false;
      if ((config.tokens.length > 0 || client) && found.length === 0 && client?.state !== "accepted")
        throw new Refusal("unauthorised", 401, whatIsNeeded(client), { headers: { "www-authenticate": "Bearer" } });
      if (inFlight >= config.in_flight_max)
        throw new Refusal("overload", 429, "too many batches wait for the store", RETRY);
      if (config.tokens.length > 0 || client)
        owners.set(request, {
          mayWrite: (node) => byCertificate(node) || found.some((token) => token.node === node),
          foreign: (node) =>
            client?.state === "accepted" && found.length === 0
              ? `the certificate is for ${client.names.join(", ")}, not for node ${node}: ingest.tls.clients of the server can list it`
              : `the token is not one of node ${node}`,
        });
      inFlight += 1;
      // Comes also when the collector goes away in the middle.
      reply.raw.once("close", () => (inFlight -= 1));
    });
    scope.addHook("onError", async (_request, _reply, error) => metrics.refused(reasonOf(error)));
    scope.post(
      "/api/v1/ingest",
      {
        schema: { summary: "One batch of events from a collector", body: BatchBody, response: Answers.receipt },
        validatorCompiler: () => () => true,
      },
      async (request): Promise<BatchReceipt> => {
        const sent = admit(request.body);
        const owner = owners.get(request);
        if (owner && !owner.mayWrite(sent.node)) throw new Refusal("foreign-node", 403, owner.foreign(sent.node));
        const verdict = namesakes.judge(sent, addressOf(request));
        if ("wait" in verdict) throw new Refusal("undecided", 429, verdict.wait, RETRY);
        const { batch, word } = verdict;
        const insert = (one: Batch): Promise<Stored> => insertInto(store, one, onStoreFailure);
        if (word) {
          const known = await insert(word);
          namesakes.told(word);
          if (known.stored.length > 0) onStored(word);
        }
        const resent = request.headers[RESENT_HEADER];
        const { stored, fresh, duplicate } = await (resent === undefined
          ? insert(batch)
          : insertResent(store, batch, resent === RESTORED, onStoreFailure));
        if (fresh.length > 0) onStored({ ...batch, events: fresh });
        metrics.accepted(batch.events.length, duplicate);
        const serverTs = clock.epoch();
        return {
          accepted: stored.length,
          duplicate,
          receivedTs: arrivals.get(request) ?? serverTs,
          serverTs,
          incarnation: store.incarnation,
        };
      },
    );
  });
}

interface Owner {
  mayWrite(node: string): boolean;
  /** Why not. */
  foreign(node: string): string;
}

function whatIsNeeded(client: ClientCertificate | undefined): string {
  if (client?.state === "refused") return `the collector's certificate is not accepted: ${client.why}`;
  const token = "a token that ingest.tokens of this server lists is needed: Authorization: Bearer …";
  return client
    ? `a certificate that ingest.tls.client_ca_file of this server has signed is needed, or ${token}`
    : token;
}

/** Where the batch comes from, when that tells hosts apart. */
function addressOf({ ip }: FastifyRequest): string | undefined {
  const address = ip?.replace(/^::ffff:/, "");
  return address === undefined || address === "" || isLoopback(address) ? undefined : address;
}

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof Refusal) return error.reason;
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : undefined;
  if (status === 413) return "too-large";
  return typeof status === "number" && status < 500 ? "malformed" : "internal";
}

interface Stored {
  /** What was not there before. */
  readonly stored: readonly Event[];
  /** What this process may not have concluded from. */
  readonly fresh: readonly Event[];
  readonly duplicate: boolean;
}

type Hear = IngestDeps["onStoreFailure"];

async function insertInto(store: IngestDeps["store"], batch: Batch, onFailure: Hear): Promise<Stored> {
  const { duplicate } = await orRefused(batch, onFailure, () => store.insertBatch(batch));
  const stored = duplicate ? [] : batch.events;
  return { stored, fresh: stored, duplicate };
}

/**
 * It may have come before: to this process, of which the answer was lost, to another one, or to a store that is there no more.
 * @param isOld  then what is there was read at the start; else it may have been stored since, and never concluded from here
 */
async function insertResent(
  store: IngestDeps["store"],
  batch: Batch,
  isOld: boolean,
  onFailure: Hear,
): Promise<Stored> {
  const { stored, duplicate } = await orRefused(batch, onFailure, () => store.insertResent(batch));
  return { stored, fresh: isOld || duplicate ? stored : batch.events, duplicate: stored.length === 0 };
}

async function orRefused<T>(batch: Batch, onFailure: Hear, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The store's own words may quote what other nodes wrote: they go to our log alone.
    if (error instanceof StoreRefusal)
      throw new Refusal("malformed", 400, `the batch cannot be stored: ${error.message}`);
    onFailure?.(batch, error);
    throw new Refusal("store", 503, "the store does not take events at present; the server's log says why", RETRY);
  }
}

async function parseBody(body: Buffer, encoding: string | undefined): Promise<unknown> {
  const text = await decoded(body, encoding);
  const size = jsonSizeFault(text);
  if (size) throw new Refusal(size.reason, size.reason === "too-large" ? 413 : 400, size.message);
  try {
    // Nearly always: and then it need not be decoded, which is a tenth of the work.
    return JSON.parse(isAscii(text) ? text.toString("latin1") : text.toString("utf8"));
  } catch (error) {
    throw new Refusal("malformed", 400, `the body is not JSON: ${messageOf(error)}`);
  }
}

async function decoded(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  const plain = await unpacked(body, encoding, BATCH_BYTES_MAX);
  if (Buffer.isBuffer(plain)) return plain;
  const { status, message } = plain;
  throw new Refusal(status === 413 ? "too-large" : "malformed", status, message);
}

/** The whole batch or none of it: what is wrong is told by event and field. */
function admit(body: unknown): Batch {
  if (eventCount(body) > BATCH_EVENTS_MAX)
    throw new Refusal("too-large", 413, `the batch has more than ${BATCH_EVENTS_MAX} events`);
  const faults = faultsOf(body);
  if (faults.length === 0) return body as Batch;
  throw new Refusal(
    "malformed",
    400,
    `the batch does not keep to the event contract: ${faults[0]?.at}: ${faults[0]?.message}`,
    { faults },
  );
}

function eventCount(body: unknown): number {
  const events = typeof body === "object" && body !== null && "events" in body ? body.events : undefined;
  return Array.isArray(events) ? events.length : 0;
}

function faultsOf(body: unknown): { at: string; message: string }[] {
  if (!envelope.Check(body))
    return envelope
      .Errors(body)
      .slice(0, FAULTS_MAX)
      .map(({ instancePath, message }) => ({
        at: instancePath.slice(1).replaceAll("/", ".") || "body",
        message: message === "schema is false" ? "is not a field of a batch" : message,
      }));
  const faults: { at: string; message: string }[] = [];
  for (const [i, event] of body.events.entries()) {
    const fault = contractFault(event) ?? foreignFault(event as Event, body);
    if (!fault) continue;
    faults.push({ at: `events[${i}]${fault.field === "" ? "" : `.${fault.field}`}`, message: fault.message });
    if (faults.length === FAULTS_MAX) break;
  }
  return faults;
}

function foreignFault(
  event: Event,
  batch: { readonly cluster: string; readonly node: string },
): { field: string; message: string } | undefined {
  if (event.node !== batch.node) return { field: "node", message: "is not the batch's node" };
  return event.cluster === batch.cluster ? undefined : { field: "cluster", message: "is not the batch's cluster" };
}
