import { hostname } from "node:os";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { messageOf } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import type { Clock } from "../../collector/core/time.ts";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, type Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";

import type { ListenerState } from "../api/types.ts";
import type { ServerConfig } from "../config.ts";
import { unpacked } from "../intake/gunzip.ts";
import { batchesOf, faultOf } from "../intake/intake.ts";
import { nameReader } from "../intake/names.ts";
import { Tally } from "../intake/tally.ts";
import { zoneOf } from "../intake/zone.ts";
import { type Store, StoreRefusal } from "../store/store.ts";
import { tokenReader } from "../tokens.ts";
import { readJson } from "./json.ts";
import { readProtobuf, responseProtobuf, statusProtobuf } from "./protobuf.ts";
import { RequestReader } from "./reader.ts";
import { Budget, RequestFault } from "./record.ts";
import { OtlpAnswers, OtlpBody } from "./schemas.ts";

export const OTLP_PATH = "/v1/logs";

const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";
/** What a forwarder is asked to wait when the store is behind, seconds. */
const RETRY_AFTER_S = 2;
/** Most records at fault that an answer names. */
const FAULTS_MAX = 5;

/** Why a record was not kept, or a request not taken. */
export type OtlpDropReason =
  | "invalid"
  | "foreign-node"
  | "malformed"
  | "too-large"
  | "unsupported"
  | "unauthorised"
  | "overload"
  | "store"
  | "internal";

export interface OtlpDeps {
  readonly config: Pick<ServerConfig, "otlp" | "ingest" | "nodes">;
  readonly store: Pick<Store, "insertResent">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: { accepted(events: number, duplicate: boolean): void };
  /** Called once a batch is durable, before it is acknowledged. */
  readonly onStored: (batch: Batch) => void;
  /** Hears of a batch that the store did not take, and may take later. */
  readonly onStoreFailure?: (batch: Batch, error: unknown) => void;
}

/** google.rpc.Code of an answer that is no success. */
const RPC_CODES: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14 };
const RPC_INTERNAL = 13;

/** A request that is not taken. */
class OtlpError extends Error {
  override readonly name = "OtlpError";
  readonly statusCode: number;
  readonly reason: OtlpDropReason;

  constructor(statusCode: number, reason: OtlpDropReason, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.reason = reason;
  }
}

/** Of which nodes someone may bring logs; undefined: of any. */
type Grant = ReadonlySet<string> | undefined;

/** Takes OTLP's logs: what is keepalived's is stored, and only then acknowledged. */
export function otlpRoutes(app: FastifyInstance, deps: OtlpDeps): { state(): ListenerState } {
  const { config, clock } = deps;
  const tally = new Tally<OtlpDropReason>();
  const grantOf = grantReader(config);
  const grants = new WeakMap<FastifyRequest, Grant>();
  const identify = nameReader(config.nodes, config.otlp.cluster, hostname());
  const zone = zoneOf(config.otlp.zone);
  let inFlight = 0;

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      [PROTOBUF, JSON_TYPE],
      { parseAs: "buffer", bodyLimit: BATCH_BYTES_MAX },
      async (request: FastifyRequest, body: Buffer) => bodyOf(body, request.headers["content-encoding"]),
    );
    // Before the body is read: who may not write, or comes when too many wait, costs no memory.
    scope.addHook("onRequest", async (request, reply) => {
      const grant = grantOf(request);
      if (grant === "none")
        throw new OtlpError(
          401,
          "unauthorised",
          "a token that otlp.tokens or ingest.tokens of this server lists is needed: Authorization: Bearer …",
        );
      if (inFlight >= config.ingest.in_flight_max)
        throw new OtlpError(429, "overload", "too many requests wait for the store");
      grants.set(request, grant);
      inFlight += 1;
      // Comes also when the forwarder goes away in the middle.
      reply.raw.once("close", () => (inFlight -= 1));
    });
    scope.setErrorHandler((error, request, reply) => {
      const { statusCode, reason, message } = refusalOf(error);
      tally.drop(reason);
      if (reason === "internal") deps.log("error", "a request failed", { path: OTLP_PATH, why: messageOf(error) });
      if (statusCode === 401) void reply.header("www-authenticate", "Bearer");
      if (statusCode === 429 || statusCode === 503) void reply.header("retry-after", String(RETRY_AFTER_S));
      const status = { code: RPC_CODES[statusCode] ?? RPC_INTERNAL, message };
      return answer(request, reply.code(statusCode), status, statusProtobuf(status));
    });
    scope.post(
      OTLP_PATH,
      {
        schema: { summary: "Logs that others forward, as OTLP", body: OtlpBody, response: OtlpAnswers },
        validatorCompiler: () => () => true,
      },
      async (request, reply) => {
        const { events, partial } = read(request);
        await keep(events);
        tally.kept += events.length;
        const told = partial && {
          partialSuccess: { rejectedLogRecords: String(partial.rejected), errorMessage: partial.message },
        };
        return answer(request, reply, told ?? {}, responseProtobuf(partial));
      },
    );
  });

  function read(request: FastifyRequest): { events: Event[]; partial: Partial | undefined } {
    const grant = grants.get(request);
    const arrivedUs = clock.epoch();
    const reader = new RequestReader({ address: request.ip, zone, arrivedUs, identify });
    const events: Event[] = [];
    const faults = new Faults();
    let count = 0;
    let cut = 0;
    // An empty request has no body in protobuf.
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const decode = isProtobuf(request) ? readProtobuf : readJson;
    decode(body, new Budget(), (record, resource) => {
      const index = count++;
      const made = reader.read(record, resource);
      if (!made) return;
      const { event, isCut } = made;
      if (isCut) cut += 1;
      const fault = faultOf(event);
      if (fault !== undefined) faults.add("invalid", index, fault);
      else if (grant && !grant.has(event.node))
        faults.add("foreign-node", index, `the token is not one of node ${event.node}`);
      else events.push(event);
    });
    tally.received += count;
    tally.cut += cut;
    tally.lastTs = arrivedUs;
    for (const [reason, dropped] of faults.counts) tally.drop(reason, dropped);
    const partial = faults.told();
    if (partial) deps.log("warn", "forwarded records were rejected", { from: request.ip, why: partial.message });
    return { events, partial };
  }

  async function keep(events: readonly Event[]): Promise<void> {
    for (let from = 0; from < events.length; from += BATCH_EVENTS_MAX)
      for (const batch of batchesOf(events.slice(from, from + BATCH_EVENTS_MAX))) {
        const { stored, duplicate } = await insert(batch);
        deps.metrics.accepted(stored.length, stored.length === 0);
        // What another server of this store took has not been concluded from here.
        if (!duplicate) deps.onStored(batch);
      }
  }

  /** Whoever forwards does not say that it tries again, and may divide its records otherwise then: each event is looked for. */
  async function insert(batch: Batch): ReturnType<Store["insertResent"]> {
    try {
      return await deps.store.insertResent(batch);
    } catch (error) {
      // The store's own words may quote what other nodes wrote: they go to our log alone.
      if (error instanceof StoreRefusal)
        throw new OtlpError(400, "invalid", `the records cannot be stored: ${error.message}`);
      deps.onStoreFailure?.(batch, error);
      throw new OtlpError(503, "store", "the store does not take events at present; the server's log says why");
    }
  }

  return {
    state: () => {
      const place = app.server.address();
      const address = typeof place === "object" && place ? `${place.address}:${place.port}` : "";
      return tally.state("otlp-http", address);
    },
  };
}

