import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { type Event, eventFault } from "../../../collector/events/event.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { EventPage } from "../../../server/api/types.ts";
import { keepwatch, keepwatchBin, Running } from "../../support/process.ts";
import { at } from "../detect/scenario.ts";

/** The compiled executable, killed without warning. */
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-crash-"));
const running: Running[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.end("SIGKILL");
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function configFile(name: string, store: string): string {
  const file = join(scratch, `${name}.toml`);
  writeFileSync(file, `[listen]\nport = 0\n[storage]\npath = "${store}"\n`);
  return file;
}

async function started(config: string): Promise<{ server: Running; url: string }> {
  const server = new Running(process.execPath, [keepwatchBin, "server", "--config", config]);
  running.push(server);
  const [, url = ""] = await server.printed(/timeline at (\S+)/);
  return { server, url };
}

/** A log line that says nothing: what counts here is that it is there, once. */
function noticeAt(node: string, second: number): Event {
  const event: Event = {
    id: eventId("crash", node, second),
    cluster: "default",
    node,
    source: "log",
    kind: "log.notice",
    code: "test",
    ts: at(second),
    tsUncertaintyUs: 0,
    observedTs: at(second),
    raw: `line ${second}`,
  };
  const fault = eventFault(event);
  if (fault) throw new Error(fault.message);
  return event;
}

function batchOf(node: string, index: number): Batch {
  const events = Array.from({ length: 20 }, (_, i) => noticeAt(node, index * 20 + i));
  return { version: 1, batchId: eventId(node, "batch", index), cluster: "default", node, events };
}

async function post(url: string, batch: Batch): Promise<boolean> {
  const response = await fetch(new URL("/api/v1/ingest", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(batch),
  }).catch(() => undefined);
  await response?.arrayBuffer().catch(() => undefined);
  return response?.status === 200;
}

async function storedIds(url: string): Promise<string[]> {
  const response = await fetch(new URL("/api/v1/events?limit=10000", url));
  const { events } = (await response.json()) as EventPage;
  return events.map(({ id }) => id);
}

const NODES = ["lb1", "lb2", "lb3"];

/** Each node sends its batches in order, until the server is gone. @returns those that were acknowledged */
async function sendUntilKilled(url: string, server: Running, from: number, killAfter: number): Promise<Batch[]> {
  const acknowledged: Batch[] = [];
  await Promise.all(
    NODES.map(async (node) => {
      for (let index = from; ; index++) {
        const batch = batchOf(node, index);
        if (!(await post(url, batch))) return;
        acknowledged.push(batch);
        // The others' requests are on their way at this moment: in the queue, in the engine, or half written.
        if (acknowledged.length === killAfter) server.child.kill("SIGKILL");
      }
    }),
  );
  return acknowledged;
}

describe("a server that is killed", () => {
  test("has all that it acknowledged, and shows a batch once that comes again", async () => {
    const config = configFile("killed", join(scratch, "killed"));
    const acknowledged: Batch[] = [];
    for (const [round, killAfter] of [4, 7, 11].entries()) {
      // One that ends in order keeps what it knows: what came after that must not be taken for known.
      if (round === 1) await (await started(config)).server.end("SIGTERM");
      const { server, url } = await started(config);
      const missing = new Set(acknowledged.flatMap(({ events }) => events.map(({ id }) => id)));
      for (const id of await storedIds(url)) missing.delete(id);
      expect([...missing]).toEqual([]);
      acknowledged.push(...(await sendUntilKilled(url, server, round * 100, killAfter)));
    }
    // As the collectors do: what was not acknowledged comes again byte for byte, and here also some that was.
    const { url } = await started(config);
    const again = NODES.flatMap((node) =>
      [0, 100, 200].flatMap((from) => [0, 1, 2, 3].map((i) => batchOf(node, from + i))),
    );
    for (const batch of again) expect(await post(url, batch)).toBe(true);
    const ids = await storedIds(url);
    expect(ids).toHaveLength(new Set(ids).size);
    const sent = new Set([...acknowledged, ...again].flatMap(({ events }) => events.map(({ id }) => id)));
    expect([...sent].filter((id) => !ids.includes(id))).toEqual([]);
  }, 60_000);
});

describe("a second server", () => {
  test("on the same store is refused in one sentence, and the first goes on", async () => {
    const store = join(scratch, "shared");
    const { server, url } = await started(configFile("first", store));
    const { status, stderr } = await keepwatch(["server", "--config", configFile("second", store)]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^keepwatch: the store \S+shared is in use by another process\. .*storage\.path.* \[STORE_IN_USE\]$/m,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(await post(url, batchOf("lb1", 0))).toBe(true);
    expect(await server.end("SIGTERM")).toBe(0);
    // Free again once it has ended.
    const next = await started(configFile("first", store));
    expect(await storedIds(next.url)).toHaveLength(20);
  });
});
