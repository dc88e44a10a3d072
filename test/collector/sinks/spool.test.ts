import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeRecord, encodeRecord } from "../../../collector/sinks/record.ts";
import { type Append, Spool } from "../../../collector/sinks/spool.ts";
import { root } from "../../support/process.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-spool-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (options: { bytesMax?: number; segmentBytes?: number } = {}): Promise<Spool> =>
  Spool.open({ dir, log: () => undefined, segmentBytes: 300, ...options });
const batch = (text: string, options: Partial<Append> = {}): Append => ({
  series: "events",
  body: Buffer.from(text),
  events: 1,
  positions: {},
  ...options,
});

const lostEvents = (spool: Spool): number => spool.untold().reduce((sum, { events }) => sum + (events ?? 0), 0);

/** All that waits, oldest first; each is acknowledged. */
async function drain(spool: Spool): Promise<string[]> {
  const bodies: string[] = [];
  while (spool.stats().batches > 0) {
    const next = await spool.next();
    if (!next) break;
    bodies.push(next.body.toString());
    await spool.acknowledge(next.sequence);
  }
  return bodies;
}

describe("a spool", () => {
  test("gives batches back in order, byte for byte, also after it was closed and opened", async () => {
    const spool = await open();
    for (let i = 0; i < 20; i++)
      await spool.append([batch(`batch ${i} ${"x".repeat(i * 10)}`, i % 2 ? { series: "adverts" } : {})]);
    await spool.close();
    const again = await open();
    expect(await drain(again)).toEqual(Array.from({ length: 20 }, (_, i) => `batch ${i} ${"x".repeat(i * 10)}`));
    await again.close();
  });

  test("gives the same batch until it is acknowledged", async () => {
    const spool = await open();
    await spool.append([batch("one"), batch("two")]);
    expect((await spool.next())?.body.toString()).toBe("one");
    expect((await spool.next())?.body.toString()).toBe("one");
    await spool.close();
  });

  test("keeps positions with the batch they were reached with, and after all of it was sent", async () => {
    const spool = await open();
    await spool.append([batch("one", { positions: { log: "7", journal: "c1" } })]);
    await spool.append([batch("two", { positions: { log: "9" } })]);
    await drain(spool);
    await spool.close();
    const again = await open();
    expect([again.position("log"), again.position("journal"), again.position("other")]).toEqual(["9", "c1", undefined]);
    await again.close();
  });

  test("gives up raw adverts first when it is full, then the oldest events, and says how many", async () => {
    const spool = await open({ bytesMax: 3000 });
    for (let i = 0; i < 12; i++)
      await spool.append([
        batch(`event ${i} ${"e".repeat(100)}`, { events: 2 }),
        batch(`advert ${i} ${"a".repeat(100)}`, { series: "adverts", events: 5 }),
      ]);
    const kept = await drain(spool);
    expect(kept.filter((body) => body.startsWith("event"))).toHaveLength(12);
    expect(lostEvents(spool)).toBe((12 - kept.filter((body) => body.startsWith("advert")).length) * 5);
    expect(spool.untold().every(({ reason }) => reason.includes("raw adverts"))).toBe(true);
    await spool.close();
  });

  test("gives up the oldest events when there is nothing else", async () => {
    const spool = await open({ bytesMax: 2000 });
    for (let i = 0; i < 30; i++) await spool.append([batch(`event ${i} ${"e".repeat(100)}`)]);
    const kept = await drain(spool);
    expect(kept.at(-1)).toMatch(/^event 29 /);
    expect(kept.length + lostEvents(spool)).toBe(30);
    await spool.close();
  });

  test("passes over a half-written last record, and says that nothing was lost", async () => {
    const spool = await open({ segmentBytes: 1e6 });
    await spool.append([batch("one")]);
    await spool.append([batch("two")]);
    await spool.close();
    const [segment = ""] = readdirSync(dir).filter((name) => name.endsWith(".seg"));
    truncateSync(join(dir, segment), statSync(join(dir, segment)).size - 2);
    const again = await open();
    expect(await drain(again)).toEqual(["one"]);
    expect(again.untold()).toEqual([]);
    await again.close();
  });

  test("quarantines a segment with a flipped bit in the middle and goes on with its sound records", async () => {
    const spool = await open({ segmentBytes: 1e6 });
    for (const text of ["one", "two", "three"]) await spool.append([batch(text)]);
    await spool.close();
    const [segment = ""] = readdirSync(dir).filter((name) => name.endsWith(".seg"));
    const bytes = readFileSync(join(dir, segment));
    const at = bytes.indexOf("two");
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(dir, segment), bytes);
    const again = await open();
    expect(await drain(again)).toEqual(["one", "three"]);
    expect(again.untold()).toHaveLength(1);
    expect(readdirSync(join(dir, "quarantine"))).toHaveLength(1);
    await again.close();
  });

  test("survives a state file that is damaged", async () => {
    const spool = await open();
    await spool.append([batch("one", { positions: { log: "7" } })]);
    await spool.close();
    writeFileSync(join(dir, "state.json"), "{ half");
    const again = await open();
    expect(await drain(again)).toEqual(["one"]);
    expect(again.position("log")).toBe("7");
    await again.close();
  });

  test("refuses a second collector on the same folder", async () => {
    const other = spawn(process.execPath, ["-e", "setTimeout(() => undefined, 30000)"]);
    writeFileSync(join(dir, "lock"), String(other.pid));
    await expect(open()).rejects.toThrow(/is in use by process/);
    other.kill("SIGKILL");
    await once(other, "exit");
    const spool = await open();
    await spool.close();
  });

  test("says that a folder cannot be written", async () => {
    writeFileSync(join(dir, "file"), "");
    await expect(Spool.open({ dir: join(dir, "file/spool"), log: () => undefined })).rejects.toThrow(
      /cannot be written/,
    );
  });

  test("keeps a batch that can never be accepted beside the queue, with the reason", async () => {
    const spool = await open();
    await spool.append([batch("bad"), batch("good")]);
    const bad = await spool.next();
    if (bad) await spool.deadLetter(bad, "the server answered 400: no");
    expect(await drain(spool)).toEqual(["good"]);
    const kept = readdirSync(join(dir, "dead-letter")).sort();
    expect(kept.map((name) => readFileSync(join(dir, "dead-letter", name), "utf8").trim())).toEqual([
      "bad",
      "the server answered 400: no",
    ]);
    await spool.close();
  });

  test("does with any script of appends, acknowledgements and restarts what a list would do", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant("append" as const), size: fc.nat(400) }),
            fc.record({ do: fc.constant("take" as const), size: fc.nat(3) }),
            fc.record({ do: fc.constant("reopen" as const), size: fc.nat(0) }),
          ),
          { maxLength: 40 },
        ),
        async (script) => {
          rmSync(dir, { recursive: true, force: true });
          let spool = await open();
          const model: string[] = [];
          let n = 0;
          for (const step of script) {
            if (step.do === "append") {
              n += 1;
              const text = `${n} ${"p".repeat(step.size)}`;
              await spool.append([
                batch(text, { series: step.size % 2 ? "adverts" : "events", positions: { n: String(n) } }),
              ]);
              model.push(text);
            } else if (step.do === "take")
              for (let i = 0; i < step.size && model.length > 0; i++) {
                const next = await spool.next();
                expect(next?.body.toString()).toBe(model.shift());
                await spool.acknowledge(next?.sequence ?? 0);
              }
            else {
              await spool.close();
              spool = await open();
              expect(spool.position("n")).toBe(n === 0 ? undefined : String(n));
            }
          }
          expect(await drain(spool)).toEqual(model);
          await spool.close();
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  test("loses nothing that was promised and repeats nothing out of order when it is killed, twenty times", async () => {
    const module = pathToFileURL(join(root, "dist/collector/sinks/spool.js")).href;
    let promised = 0;
    const taken = new Set<number>();
    for (let round = 0; round < 20; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, "spool-child.mjs"), module, dir], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        // At another moment of its work each time.
        if (output.split("\n").length > 12 + round * 5) child.kill("SIGKILL");
      });
      await once(child, "close");
      for (const line of output.split("\n").slice(0, -1)) {
        if (line.startsWith("taken ")) taken.add(Number(line.slice(6)));
        else promised = Math.max(promised, Number(line));
      }
    }
    const spool = await open();
    const rest = (await drain(spool)).map((body) => Number(body.split(" ")[1]));
    expect([...rest].sort((a, b) => a - b)).toEqual(rest);
    expect(new Set(rest).size).toBe(rest.length);
    const had = new Set([...rest, ...taken]);
    expect(Array.from({ length: promised }, (_, i) => i + 1).filter((n) => !had.has(n))).toEqual([]);
    expect(spool.untold()).toEqual([]);
    await spool.close();
  }, 120_000);
});

describe("a spool record", () => {
  test("survives the way there and back, and any damage is seen", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.dictionary(fc.string(), fc.string()),
        fc.nat(),
        fc.nat(),
        (bytes, positions, at, bit) => {
          const body = Buffer.from(bytes);
          const record = encodeRecord({ sequence: 7, events: 3, adverts: false, more: false, positions, body });
          const decoded = decodeRecord(record, 0);
          expect(decoded?.end).toBe(record.length);
          expect(decoded?.record.body.equals(body)).toBe(true);
          expect({ ...decoded?.record.positions }).toEqual({ ...positions });
          const i = at % record.length;
          record[i] = (record[i] ?? 0) ^ (1 << (bit % 8));
          expect(decodeRecord(record, 0)).toBeUndefined();
        },
      ),
    );
  });

  test("is not read from any bytes that are none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(decodeRecord(Buffer.from(bytes), 0)).toBeUndefined();
      }),
    );
  });
});
