import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { FileTail } from "../../../collector/sources/file-tail.ts";
import type { Position } from "../../../collector/sources/source.ts";

/** Reads every line as an observation of its text: what the tailer does is followed line by line. */
function lineReader(_path: string, fingerprint: string) {
  let lines = 0;
  return {
    read(line: Uint8Array, { offset, lineNumber }: { offset: number; lineNumber?: number }): Observation {
      lines += 1;
      return {
        source: "log",
        ts: 1,
        tsUncertaintyUs: 0,
        idParts: [fingerprint, offset],
        at: `:${lineNumber}`,
        raw: Buffer.from(line).toString("latin1"),
        body: { kind: "log.unrecognised" },
      };
    },
    counts: () => ({ lines, keepalivedLines: lines, unrecognised: lines, malformed: 0 }),
  };
}

class ManualClock implements Clock {
  us = 1_795_000_000_000_000;
  mono = (): MonoUs => this.us as MonoUs;
  epoch = (): EpochUs => this.us as EpochUs;
}

/** Everything a tailer handed over, and the positions it left: what a spool would hold. */
class Sink {
  readonly lines: string[] = [];
  readonly ids: string[] = [];
  readonly places: string[] = [];
  readonly gaps: string[] = [];
  position: string | undefined;

  readonly context = {
    emit: async (observations: readonly Observation[], position?: Position): Promise<void> => {
      for (const seen of observations) {
        if (seen.body.kind === "collector.gap") this.gaps.push(seen.body.reason);
        else {
          this.lines.push(seen.raw ?? "");
          this.ids.push(seen.idParts.join());
          this.places.push(seen.at ?? "");
        }
      }
      if (position) this.position = position.value;
    },
    position: (): string | undefined => this.position,
    log: (): void => undefined,
  };
}

let dir: string;
let path: string;
let sink: Sink;
let clock: ManualClock;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-tail-"));
  path = join(dir, "messages");
  sink = new Sink();
  clock = new ManualClock();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function tail(from: "start" | "end" = "start"): Promise<FileTail> {
  const made = new FileTail({ path, clock, createReader: lineReader, from, selfDriven: false });
  await made.start(sink.context);
  return made;
}

