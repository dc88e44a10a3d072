import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { Silence } from "../../../server/api/types.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { restore } from "../../../server/store/backup.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import type { Store, StoredCheckpoint } from "../../../server/store/store.ts";
import { batchesOf, SPLIT_BRAIN } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";

const scratch = mkdtempSync(join(tmpdir(), "keepwatch-backup-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const silent = { log: () => undefined };
/** A name with what SQL would read as the end of a text. */
const folder = join(scratch, "it's a folder");
const storageAt = (name: string) =>
  parseServerConfig("", "test", { storage: { path: join(scratch, name), backup_path: folder } }).storage;
const SILENCE: Silence = {
  id: eventId("s"),
  matchers: [],
  createdTs: 1,
  startsTs: 1,
  endsTs: 2,
  author: "operator",
  reason: "it's planned",
};
const CHECKPOINT: StoredCheckpoint = { cluster: "c", arrived: 1, sign: "x", since: {}, state: "" };
const contents = async (store: Store): Promise<unknown> => ({
  events: await store.events({ limit: 10_000 }),
  incidents: await store.incidents(),
  silences: await store.silences(),
  deliveries: await store.deliveries({ limit: 100 }),
});

/** Only one store at a time may be open in a process. */
async function within<T>(storage: ReturnType<typeof storageAt>, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(storage, silent);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const MORE = Array.from(
  { length: 20 },
  (_, n): Batch => ({
    version: 1,
    batchId: eventId("more", n),
    cluster: "c",
    node: "other",
    events: Array.from({ length: 100 }, (__, i) => ({
      id: eventId("more", n, i),
      cluster: "c",
      node: "other",
      source: "log",
      kind: "log.unrecognised",
      ts: 1_795_000_000_000_000 + n * 1000 + i,
      tsUncertaintyUs: 0,
      observedTs: 0,
      raw: `${n}`,
    })),
  }),
);

describe("a backup of the embedded store", () => {
  const batches = batchesOf(scenario(SPLIT_BRAIN));
  const storage = storageAt("store");
  let path = "";
  let incarnation = "";
  let before: unknown;
  let after: unknown;
  beforeAll(async () => {
    await within(storage, async (store) => {
      ({ incarnation } = store);
      for (const batch of batches.slice(0, -1)) await store.insertBatch(batch);
      await store.saveSilence(SILENCE, 1);
      await store.saveCheckpoints([CHECKPOINT]);
      before = await contents(store);
      ({ path } = await store.backUp("one"));
      for (const batch of batches.slice(-1)) await store.insertBatch(batch);
      after = await contents(store);
    });
  });

  test("is made while it is in use, and restored with all that it had then", async () => {
    expect(after).not.toEqual(before);
    const to = storageAt("restored");
    const info = await restore(to, path);
    expect(info.incarnation.number).toBe(2);
    await within(to, async (restored) => {
      expect(await contents(restored)).toEqual(before);
      expect(restored.incarnation).toBe(info.incarnation.id);
      expect(restored.incarnation).not.toBe(incarnation);
      // It may know of events that are not in the backup.
      expect(await restored.checkpoints()).toEqual([]);
      for (const batch of batches.slice(-1)) expect(await restored.insertBatch(batch)).toEqual({ duplicate: false });
      expect(await contents(restored)).toEqual(after);
    });
  });

  test("has what is stored while it is made either whole or not at all", async () => {
    const made = await within(storage, async (store) => {
      const storing = (async () => {
        for (const batch of MORE) await store.insertBatch(batch);
      })();
      const backup = await store.backUp("two");
      await storing;
      return backup;
    });
    const to = storageAt("restored-two");
    await restore(to, made.path);
    const events = await within(to, (restored) => restored.events({ node: "other", limit: 10_000 }));
    const counts = MORE.map((batch) => batch.events.filter(({ id }) => events.some((event) => event.id === id)).length);
    expect(counts.filter((count) => count !== 0 && count !== 100)).toEqual([]);
  });

  test("is not written over another", async () => {
    await within(storage, (store) => expect(store.backUp("one")).rejects.toMatchObject({ code: "BACKUP_EXISTS" }));
  });

  test("says what it cannot write to", async () => {
    const file = join(scratch, "file");
    writeFileSync(file, "");
    await within({ ...storageAt("third"), backup_path: file }, (store) =>
      expect(store.backUp("x")).rejects.toMatchObject({ code: "BACKUP_FAILED" }),
    );
  });

  test.each([
    ["nothing", () => join(scratch, "nowhere")],
    ["an empty folder", () => mkdtempSync(join(scratch, "empty-"))],
  ])("is not restored from %s", async (_, from) => {
    await expect(restore(storageAt("never"), from())).rejects.toMatchObject({ code: "BACKUP_NONE" });
    expect(readdirSync(scratch)).not.toContain("never");
  });

  test("is never restored over a store, nor over anything", async () => {
    await expect(restore(storage, path)).rejects.toMatchObject({ code: "STORE_EXISTS" });
    mkdirSync(join(scratch, "taken"));
    writeFileSync(join(scratch, "taken", "note"), "mine");
    await expect(restore(storageAt("taken"), path)).rejects.toMatchObject({ code: "STORE_EXISTS" });
    writeFileSync(join(scratch, "plain"), "mine");
    await expect(restore(storageAt("plain"), path)).rejects.toMatchObject({ code: "STORE_EXISTS" });
  });

  test("that is damaged is refused, and leaves nothing where the store would be", async () => {
    const { path: damaged } = await within(storage, (store) => store.backUp("damaged"));
    const files = (await readdir(damaged, { recursive: true })).filter((name) => /events\/.*\/data\.bin$/.test(name));
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) {
      const bytes = await readFile(join(damaged, name));
      await writeFile(join(damaged, name), bytes.subarray(0, bytes.length / 2));
    }
    await expect(restore(storageAt("never"), damaged)).rejects.toMatchObject({ code: "RESTORE_FAILED" });
    expect(readdirSync(scratch).filter((name) => name.startsWith("never"))).toEqual([]);
  });
});
