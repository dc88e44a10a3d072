import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runToEnd } from "../support/process.ts";

/** The part that goes on a router: the package, packed and installed without its optional dependencies. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-router-"));
const bin = join(dir, "node_modules/.bin/keepwatch");
const MIB = 1024 * 1024;

beforeAll(async () => {
  mkdirSync(join(dir, "pack"));
  const packed = await runToEnd("npm", ["pack", "--ignore-scripts", "--pack-destination", join(dir, "pack")]);
  expect(packed.status, packed.stderr).toBe(0);
  const [tarball = ""] = readdirSync(join(dir, "pack"));
  writeFileSync(join(dir, "package.json"), '{ "name": "router", "version": "0.0.0", "private": true }');
  const installed = await runToEnd(
    "npm",
    [
      "install",
      "--omit=optional",
      "--omit=dev",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      join(dir, "pack", tarball),
    ],
    { cwd: dir, timeoutMs: 180_000 },
  );
  expect(installed.status, installed.stderr).toBe(0);
}, 240_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function bytesBelow(path: string): number {
  const stat = statSync(path);
  return stat.isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0)
    : stat.size;
}

test("it brings neither the database nor the web server's packages, and stays small", () => {
  for (const name of ["chdb", "@chdb", "@clickhouse", "fastify", "@fastify", "nodemailer", "preact", "chart.js"])
    expect(existsSync(join(dir, "node_modules", name)), name).toBe(false);
  const size = bytesBelow(join(dir, "node_modules")) / MIB;
  process.stdout.write(`size of the collector's installation: ${size.toFixed(1)} MiB\n`);
  expect(size).toBeLessThan(20);
});

test("what its metrics need comes with it", () => {
  expect(existsSync(join(dir, "node_modules/prom-client"))).toBe(true);
});

test("its collector runs", async () => {
  const config = join(dir, "collector.toml");
  writeFileSync(config, '[server]\nurl = "http://127.0.0.1:9"\n');
  const checked = await runToEnd(bin, ["collector", "--config", config, "--check-config"], { cwd: dir });
  expect(checked.status, checked.stderr).toBe(0);
});

test("its other verbs say what is missing and how to get it", async () => {
  const server = await runToEnd(bin, ["server"], { cwd: dir });
  expect(server.status).toBe(2);
  expect(server.stderr).toContain("[PACKAGES_MISSING]");
  expect(server.stderr).toContain("--omit=optional");
  expect(server.stderr).not.toMatch(/^\s+at /m);
});

test("it checks a configuration, and knows the pages of what it finds", async () => {
  const path = join(dir, "keepalived.conf");
  writeFileSync(path, "vrrp_instance VI_1 {\n    state master\n    interface eth0\n}\n");
  const linted = await runToEnd(bin, ["lint", "--keepalived-version", "2.2.7", path], { cwd: dir });
  expect([linted.status, linted.stderr]).toEqual([1, ""]);
  expect(linted.stdout).toContain("keepalived.conf:2:5: degraded state_unknown");
  const explained = await runToEnd(bin, ["lint", "--explain", "state_unknown"], { cwd: dir });
  expect(explained.stdout).toContain("## state_unknown");
});
