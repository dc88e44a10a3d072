import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Observation } from "../events/observation.ts";
import type { EffectiveConfigs } from "../sources/effective-config.ts";
import { type CollectorView, createFamilies } from "./families.ts";
import { KeepalivedTally } from "./tally.ts";

/** Most connections at once; further ones are closed. */
const CONNECTIONS_MAX = 16;
/** A request that is not read, or answered, in this time is ended, milliseconds. */
const REQUEST_MAX_MS = 5_000;
/** How long until an address that was not free is tried again, milliseconds. */
const RETRY_MS = 10_000;

export interface Exporter {
  /** Hears what the sources have seen. */
  hear(observations: readonly Observation[]): void;
  /** Resolves when it listens, or could not: then it says so and tries again. The watching goes on either way. */
  listen(view: CollectorView): Promise<void>;
  /** The port that it has; undefined while it has none. */
  port(): number | undefined;
  close(): Promise<void>;
}

/** `GET /metrics` for Prometheus, at `[metrics] listen` of the configuration. */
export function createExporter(listen: string, { configs, log }: { configs: EffectiveConfigs; log: Log }): Exporter {
  const tally = new KeepalivedTally();
  const forget = configs.subscribe(({ running }) => tally.know(running));
  const { host, port } = addressOf(listen);
  let server: Server | undefined;
  let retry: NodeJS.Timeout | undefined;
  let told = false;

  async function open(made: Server): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => made.once("error", reject).listen(port, host, resolve));
      made.removeAllListeners("error").on("error", (error) => log("error", "metrics", { why: messageOf(error) }));
      log("info", "metrics are served", { listen });
    } catch (error) {
      if (!told)
        log("error", "metrics cannot be served; the watching goes on, and the address is tried again", {
          listen,
          why: messageOf(error),
        });
      told = true;
      retry = setTimeout(() => void open(made), RETRY_MS).unref();
    }
  }

  return {
    hear: (observations) => tally.hear(observations),
    async listen(view) {
      const register = createFamilies(tally, view);
      server = createServer({ requestTimeout: REQUEST_MAX_MS, headersTimeout: REQUEST_MAX_MS }, (request, response) => {
        answer(request, response, register).catch((error: unknown) => {
          log("error", "a scrape failed", { why: messageOf(error) });
          response.destroy();
        });
      });
      server.maxConnections = CONNECTIONS_MAX;
      server.setTimeout(REQUEST_MAX_MS);
      await open(server);
    },
    port() {
      const at = server?.address();
      return typeof at === "object" && at !== null ? at.port : undefined;
    },
    async close() {
      forget();
      clearTimeout(retry);
      const closed = new Promise<void>((resolve) => (server?.listening ? server.close(() => resolve()) : resolve()));
      server?.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
  register: ReturnType<typeof createFamilies>,
): Promise<void> {
  const path = url.split("?", 1)[0];
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  if (path === "/healthz") {
    response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
    return;
  }
  if (path !== "/metrics") {
    response.writeHead(404, { "content-type": "text/plain" }).end("The metrics are at /metrics\n");
    return;
  }
  const text = await register.metrics();
  response.writeHead(200, { "content-type": register.contentType }).end(text);
}

/** Of `host:port` or `[address]:port`, as the configuration has it checked. */
function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(":");
  return { host: listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(listen.slice(colon + 1)) };
}
