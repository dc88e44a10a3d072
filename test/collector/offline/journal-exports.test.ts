import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readInputs } from "../../../collector/offline/inputs.ts";
import { tmpdir } from "node:os";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-exports-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const entry = (MESSAGE: string, more: object = {}): string =>
  JSON.stringify({ __REALTIME_TIMESTAMP: "1795517601000000", SYSLOG_IDENTIFIER: "Keepalived_vrrp", MESSAGE, ...more });

async function summaryOf(...lines: string[]): Promise<object | undefined> {
  const path = join(dir, "export.json");
  writeFileSync(path, lines.join("\n"));
  const { inputs } = await readInputs([path], { cluster: "c", zone: "UTC", now: 1_795_600_000_000_000 });
  return inputs[0];
}

test("an export of a few fields is read", async () => {
  expect(await summaryOf(entry("(VI_1) Entering MASTER STATE"), entry("(VI_1) Entering BACKUP STATE"))).toMatchObject({
    kind: "journal",
    keepalivedLines: 2,
    unrecognised: 0,
  });
});

test("what is no entry is named by its line, and the others are read", async () => {
  const summary = await summaryOf(
    entry("(VI_1) Entering MASTER STATE"),
    "[1]",
    "{",
    entry("x", { __REALTIME_TIMESTAMP: "now" }),
  );
  expect(summary).toMatchObject({ keepalivedLines: 1 });
  expect(summary).toHaveProperty(
    "error",
    "2 of 4 lines are no journal entries and were passed over; the first is line 3: it is not JSON",
  );
});

test("a log that quotes one entry is a log", async () => {
  const line = "Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE";
  expect(await summaryOf(line, line, line, entry("x"))).toMatchObject({ kind: "log", keepalivedLines: 3 });
});
