/**
 * Goal 14, over HTTP: a server process with the ingest route, before a store that takes nothing's time, beside a route that parses lines and
 * checks nothing, one that Fastify checks itself, and one event a request. What counts is the CPU of that process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import Fastify from "fastify";
import { systemClock } from "../../collector/core/system-clock.ts";
import { type Event, eventSchema } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { parseServerConfig } from "../../server/config.ts";
import { Namesakes } from "../../server/ingest/namesakes.ts";
import { ingestRoutes } from "../../server/ingest/routes.ts";
import { atLeast, median, print, TICKS_PER_SECOND } from "./shared.ts";

const EVENTS = 500;
const REQUESTS = 200;
const ROUNDS = 7;

/** The server process. */
async function serveChecked(): Promise<void> {
  const { ingest } = parseServerConfig("", "bench");
  const app = Fastify({ bodyLimit: 2 ** 26 });
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  ingestRoutes(app, {
    config: ingest,
    store: {
      insertBatch: async () => ({ duplicate: false }),
      insertResent: async () => ({ stored: [], duplicate: false }),
      incarnation: "bench",
    },
    namesakes: new Namesakes(systemClock, [], () => false),
    clock: systemClock,
    metrics: { accepted: () => undefined, refused: () => undefined },
    onStored: () => undefined,
  });
  const advert = eventSchema("wire.advert");
  app.addContentTypeParser("application/x-ndjson", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.post("/lines", async ({ body }) => {
    const bytes = body as Buffer;
    let events = 0;
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(10, from);
      events += (JSON.parse(bytes.toString("utf8", from, end)) as Event).ts > 0 ? 1 : 0;
      from = end + 1;
    }
    return { events };
  });
  app.post("/schema", { schema: { body: { type: "array", items: advert } } }, async ({ body }) => ({
    events: (body as Event[]).length,
  }));
  app.post("/one", { schema: { body: advert } }, async () => ({ events: 1 }));
  print(await app.listen({ port: 0, host: "127.0.0.1" }));
}

interface Route {
  readonly path: string;
  readonly type?: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly encoding?: string;
  /** In one request. */
  readonly events: number;
}

/** @param adverts  at least as many as a request has */
export async function benchChecked(adverts: readonly Event[]): Promise<void> {
  const events = adverts.slice(0, EVENTS);
  const [first] = events;
  if (!first) return;
  const { cluster, node } = first;
  const batch = (): string => JSON.stringify({ version: 1, batchId: eventId("checked"), cluster, node, events });
  const ours: Route = { path: "/api/v1/ingest", body: batch(), events: EVENTS };
  const routes = {
    packed: { ...ours, body: new Uint8Array(gzipSync(batch())), encoding: "gzip" },
    lines: {
      path: "/lines",
      type: "application/x-ndjson",
      body: events.map((event) => `${JSON.stringify(event)}\n`).join(""),
      events: EVENTS,
    },
    schema: { path: "/schema", body: JSON.stringify(events), events: EVENTS },
    one: { path: "/one", body: JSON.stringify(first), events: 1 },
  } satisfies Record<string, Route>;
  const server = spawn(process.execPath, [import.meta.filename, SERVE], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [url] = (await once(server.stdout.setEncoding("utf8"), "data")) as [string];
    const spent = async (route: Route): Promise<number> => {
      const requests = route.events === 1 ? 10 * REQUESTS : REQUESTS;
      const before = cpuOf(server);
      for (let i = 0; i < requests; i += 1) {
        const answer = await fetch(new URL(route.path, url.trim()), {
          method: "POST",
          headers: {
            "content-type": route.type ?? "application/json",
            ...(route.encoding === undefined ? {} : { "content-encoding": route.encoding }),
          },
          body: route.body,
        });
        if (!answer.ok) throw new Error(`${route.path}: ${await answer.text()}`);
        await answer.arrayBuffer();
      }
      return (cpuOf(server) - before) / (requests * route.events);
    };
    const own: number[] = [];
    const others: Record<keyof typeof routes, number[]> = { packed: [], lines: [], schema: [], one: [] };
    for (let round = 0; round <= ROUNDS; round += 1) {
      const cost = await spent(ours);
      for (const [name, route] of Object.entries(routes))
        if (round > 0) others[name as keyof typeof routes].push((await spent(route)) / cost);
        else await spent(route);
      if (round > 0) own.push(cost);
    }
    const told = (name: keyof typeof routes, must: number, goal: number): string =>
      atLeast(median(others[name]), must, goal);
    const packed = median(others.packed);
    print(
      `14 over HTTP, ${EVENTS} adverts a request, each checked: ${Math.round(1 / median(own)).toLocaleString("en")} a CPU second of the server; / parsed line by line, unchecked: ${told("lines", 0.9, 1.2)}; / Fastify's schema: ${told("schema", 1.2, 1.5)}; / one a request: ${told("one", 30, 40)}; by gzip it costs ${packed.toFixed(2)} times as much (must 1.8 ${packed <= 1.8 ? "met" : "missed"}, goal 1.35 ${packed <= 1.35 ? "met" : "missed"})`,
    );
  } finally {
    server.kill("SIGTERM");
  }
}

/** Seconds. @see proc_pid_stat(5), fields 14 and 15 */
function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const SERVE = "serve-checked";
if (process.argv[2] === SERVE) await serveChecked();
