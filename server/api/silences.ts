import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import type { ServerConfig } from "../config.ts";
import { tokenReader } from "../tokens.ts";
import { ProblemError } from "./problems.ts";
import { Answers, SilenceBody, SilenceParams } from "./schemas.ts";
import type { Silence, SilenceDraft } from "./types.ts";

export interface SilenceDeps {
  readonly config: Pick<ServerConfig, "api" | "ingest">;
  readonly all: () => readonly Silence[];
  /** @throws an error with `at`, for what is wrong with the draft */
  readonly add: (draft: SilenceDraft) => Promise<Silence>;
  readonly expire: (id: string) => Promise<Silence | undefined>;
}

/**
 * Who may change something, by `api.tokens`: the name of the token. Without tokens anybody who reaches the listener may,
 * unless collectors need one: theirs are for their own events.
 */
export function writerOf(config: SilenceDeps["config"]): (authorization: string | undefined) => string | undefined {
  const namesOf = tokenReader(config.api.tokens);
  return (authorization) => {
    if (config.api.tokens.length > 0) {
      const [found] = namesOf(authorization);
      if (found) return found.name;
      throw new ProblemError(401, "a token that api.tokens of this server lists is needed: Authorization: Bearer …", {
        headers: { "www-authenticate": "Bearer" },
      });
    }
    if (config.ingest.tokens.length > 0)
      throw new ProblemError(
        403,
        "nobody may change anything here: list who may in api.tokens of this server's configuration",
      );
    return undefined;
  };
}

/** Silences: asked for, listed, and ended before their time. */
export function silenceRoutes(app: FastifyInstance, { config, all, add, expire }: SilenceDeps): void {
  const writer = writerOf(config);
  app.get(
    "/api/v1/silences",
    { schema: { summary: "Silences, newest first, also those that have ended", response: Answers.silences } },
    () => all(),
  );
  app.post<{ Body: Static<typeof SilenceBody> }>(
    "/api/v1/silences",
    {
      schema: {
        summary: "Silence what matches, until then, for this reason",
        body: SilenceBody,
        response: Answers.silenceMade,
      },
      // Before the body is read.
      onRequest: async (request) => void writer(request.headers.authorization),
    },
    async ({ body, headers }, reply) => {
      const author = writer(headers.authorization) ?? body.author;
      if (author === undefined) throw fault("author", "is needed: who asks for silence");
      const draft = { ...body, author };
      try {
        return await reply.code(201).send(await add(draft));
      } catch (error) {
        if (error instanceof Error && "at" in error && typeof error.at === "string")
          throw fault(error.at, error.message.slice(error.at.length + 1));
        throw error;
      }
    },
  );
  app.delete<{ Params: Static<typeof SilenceParams> }>(
    "/api/v1/silences/:id",
    {
      schema: { summary: "End a silence now", params: SilenceParams, response: Answers.silence },
      onRequest: async (request) => void writer(request.headers.authorization),
    },
    async ({ params }) => {
      const ended = await expire(params.id);
      if (!ended) throw new ProblemError(404, `there is no silence ${params.id}`);
      return ended;
    },
  );
}

const fault = (at: string, message: string): ProblemError =>
  new ProblemError(400, `${at} ${message}`, { faults: [{ at, message }] });
