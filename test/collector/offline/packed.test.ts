import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readInputs } from "../../../collector/offline/inputs.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-packed-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const LINE = "Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE\n";
const read = async (path: string) =>
  (await readInputs([path], { cluster: "c", zone: "UTC", now: 1_795_600_000_000_000 })).inputs[0];

test.each([
  ["gzip", "gz"],
  ["xz", "xz"],
  ["bzip2", "bz2"],
  ["zstd", "zst"],
])("what %s has packed is read, and what is torn of it is told", async (program, ending) => {
  const path = join(dir, `messages.${ending}`);
  writeFileSync(path, execFileSync(program, ["-c"], { input: LINE.repeat(2_000) }));
  expect(await read(path)).toMatchObject({ kind: "log", keepalivedLines: 2_000 });
  const torn = join(dir, `torn.${ending}`);
  writeFileSync(torn, readFileSync(path).subarray(0, -8));
  expect(await read(torn)).toHaveProperty("error", expect.stringContaining(`its ${ending} data cannot be read`));
});
