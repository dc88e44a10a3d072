import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Batch } from "../../../collector/events/batch.ts";
import type { Event } from "../../../collector/events/event.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { LogLevel } from "../../../collector/core/log.ts";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Part } from "../../../collector/core/settings.ts";
import { type RunningServer, startServer } from "../../../server/app.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { at, scenario } from "../detect/scenario.ts";

/** A clock that stands. */
export const NOW = at(100);
export const clock: Clock = { mono: () => 0 as MonoUs, epoch: () => NOW as EpochUs };

/** Two nodes whose link is cut at 20 s: both are master from 23.8 s on. */
export const SPLIT_BRAIN = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12
  at 0.1 lb1 log BACKUP init
  at 0.1 lb2 log BACKUP init
  at 3.50 lb1 wire out seen
  at 3.50 lb2 wire lb1 seen
  at 3.51 lb1 log MASTER
  at 3.52 lb1 kernel +10.99.0.100
  at 4.00 lb2 wire lb1 advert
  at 5.00 lb2 wire lb1 advert
  at 6.00 lb2 wire lb1 advert
  at 20.2 lb2 wire lb1 gone silent
  at 23.80 lb2 wire out seen
  at 23.81 lb2 log MASTER
  at 23.82 lb2 kernel +10.99.0.100
  watch lb1 lb2 to 30`;

export interface TestServer extends RunningServer {
  readonly dir: string;
  readonly logged: readonly { readonly level: LogLevel; readonly message: string; readonly fields?: object }[];
  get(path: string, init?: RequestInit): Promise<Response>;
  /** The answer's JSON, of a success. */
  json(path: string): Promise<unknown>;
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Closes it, and removes the folder. */
  end(): Promise<void>;
}

/** The embedded engine takes one folder a process: a test that fails must not leave its server to the next. */
const running = new Set<RunningServer>();
const folders = new Set<string>();
export async function endStray(): Promise<void> {
  for (const server of running) await server.close();
  running.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** The whole server on a free port, with the embedded engine in a folder of its own. */
export async function testServer(
  options: {
    dir?: string;
    toml?: string;
    overrides?: NonNullable<Parameters<typeof parseServerConfig>[2]>;
    webRoot?: string;
  } = {},
): Promise<TestServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "keepwatch-app-"));
  folders.add(dir);
  const logged: { level: LogLevel; message: string; fields?: object }[] = [];
  const base: Part<{ listen: { port: number }; storage: { path: string } }> = {
    listen: { port: 0 },
    storage: { path: join(dir, "store") },
  };
  const config = parseServerConfig(options.toml ?? "", "test.toml", { ...base, ...options.overrides });
  const server = await startServer(config, {
    clock,
    log: (level, message, fields) => logged.push({ level, message, ...(fields ? { fields } : {}) }),
    webRoot: options.webRoot ?? join(dir, "no-web"),
  });
  running.add(server);
  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, server.url), init);
  return {
    ...server,
    dir,
    logged,
    get,
    json: async (path) => {
      const response = await get(path);
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
    post: (body, headers = {}) =>
      get("/api/v1/ingest", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
      }),
    end: async () => {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** One batch a node, as their collectors would send them. */
export function batchesOf(events: readonly Event[]): Batch[] {
  const nodes = [...new Set(events.map(({ node }) => node))];
  return nodes.map((node) => {
    const own = events.filter((event) => event.node === node);
    return {
      version: 1,
      batchId: eventId("batch", ...own.map(({ id }) => id)),
      cluster: own[0]?.cluster ?? "default",
      node,
      events: own,
    };
  });
}

export async function postAll(server: Pick<TestServer, "post">, text: string = SPLIT_BRAIN): Promise<void> {
  for (const batch of batchesOf(scenario(text))) {
    const response = await server.post(batch);
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  }
}
