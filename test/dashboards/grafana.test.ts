import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@clickhouse/client";
import { afterAll, describe, expect, test } from "vitest";
import { clickhouseDashboards } from "../../dashboards/src/clickhouse.ts";
import { prometheusDashboards } from "../../dashboards/src/prometheus.ts";
import { at } from "../server/detect/scenario.ts";
import { queriesOf } from "./queries.ts";
import { endStray, postAll, SPLIT_BRAIN, testServer } from "../server/app/support.ts";

/** With what keepalived's checkers and the collectors say beside it. */
const FULL = `${SPLIT_BRAIN}
  at 7 lb1 checks log down web1
  at 9 lb1 checks log up web1
  at 10 lb2 gap capture 9 10 3`;

const folder = join(import.meta.dirname, "../../dashboards");
const all = { ...prometheusDashboards(), ...clickhouseDashboards() };
const promtool = (...args: string[]) => spawnSync("promtool", args, { encoding: "utf8" });
const hasPromtool = promtool("--version").status === 0;

test.each(Object.entries(all))("%s.json is what the generator makes", async (name, dashboard) => {
  await expect(`${JSON.stringify(dashboard, undefined, 2)}\n`).toMatchFileSnapshot(
    join(folder, "grafana", `${name}.json`),
  );
});

test("there is no dashboard that nothing makes", () => {
  expect(readdirSync(join(folder, "grafana")).sort()).toEqual(
    Object.keys(all)
      .map((name) => `${name}.json`)
      .sort(),
  );
});

describe.skipIf(!hasPromtool)("by Prometheus' own tool", () => {
  const rules = join(folder, "prometheus");
  test("the rules are rules", () => {
    const { status, stderr } = promtool("check", "rules", join(rules, "keepwatch.rules.yml"));
    expect([status, stderr]).toEqual([0, ""]);
  });
  test("the rules fire and end when they should", () => {
    const { status, stdout, stderr } = promtool("test", "rules", join(rules, "keepwatch.rules.test.yml"));
    expect(status, stdout + stderr).toBe(0);
  });
  test.each(Object.entries(prometheusDashboards()))("every query of %s can be read", (_name, dashboard) => {
    const exprs = queriesOf(dashboard, "expr");
    expect(exprs.length).toBeGreaterThan(1);
    const rules = exprs.map((expr, i) => ({
      record: `query:${i}`,
      expr: expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$\w+/g, ".*"),
    }));
    const dir = mkdtempSync(join(tmpdir(), "keepwatch-dashboards-"));
    try {
      writeFileSync(join(dir, "rules.yml"), JSON.stringify({ groups: [{ name: "queries", rules }] }));
      const { status, stderr } = promtool("check", "rules", join(dir, "rules.yml"));
      expect([status, stderr]).toEqual([0, ""]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("every SQL panel, through the server", () => {
  afterAll(endStray);
  test("on an empty store, and with something on it", async () => {
    const server = await testServer({ toml: "[sql]\nenabled = true" });
    const client = createClient({ url: server.url, pathname: "/clickhouse" });
    const answers = async (): Promise<ReadonlyMap<string, number>> => {
      const counts = new Map<string, number>();
      for (const [name, dashboard] of Object.entries(clickhouseDashboards()))
        for (const rawSql of queriesOf(dashboard, "rawSql")) {
          const query = rawSql
            .replaceAll("${__from}", String(Math.floor(at(0) / 1000) - 60_000))
            .replaceAll("${__to}", String(Math.floor(at(100) / 1000)))
            .replaceAll("${cluster}", "default");
          const rows = await (await client.query({ query, format: "JSONEachRow" })).json();
          counts.set(`${name}: ${query}`, rows.length);
        }
      return counts;
    };
    const empty = await answers();
    expect(empty.size).toBeGreaterThan(8);
    expect([...empty.values()].filter((count) => count > 0)).toEqual([]);
    await postAll(server, FULL);
    await expect.poll(async () => ((await server.json("/api/v1/incidents")) as unknown[]).length).toBeGreaterThan(0);
    // Adverts are summed up by the minute once a minute, or when somebody looks at days of them.
    const [router] = (await server.json("/api/v1/routers")) as readonly { readonly id: string }[];
    const days = { router: router?.id ?? "", from: String(at(0)), to: String(at(2 * 86_400)) };
    await server.json(`/api/v1/timeline?${new URLSearchParams(days)}`);
    const silent = async (): Promise<string[]> =>
      [...(await answers())].flatMap(([query, count]) => (count === 0 ? [query] : []));
    await expect.poll(silent, { timeout: 15_000 }).toEqual([]);
    const full = await answers();
    const states = [...full].find(([query]) => query.includes("'vrrp.state'"));
    expect(states?.[1]).toBe(4);
    const metrics = await (await server.get("/metrics")).text();
    // Only what the logs have said: both are MASTER, and no node without a word has a state.
    expect(metrics.match(/^keepalived_vrrp_state\{.*/gm)).toEqual(
      ["lb1", "lb2"].map((node): unknown =>
        expect.stringMatching(new RegExp(`node="${node}",iname="\\w+".*vrid="51".*\\} 2$`)),
      ),
    );
    const words = [...full].find(([query]) => query.includes("GROUP BY cluster, node"));
    expect(words?.[1]).toBe(2);
    await client.close();
    await server.end();
  });
});
