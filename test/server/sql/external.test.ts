import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Problem, SqlInfo, SqlTable } from "../../../server/api/types.ts";
import { type RunningServer, startServer } from "../../../server/app.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { batchesOf, clock, SPLIT_BRAIN } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";
import { clickHouseFront, type ClickHouseFront, credentials } from "../store/clickhouse-front.ts";

const TOKEN = "a-token-of-a-person";

/** ClickHouse's HTTP interface before the embedded engine stands for a ClickHouse server, which is no package of Debian. */
describe("SQL to an external ClickHouse", () => {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-sql-external-"));
  let front: ClickHouseFront;
  let server: RunningServer;
  const authorization = `Bearer ${TOKEN}`;
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(new URL(path, server.url), {
      method: "POST",
      headers: { "content-type": "application/json", authorization },
      body: JSON.stringify(body),
    });
  const rows = async (sql: string): Promise<SqlTable["rows"]> => {
    const answer = await post("api/v1/sql", { sql });
    expect([answer.status, answer.ok ? "" : await answer.clone().text()]).toEqual([200, ""]);
    return ((await answer.json()) as SqlTable).rows;
  };

  beforeAll(async () => {
    front = await clickHouseFront(dir);
    const sha256 = createHash("sha256").update(TOKEN).digest("hex");
    const config = parseServerConfig(
      `[sql]\nenabled = true\n[[api.tokens]]\nname = "grafana"\nsha256 = "${sha256}"`,
      "test.toml",
      { listen: { port: 0 }, storage: { url: front.url, ...credentials } },
    );
    server = await startServer(config, { clock, log: () => undefined, webRoot: join(dir, "no-web") });
    for (const batch of batchesOf(scenario(SPLIT_BRAIN))) expect((await post("api/v1/ingest", batch)).status).toBe(200);
  });
  afterAll(async () => {
    await server?.close();
    await front?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test("the page is told who answers, and gets rows", async () => {
    const info = (await (await fetch(new URL("api/v1/sql", server.url))).json()) as SqlInfo;
    expect([info.enabled, info.store]).toEqual([true, "external"]);
    expect(await rows("SELECT node, count() > 0 FROM events FINAL GROUP BY node ORDER BY node")).toEqual([
      ["lb1", "1"],
      ["lb2", "1"],
    ]);
    expect(await rows("SELECT max(number) FROM numbers(2000)")).toEqual([["1999"]]);
  });

  test("so do ClickHouse's clients, with parameters as they send them", async () => {
    const query = encodeURIComponent("SELECT {a:String} AS a, count() > 0 FROM events WHERE node = 'lb1'");
    const answer = await fetch(new URL(`clickhouse?query=${query}&param_a=it's%20%5C%5C`, server.url), {
      headers: { authorization },
    });
    expect([answer.status, await answer.text()]).toEqual([200, "it\\'s \\\\\t1\n"]);
  });

  test("of other databases it hears nothing", async () => {
    expect(await rows("SHOW DATABASES")).toEqual([["keepwatch"]]);
    expect(await rows("SELECT DISTINCT database FROM system.tables")).toEqual([["keepwatch"]]);
    expect(await rows("SELECT DISTINCT database FROM system.columns")).toEqual([["keepwatch"]]);
  });

  test.each([
    "INSERT INTO events SELECT * FROM events",
    "TRUNCATE TABLE events",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM system.users",
    "SELECT * FROM checkpoints",
  ])("%s is refused", async (sql) => expect((await post("api/v1/sql", { sql })).status).toBe(403));

  test("what is no SQL is placed, what takes too much ends, and a ClickHouse that is gone is told", async () => {
    const problemOf = async (sql: string): Promise<Problem> =>
      (await post("api/v1/sql", { sql })).json() as Promise<Problem>;
    expect((await problemOf("SELECT kind\nFORM events x")).faults?.[0]?.at).toMatch(/^sql:2:/);
    expect((await problemOf("SELECT count() FROM numbers(1000000000000)")).status).toBe(400);
    front.fault = { status: 502, body: "Bad Gateway" };
    expect((await problemOf("SELECT 1")).detail).toMatch(/\w/);
    front.fault = undefined;
    expect(await rows("SELECT 1")).toEqual([["1"]]);
  });
});
