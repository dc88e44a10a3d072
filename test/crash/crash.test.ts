import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { keepwatchBin } from "../support/process.ts";
import type { CrashOptions, CrashReport } from "./run.ts";

const hasLogrotate = spawnSync("logrotate", ["--version"]).status === 0;
/** The compiled harness: what it starts are compiled programs too. */
const compiled = new URL("../../dist/test/crash/run.js", import.meta.url).href;
const CRASHES: readonly Pick<CrashOptions, "rotation" | "store">[] = [
  { rotation: "create", store: "embedded" },
  { rotation: "copytruncate", store: "external" },
];

/** The short form of `npm run crash`. */
describe.skipIf(!hasLogrotate || !existsSync(keepwatchBin))("while collector, server and store are killed", () => {
  test.each(CRASHES)(
    "each line that was on disk is stored once: $rotation, $store store",
    async (crash) => {
      const { crashRun } = (await import(compiled)) as { crashRun: (options: CrashOptions) => Promise<CrashReport> };
      const report = await crashRun({
        ...crash,
        seed: 7,
        linesPerSecond: 50_000,
        every: 200,
        seconds: 8,
        kills: 5,
        say: () => undefined,
      });
      expect(report.lost).toEqual([]);
      expect(report.rowsFinal).toBe(report.numbers.size);
      expect(report.untold).toEqual([]);
      expect(report.onDisk + report.rescued + report.destroyed.length).toBe(report.written);
    },
    300_000,
  );
});
