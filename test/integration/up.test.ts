import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { eventually, keepwatch, keepwatchBin, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-up-"));
const started: Running[] = [];
afterAll(async () => {
  // Also what a failed test left behind.
  for (const running of started) await running.end("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

function up(data: string, ...options: readonly string[]): Running {
  const running = new Running(process.execPath, [keepwatchBin, "up", "--data", join(dir, data), ...options]);
  started.push(running);
  return running;
}

describe("keepwatch up", () => {
  test("says where the timeline is, what is read, and what cannot be read and why", async () => {
    const running = up("first", "--port", "0");
    await running.printed(/Ctrl-C ends it/);
    expect(running.output).toMatch(/Timeline: http:\/\/127\.0\.0\.1:\d+\//);
    for (const source of ["config", "addresses", "capture", "log"])
      expect(running.output).toMatch(new RegExp(`(reads|cannot read) ${source}`));
    for (const line of running.output.split("\n").filter((text) => text.includes("cannot read")))
      expect(line).toMatch(/\): \S+ .+/);
    const url = /Timeline: (\S+)/.exec(running.output)?.[1] ?? "";
    // The collector has said so to its spool, and the spool to the server, a moment later.
    await eventually("the node", async () =>
      ((await (await fetch(`${url}api/v1/nodes`)).json()) as unknown[]).length === 1 ? true : undefined,
    );
    expect(await (await fetch(url)).text()).toContain("<title>keepwatch</title>");
    expect(await running.end("SIGINT")).toBe(0);
  }, 60_000);

  test("starts again on what it left, and takes a free port when its own is taken", async () => {
    const taken = createServer().listen(8080, "127.0.0.1");
    // Whoever has it, it is taken now.
    await Promise.race([once(taken, "listening"), once(taken, "error")]);
    const running = up("first");
    await running.printed(/port 8080 is taken: using a free one/);
    await running.printed(/Ctrl-C ends it/);
    expect(await running.end()).toBe(0);
    taken.close();
  }, 60_000);

  test("refuses a port that is taken when it was asked for, and a folder in use, in one sentence each", async () => {
    const first = up("second", "--port", "0");
    await first.printed(/Ctrl-C ends it/);
    const port = /127\.0\.0\.1:(\d+)/.exec(first.output)?.[1] ?? "";
    const second = await keepwatch(["up", "--data", join(dir, "third"), "--port", port]);
    expect(second.stderr).toMatch(new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use`));
    const third = await keepwatch(["up", "--data", join(dir, "second"), "--port", "0"]);
    expect(third.stderr).toMatch(/is in use by another process/);
    expect([second.status, third.status]).toEqual([2, 2]);
    expect(second.stderr + third.stderr).not.toMatch(/^\s+at /m);
    await first.end();
  }, 90_000);
});
