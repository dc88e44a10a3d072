import { createHash } from "node:crypto";
import { Compile } from "typebox/compile";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Answers } from "../../../server/api/schemas.ts";
import type { Problem, SqlInfo, SqlTable } from "../../../server/api/types.ts";
import { SQL_EXAMPLES } from "../../../web/sql-examples.ts";
import { endStray, postAll, type TestServer, testServer } from "../app/support.ts";

const TOKEN = "a-token-of-a-person";
const sha256 = createHash("sha256").update(TOKEN).digest("hex");
let server: TestServer;
afterAll(endStray);

const ask = (sql: string, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }): Promise<Response> =>
  server.get("/api/v1/sql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ sql }),
  });
const table = async (sql: string): Promise<SqlTable> => {
  const answer = await ask(sql);
  expect([answer.status, answer.ok ? "" : await answer.clone().text()]).toEqual([200, ""]);
  const found = (await answer.json()) as SqlTable;
  expect([...Compile(Answers.sqlTable[200]).Errors(found)]).toEqual([]);
  return found;
};
const problem = async (sql: string): Promise<Problem> => (await ask(sql)).json() as Promise<Problem>;

describe("the page's SQL", () => {
  beforeAll(async () => {
    server = await testServer({
      toml: `[sql]\nenabled = true\n[[api.tokens]]\nname = "grafana"\nsha256 = "${sha256}"`,
    });
  });
  afterAll(() => server.end());

  test.each(Object.entries(SQL_EXAMPLES))("the example %s runs on an empty store", async (_name, sql) => {
    expect((await table(sql)).columns.length).toBeGreaterThan(1);
  });

  test.each(Object.entries(SQL_EXAMPLES))(
    "the example %s finds something once there is something",
    async (name, sql) => {
      await postAll(server);
      const { rows } = await table(sql);
      // The adverts of the sample are not of the last day.
      expect(rows.length > 0).toBe(name !== "adverts");
    },
  );

  test("says that it is there, of whom it wants a token, and how much it gives", async () => {
    const info = (await server.json("/api/v1/sql")) as SqlInfo;
    expect([...Compile(Answers.sqlInfo[200]).Errors(info)]).toEqual([]);
    expect(info).toEqual({
      enabled: true,
      store: "embedded",
      needsToken: true,
      limits: { rows: 1000, bytes: 16 * 1024 * 1024, seconds: 30, rowsRead: 200_000_000 },
    });
  });

  test("gives values as the engine writes them: large, exact, none, and of parts", async () => {
    const { columns, rows, totals, truncated } = await table(
      "SELECT 18446744073709551615 AS a, toDecimal64('1.10', 2) AS b, 0.1 AS c, nan AS d, NULL AS e, [1, 2] AS f, 'x\\ny' AS g, e",
    );
    expect(columns.map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e", "f", "g", "e"]);
    expect(columns[0]?.type).toBe("UInt64");
    expect(rows).toEqual([["18446744073709551615", "1.1", "0.1", "nan", null, "[1,2]", "x\ny", null]]);
    expect([totals, truncated]).toEqual([null, false]);
  });

  test.each([
    ["SELECT number FROM numbers(1000)", 1000, false],
    ["SELECT number FROM numbers(1001)", 1000, true],
    ["SELECT number FROM numbers(150000000)", 1000, true],
    ["SELECT number FROM numbers(900) UNION ALL SELECT number FROM numbers(900)", 1000, true],
    // Cut before they are put together, it would be nothing.
    ["SELECT number FROM numbers(5000) EXCEPT SELECT number FROM numbers(4999)", 1, false],
    ["SELECT number FROM numbers(5000) INTERSECT SELECT number FROM numbers(4000, 7)", 7, false],
    ["SELECT count() FROM (SELECT number FROM numbers(5000))", 1, false],
  ])("%s: %i rows, and says whether there are more", async (sql, count, truncated) => {
    const found = await table(sql);
    expect([found.rows.length, found.truncated]).toEqual([count, truncated]);
  });

  test("has the totals, beside the rows", async () => {
    const found = await table(
      "SELECT number % 2 AS k, count() AS n FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k",
    );
    expect([found.rows, found.totals]).toEqual([
      [
        ["0", "5"],
        ["1", "5"],
      ],
      ["0", "10"],
    ]);
  });

  test.each([
    ["SELECT kind FORM events\nFROM events", "sql:1:18"],
    ["SELECT 1,\n  2 FROM", "sql:2:9"],
    ["  -- 雪 é, a comment\n/* two\nlines */ SELECT '雪' AS a,\n  b ==== 2", "sql:4:7"],
  ])("%j is no SQL, and where is said", async (sql, at) => {
    const { status, detail, faults } = await problem(sql);
    expect([status, faults?.[0]?.at]).toEqual([400, at]);
    const [, line, column] = at.split(":");
    expect(detail).toContain(`at line ${line}, column ${column}`);
    expect(detail).toMatch(/Expected one of|Unrecognized token|Syntax error/);
  });

  test("tells the engine's other errors in its own words, without a place", async () => {
    const { status, detail, faults } = await problem("SELECT nothing FROM events");
    expect([status, detail, faults]).toEqual([400, expect.stringContaining("`nothing`"), []]);
  });

  test.each([
    ["INSERT INTO events SELECT * FROM events", 403],
    ["SELECT 1 SETTINGS max_result_rows = 0", 403],
    ["SELECT * FROM file('/etc/passwd', LineAsString)", 403],
    ["SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')", 403],
    ["SELECT * FROM checkpoints", 403],
    ["SELECT 1; SELECT 2", 400],
    ["SELECT 1 FORMAT CSV", 400],
    ["SELECT repeat('a', 1000000) FROM numbers(900)", 400],
    ["SELECT count() FROM numbers(1000000000000)", 400],
  ])("%s is refused with a reason", async (sql, status) => {
    const found = await problem(sql);
    expect([found.status, found.detail]).toEqual([status, expect.stringMatching(/\w/)]);
  });

  test("wants a token of api.tokens, and JSON", async () => {
    expect((await ask("SELECT 1", {})).status).toBe(401);
    expect((await ask("SELECT 1", { authorization: "Bearer wrong" })).status).toBe(401);
    expect((await ask("SELECT 1", { authorization: `Bearer ${TOKEN}`, "content-type": "text/plain" })).status).toBe(
      400,
    );
  });
});

describe("without [sql]", () => {
  beforeAll(async () => {
    server = await testServer();
  });
  afterAll(() => server.end());

  test("it says so, and how it is switched on", async () => {
    expect(await server.json("/api/v1/sql")).toMatchObject({ enabled: false, store: null, needsToken: false });
    const answer = await ask("SELECT 1");
    expect([answer.status, ((await answer.json()) as Problem).detail]).toEqual([
      404,
      expect.stringContaining("set enabled = true under [sql]"),
    ]);
  });
});
