import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileTail } from "../../../collector/sources/file-tail.ts";
import type { SourceContext } from "../../../collector/sources/source.ts";
import { ManualClock } from "../app/support.ts";

let dir: string;
let path: string;
let lines: string[];
let gaps: string[];
let position: string | undefined;
const clock = new ManualClock();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-tail-disks-"));
  path = join(dir, "messages");
  lines = [];
  gaps = [];
  position = undefined;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function tail(): Promise<FileTail> {
  const context: SourceContext = {
    emit: async (observations, reached) => {
      for (const seen of observations)
        if (seen.body.kind === "collector.gap") gaps.push(seen.body.reason);
        else lines.push(seen.raw ?? "");
      if (reached) position = reached.value;
    },
    position: () => position,
    log: () => undefined,
  };
  const made = new FileTail({
    path,
    clock,
    from: "start",
    selfDriven: false,
    createReader: (file) => ({
      read: (line, place) => ({
        source: "log",
        ts: clock.now,
        tsUncertaintyUs: 0,
        idParts: [file, place.offset],
        raw: Buffer.from(line).toString(),
        body: { kind: "log.unrecognised" },
      }),
      counts: () => ({ lines: 0, keepalivedLines: 0, unrecognised: 0, malformed: 0 }),
    }),
  });
  await made.start(context);
  return made;
}

const TOOLS = [
  ["xz", "xz"],
  ["bz2", "bzip2"],
  ["zst", "zstd"],
] as const;

describe("a log that was compressed while nobody read it", () => {
  describe.each(TOOLS)("into .%s", (ending, tool) => {
    const has = spawnSync(tool, ["--version"]).status === 0;
    const pack = (file: string): void => {
      execFileSync(tool, ["-q", file]);
      rmSync(file, { force: true });
    };

    test.runIf(has)("is read on where it was, and all that was rotated since", async () => {
      writeFileSync(path, `a1\n${"x".repeat(300_000)}\n`);
      const first = await tail();
      await first.stop();
      appendFileSync(path, "a3\n");
      renameSync(path, `${path}.3`);
      pack(`${path}.3`);
      writeFileSync(`${path}.2`, "b1\nb2\n");
      pack(`${path}.2`);
      writeFileSync(`${path}.1`, "c1\n");
      writeFileSync(path, "d1\n");
      const second = await tail();
      expect(lines.map((line) => line.slice(0, 2))).toEqual(["a1", "xx", "a3", "b1", "b2", "c1", "d1"]);
      expect(gaps).toEqual([]);
      await second.stop();
    });

    test.runIf(has)("and is damaged, is named in a gap", async () => {
      writeFileSync(path, "a1\n");
      const first = await tail();
      await first.stop();
      appendFileSync(path, `a2\n${Array.from({ length: 60_000 }, (_, i) => `${i * 7919}`).join("\n")}\n`);
      renameSync(path, `${path}.1`);
      pack(`${path}.1`);
      const packed = `${path}.1.${ending}`;
      truncateSync(packed, Math.floor(statSync(packed).size / 2));
      writeFileSync(path, "b1\n");
      const second = await tail();
      expect(lines.at(-1)).toBe("b1");
      expect(gaps.join("\n")).toContain(packed);
      await second.stop();
    });

    test.runIf(has)("is named with the package to install where its program is missing", async () => {
      writeFileSync(path, "a1\n");
      const first = await tail();
      await first.stop();
      renameSync(path, `${path}.1`);
      pack(`${path}.1`);
      writeFileSync(path, "b1\n");
      const { PATH } = process.env;
      process.env["PATH"] = dir;
      const second = await tail();
      process.env["PATH"] = PATH;
      expect(lines).toEqual(["a1", "b1"]);
      expect(gaps.join("\n")).toMatch(
        new RegExp(
          `messages\\.1\\.${ending} cannot be read: it takes the program ${tool}.*apt-get install ${ending === "xz" ? "xz-utils" : tool}`,
        ),
      );
      await second.stop();
    });
  });
});

/** A disk of its own: only root may have one. */
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-tail-ext4-"));
const ext4 = ((): boolean => {
  const image = join(scratch, "image");
  writeFileSync(image, "");
  truncateSync(image, 16 * 1024 * 1024);
  mkdirSync(join(scratch, "disk"));
  return (
    spawnSync("mkfs.ext4", ["-q", "-F", image]).status === 0 &&
    spawnSync("/bin/mount", ["-o", "loop", image, join(scratch, "disk")]).status === 0
  );
})();

