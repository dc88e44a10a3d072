import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { toEventJson } from "../../../collector/events/observation.ts";
import { Committer } from "../../../collector/sinks/committer.ts";
import { Spool } from "../../../collector/sinks/spool.ts";
import { wait } from "../../../collector/sources/wait.ts";
import { master } from "../app/support.ts";

/** A small disk of its own: only root may have one. */
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-full-"));
const disk = join(scratch, "disk");
mkdirSync(disk);
const mounted = spawnSync("/bin/mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]).status === 0;
afterAll(() => {
  if (mounted) spawnSync("/bin/umount", ["-l", disk]);
  rmSync(scratch, { recursive: true, force: true });
});

const identity = { cluster: "web", node: "lb1", collector: { id: "0".repeat(32) } };
const filler = join(disk, "filler");

test.runIf(mounted)(
  "on a full disk nothing is promised and it is said; with room again all goes on, each event once, also after a restart",
  async () => {
    const said: string[] = [];
    const log = (_level: string, message: string): void => void said.push(message);
    const spool = await Spool.open({ dir: join(disk, "spool"), segmentBytes: 256 * 1024, log });
    const committer = new Committer({
      identity,
      append: (batches) => spool.append(batches),
      log,
      // The pause after a failure is a second: here a moment.
      wait: (ms, signal) => wait(Math.min(ms, 20), signal),
    });
    writeFileSync(filler, Buffer.alloc(4 * 1024 * 1024 - 96 * 1024));
    const promised = new Set<string>();
    const commits = (async () => {
      for (let i = 0; i < 40; i++) {
        const seen = { ...master(i), raw: `${i} ${"x".repeat(5_000)}` };
        await committer.commit([toEventJson(seen, identity, seen.ts)], { key: "log", value: String(i) });
        promised.add(String(i));
      }
    })();
    for (let waited = 0; !said.some((line) => /cannot be written/.test(line)); waited += 10) {
      if (waited > 20_000) throw new Error(`the disk was never full: ${said.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(promised.size).toBeGreaterThan(0);
    expect(promised.size).toBeLessThan(40);
    // What was promised can be sent from the full disk too.
    expect((await spool.next())?.events).toBe(1);
    rmSync(filler);
    await commits;
    expect(said).toContain("the spool can be written again");
    await spool.close();
    const reopened = await Spool.open({ dir: join(disk, "spool"), log });
    expect(reopened.position("log")).toBe("39");
    const found: string[] = [];
    for (let next = await reopened.next(); next; ) {
      const { events } = JSON.parse(next.body.toString()) as Batch;
      found.push(...events.map(({ raw }) => raw?.split(" ")[0] ?? ""));
      await reopened.acknowledge(next.sequence);
      next = reopened.stats().batches > 0 ? await reopened.next() : undefined;
    }
    expect(found).toEqual(Array.from({ length: 40 }, (_, i) => String(i)));
    expect(reopened.untold()).toEqual([]);
    await reopened.close();
  },
);
