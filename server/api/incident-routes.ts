import type { FastifyInstance, FastifyReply } from "fastify";
import type { Static } from "typebox";
import type { Clock } from "../../collector/core/time.ts";
import type { DetectionEngine } from "../detect/engine.ts";
import type { Incident } from "../detect/incident.ts";
import { captureOf } from "../report/capture.ts";
import { advertsOf, contextOf } from "../report/context.ts";
import { postMortem } from "../report/markdown.ts";
import type { Store } from "../store/store.ts";
import { ProblemError } from "./problems.ts";
import { Answers, IncidentFileParams, IncidentParams } from "./schemas.ts";
import type { IncidentDocument } from "./types.ts";

export interface IncidentDeps {
  readonly store: Store;
  readonly engine: Pick<DetectionEngine, "routers" | "nodes" | "incidents" | "corrected">;
  readonly clock: Clock;
}

const DELIVERIES_MAX = 1_000;

/** Incidents, what stood around them, and the files that are made of both. */
export function incidentRoutes(app: FastifyInstance, { store, engine, clock }: IncidentDeps): void {
  const find = async (id: string): Promise<Incident> => {
    const found =
      engine.incidents().find((incident) => incident.id === id) ??
      (await store.incidents()).find((incident) => incident.id === id);
    if (!found) throw new ProblemError(404, `there is no incident ${id}`);
    return found;
  };
  const context = (incident: Incident) => contextOf(incident, { store, engine }, clock.epoch());
  const deliveries = ({ id }: Incident) => store.deliveries({ incidentId: id, limit: DELIVERIES_MAX });

  app.get("/api/v1/incidents", { schema: { summary: "Incidents, newest first", response: Answers.incidents } }, () =>
    [...engine.incidents()].sort((a, b) => b.start - a.start),
  );
  app.get<{ Params: Static<typeof IncidentFileParams> }>(
    "/api/v1/incidents/:id",
    {
      schema: {
        summary:
          "One incident, also a withdrawn one. With .md, or to those who accept text/markdown, a post-mortem; with .json it and what stood around it; with .pcapng the adverts around it, with the log lines as comments",
        params: IncidentFileParams,
        response: Answers.incident,
      },
    },
    async ({ params, headers }, reply) => {
      const [id = "", extension = ""] = params.id.split(".");
      const incident = await find(id);
      const name = `${incident.kind}-${id.slice(0, 8)}.${extension}`;
      switch (extension) {
        case "md":
          return file(reply, name, "text/markdown; charset=utf-8", await markdown(incident));
        case "json":
          return file(
            reply,
            name,
            "application/json; charset=utf-8",
            JSON.stringify(await document(incident), null, 2),
          );
        case "pcapng":
          return file(reply, name, "application/vnd.tcpdump.pcap", await capture(incident));
        default:
          if (headers.accept?.includes("text/markdown") !== true) return incident;
          return reply.type("text/markdown; charset=utf-8").send(await markdown(incident));
      }
    },
  );
  app.get<{ Params: Static<typeof IncidentParams> }>(
    "/api/v1/incidents/:id/context",
    {
      schema: {
        summary:
          "What the nodes of an incident said in the minute around it, and what changed in the ten minutes before",
        params: IncidentParams,
        response: Answers.context,
      },
    },
    async ({ params }) => context(await find(params.id)),
  );

  const markdown = async (incident: Incident): Promise<string> =>
    postMortem(incident, await context(incident), await deliveries(incident));

  const document = async (incident: Incident): Promise<IncidentDocument> => ({
    incident,
    context: await context(incident),
    deliveries: await deliveries(incident),
  });

  const capture = async (incident: Incident): Promise<Buffer> => {
    const adverts = await advertsOf(incident, { store, engine }, clock.epoch());
    const { events } = await context(incident);
    const lines = events.filter(({ source }) => source === "log");
    return Buffer.from(captureOf(incident, adverts, lines));
  };
}

function file(reply: FastifyReply, name: string, type: string, body: string | Buffer): FastifyReply {
  return reply.type(type).header("content-disposition", `attachment; filename="${name}"`).send(body);
}
