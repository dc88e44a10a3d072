import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { OperatorError } from "../../collector/core/errors.ts";
import type { Store } from "../store/store.ts";
import { ProblemError } from "./problems.ts";
import { Answers, BackupBody } from "./schemas.ts";
import { type SilenceDeps, writerOf } from "./silences.ts";

export interface StoreDeps {
  readonly config: SilenceDeps["config"];
  readonly store: Pick<Store, "info" | "backUp">;
}

/** What the store has, and a backup of it while the server runs: nobody else can open an embedded store then. */
export function storeRoutes(app: FastifyInstance, { config, store }: StoreDeps): void {
  const writer = writerOf(config);
  app.get(
    "/api/v1/store",
    { schema: { summary: "What the store has, and which one it is", response: Answers.store } },
    () => store.info(),
  );
  app.post<{ Body: Static<typeof BackupBody> }>(
    "/api/v1/store/backups",
    {
      schema: {
        summary: "Back the embedded store up into the server's storage.backup_path",
        body: BackupBody,
        response: Answers.backedUp,
      },
      onRequest: async (request) => void writer(request.headers.authorization),
    },
    async ({ body }, reply) => {
      try {
        return await reply.code(201).send(await store.backUp(body.name));
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        throw new ProblemError(error.code === "BACKUP_FAILED" ? 503 : 409, error.toLine());
      }
    },
  );
}
