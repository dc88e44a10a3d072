import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClickHouseClient, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, scenario } from "../detect/scenario.ts";
import { batchesOf, endStray, postAll, type TestServer, testServer } from "../app/support.ts";

const TOKEN = "a-token-of-the-dashboards";
const sha256 = createHash("sha256").update(TOKEN).digest("hex");
let server: TestServer;
let client: ClickHouseClient;
const dir = mkdtempSync(join(tmpdir(), "keepwatch-sql-"));
const secret = join(dir, "secret");

beforeAll(async () => {
  writeFileSync(secret, "SECRET\n");
  server = await testServer({
    toml: `[sql]\nenabled = true\n[[api.tokens]]\nname = "grafana"\nsha256 = "${sha256}"`,
  });
  client = createClient({ url: server.url, pathname: "/clickhouse", password: TOKEN });
  await postAll(server);
});
afterAll(async () => {
  await client?.close();
  await server?.end();
  await endStray();
});

const rows = async (query: string, query_params: Record<string, unknown> = {}): Promise<unknown[]> =>
  (await client.query({ query, query_params, format: "JSONEachRow" })).json();
const ask = (query: string, parameters = ""): Promise<Response> =>
  fetch(`${server.url}clickhouse?query=${encodeURIComponent(query)}${parameters}`, {
    headers: { "x-clickhouse-key": TOKEN },
  });

describe("what may be asked, by the official client", () => {
  test("it answers a ping, and events by parameters", async () => {
    expect(await client.ping({ select: true })).toEqual({ success: true });
    expect(await client.ping()).toEqual({ success: true });
    expect(
      await rows(
        "SELECT node, count() > 0 AS some FROM events FINAL WHERE node = {node:String} AND ts < {to:Int64} AND kind IN {kinds:Array(String)} GROUP BY node",
        { node: "lb1", to: at(100), kinds: ["vrrp.state", "it's"] },
      ),
    ).toEqual([{ node: "lb1", some: 1 }]);
  });

  test.each([
    ["SELECT ';' AS a, '/* -- ' AS b", [{ a: ";", b: "/* -- " }]],
    ["SELECT 'it''s' AS a, 'b\\'c;' AS b -- the end; DROP\n", [{ a: "it's", b: "b'c;" }]],
    ["WITH a AS (SELECT number AS n FROM numbers(3)) SELECT max(n) AS m FROM a", [{ m: 2 }]],
    ["SELECT 1 AS a UNION ALL (SELECT 1 AS a)", [{ a: 1 }, { a: 1 }]],
    ["SELECT count() > 3 AS c FROM keepwatch.events WHERE id IN (SELECT id FROM events)", [{ c: 1 }]],
    ["SELECT name FROM system.databases WHERE name = 'keepwatch'", [{ name: "keepwatch" }]],
  ])("%s", async (query, answer) => {
    expect(await rows(query)).toEqual(answer);
  });

  test("a parameter may have any character, and is gone with its question", async () => {
    const odd = "it's \\ \t a\nline; /* {b:String} -- 雪";
    expect(await rows("SELECT {a:String} AS a, {b:Array(String)} AS b", { a: odd, b: [odd, "b"] })).toEqual([
      { a: odd, b: [odd, "b"] },
    ]);
    expect(await (await ask("SELECT {a:String}")).text()).toMatch(/^Code: 456\. /);
  });

  test("the schema is told, as Grafana's query builder asks for it", async () => {
    expect(await (await ask("SHOW TABLES FROM keepwatch")).text()).toMatch(/^events$/m);
    expect(await (await ask("SHOW DATABASES")).text()).toMatch(/^keepwatch$/m);
    expect(await (await ask('DESC TABLE "keepwatch"."events"')).text()).toMatch(/^kind\t/m);
    const answer = await ask("SELECT displayName(), version(), revision(), timezone()", "&default_format=Native");
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  });
});

