import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { credentials } from "../server/store/clickhouse-front.ts";
import { eventually, keepwatchBin, root, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-two-"));
const running: Running[] = [];
const servers: { readonly process: Running; readonly port: number }[] = [];
let turn = 0;
/** Answers that are kept from the collector, once the server has given them. */
let withhold = false;
let withheld = 0;
/** Events that the servers said they did not have. */
let taken = 0;
/** One address for all servers: each request goes to the next. */
const front = createServer((req, res) => {
  const { port } = servers[turn++ % servers.length] as { port: number };
  const onward = request(
    { port, host: "127.0.0.1", method: req.method, path: req.url, headers: req.headers },
    (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.on("end", () => {
        const { accepted = 0 } = JSON.parse(text) as { accepted?: number };
        taken += accepted;
        if (withhold && answer.statusCode === 200) {
          withheld += 1;
          res.destroy();
        } else res.writeHead(answer.statusCode ?? 500, answer.headers).end(text);
      });
    },
  );
  onward.on("error", () => res.destroy());
  req.pipe(onward);
});
afterAll(async () => {
  for (const process of [...running].reverse()) await process.end("SIGKILL");
  front.closeAllConnections();
  front.close();
  rmSync(dir, { recursive: true, force: true });
});

const run = (...args: string[]): Running => {
  const made = new Running(process.execPath, args);
  running.push(made);
  return made;
};

test("two servers of one external store behind one address lose nothing and have nothing twice, also when one is killed and answers are lost", async () => {
  const store = run(join(root, "dist/test/crash/store-process.js"), join(dir, "store"), "0");
  const [, storeUrl = ""] = await store.printed(/listening at (\S+)/);
  writeFileSync(
    join(dir, "server.toml"),
    `[listen]\nport = 0\n[storage]\nurl = "${storeUrl}"\nuser = "${credentials.user}"\npassword = "${credentials.password}"\n`,
  );
  const addServer = async (): Promise<void> => {
    const server = run(keepwatchBin, "server", "--config", join(dir, "server.toml"));
    const [, port] = await server.printed(/timeline at http:\/\/[^:]+:(\d+)/);
    servers.push({ process: server, port: Number(port) });
  };
  await addServer();
  await addServer();
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const log = join(dir, "messages");
  writeFileSync(log, "2026-01-01T00:00:00.000000Z lb1 kernel: before\n");
  writeFileSync(
    join(dir, "collector.toml"),
    `node = "lb1"\nheartbeat_seconds = 0.2\n[server]\nurl = "http://127.0.0.1:${(front.address() as AddressInfo).port}"\n[spool]\ndir = "${dir}/spool"
[logs]\nfiles = ["${log}"]\njournal = false\n[capture]\nenabled = false\n[addresses]\nenabled = false\n[shadow]\nenabled = false
[process]\nenabled = false\n[checks]\nenabled = false\n[keepalived]\nwatch = false\n`,
  );
  const collector = run(keepwatchBin, "collector", "--config", join(dir, "collector.toml"));
  await collector.printed(/keepwatch collector of/);

  let written = 0;
  const write = (lines: number): void => {
    for (let i = 0; i < lines; i++)
      appendFileSync(
        log,
        `${new Date().toISOString().replace("Z", "000Z")} lb1 Keepalived_vrrp[7]: numbered line ${written++}\n`,
      );
  };
  const select = async <T>(query: string): Promise<T> => {
    const answer = await fetch(`${storeUrl}/?query=${encodeURIComponent(query)}`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`,
      },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return JSON.parse(text) as T;
  };
  /** As a plain SELECT has it. */
  const untilStored = (): Promise<{ rows: number }> =>
    eventually(`${written} lines`, async () => {
      const found = await select<{ rows: number; ids: number }>(
        "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(id)) AS ids FROM keepwatch.events WHERE event LIKE '%numbered line%' FORMAT JSONEachRow",
      );
      return found.ids === written ? { rows: found.rows } : undefined;
    });
  // More batches from the node, by both, than a server has doubts about after its start.
  for (let i = 0; i < 50; i++) {
    write(1);
    await untilStored();
  }
  for (let loss = 0; loss < 5; loss++) {
    const before = withheld;
    withhold = true;
    write(3);
    await eventually("an answer that is lost", async () => (withheld > before ? true : undefined));
    withhold = false;
    expect((await untilStored()).rows).toBe(written);
  }
  // What came again was not stored again, though a merge would hide that.
  await collector.end();
  const { ids } = await select<{ ids: number }>(
    "SELECT toUInt32(uniqExact(id)) AS ids FROM keepwatch.events WHERE kind NOT IN ('collector.named', 'collector.unheard') FORMAT JSONEachRow",
  );
  expect(taken).toBe(ids);
  const collecting = run(keepwatchBin, "collector", "--config", join(dir, "collector.toml"));
  await collecting.printed(/keepwatch collector of/);
  await servers[0]?.process.end("SIGKILL");
  write(100);
  servers.shift();
  expect((await untilStored()).rows).toBe(written);
  await addServer();
  write(100);
  expect((await untilStored()).rows).toBe(written);
  expect(await collecting.end()).toBe(0);
}, 180_000);
