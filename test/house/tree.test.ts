import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EVENT_KINDS } from "../../collector/events/event.ts";
import { VERSION } from "../../collector/version.ts";

const root = join(import.meta.dirname, "../..");
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);

/** What the user asked for, and the files every project has. */
const TOP_LEVEL =
  /^(package(-lock)?\.json|tsconfig(\.build)?\.json|(server|collector|web|dashboards|test)\/|README\.md|ARCHITECTURE\.md|CHANGELOG\.md|LICENSE|\.[^/]+|\.ci\/|(biome|knip)\.json|vitest\.config\.ts)/;

test("the top level holds what was asked for and nothing else", () => {
  expect(tracked.filter((path) => !TOP_LEVEL.test(path))).toEqual([]);
});

test("no source file names a machine's own path or leaves work undone", () => {
  const sources = tracked.filter(
    (path) =>
      /\.(ts|tsx|mjs|md|json|html|css)$/.test(path) && path !== "package-lock.json" && !path.startsWith("test/house/"),
  );
  const words = ["TO" + "DO", "FIX" + "ME", "@ts-" + "ignore", "/wo" + "rk/"];
  const found = sources.flatMap((path) =>
    words.filter((word) => readFileSync(join(root, path), "utf8").includes(word)).map((word) => `${path}: ${word}`),
  );
  expect(found).toEqual([]);
});

test("the packages a router installs are few and need no install script", () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  expect(Object.keys(dependencies).sort()).toEqual([
    "commander",
    "dns-packet",
    "ipaddr.js",
    "prom-client",
    "smol-toml",
    "tail",
    "typebox",
  ]);
});

test("every version in package.json is exact", () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const versions = Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("the version is said in one way", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});

test("every kind of event has its line on the page for people", () => {
  const page = readFileSync(join(root, "collector/events/README.md"), "utf8");
  expect(Object.keys(EVENT_KINDS).filter((kind) => !page.includes(`\`${kind}\``))).toEqual([]);
});
