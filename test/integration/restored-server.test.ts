import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, keepwatch, keepwatchBin, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-restored-"));
const log = join(dir, "messages");
const running: Running[] = [];
let front: Server;
let frontPort = 0;
let serverPort = 0;
/** Requests that brought what was acknowledged before. */
let resent = 0;
/** Events that the server said it did not have, since it was restored. */
let accepted = 0;
/** What happens to one of them before it gets an answer; the server has it by then. */
let onResent: (() => Promise<void>) | undefined;

/** Between the collector and the server: it sees what is sent again, and can keep an answer back. */
beforeAll(async () => {
  front = createServer((req, res) => {
    const isResent = req.headers["keepwatch-resent"] === "restored";
    const onward = request(
      { port: serverPort, host: "127.0.0.1", method: req.method, path: req.url, headers: req.headers },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        answer.on("end", () => {
          accepted += (JSON.parse(text) as { accepted?: number }).accepted ?? 0;
          const pass = (): void => void res.writeHead(answer.statusCode ?? 500, answer.headers).end(text);
          if (!isResent) return pass();
          resent += 1;
          void (onResent?.() ?? Promise.resolve()).then(pass);
        });
      },
    );
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  frontPort = (front.address() as AddressInfo).port;
});
afterAll(async () => {
  for (const process of running) await process.end("SIGKILL");
  front.closeAllConnections();
  front.close();
  rmSync(dir, { recursive: true, force: true });
});

async function startServer(): Promise<Running> {
  const server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")]);
  running.push(server);
  const [, port] = await server.printed(/timeline at http:\/\/[^:]+:(\d+)/);
  serverPort = Number(port);
  return server;
}

function startCollector(): Running {
  const collector = new Running(process.execPath, [keepwatchBin, "collector", "--config", join(dir, "collector.toml")]);
  running.push(collector);
  return collector;
}

let written = 0;
function write(lines: number): void {
  let text = "";
  for (let i = 0; i < lines; i++)
    text += `${new Date().toISOString().replace("Z", "000Z")} lb1 Keepalived_vrrp[7]: numbered line ${written++}\n`;
  appendFileSync(log, text);
}

/** By a plain SELECT, without FINAL. */
async function select<T>(query: string): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${serverPort}/clickhouse/?query=${encodeURIComponent(query)}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as T;
}
const NUMBERS = "FROM keepwatch.events WHERE event LIKE '%numbered line%'";
const count = (): Promise<{ rows: number; ids: number }> =>
  select(`SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(id)) AS ids ${NUMBERS} FORMAT JSONEachRow`);
/** All that collectors sent. */
const everything = (): Promise<{ rows: number; ids: number }> =>
  select(
    "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(id)) AS ids FROM keepwatch.events WHERE kind NOT IN ('collector.named', 'collector.unheard') FORMAT JSONEachRow",
  );
const untilStored = (lines: number): Promise<true> =>
  eventually(`${lines} lines`, async () => ((await count()).ids === lines ? true : undefined), 60_000);

test("a server that was restored from a backup gets what the collector still has, once, also when the collector is killed over it", async () => {
  writeFileSync(
    join(dir, "server.toml"),
    `[listen]\nport = 0\nsocket = "${dir}/door"\n[storage]\npath = "${dir}/store"\n[sql]\nenabled = true\n`,
  );
  writeFileSync(log, "2026-01-01T00:00:00.000000Z lb1 kernel: before\n");
  writeFileSync(
    join(dir, "collector.toml"),
    `node = "lb1"\nheartbeat_seconds = 0.2\n[server]\nurl = "http://127.0.0.1:${frontPort}"\n[spool]\ndir = "${dir}/spool"
[logs]\nfiles = ["${log}"]\njournal = false\n[capture]\nenabled = false\n[addresses]\nenabled = false\n[shadow]\nenabled = false
[process]\nenabled = false\n[checks]\nenabled = false\n[keepalived]\nwatch = false\n`,
  );
  const first = await startServer();
  let collector = startCollector();
  await collector.printed(/keepwatch collector of/);
  await eventually("the collector", async () =>
    (await select<{ n: string }>("SELECT count() AS n FROM keepwatch.events FORMAT JSONEachRow")).n === "0"
      ? undefined
      : true,
  );
  write(3_000);
  await untilStored(3_000);
  expect((await keepwatch(["store", "backup", "night", "--config", join(dir, "server.toml")])).status).toBe(0);
  // Enough for several requests.
  for (let turn = 0; turn < 6; turn++) {
    write(2_000);
    await untilStored(3_000 + (turn + 1) * 2_000);
  }
  await first.end("SIGKILL");
  renameSync(join(dir, "store"), join(dir, "lost"));
  expect(
    (await keepwatch(["store", "restore", join(dir, "store-backups", "night"), "--config", join(dir, "server.toml")]))
      .stderr,
  ).toBe("");

  const killed = new Promise<void>((resolve) => {
    onResent = async () => {
      if (resent !== 2) return;
      // The server has it, the collector has not heard.
      await collector.end("SIGKILL");
      resolve();
    };
  });
  accepted = 0;
  const second = await startServer();
  const backedUp = await everything();
  expect(backedUp.ids).toBeGreaterThan(3_000);
  await killed;
  const before = resent;
  collector = startCollector();
  write(500);
  await untilStored(written);
  await collector.printed(/all that is kept was sent again/);
  expect(resent).toBeGreaterThan(before);
  expect(await count()).toEqual({ rows: written, ids: written });
  expect(await collector.end()).toBe(0);
  // What the collector says of itself is there once as well; and nothing was stored that was there, though a merge hides that.
  const all = await everything();
  expect(all.rows).toBe(all.ids);
  expect(accepted).toBe(all.ids - backedUp.ids);
  // Nothing was gone, and none is told.
  expect(
    await select(
      "SELECT toUInt32(count()) AS gaps FROM keepwatch.events WHERE kind = 'collector.gap' AND event LIKE '%restored%' FORMAT JSONEachRow",
    ),
  ).toEqual({ gaps: 0 });
  expect(await second.end()).toBe(0);
}, 180_000);
