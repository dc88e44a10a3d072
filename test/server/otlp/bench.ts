import Fastify, { type FastifyInstance } from "fastify";
import type { Event } from "../../../collector/events/event.ts";
import { problemDocuments } from "../../../server/api/problems.ts";
import type { ListenerState } from "../../../server/api/types.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { otlpRoutes } from "../../../server/otlp/routes.ts";
import type { Store } from "../../../server/store/store.ts";
import { clock } from "../app/support.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly json: Record<string, unknown>;
  readonly bytes: Buffer;
}

export interface Bench {
  readonly app: FastifyInstance;
  /** Each event once, however often it came. */
  readonly stored: Map<string, Event>;
  readonly concluded: string[];
  readonly logged: string[];
  insert: Store["insertResent"];
  state(): ListenerState;
  post(body: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** The route with a store that a test can stall or break. */
export function benchOf(toml = ""): Bench {
  const app = Fastify();
  const logged: string[] = [];
  problemDocuments(app, () => undefined);
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  const bench: Bench = {
    app,
    stored: new Map(),
    concluded: [],
    logged,
    insert: async (batch) => {
      const stored = batch.events.filter(({ id }) => !bench.stored.has(id));
      for (const event of stored) bench.stored.set(event.id, event);
      return { stored, duplicate: stored.length === 0 };
    },
    state: () => route.state(),
    post: async (body, headers = {}) => {
      const answer = await app.inject({
        method: "POST",
        url: "/v1/logs",
        headers: {
          "content-type": Buffer.isBuffer(body) ? "application/x-protobuf" : "application/json",
          ...headers,
        },
        payload: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      });
      const isJson = String(answer.headers["content-type"]).startsWith("application/json");
      return {
        status: answer.statusCode,
        headers: answer.headers,
        json: isJson ? answer.json<Record<string, unknown>>() : {},
        bytes: answer.rawPayload,
      };
    },
  };
  const route = otlpRoutes(app, {
    config: parseServerConfig(toml, "test.toml"),
    store: { insertResent: (batch) => bench.insert(batch) },
    clock,
    log: (level, message, fields) => void logged.push(`${level}: ${message} ${JSON.stringify(fields ?? {})}`),
    metrics: { accepted: () => undefined },
    onStored: ({ events }) => void bench.concluded.push(...events.map(({ id }) => id)),
  });
  return bench;
}