describe.runIf(ext4)("on a disk that gives a deleted file's inode to the next", () => {
  beforeEach(() => {
    path = join(scratch, "disk", "messages");
  });
  afterEach(() => {
    for (const name of ["messages", "messages.1", "messages.2"]) rmSync(join(scratch, "disk", name), { force: true });
  });

  test("the new file is another stream, though nobody looked in between", async () => {
    writeFileSync(path, "a1\n");
    const before = statSync(path).ino;
    const first = await tail();
    await first.stop();
    rmSync(path);
    writeFileSync(path, "b1 and longer than what was read\n");
    expect(statSync(path).ino).toBe(before);
    const second = await tail();
    expect(lines).toEqual(["a1", "b1 and longer than what was read"]);
    expect(gaps).toHaveLength(1);
    await second.stop();
  });

  test("and of what was rotated, the rest is read from its copy, and the new file from its start", async () => {
    writeFileSync(path, "a1\n");
    const before = statSync(path).ino;
    const first = await tail();
    await first.stop();
    appendFileSync(path, "a2\n");
    // As logrotate does with compress: another file has the content, and the inode is free.
    execFileSync("gzip", ["-k", path]);
    renameSync(`${path}.gz`, `${path}.1.gz`);
    rmSync(path);
    for (let i = 0; i < 50; i++) {
      writeFileSync(path, "b1\nb2\n");
      if (statSync(path).ino === before) break;
      renameSync(path, `${path}.other.${i}`);
      rmSync(`${path}.other.${i}`);
    }
    expect(statSync(path).ino).toBe(before);
    const second = await tail();
    expect(lines).toEqual(["a1", "a2", "b1", "b2"]);
    expect(gaps).toEqual([]);
    await second.stop();
    rmSync(`${path}.1.gz`);
  });
});
process.on("exit", () => {
  if (ext4) spawnSync("/bin/umount", ["-l", join(scratch, "disk")]);
  rmSync(scratch, { recursive: true, force: true });
});

describe("while it is read", () => {
  test("a symbolic link that is switched leads to the new file, from its start, after the rest of the old one", async () => {
    writeFileSync(join(dir, "monday"), "a1\n");
    writeFileSync(join(dir, "tuesday"), "b1\nb2\n");
    symlinkSync("monday", path);
    const tailer = await tail();
    appendFileSync(join(dir, "monday"), "a2\n");
    symlinkSync("tuesday", join(dir, "next"));
    renameSync(join(dir, "next"), path);
    await tailer.poll();
    appendFileSync(join(dir, "monday"), "a3\n");
    await tailer.poll();
    expect([...lines].sort()).toEqual(["a1", "a2", "a3", "b1", "b2"]);
    expect(gaps).toEqual([]);
    await tailer.stop();
  });

  test.runIf(process.getuid?.() === 0 && process.seteuid !== undefined)(
    "permission that is taken away and given back is told, and nothing is lost or twice",
    async () => {
      chmodSync(dir, 0o755);
      writeFileSync(path, "a1\n");
      const asNobody = async <T>(work: () => Promise<T>): Promise<T> => {
        process.seteuid?.(65_534);
        try {
          return await work();
        } finally {
          process.seteuid?.(0);
        }
      };
      const tailer = await asNobody(tail);
      expect(lines).toEqual(["a1"]);
      // Of the open file nothing changes.
      chmodSync(path, 0o600);
      appendFileSync(path, "a2\n");
      await asNobody(() => tailer.poll());
      expect(lines).toEqual(["a1", "a2"]);
      await asNobody(() => tailer.stop());
      appendFileSync(path, "a3\n");
      const again = await asNobody(tail);
      expect(again.status()).toMatchObject({
        state: "unavailable",
        reason: expect.stringMatching(/no permission to read .*messages.*group/) as string,
      });
      chmodSync(path, 0o644);
      await asNobody(() => again.poll());
      expect([lines, gaps]).toEqual([["a1", "a2", "a3"], []]);
      // A new file that may not be read, in place of the old.
      renameSync(path, `${path}.1`);
      writeFileSync(path, "b1\n", { mode: 0o600 });
      appendFileSync(`${path}.1`, "a4\n");
      await asNobody(() => again.poll());
      appendFileSync(`${path}.1`, "a5\n");
      await asNobody(() => again.poll());
      chmodSync(path, 0o644);
      await asNobody(() => again.poll());
      expect([[...lines].sort(), gaps]).toEqual([["a1", "a2", "a3", "a4", "a5", "b1"], []]);
      await asNobody(() => again.stop());
    },
  );
});