describe("a tailer", () => {
  test("begins at the end of a file it never read, with the line's true number", async () => {
    writeFileSync(path, "old 1\nold 2\n");
    const tailer = await tail("end");
    appendFileSync(path, "new\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["new"]);
    expect(sink.places).toEqual([":3"]);
    await tailer.stop();
  });

  test("waits for the rest of a line", async () => {
    writeFileSync(path, "first\nhal");
    const tailer = await tail();
    expect(sink.lines).toEqual(["first"]);
    appendFileSync(path, "f\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["first", "half"]);
    await tailer.stop();
  });

  test("keeps NULs and bytes that are no UTF-8 as they are", async () => {
    writeFileSync(path, Buffer.from([0x61, 0, 0xff, 0x62, 0x0a]));
    const tailer = await tail();
    expect(sink.lines).toEqual(["a\0\xffb"]);
    await tailer.stop();
  });

  test("cuts a line of more than a mebibyte and goes on behind it", async () => {
    writeFileSync(path, `start\n${"x".repeat(3 * 1024 * 1024)}\nafter\n`);
    const tailer = await tail();
    expect(sink.lines.map((line) => line.length)).toEqual([5, 1024 * 1024, 5]);
    expect(sink.lines[2]).toBe("after");
    const offset = "start\n".length + 3 * 1024 * 1024 + 1;
    expect(sink.ids[2]).toMatch(new RegExp(`,${offset}$`));
    await tailer.stop();
  });

  test("says what it cannot read and why, and goes on when it can", async () => {
    const tailer = await tail();
    expect(tailer.status()).toMatchObject({ state: "unavailable", reason: expect.stringContaining("does not exist") });
    writeFileSync(path, "there\n");
    await tailer.poll();
    expect(tailer.status().state).toBe("running");
    expect(sink.lines).toEqual(["there"]);
    await tailer.stop();
  });

  test("does not take a folder for a file", async () => {
    path = dir;
    const tailer = await tail();
    expect(tailer.status()).toMatchObject({
      state: "unavailable",
      reason: expect.stringContaining("not a regular file"),
    });
    await tailer.stop();
  });

  test("follows a symbolic link to its file", async () => {
    writeFileSync(join(dir, "real"), "one\n");
    symlinkSync(join(dir, "real"), path);
    const tailer = await tail();
    appendFileSync(join(dir, "real"), "two\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["one", "two"]);
    await tailer.stop();
  });

  test("reads what is written to the old file after it was renamed", async () => {
    writeFileSync(path, "one\n");
    const tailer = await tail();
    renameSync(path, `${path}.1`);
    writeFileSync(path, "three\n");
    await tailer.poll();
    appendFileSync(`${path}.1`, "two, late\n");
    await tailer.poll();
    expect([...sink.lines].sort()).toEqual(["one", "three", "two, late"]);
    await tailer.stop();
  });

  test("finds all rotations between two looks", async () => {
    writeFileSync(path, "a1\n");
    const tailer = await tail();
    appendFileSync(path, "a2\n");
    renameSync(path, `${path}.2`);
    writeFileSync(`${path}.1`, "b1\nb2\n");
    writeFileSync(path, "c1\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["a1", "a2", "b1", "b2", "c1"]);
    await tailer.stop();
  });

  test("goes on in a file that was rotated and compressed while it was away", async () => {
    writeFileSync(path, "a1\n");
    const first = await tail();
    await first.stop();
    appendFileSync(path, "a2\n");
    writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
    rmSync(path);
    writeFileSync(path, "b1\n");
    const second = await tail();
    expect(sink.lines).toEqual(["a1", "a2", "b1"]);
    expect(sink.gaps).toEqual([]);
    await second.stop();
  });

  test("reads the copy of a file that was copied and truncated", async () => {
    writeFileSync(path, "a1\na2\n");
    const tailer = await tail();
    appendFileSync(path, "a3\n");
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    appendFileSync(path, "b1\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["a1", "a2", "a3", "b1"]);
    await tailer.stop();
  });

  test("says so when a truncated file left no copy", async () => {
    writeFileSync(path, "a1\na2\n");
    const tailer = await tail();
    truncateSync(path);
    await tailer.poll();
    expect(sink.gaps).toHaveLength(1);
    appendFileSync(path, "b1\n");
    await tailer.poll();
    expect(sink.lines).toEqual(["a1", "a2", "b1"]);
    await tailer.stop();
  });

  test("says so when its file is gone without a trace, and reads what is there", async () => {
    writeFileSync(path, "a1\n");
    const first = await tail();
    await first.stop();
    rmSync(path);
    writeFileSync(path, "b1\n");
    const second = await tail();
    expect(sink.lines).toEqual(["a1", "b1"]);
    expect(sink.gaps).toHaveLength(1);
    await second.stop();
  });

  test("reads late lines of a rotated file after a crash too", async () => {
    writeFileSync(path, "first\n");
    const crashed = await tail();
    renameSync(path, `${path}.1`);
    writeFileSync(path, "second\n");
    await crashed.poll();
    expect(sink.lines).toEqual(["first", "second"]);
    // The writer has not heard of the rotation yet, and the collector is killed.
    appendFileSync(`${path}.1`, "late\n");
    const next = await tail();
    await next.poll();
    expect(sink.lines).toEqual(["first", "second", "late"]);
    await next.stop();
    await crashed.stop();
  });

  test("reads on a rotated file while nobody writes to the new one", async () => {
    writeFileSync(path, "first\n");
    const tailer = await tail();
    renameSync(path, `${path}.1`);
    writeFileSync(path, "");
    for (let hour = 0; hour < 3; hour++) {
      await tailer.poll();
      clock.us += 3_600_000_000;
      appendFileSync(`${path}.1`, `late ${hour}\n`);
    }
    await tailer.poll();
    expect(sink.lines).toEqual(["first", "late 0", "late 1", "late 2"]);
    await tailer.stop();
  });

  test("a file that is rotated again and compressed while what came before it is caught up with is read once", async () => {
    writeFileSync(path, "a1\n");
    const before = await tail();
    await before.stop();
    appendFileSync(path, "a2\n");
    renameSync(path, `${path}.1`);
    writeFileSync(path, "b1\n");
    const emit = sink.context.emit;
    sink.context.emit = async (observations, position) => {
      sink.context.emit = emit;
      await emit(observations, position);
      renameSync(`${path}.1`, `${path}.3`);
      writeFileSync(`${path}.2.gz`, gzipSync(readFileSync(path)));
      rmSync(path);
      writeFileSync(`${path}.1`, "c1\n");
      writeFileSync(path, "d1\n");
    };
    const tailer = await tail();
    await tailer.poll();
    await tailer.stop();
    expect(sink.lines).toEqual(["a1", "a2", "b1", "c1", "d1"]);
    expect(sink.gaps).toEqual([]);
  });

  test("does not take what stands in a truncated file for the rest of what it was reading", async () => {
    // Long enough that it is read in parts; between two of them the log is copied, truncated and written anew beyond the place.
    const lines = (name: string, count: number): string =>
      Array.from({ length: count }, (_, i) => `${name} line ${String(i).padStart(6, "0")}\n`).join("");
    writeFileSync(path, lines("old", 30_000));
    const emit = sink.context.emit;
    let truncated = false;
    sink.context.emit = async (observations, position) => {
      if (!truncated) {
        truncated = true;
        copyFileSync(path, `${path}.1`);
        truncateSync(path);
        appendFileSync(path, lines("new", 40_000));
      }
      await emit(observations, position);
    };
    const tailer = await tail();
    await tailer.poll();
    await tailer.poll();
    expect(sink.lines.filter((line) => line.startsWith("old"))).toHaveLength(30_000);
    expect(sink.lines.filter((line) => line.startsWith("new"))).toHaveLength(40_000);
    expect(new Set(sink.lines).size).toBe(sink.lines.length);
    await tailer.stop();
  });

  test("finds its place though a file is written to and renamed while the folder is listed", async () => {
    writeFileSync(path, "first\n");
    const before = await tail();
    await before.stop();
    appendFileSync(path, "second\n");
    renameSync(path, `${path}.1`);
    writeFileSync(path, "third\n");
    // Its writer has the rotated file open and writes on, faster than it is listed.
    const writing = setInterval(() => appendFileSync(`${path}.1`, "more\n"), 0);
    const after = await tail();
    clearInterval(writing);
    await after.poll();
    expect(sink.gaps).toEqual([]);
    expect(sink.lines.slice(0, 2)).toEqual(["first", "second"]);
    expect(sink.lines).toContain("third");
    await after.stop();
  });

  test("orders rotated files by number, though their times are whole seconds", async () => {
    writeFileSync(path, "0\n");
    const before = await tail();
    await before.stop();
    const at = new Date("2026-11-28T12:00:00Z");
    for (let i = 11; i >= 1; i--) {
      const name = `${path}.${i}.gz`;
      writeFileSync(name, gzipSync(i === 11 ? "0\n" : `${11 - i}\n`));
      utimesSync(name, at, at);
    }
    writeFileSync(path, "11\n");
    const after = await tail();
    expect(sink.lines).toEqual(Array.from({ length: 12 }, (_, i) => String(i)));
    await after.stop();
  });

  test("gives a line the same id before and after a rotation", async () => {
    writeFileSync(path, "a1\na2\n");
    const first = await tail();
    await first.stop();
    const ids = [...sink.ids];
    renameSync(path, `${path}.1`);
    path = `${path}.1`;
    sink = new Sink();
    const second = await tail();
    expect(sink.ids).toEqual(ids);
    await second.stop();
  });
});

type Action =
  | "write"
  | "partial"
  | "rename"
  | "renameTwice"
  | "compress"
  | "copytruncate"
  | "poll"
  | "restart"
  | "crash"
  | "wait";
const ACTIONS: readonly Action[] = [
  "write",
  "write",
  "write",
  "partial",
  "rename",
  "renameTwice",
  "compress",
  "copytruncate",
  "poll",
  "poll",
  "restart",
  "crash",
  "wait",
];

describe("whatever is done to the log", () => {
  test("every line is read, and none is read twice under another id", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...ACTIONS), { minLength: 5, maxLength: 40 }), async (script) => {
        rmSync(dir, { recursive: true, force: true });
        dir = mkdtempSync(join(tmpdir(), "keepwatch-tail-"));
        path = join(dir, "messages");
        sink = new Sink();
        const written: string[] = [];
        let open = "";
        const write = (end = "\n"): void => {
          const text = open === "" ? `line ${written.length} ${"y".repeat(written.length % 7)}` : "";
          open += text;
          appendFileSync(path, text + end);
          if (end === "\n") {
            written.push(open);
            open = "";
          }
        };
        const shift = (): void => {
          for (let i = 9; i >= 1; i--)
            for (const ending of ["", ".gz"])
              if (statSync(`${path}.${i}${ending}`, { throwIfNoEntry: false }))
                renameSync(`${path}.${i}${ending}`, `${path}.${i + 1}${ending}`);
        };
        const rotate = (): void => {
          if (open !== "") write();
          if (statSync(path).size === 0) return;
          shift();
          renameSync(path, `${path}.1`);
          write();
        };
        writeFileSync(path, "");
        write();
        let tailer = await tail();
        const crashed: FileTail[] = [];
        for (const action of script) {
          if (action === "write") write();
          if (action === "partial" && open === "") write("");
          if (action === "rename") rotate();
          if (action === "renameTwice") {
            rotate();
            rotate();
          }
          if (action === "compress" && statSync(`${path}.1`, { throwIfNoEntry: false })) {
            // logrotate compresses what the writer has let go of; a tailer with the file open has read it by then.
            await tailer.poll();
            const { mtime } = statSync(`${path}.1`);
            writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(`${path}.1`)));
            rmSync(`${path}.1`);
            utimesSync(`${path}.1.gz`, mtime, mtime);
          }
          if (action === "copytruncate") {
            if (open !== "") write();
            if (statSync(path).size > 0) {
              shift();
              copyFileSync(path, `${path}.1`);
              truncateSync(path);
              // The next look comes before the file has grown past its old end: later is the race that is documented.
              await tailer.poll();
              write();
            }
          }
          if (action === "poll") await tailer.poll();
          if (action === "wait") clock.us += 2_000_000;
          if (action === "restart") {
            await tailer.stop();
            tailer = await tail();
          }
          if (action === "crash") {
            crashed.push(tailer);
            tailer = await tail();
          }
        }
        if (open !== "") write();
        await tailer.poll();
        await tailer.poll();
        await tailer.stop();
        const once = new Map(sink.ids.map((id, i) => [id, sink.lines[i]]));
        for (const gone of crashed) await gone.stop();
        expect(new Set(once.values())).toEqual(new Set(written));
        expect(once.size).toBe(written.length);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});
