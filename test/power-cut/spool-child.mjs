// `node spool-child.mjs MODULE FOLDER [unsynced]`: commits batches, and says each number once it is durable. With `unsynced` no file is synced.
import { writeSync } from "node:fs";
import { open } from "node:fs/promises";
const [, , module, dir, unsynced] = process.argv;
if (unsynced) {
  const file = await open(process.execPath, "r");
  const methods = Object.getPrototypeOf(file);
  methods.datasync = async () => undefined;
  methods.sync = async () => undefined;
  await file.close();
}
const { Spool } = await import(module);
const spool = await Spool.open({ dir, segmentBytes: 64 * 1024, log: () => undefined });
for (let n = 1; ; n++) {
  const body = Buffer.from(`batch ${n} ${"z".repeat(n % 2000)}`);
  await spool.append([{ series: "events", body, events: 1, positions: { n: String(n) } }]);
  writeSync(1, `${n}\n`);
}