/** Who has a token of a node may bring that node's logs; who has one of a forwarder, those of all it forwards. */
function grantReader({ otlp, ingest }: OtlpDeps["config"]): (request: FastifyRequest) => Grant | "none" {
  const forwarders = tokenReader(otlp.tokens);
  const owners = tokenReader(ingest.tokens);
  const isOpen = otlp.tokens.length + ingest.tokens.length === 0;
  return ({ headers }) => {
    if (isOpen) return undefined;
    const forwarding = forwarders(headers.authorization);
    if (forwarding.some(({ nodes }) => nodes === undefined)) return undefined;
    const nodes = [
      ...forwarding.flatMap(({ nodes: own }) => own ?? []),
      ...owners(headers.authorization).map(({ node }) => node),
    ];
    return nodes.length > 0 ? new Set(nodes) : "none";
  };
}

interface Partial {
  readonly rejected: number;
  readonly message: string;
}

/** Records that are not kept: all are counted, the first ones told. */
class Faults {
  readonly counts = new Map<OtlpDropReason, number>();
  private readonly sentences: string[] = [];
  private rejected = 0;

  add(reason: OtlpDropReason, index: number, fault: string): void {
    this.rejected += 1;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    if (this.sentences.length < FAULTS_MAX) this.sentences.push(`record ${index}: ${fault}`);
  }

  told(): Partial | undefined {
    if (this.rejected === 0) return undefined;
    const rest = this.rejected - this.sentences.length;
    return {
      rejected: this.rejected,
      message: `${this.sentences.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`,
    };
  }
}

const isProtobuf = ({ headers }: FastifyRequest): boolean =>
  headers["content-type"]?.split(";")[0]?.trim().toLowerCase() === PROTOBUF;

/** In the encoding of the request. */
const answer = (request: FastifyRequest, reply: FastifyReply, json: object, protobuf: Buffer): FastifyReply =>
  isProtobuf(request) ? reply.type(PROTOBUF).send(protobuf) : reply.type(JSON_TYPE).send(json);

async function bodyOf(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  const plain = await unpacked(body, encoding, BATCH_BYTES_MAX);
  if (Buffer.isBuffer(plain)) return plain;
  throw new OtlpError(plain.status, REASONS[plain.status] ?? "malformed", plain.message);
}

const REASONS: Readonly<Record<number, OtlpDropReason>> = { 400: "malformed", 413: "too-large", 415: "unsupported" };

function refusalOf(error: unknown): Pick<OtlpError, "statusCode" | "reason" | "message"> {
  if (error instanceof OtlpError) return error;
  if (error instanceof RequestFault)
    return { statusCode: error.reason === "too-large" ? 413 : 400, reason: error.reason, message: error.message };
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : undefined;
  if (typeof status !== "number" || status >= 500)
    return { statusCode: 500, reason: "internal", message: "the server could not answer; its log says why" };
  const detail = status === 415 ? `send ${PROTOBUF} or ${JSON_TYPE}` : messageOf(error);
  return { statusCode: status, reason: REASONS[status] ?? "malformed", message: detail };
}
