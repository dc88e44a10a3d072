import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { type FileHandle, open as openFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
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

  test("loses nothing that was promised, repeats nothing and keeps the order when it is killed, twenty times", async () => {
    const module = pathToFileURL(join(root, "dist/collector/sinks/spool.js")).href;
    let promised = 0;
    const taken: string[] = [];
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
        if (line.startsWith("taken ")) taken.push(line.slice(6));
        else promised = Math.max(promised, Number(line));
      }
    }
    const spool = await open();
    const last = Number(spool.position("n"));
    expect(last).toBeGreaterThanOrEqual(promised);
    const rest = (await drain(spool)).map((body) => body.split(" ").slice(0, 2).join(" "));
    const all = Array.from({ length: last }, (_, i) => i + 1).flatMap((n) =>
      n % 3 === 0 ? [`adverts ${n}`, `events ${n}`] : [`events ${n}`],
    );
    // What was acknowledged just before the end may come once more, and nothing else may.
    expect(rest).toEqual(all.slice(all.length - rest.length));
    expect([...new Set([...taken, ...rest])]).toEqual(all);
    expect(spool.untold()).toEqual([]);
    await spool.close();
  }, 120_000);
});

describe("a spool after a crash", () => {
  /** Three commits, the last of them of two batches, as they stand in one segment. */
  async function threeCommits(): Promise<{ path: string; bytes: Buffer; twoEnd: number }> {
    const spool = await open({ segmentBytes: 1e6 });
    await spool.append([batch("one", { positions: { log: "1" } })]);
    await spool.append([batch("two", { positions: { log: "2" } })]);
    const twoEnd = spool.stats().bytes;
    await spool.append([batch("adverts", { series: "adverts" }), batch("three", { positions: { log: "3" } })]);
    await spool.close();
    // As if the process had ended without a word: only the segment knows.
    rmSync(join(dir, "state.json"));
    const path = join(dir, readdirSync(dir).find((name) => name.endsWith(".seg")) ?? "");
    return { path, bytes: readFileSync(path), twoEnd };
  }

  async function reopened(): Promise<{ bodies: string[]; log: string | undefined; said: string[]; lost: number }> {
    const said: string[] = [];
    const spool = await Spool.open({ dir, log: (level, message) => said.push(`${level}: ${message}`) });
    const log = spool.position("log");
    await spool.append([batch("next")]);
    const bodies = await drain(spool);
    const lost = spool.untold().length;
    spool.told(spool.untold());
    await spool.close();
    return { bodies, log, said, lost };
  }

  test("has a commit whole or not at all, wherever its last write was cut", async () => {
    const { path, bytes, twoEnd } = await threeCommits();
    for (let cut = twoEnd; cut < bytes.length; cut++) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      writeFileSync(path, bytes.subarray(0, cut));
      const { bodies, log, said, lost } = await reopened();
      expect([cut, bodies, log, lost]).toEqual([cut, ["one", "two", "next"], "2", 0]);
      expect(said).toEqual(cut === twoEnd ? [] : [expect.stringMatching(/^warn: .*half-written/)]);
      expect((await reopened()).said).toEqual([]);
    }
  });

  test.each([0, 1, 27, 28, 100])(
    "takes %i bytes of zeros, where a file system had no time to write, for a write cut short",
    async (zeros) => {
      const { path, bytes } = await threeCommits();
      writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(zeros)]));
      const { bodies, log, lost } = await reopened();
      expect([bodies, log, lost]).toEqual([["one", "two", "adverts", "three", "next"], "3", 0]);
    },
  );

  test("never gives out a damaged batch, loses no sound one before or after it, and says so, whichever bit is flipped", async () => {
    const { path, bytes } = await threeCommits();
    const texts = ["one", "two", "adverts", "three"];
    for (let at = 0; at < bytes.length; at++) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, damaged);
      const { bodies, said, lost } = await reopened();
      const missing = texts.filter((text) => !bodies.includes(text));
      expect(bodies).toEqual([...texts.filter((text) => bodies.includes(text)), "next"]);
      // A last commit that looks cut short goes as a whole: its lines are read again.
      const cutShort = said.some((line) => line.includes("half-written"));
      expect([at, missing.length]).toEqual([at, cutShort ? 2 : 1]);
      expect(lost).toBe(cutShort ? 0 : 1);
      expect(readdirSync(dir).includes("quarantine")).toBe(!cutShort);
      const again = await reopened();
      expect([again.bodies, again.said, again.lost]).toEqual([["next"], [], 0]);
    }
  });

  test("tells what it lost until it was told, however often it is started in between", async () => {
    const { path, bytes } = await threeCommits();
    const at = bytes.indexOf("two");
    bytes[at] = 0;
    writeFileSync(path, bytes);
    const first = await open();
    const told = first.untold();
    await first.close();
    const second = await open();
    expect(second.untold()).toEqual(told);
    second.told(second.untold());
    await second.close();
    const third = await open();
    expect(third.untold()).toEqual([]);
    await third.close();
  });
});

