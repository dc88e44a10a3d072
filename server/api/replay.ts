import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { ProblemError } from "./problems.ts";
import { Answers, DeliveryParams, ReplayBody } from "./schemas.ts";
import { type SilenceDeps, writerOf } from "./silences.ts";
import type { Delivery } from "./types.ts";

export interface ReplayDeps {
  readonly config: SilenceDeps["config"];
  /** @returns undefined when there is no such delivery */
  readonly replay: (deliveryId: string) => Promise<Delivery | undefined>;
}

/** A delivery, sent again because somebody asks for it. A body is asked for, since a form of another site cannot send JSON. */
export function replayRoute(app: FastifyInstance, { config, replay }: ReplayDeps): void {
  const writer = writerOf(config);
  app.post<{ Params: Static<typeof DeliveryParams>; Body: Static<typeof ReplayBody> }>(
    "/api/v1/deliveries/:id/replay",
    {
      schema: {
        summary: "Send a delivery again",
        params: DeliveryParams,
        body: ReplayBody,
        response: Answers.replayed,
      },
      onRequest: async (request) => void writer(request.headers.authorization),
    },
    async ({ params }, reply) => {
      const replayed = await replay(params.id);
      if (!replayed) throw new ProblemError(404, `there is no delivery ${params.id}`);
      return reply.code(201).send(replayed);
    },
  );
}
