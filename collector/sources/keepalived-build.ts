import { spawnSync } from "node:child_process";
import { type KeepalivedBuild, readBuild } from "../chain/build.ts";

/** How long keepalived may take to say its version, milliseconds. */
const KEEPALIVED_MS = 5_000;

/** What the keepalived that is installed on this machine says of itself; undefined when there is none. */
export function installedBuild(): KeepalivedBuild | undefined {
  const version = ask("-v");
  return version === "" ? undefined : readBuild(version, ask("-h"));
}

/**
 * Number of one of keepalived's signals (`RELOAD`, `DATA`, `JSON`, …), by the binary's own word: the real-time ones differ
 * with the C library. undefined when it knows no such name.
 */
export function signalNumber(name: string): number | undefined {
  const number = Number(ask(`--signum=${name}`).trim() || Number.NaN);
  return Number.isInteger(number) && number >= 1 && number <= 64 ? number : undefined;
}

function ask(option: string): string {
  const { stderr, stdout } = spawnSync("keepalived", [option], {
    encoding: "utf8",
    timeout: KEEPALIVED_MS,
    env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/local/sbin` },
  });
  return `${stderr ?? ""}${stdout ?? ""}`;
}
