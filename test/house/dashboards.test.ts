import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMetrics } from "../../server/metrics.ts";
import { NOTHING_TO_SEE } from "../support/metrics-view.ts";

const dashboards = join(import.meta.dirname, "../../dashboards");
const files = ["grafana", "prometheus"].flatMap((folder) =>
  readdirSync(join(dashboards, folder))
    .filter((name) => /^prometheus.*\.json$|\.rules\.yml$/.test(name))
    .map((name) => join(folder, name)),
);

test.each(files)("%s names no metric that the server does not expose", async (file) => {
  const exposed = await createMetrics(NOTHING_TO_SEE).exposition().print();
  const named = [...new Set(readFileSync(join(dashboards, file), "utf8").match(/(?:keepwatch|keepalived)_[a-z_]+/g))];
  expect(named.length).toBeGreaterThan(0);
  const families = named.map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
  expect(families.filter((name) => !exposed.includes(`# TYPE ${name} `))).toEqual([]);
});
