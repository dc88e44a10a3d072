import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const hasKeepalived = spawnSync("keepalived", ["--version"]).error === undefined;
/** The release whose behaviour the installed daemon shows. */
export const INSTALLED: readonly [number, number, number] = installed();

function installed(): readonly [number, number, number] {
  const match = /v(\d+)\.(\d+)\.(\d+)/.exec(spawnSync("keepalived", ["--version"], { encoding: "utf8" }).stderr ?? "");
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)];
}

/** Files in a folder of their own, gone when the callback ends. */
export function inFolder<T>(files: Readonly<Record<string, string | Uint8Array>>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "keepwatch-syntax-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, { mode: 0o644 });
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `keepalived -t` says about a file, line by line, and whether it ended by itself. */
export function configTest(path: string, configId: string): { lines: string[]; ended: boolean; status: number | null } {
  const { stderr, status, signal } = spawnSync("keepalived", ["-t", "-f", path, "-i", configId], {
    encoding: "latin1",
    timeout: 5000,
    killSignal: "SIGKILL",
  });
  return { lines: stderr.split("\n").filter((line) => line !== ""), ended: signal === null, status };
}