describe("what is refused", () => {
  test.each([
    "INSERT INTO events SELECT * FROM events",
    "DROP TABLE events",
    "TRUNCATE TABLE events",
    "ALTER TABLE events DELETE WHERE 1",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "SET readonly = 0",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "BACKUP DATABASE keepwatch TO File('x')",
    "SELECT 1; DROP TABLE events",
    "SELECT 1;; SELECT 2",
    "SELECT 1 /* ' */ ; SELECT ' */ 1'",
    "SELECT 1 # '\n; SELECT '1'",
    "SELECT $x$a$x$",
    "SELECT ‘a’",
    "SELECT 1 INTO OUTFILE 'OUT'",
    "SELECT 1 INTO/**/OUTFILE 'OUT' FORMAT CSV",
    "SELECT 1 INTO OUTFILE 'OUT' TRUNCATE",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SELECT * FROM (SELECT 1 SETTINGS max_execution_time = 0)",
    "SELECT file('SECRETS')",
    "SELECT FILE('SECRETS')",
    "SELECT `file`('SECRETS')",
    "WITH file('SECRETS') AS x SELECT x",
    "SELECT * FROM file('SECRETS', LineAsString)",
    "SELECT 1 WHERE 'SECRET' IN file('SECRETS', LineAsString)",
    "SELECT * FROM (SELECT * FROM file('SECRETS', LineAsString))",
    "SELECT (SELECT * FROM file('SECRETS', LineAsString))",
    "SELECT * FROM view(SELECT * FROM file('SECRETS', LineAsString))",
    "SELECT * FROM numbers(1) AS a, file('SECRETS', LineAsString) AS b",
    "SELECT * FROM numbers(1) AS a JOIN file('SECRETS', LineAsString) AS b ON 1 = 1",
    "SELECT * FROM `SECRETS`",
    "DESCRIBE TABLE file('SECRETS')",
    "DESCRIBE (SELECT * FROM file('SECRETS'))",
    "EXPLAIN SELECT * FROM file('SECRETS')",
    "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/a/b', CSV, 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM executable('id', CSV, 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('a', 'b')",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM loop(system.users)",
    "SELECT * FROM dictionary('a')",
    "SELECT * FROM input('a String')",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.processes",
    "SELECT * FROM SYSTEM.query_log",
    'SELECT * FROM "system"."users"',
    "SELECT 1 WHERE 'x' IN system.users",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM checkpoints",
    "SELECT dictGet('a', 'b', 1)",
    "SELECT joinGet('a', 'b', 1)",
    "SELECT sleep(3)",
    "SELECT sleepEachRow(0.1) FROM numbers(30)",
    "SELECT getServerSetting('path')",
    "SELECT catboostEvaluate('a', 1)",
    "SHOW CREATE TABLE events",
    "SHOW USERS",
    "SHOW TABLES FROM system INTO OUTFILE 'OUT'",
    "",
    "SELECT 'a",
  ])("%s", async (query) => {
    const out = join(dir, "out");
    const answer = await ask(query.replace("OUT'", `${out}'`).replace("SECRETS", secret));
    const text = await answer.text();
    expect([400, 403, 404]).toContain(answer.status);
    expect(text).toMatch(/^Code: \d+\. DB::Exception: /);
    expect(text).not.toContain("SECRET\n");
    expect(text).not.toMatch(/\n\s+at /);
    expect(existsSync(out)).toBe(false);
  });

  test("a table named by a parameter is looked at too", async () => {
    const answer = await ask("SELECT * FROM {t:Identifier}", "&param_t=system.settings");
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining("system.settings")]);
  });

  test.each([
    "readonly=0",
    "max_memory_usage=0",
    "allow_ddl=1",
    "session_id=a",
    "format_template_row=a",
    "database=system",
  ])("the parameter %s", async (parameter) => expect((await ask("SELECT 1", `&${parameter}`)).status).toBe(403));

  test.each([
    "SELECT number FROM numbers(100001)",
    "SELECT count() FROM numbers(1000000000000)",
    "SELECT groupArray(repeat('a', 1000000)) FROM numbers(1000)",
  ])("what would take too much: %s", async (query) => {
    const answer = await ask(query);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toMatch(/^Code: (396|158|241|131)\. /);
    expect(await (await ask("SELECT 1")).text()).toBe("1\n");
  });

  test("who has no token", async () => {
    const url = `${server.url}clickhouse?query=SELECT%201`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    expect((await fetch(`${url}&password=${TOKEN}`)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
  });
});

test("the store takes batches while a question is answered, and its settings are its own", async () => {
  const before = await rows("SELECT count() AS n FROM events FINAL");
  for (const batch of batchesOf(scenario("at 60 lb3 log BACKUP init")))
    expect((await server.post(batch)).status).toBe(200);
  expect(await rows("SELECT count() AS n FROM events FINAL")).not.toEqual(before);
});
