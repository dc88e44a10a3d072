// Commits batches for ever, and says each number once it is durable. Ended by kill -9 from outside.
import { writeSync } from "node:fs";
const [, , module, dir] = process.argv;
const { Spool } = await import(module);
const spool = await Spool.open({ dir, segmentBytes: 4096, log: () => undefined });
let n = Number(spool.position("n") ?? "0");
for (;;) {
  n += 1;
  const batch = (name, series, positions) => ({
    series,
    body: Buffer.from(`${name} ${n} ${"z".repeat(n % 500)}`),
    events: 1,
    positions,
  });
  // Every third commit is of two batches, which are there both or not at all.
  const adverts = n % 3 === 0 ? [batch("adverts", "adverts", {})] : [];
  await spool.append([...adverts, batch("events", "events", { n: String(n) })]);
  writeSync(1, `${n}\n`);
  if (n % 7 === 0) {
    const next = await spool.next();
    if (next) {
      writeSync(1, `taken ${next.body.toString().split(" ").slice(0, 2).join(" ")}\n`);
      await spool.acknowledge(next.sequence);
    }
  }
}
