import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import type { Delivery } from "../../../server/api/types.ts";
import { keepwatchBin, Running } from "../../support/process.ts";
import { SECRET } from "../alert/support.ts";
import { scenario } from "../detect/scenario.ts";
import { batchesOf, SPLIT_BRAIN } from "./support.ts";

/** The compiled executable, killed with notifications recorded and not sent, and with one on its way. */
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-alert-crash-"));
const running: Running[] = [];
const sinks: Server[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.end("SIGKILL");
  for (const sink of sinks.splice(0)) {
    sink.closeAllConnections();
    sink.close();
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A receiver that answers, or holds its answer back. */
async function sink(): Promise<{ url: string; ids: string[]; answers: boolean }> {
  const state = { url: "", ids: [] as string[], answers: true };
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      state.ids.push(String(request.headers["webhook-id"]));
      if (state.answers) response.writeHead(204).end();
    });
  });
  sinks.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return state;
}

async function started(name: string, hook: string, routes: string): Promise<{ server: Running; url: string }> {
  const file = join(scratch, `${name}.toml`);
  writeFileSync(
    file,
    `[listen]\nport = 0\n[storage]\npath = "${join(scratch, name)}"\n[alerts]\nmail_from_keepalived_conf = false\n[[alerts.webhooks]]\nname = "ops"\nurl = "${hook}"\nsecret = "${SECRET}"\n${routes}`,
  );
  const server = new Running(process.execPath, [keepwatchBin, "server", "--config", file]);
  running.push(server);
  const [, url = ""] = await server.printed(/timeline at (\S+)/);
  return { server, url };
}

async function post(url: string): Promise<void> {
  for (const batch of batchesOf(scenario(SPLIT_BRAIN))) {
    const response = await fetch(new URL("/api/v1/ingest", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    });
    expect(response.status).toBe(200);
  }
}

async function deliveries(url: string, wanted: (rows: readonly Delivery[]) => boolean): Promise<readonly Delivery[]> {
  for (;;) {
    const rows = (await (await fetch(new URL("/api/v1/deliveries", url))).json()) as Delivery[];
    if (wanted(rows)) return rows;
    await new Promise((done) => setTimeout(done, 20));
  }
}
const all = (status: Delivery["status"]) => (rows: readonly Delivery[]) =>
  rows.length > 0 && rows.every((row) => row.status === status);

async function kill(server: Running): Promise<void> {
  server.child.kill("SIGKILL");
  await server.end("SIGKILL");
}

test("a server that is killed between record and send loses no notification, and sends each once", async () => {
  const { url: hook, ids } = await sink();
  // Recorded at once, to be sent a while later: in between it dies.
  const grouped = `[[alerts.routes]]\nreceivers = ["ops"]\ngroup_by = ["cluster"]\ngroup_wait_seconds = 4\n`;
  const first = await started("waiting", hook, grouped);
  await post(first.url);
  const recorded = await deliveries(first.url, all("pending"));
  await kill(first.server);
  expect(ids).toEqual([]);
  const second = await started("waiting", hook, grouped);
  const sent = await deliveries(second.url, all("sent"));
  expect(sent.map(({ id }) => id).sort()).toEqual(recorded.map(({ id }) => id).sort());
  expect([...new Set(ids)]).toEqual([...new Set(sent.map(({ batch }) => batch))]);
  expect(ids).toHaveLength(new Set(ids).size);
}, 60_000);

test("a server that is killed while a notification is on its way sends it again under the same id", async () => {
  const receiver = await sink();
  receiver.answers = false;
  const first = await started("on-its-way", receiver.url, "");
  await post(first.url);
  await expect.poll(() => receiver.ids.length, { timeout: 20_000 }).toBeGreaterThan(0);
  const begun = [...receiver.ids];
  await kill(first.server);
  receiver.answers = true;
  const second = await started("on-its-way", receiver.url, "");
  const sent = await deliveries(second.url, all("sent"));
  for (const id of begun) expect(receiver.ids.filter((other) => other === id)).toHaveLength(2);
  expect(new Set(receiver.ids)).toEqual(new Set(sent.map(({ id }) => id)));
}, 60_000);
