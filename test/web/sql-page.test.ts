import { describe, expect, test } from "vitest";
import { isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { SQL_EXAMPLES } from "../../web/sql-examples.ts";

describe.skipIf(isMissing)("search by SQL", () => {
  const harness = new PageHarness();
  const query = () => harness.page.getByLabel("Query in ClickHouse's SQL");
  const result = () => harness.page.getByRole("region", { name: "Result" });
  const asked = (): string[] =>
    harness.server.changes.map(({ body }) => (JSON.parse(body) as { readonly sql: string }).sql);
  const open = async (sql?: string): Promise<void> => {
    const search = sql === undefined ? "" : `?${new URLSearchParams({ query: sql }).toString()}`;
    await harness.page.goto(`${harness.url}search/sql${search}`);
  };

  test("is reached from the search, and run from the keyboard alone; its address can be handed on", async () => {
    const { page } = harness;
    await page.goto(`${harness.url}search`);
    await page.getByRole("link", { name: "SQL" }).click();
    await query().focus();
    expect(asked()).toEqual([]);
    await page.keyboard.press("Control+a");
    await page.keyboard.type("SELECT kind\nFROM events");
    await page.keyboard.press("Control+Enter");
    await result().getByRole("cell", { name: "18446744073709551615" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("sql-query");
    expect(new URL(page.url()).searchParams.get("query")).toBe("SELECT kind\nFROM events");
    expect(await result().getByRole("columnheader").allTextContents()).toEqual([
      "kind LowCardinality(String)",
      "events UInt64",
      "why Nullable(String)",
    ]);
    await page.getByText(/^2 rows\. It took 12(\.\d+)? ms and read 4711 rows\.$/).waitFor();
    await page.keyboard.press("Meta+Enter");
    await expect.poll(asked).toEqual(["SELECT kind\nFROM events", "SELECT kind\nFROM events"]);
    await page.reload();
    await result().getByRole("cell", { name: "NULL" }).waitFor();
    expect(await query().inputValue()).toBe("SELECT kind\nFROM events");
    expect(await page.locator(".result img").count()).toBe(0);
    expect(harness.faults).toEqual([]);
  });

  test("an example is a link that runs, and a step back brings the one before", async () => {
    const { page } = harness;
    await open("SELECT 1");
    await result().waitFor();
    await page.getByRole("link", { name: "incidents by kind" }).click();
    await expect.poll(asked).toEqual(["SELECT 1", SQL_EXAMPLES.incidents]);
    expect(await query().inputValue()).toBe(SQL_EXAMPLES.incidents);
    await page.goBack();
    await expect.poll(() => query().inputValue()).toBe("SELECT 1");
  });

  test("says when there are more rows, shows totals, and none", async () => {
    const { page, server } = harness;
    server.state.sqlTable = { ...server.state.sqlTable, truncated: true, totals: ["", "8", null] };
    await open("SELECT 1");
    await page.getByText("The first 2 rows: there are more.").waitFor();
    await page.getByRole("row", { name: "Totals" }).getByText("8").waitFor();
    server.state.sqlTable = { ...server.state.sqlTable, rows: [], truncated: false, totals: null };
    await page.getByRole("button", { name: /^Run/ }).click();
    await page.getByText("No rows.").waitFor();
  });

  test("shows what is wrong in the engine's words, and leads to the place", async () => {
    const { page, server } = harness;
    server.problems.set("POST sql", {
      type: "about:blank",
      title: "Bad request",
      status: 400,
      detail: "Syntax error: failed at line 2, column 3 (FORM)",
      faults: [{ at: "sql:2:3", message: "Syntax error" }],
    });
    await open("SELECT kind\n  FORM events");
    await page.getByRole("alert").filter({ hasText: "Syntax error: failed at line 2, column 3 (FORM)" }).waitFor();
    expect(await harness.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Show line 2, column 3" }).click();
    const selected = await query().evaluate((area: HTMLTextAreaElement) =>
      area.value.slice(area.selectionStart, area.selectionEnd),
    );
    expect([selected, await query().evaluate((area: HTMLTextAreaElement) => area.selectionStart)]).toEqual(["F", 14]);
    server.problems.clear();
    await page.getByRole("button", { name: /^Run/ }).click();
    await result().waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("asks for a token where one is needed, and keeps it out of the address", async () => {
    const { page, server } = harness;
    server.problems.set("POST sql", { type: "about:blank", title: "Not authorised", status: 401, detail: "a token" });
    await open("SELECT 1");
    await page.getByRole("alert").filter({ hasText: "Not authorised: a token" }).waitFor();
    server.problems.clear();
    await page.getByLabel("Token").fill("sesame");
    await page.keyboard.press("Enter");
    await result().waitFor();
    expect(server.changes.map(({ authorization }) => authorization)).toEqual([undefined, "Bearer sesame"]);
    expect(page.url()).not.toContain("sesame");
  });

  test("that is switched off says how it is switched on", async () => {
    const { page, server } = harness;
    server.state.sql = { ...server.state.sql, enabled: false, store: null };
    await open("SELECT 1");
    await page.getByText("SQL is switched off on this server.").waitFor();
    await page.getByText("[sql]").waitFor();
    expect(await query().count()).toBe(0);
    expect(server.changes).toEqual([]);
    expect(await harness.barriers()).toEqual([]);
  });

  test("a query that is too long for a link runs, and is told to be in none", async () => {
    const { page } = harness;
    await open("SELECT 1");
    await result().waitFor();
    await query().fill(`SELECT '${"a".repeat(5_000)}'`);
    await page.getByText("This query is too long for a link").waitFor();
    await page.getByRole("button", { name: /^Run/ }).click();
    await expect.poll(() => asked().length).toBe(2);
    expect(new URL(page.url()).search).toBe("");
  });

  test.each([
    ["en", "light"],
    ["en", "dark"],
    ["zh", "light"],
    ["zh", "dark"],
  ] as const)("has no barrier for anybody: %s, %s; and is no wider than a telephone", async (language, scheme) => {
    const { page } = harness;
    await page.emulateMedia({ colorScheme: scheme });
    await page.addInitScript((chosen) => localStorage.setItem("keepwatch.language", chosen), language);
    await open(SQL_EXAMPLES.states);
    await page.locator(".result").waitFor();
    await page.getByRole("heading", { name: language === "zh" ? "用 SQL 搜索" : "Search by SQL" }).waitFor();
    expect(await harness.barriers()).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    await harness.expectNothingWider();
    expect(harness.faults).toEqual([]);
  });
});
