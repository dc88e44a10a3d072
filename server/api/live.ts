import type { FastifyInstance, FastifyReply } from "fastify";
import { ProblemError } from "./problems.ts";
import type { LiveMessage } from "./types.ts";

/** Most browsers that watch at once. */
const CLIENTS_MAX = 200;
/** Changes of the timeline are gathered for this long before they are told, milliseconds. */
const GATHER_MS = 250;
/** A comment line this often keeps proxies from closing the stream, milliseconds. */
const KEEP_ALIVE_MS = 15_000;
/** A client with more than this waiting is too slow, and is let go, bytes. It comes back and asks for the whole. */
const BUFFER_MAX = 1024 * 1024;

/** Tells browsers at once what has changed, by server-sent events. */
export class Live {
  private readonly clients = new Set<FastifyReply>();
  private routers = new Set<string>();
  private nodes = false;
  private newestTs = 0;
  private ended = false;
  private gathering: NodeJS.Timeout | undefined;
  private readonly keepAlive = setInterval(() => this.write(": alive\n\n"), KEEP_ALIVE_MS).unref();

  register(app: FastifyInstance): void {
    app.get("/api/v1/live", { schema: { summary: "Server-sent events: what has changed" } }, (_request, reply) => {
      if (this.clients.size >= CLIENTS_MAX) throw new ProblemError(503, `${CLIENTS_MAX} browsers are watching already`);
      reply.hijack();
      reply.raw.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
      });
      reply.raw.write("retry: 2000\n\n");
      this.clients.add(reply);
      reply.raw.on("close", () => this.clients.delete(reply)).on("error", () => this.clients.delete(reply));
    });
    // An open stream would keep the server from closing.
    app.addHook("preClose", async () => this.end());
  }

  get clientCount(): number {
    return this.clients.size;
  }

  /** A message of its own, at once. */
  tell(message: LiveMessage): void {
    this.write(`data: ${JSON.stringify(message)}\n\n`);
  }

  /** The timelines of these routers have changed; told with others in a moment. */
  touched(routers: readonly string[], ts: number): void {
    for (const router of routers) this.routers.add(router);
    this.newestTs = Math.max(this.newestTs, ts);
    this.gather();
  }

  nodesChanged(): void {
    this.nodes = true;
    this.gather();
  }

  private gather(): void {
    if (this.ended) return;
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      if (this.routers.size > 0) this.tell({ type: "timeline", routers: [...this.routers], ts: this.newestTs });
      if (this.nodes) this.tell({ type: "nodes" });
      this.routers = new Set();
      this.nodes = false;
      this.newestTs = 0;
    }, GATHER_MS);
  }

  private write(text: string): void {
    for (const client of this.clients) {
      if (client.raw.writableLength > BUFFER_MAX) client.raw.destroy();
      else client.raw.write(text);
    }
  }

  private end(): void {
    this.ended = true;
    clearInterval(this.keepAlive);
    clearTimeout(this.gathering);
    for (const client of this.clients) client.raw.end();
    this.clients.clear();
  }
}
