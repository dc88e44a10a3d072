import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, expect, test } from "vitest";
import { parseServerConfig } from "../../../server/config.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import type { StoredCheckpoint } from "../../../server/store/store.ts";

const MODULE = pathToFileURL(join(import.meta.dirname, "../../../dist/server/store/clickhouse-store.js")).href;
/** More than ClickHouse parses at once, so that a kill meets every part of the way to the disk. */
const STATE_CHARS = 6 * 2 ** 20;
const ROUNDS = 5;

const dir = mkdtempSync(join(tmpdir(), "keepwatch-kept-"));
const { storage } = parseServerConfig("", "test", { storage: { path: join(dir, "store") } });
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Kept whole: all of it says the same number. @returns that number */
function numberOf({ cluster, arrived: n, ...rest }: StoredCheckpoint): number {
  const state = `${n} `.padEnd(STATE_CHARS, `${n} `);
  // Not by toEqual: it would print them.
  expect(rest.state === state).toBe(true);
  expect({ ...rest, state: "" }).toEqual({ sign: `s${n}`, since: { [`of-${cluster}`]: n }, state: "" });
  return n;
}

/** @returns what it last said it had begun and kept, once it is dead */
async function killedAfter(first: number, part: number): Promise<{ begun: number; kept: number }> {
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, "checkpoint-child.mjs"),
      MODULE,
      JSON.stringify(storage),
      String(first),
      String(STATE_CHARS),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "close");
  const said = { begun: first - 1, kept: first - 1 };
  let begunAt = 0;
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (const [, what, n] of output.matchAll(/^(begun|kept) (\d+)\n/gm)) said[what as keyof typeof said] = Number(n);
    if (said.begun === first && begunAt === 0) begunAt = performance.now();
    // The first one tells how long it takes; the second is met in the middle.
    if (said.kept === first && said.begun === first + 1)
      void sleep(part * (performance.now() - begunAt)).then(() => child.kill("SIGKILL"));
  });
  const [code, signal] = (await ended) as [number | null, string | null];
  expect([code, signal]).toEqual([null, "SIGKILL"]);
  return said;
}

test("of each cluster the old or the new is kept, and whole, wherever a kill meets it", async () => {
  let first = 1;
  let met = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { begun, kept } = await killedAfter(first, round / ROUNDS);
    if (begun > kept) met += 1;
    const store = await openStore(storage, { log: () => undefined });
    try {
      const checkpoints = await store.checkpoints();
      expect(checkpoints.map(({ cluster }) => cluster)).toEqual(["a", "b"]);
      for (const checkpoint of checkpoints) {
        const n = numberOf(checkpoint);
        expect(n).toBeGreaterThanOrEqual(kept);
        expect(n).toBeLessThanOrEqual(begun);
      }
      first = begun + 1;
    } finally {
      await store.close();
    }
  }
  expect(met).toBeGreaterThan(0);
}, 300_000);
