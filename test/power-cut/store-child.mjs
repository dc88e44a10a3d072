// `node store-child.mjs DIST FOLDER`: stores batches of a hundred events, and says each number once the store has acknowledged it.
import { writeSync } from "node:fs";
const [, , dist, path] = process.argv;
const { parseServerConfig } = await import(`${dist}/server/config.js`);
const { openStore } = await import(`${dist}/server/store/clickhouse-store.js`);
const { eventId } = await import(`${dist}/collector/events/id.js`);
const store = await openStore(parseServerConfig("", "power cut", { storage: { path } }).storage, {
  log: () => undefined,
});
const T0 = 1_795_000_000_000_000;
for (let n = 1; ; n++) {
  const events = Array.from({ length: 100 }, (_, i) => ({
    id: eventId("power cut", n, i),
    cluster: "c",
    node: "lb1",
    source: "log",
    kind: "log.notice",
    code: "test",
    ts: T0 + n * 1000 + i,
    tsUncertaintyUs: 0,
    observedTs: T0,
    raw: `batch ${n}`,
  }));
  await store.insertBatch({ version: 1, batchId: eventId("batch", n), cluster: "c", node: "lb1", events });
  writeSync(1, `${n}\n`);
}