describe("a spool on a failing disk", () => {
  afterEach(() => vi.restoreAllMocks());

  async function fileMethods(): Promise<FileHandle> {
    const file = await openFile(join(dir, "any"), "w");
    await file.close();
    return Object.getPrototypeOf(file) as FileHandle;
  }

  test.each(["write", "datasync"] as const)(
    "has nothing of a commit whose %s failed, and all of it once it is tried again",
    async (method) => {
      const spool = await open({ segmentBytes: 1e6 });
      await spool.append([batch("one")]);
      const failing = vi.spyOn(await fileMethods(), method).mockRejectedValueOnce(new Error("no space left on device"));
      const commit = [batch("adverts", { series: "adverts" }), batch("two", { positions: { log: "2" } })];
      await expect(spool.append(commit)).rejects.toThrow("no space left");
      failing.mockRestore();
      expect(spool.position("log")).toBeUndefined();
      await spool.append(commit);
      expect(await drain(spool)).toEqual(["one", "adverts", "two"]);
      await spool.close();
      const again = await open();
      expect([await drain(again), again.position("log"), again.untold()]).toEqual([[], "2", []]);
      await again.close();
    },
  );

  test("cuts off what a failed write left, so that no one takes it for damage later", async () => {
    const spool = await open({ segmentBytes: 1e6 });
    await spool.append([batch("one")]);
    const methods = await fileMethods();
    // Only a part fits on the disk, then none does.
    const writing = vi.spyOn(methods, "write");
    writing.mockImplementationOnce(async function (this: FileHandle, ...args: unknown[]) {
      const [bytes, , length, position] = args as [Buffer, number, number, number];
      writeSync(this.fd, bytes, 0, Math.floor(length / 2), position);
      throw new Error("no space left on device");
    });
    await expect(spool.append([batch("two")])).rejects.toThrow("no space left");
    vi.restoreAllMocks();
    await spool.append([batch("two")]);
    await spool.close();
    const again = await open();
    expect([await drain(again), again.untold()]).toEqual([["one", "two"], []]);
    await again.close();
  });

  test("does not repeat a commit that the disk kept although it reported a failure", async () => {
    const spool = await open({ segmentBytes: 1e6 });
    const methods = await fileMethods();
    vi.spyOn(methods, "datasync").mockRejectedValueOnce(new Error("input/output error"));
    vi.spyOn(methods, "truncate").mockRejectedValueOnce(new Error("input/output error"));
    await expect(spool.append([batch("one")])).rejects.toThrow("input/output error");
    vi.restoreAllMocks();
    await spool.append([batch("one")]);
    await spool.append([batch("two")]);
    await spool.close();
    const again = await open();
    expect(await drain(again)).toEqual(["one", "two"]);
    await again.close();
  });

  test("goes on with the rest when a file it has not read yet is gone or damaged", async () => {
    const spool = await open({ segmentBytes: 1 });
    for (const text of ["one", "two", "three", "four"]) await spool.append([batch(text)]);
    const files = readdirSync(dir)
      .filter((name) => name.endsWith(".seg"))
      .sort();
    rmSync(join(dir, files[1] ?? ""));
    writeFileSync(join(dir, files[2] ?? ""), "not a record at all");
    expect(await drain(spool)).toEqual(["one", "four"]);
    expect(spool.untold()).toHaveLength(2);
    await spool.close();
  });
});

