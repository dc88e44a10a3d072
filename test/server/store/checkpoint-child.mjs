// Keeps what is known of two clusters for ever, and says when it begins and when it is durable. Ended by kill -9 from outside.
import { writeSync } from "node:fs";
const [, , module, storage, first, length] = process.argv;
const { openStore } = await import(module);
const store = await openStore(JSON.parse(storage), { log: () => undefined });
for (let n = Number(first); ; n += 1) {
  const state = `${n} `.padEnd(Number(length), `${n} `);
  const of = (cluster) => ({ cluster, arrived: n, sign: `s${n}`, since: { [`of-${cluster}`]: n }, state });
  writeSync(1, `begun ${n}\n`);
  await store.saveCheckpoints([of("a"), of("b")]);
  writeSync(1, `kept ${n}\n`);
}
