import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseIsoUs } from "../../collector/core/time.ts";
import { createLogReader } from "../../collector/logs/reader.ts";
import { isPrintedIn } from "../support/catalogue.ts";

const dir = join(import.meta.dirname, "logs/fixtures");
const reference = parseIsoUs("2026-11-24T23:59:59Z") ?? 0;

/**
 * `keepalived-2.2.7.*` were recorded from the daemon. The others were written by hand, each in the words of the release in its
 * first line: that much is held against the catalogue.
 */
const WRITTEN = readdirSync(dir).filter((name) => !name.startsWith("keepalived-2.2.7."));

test.each(WRITTEN)("%s has only messages that its release prints", (name) => {
  const text = readFileSync(join(dir, name), "utf8");
  const release = /Starting Keepalived v(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? "";
  const messages = text.split("\n").flatMap((line) => {
    const message = /(?:Keepalived\w*(?:\[\d+\]:| \d+ - -)|^\w{3} \w{3} \d+ [\d:.]+ \d{4}:) (?:\((?:\S+: )?Line \d+\) )?(.*)$/.exec(line)?.[1];
    return message === undefined || message.startsWith("message repeated ") ? [] : [message];
  });
  expect(messages.length).toBeGreaterThan(20);
  expect(messages.filter((message) => !isPrintedIn(release, message))).toEqual(
    messages.filter((message) => message === "a line that no release has ever printed"),
  );
});

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
