import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Incident } from "../../server/detect/incident.ts";
import { eventually, keepwatch, keepwatchBin, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-replay-"));
const recording = new URL("../../server/demo/recording/", import.meta.url).pathname;
const files = readdirSync(recording).flatMap((node) =>
  readdirSync(join(recording, node)).map((file) => `${node}=${join(recording, node, file)}`),
);
const SESAME = createHash("sha256").update("sesame").digest("hex");
writeFileSync(join(dir, "token"), "sesame\n");
writeFileSync(join(dir, "wrong"), "open\n");
writeFileSync(
  join(dir, "server.toml"),
  `[listen]
port = 0
[storage]
path = "${dir}/store"
[alerts]
mail_from_keepalived_conf = false
${["lb1", "lb2"].map((node) => `[[ingest.tokens]]\nnode = "${node}"\nsha256 = "${SESAME}"`).join("\n")}
`,
);
const server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")]);
let url = "";
beforeAll(async () => {
  [, url = ""] = await server.printed(/timeline at (http:\S+)/);
});
afterAll(async () => {
  await server.end();
  rmSync(dir, { recursive: true, force: true });
});

const replay = (...args: string[]) => keepwatch(["replay", "--tz", "UTC", "--to", url, ...args]);
const TOKEN = ["--token-file", join(dir, "token")];
const splitBrains = async (cluster: string): Promise<Incident[] | undefined> => {
  const incidents = (await (await fetch(`${url}api/v1/incidents?cluster=${cluster}`)).json()) as Incident[];
  const found = incidents.filter(({ kind, status }) => kind === "split-brain" && status === "resolved");
  return found.length > 0 ? found : undefined;
};

test("fills in what was recorded, as it was, and takes it once", async () => {
  const first = await replay("--as-recorded", "--cluster", "old", ...TOKEN, ...files);
  expect([first.status, first.stderr]).toEqual([0, ""]);
  expect(first.stdout).toMatch(/(\d+) sent, .*; the server had 0 of them before/);
  const [found] = await eventually("the recorded split-brain", () => splitBrains("old"));
  expect(new Date((found?.start ?? 0) / 1000).toISOString()).toMatch(/^2026-11-24T12:32:16/);
  const again = await replay("--as-recorded", "--cluster", "old", ...TOKEN, ...files);
  const [, sent, had] = /(\d+) sent, .*; the server had (\d+) of them before/.exec(again.stdout) ?? [];
  expect(had).toBe(sent);
});

test("replays faster than it was, and nothing of it is of the future", async () => {
  const began = Date.now() * 1000;
  const { status, stdout } = await replay("--speed", "20", ...TOKEN, ...files);
  expect([status, stdout]).toEqual([0, expect.stringContaining("as if they happened now; it takes 2 s")]);
  const [found] = await eventually("the split-brain of now", () => splitBrains("replay"));
  // 39 s of recording end with the replay; the two masters stand from its 18th second to its 26th.
  expect(found?.end).toBeLessThan(Date.now() * 1000);
  expect(found?.start).toBeGreaterThan(began - 39_000_000);
});

test.each([
  ["a token that nobody knows", () => ["--token-file", join(dir, "wrong")], /401.*\[REPLAY_REFUSED\]/],
  ["no token file", () => ["--token-file", join(dir, "none")], /none cannot be read.*\[TOKEN_UNREADABLE\]/],
  ["what is no address", () => ["--to", "localhost:8080"], /--to localhost:8080 is not a server's address.*\[USAGE\]/],
  ["no speed", () => ["--speed", "0"], /--speed 0 is not a factor.*\[USAGE\]/],
])("ends with a sentence for %s", async (_, args, sentence) => {
  const { status, stderr } = await replay(...args(), ...files);
  expect([status, stderr]).toEqual([2, expect.stringMatching(sentence)]);
  expect(stderr).not.toMatch(/^ +at /m);
});

test("has nothing to send of a file without keepalived, and says so", async () => {
  writeFileSync(join(dir, "other.log"), "Nov 24 10:53:23 lb1 sshd[1]: x\n");
  const { status, stderr } = await replay(...TOKEN, join(dir, "other.log"));
  expect([status, stderr]).toEqual([2, expect.stringContaining("[REPLAY_EMPTY]")]);
});