describe("a spool with a limit", () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        sizes: fc.array(fc.nat(120), { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("take" as const), count: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("peek" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const) }) },
  );

  test("keeps within it, gives up raw adverts first, counts what it gave up, and keeps the order, in any script", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (script) => {
        rmSync(dir, { recursive: true, force: true });
        const limits = { bytesMax: 1500, segmentBytes: 300 };
        let spool = await open(limits);
        let n = 0;
        const appended: { text: string; adverts: boolean }[] = [];
        const got: string[] = [];
        /** Raw adverts up to here must be gone: other events were given up. */
        let noAdvertsUpTo = 0;
        let eventsLost = 0;
        const lostOf = (what: string): number =>
          spool
            .untold()
            .filter(({ reason }) => reason.includes(what))
            .reduce((sum, { events }) => sum + (events ?? 0), 0);
        let inFlight: string | undefined;
        const take = async (): Promise<void> => {
          if (spool.stats().batches === 0) return;
          const next = await spool.next();
          if (!next) return;
          const text = next.body.toString();
          expect(text).toBe(inFlight ?? text);
          got.push(text);
          inFlight = undefined;
          const index = appended.findIndex((one) => one.text === text);
          if (appended[index]?.adverts && index < noAdvertsUpTo) expect(wasInFlight).toContain(text);
          await spool.acknowledge(next.sequence);
        };
        const wasInFlight = new Set<string>();
        for (const action of script)
          switch (action.do) {
            case "append": {
              const batches = action.sizes.map((size) => {
                n += 1;
                const adverts = size % 2 === 1;
                appended.push({ text: `${n} ${"p".repeat(size)}`, adverts });
                return batch(appended.at(-1)?.text ?? "", { series: adverts ? "adverts" : "events" });
              });
              await spool.append(
                batches.map((one, i) => (i < batches.length - 1 ? one : { ...one, positions: { n: String(n) } })),
              );
              if (lostOf("oldest events") > eventsLost) noAdvertsUpTo = appended.length;
              eventsLost = lostOf("oldest events");
              // The batch on its way to the server stays, whatever the limit says.
              expect(spool.stats().bytes).toBeLessThanOrEqual(limits.bytesMax + 200);
              break;
            }
            case "take":
              for (let i = 0; i < action.count; i++) await take();
              break;
            case "peek":
              if (spool.stats().batches > 0) inFlight = (await spool.next())?.body.toString();
              if (inFlight !== undefined) wasInFlight.add(inFlight);
              break;
            case "reopen":
              await spool.close();
              spool = await open(limits);
              inFlight = undefined;
              break;
            case "die": {
              // What a crash leaves: the files as they are, and no last word.
              const copy = `${dir}.copy`;
              cpSync(dir, copy, { recursive: true });
              await spool.close();
              rmSync(dir, { recursive: true });
              cpSync(copy, dir, { recursive: true });
              rmSync(copy, { recursive: true });
              spool = await open(limits);
              inFlight = undefined;
            }
          }
        expect(spool.position("n")).toBe(n === 0 ? undefined : String(n));
        const onDisk = readdirSync(dir).filter((name) => name.endsWith(".seg"));
        expect(onDisk.reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)).toBe(spool.stats().bytes);
        while (spool.stats().batches > 0) await take();
        const order = appended.map(({ text }) => text);
        expect(got).toEqual(order.filter((text) => got.includes(text)));
        expect(new Set(got).size).toBe(got.length);
        expect(got.length + lostOf("given up")).toBe(appended.length);
        await spool.close();
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test("keeps the batch that is on its way to the server", async () => {
    const spool = await open({ bytesMax: 1000 });
    await spool.append([batch(`first ${"a".repeat(100)}`, { series: "adverts" })]);
    const inFlight = await spool.next();
    for (let i = 0; i < 20; i++) await spool.append([batch(`${i} ${"e".repeat(100)}`)]);
    expect((await spool.next())?.body.toString()).toBe(inFlight?.body.toString());
    await spool.close();
  });
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
