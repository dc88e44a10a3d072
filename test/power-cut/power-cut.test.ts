import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { Spool } from "../../collector/sinks/spool.ts";
import { parseServerConfig } from "../../server/config.ts";
import { openStore } from "../../server/store/clickhouse-store.ts";
import { root } from "../support/process.ts";
import { canMountImages, Disk } from "./disk.ts";

/**
 * A kill proves little: the page cache survives it. Here the file system's image is copied as it was at that moment, so that what was
 * not synced is not there, and is mounted anew.
 */
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-power-"));
const disks: Disk[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const disk of disks.splice(0)) disk.unmount();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function made(disk: Disk): Disk {
  disks.push(disk);
  return disk;
}

/** Runs until it has promised so many numbers, and is killed. @returns the last number it promised */
async function promisedBy(script: string, args: readonly string[], numbers: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > numbers) child.kill("SIGKILL");
  });
  await once(child, "close");
  return Number(output.split("\n").at(-2));
}

describe.runIf(canMountImages(scratch))("after a power cut", () => {
  const module = pathToFileURL(join(root, "dist/collector/sinks/spool.js")).href;

  /** @returns the last number that was promised, and those that are there */
  async function spoolCut(name: string, numbers: number, args: readonly string[] = []): Promise<[number, string[]]> {
    const disk = made(Disk.make(join(scratch, name), 64));
    const promised = await promisedBy("spool-child.mjs", [module, join(disk.root, "spool"), ...args], numbers);
    const after = made(disk.cut(join(scratch, `${name}-after`)));
    const spool = await Spool.open({ dir: join(after.root, "spool"), log: () => undefined });
    const found: string[] = [];
    for (let sequence = 0; spool.stats().batches > found.length; ) {
      const next = await spool.next(AbortSignal.timeout(10_000), sequence);
      if (!next) break;
      sequence = next.sequence;
      found.push(next.body.toString().split(" ")[1] ?? "");
    }
    expect(spool.untold()).toEqual([]);
    await spool.close();
    return [promised, found];
  }

  test.each([20, 150, 400])("the spool has all that it promised, in order, cut after %i commits", async (numbers) => {
    const [promised, found] = await spoolCut(`spool-${numbers}`, numbers);
    expect(promised).toBeGreaterThanOrEqual(numbers);
    expect(found.length).toBeGreaterThanOrEqual(promised);
    expect(found).toEqual(found.map((_, i) => String(i + 1)));
  });

  test("a spool that does not sync would have lost it: the cut is one", async () => {
    const [promised, found] = await spoolCut("unsynced", 400, ["unsynced"]);
    expect(found.length).toBeLessThan(promised);
  });

  test.each([3, 20])(
    "the store opens and has all that it acknowledged, cut after %i inserts",
    async (numbers) => {
      const disk = made(Disk.make(join(scratch, `store-${numbers}`), 512));
      const promised = await promisedBy("store-child.mjs", [join(root, "dist"), join(disk.root, "store")], numbers);
      const after = made(disk.cut(join(scratch, `store-${numbers}-after`)));
      const { storage } = parseServerConfig("", "power cut", { storage: { path: join(after.root, "store") } });
      const store = await openStore(storage, { log: () => undefined });
      const batches = new Map<string, number>();
      for await (const page of store.detectionEvents())
        for (const { raw } of page) batches.set(raw ?? "", (batches.get(raw ?? "") ?? 0) + 1);
      await store.close();
      for (let n = 1; n <= promised; n++) expect(batches.get(`batch ${n}`)).toBe(100);
    },
    120_000,
  );
});
