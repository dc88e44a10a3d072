import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseIsoUs } from "../../collector/core/time.ts";
import { createLogReader } from "../../collector/logs/reader.ts";

const dir = join(import.meta.dirname, "logs/fixtures");
const reference = parseIsoUs("2026-11-24T23:59:59Z") ?? 0;

test.each(readdirSync(dir))("%s becomes these events", async (name) => {
  const reader = createLogReader({ path: name, fingerprint: "fixture", zone: "UTC" });
  let offset = 0;
  const events = readFileSync(join(dir, name), "utf8")
    .split("\n")
    .filter(Boolean)
    .flatMap((line, i) => {
      const seen = reader.read(line, { offset, lineNumber: i + 1 }, reference);
      offset += Buffer.byteLength(line) + 1;
      return seen ? [`${seen.at} ${seen.host ?? "-"} ${seen.pid ?? "-"} ±${seen.tsUncertaintyUs} ${JSON.stringify(seen.body)}`] : [];
    });
  await expect(`${events.join("\n")}\n${JSON.stringify(reader.counts())}\n`).toMatchFileSnapshot(`./logs/${name}.events.txt`);
});
