import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

/**
 * The arrows of ARCHITECTURE.md are oxlint rules. A linter that does not see a module finds nothing wrong with it, so
 * each rule is shown a violation that it must find, in a file planted where the rule holds.
 */
const root = join(import.meta.dirname, "../..");
const PLANTED = "planted-violation.ts";
const planted = new Set<string>();

afterAll(() => {
  for (const path of planted) rmSync(path, { force: true });
});

function lint(...paths: readonly string[]): { status: number; output: string } {
  try {
    return {
      status: 0,
      output: execFileSync(join(root, "node_modules/.bin/oxlint"), ["--type-aware", ...paths], {
        cwd: root,
        encoding: "utf8",
      }),
    };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    return { status, output: stdout };
  }
}

function plant(folder: string, source: string): string {
  const path = join(root, folder, PLANTED);
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(path, source);
  planted.add(path);
  return path;
}

const VIOLATIONS: readonly (readonly [folder: string, what: string, source: string, said: string])[] = [
  [
    "collector/logs",
    "the server",
    'import { openStore } from "../../server/store/clickhouse-store.ts";\nexport const x = openStore;\n',
    "no-restricted-imports",
  ],
  [
    "collector/sources",
    "the server",
    'import type { Store } from "../../server/store/store.ts";\nexport type X = Store;\n',
    "no-restricted-imports",
  ],
  [
    "collector/sinks",
    "a package a router does not have",
    'import fastify from "fastify";\nexport const x = fastify;\n',
    "no-restricted-imports",
  ],
  [
    "collector/vrrp",
    "files",
    'import { readFileSync } from "node:fs";\nexport const x = readFileSync;\n',
    "no-restricted-imports",
  ],
  [
    "collector/chain",
    "files",
    'import { readFileSync } from "node:fs";\nexport const x = readFileSync;\n',
    "no-restricted-imports",
  ],
  ["collector/process", "the clock", "export const x = Date.now();\n", "no-restricted-properties"],
  ["collector/shadow", "the clock", "export const x = Date.now();\n", "no-restricted-properties"],
  ["test/sim", "the clock", "export const x = Date.now();\n", "no-restricted-properties"],
  [
    "collector/shadow",
    "a source",
    'import { createJournal } from "../sources/journal.ts";\nexport const x = createJournal;\n',
    "no-restricted-imports",
  ],
  [
    "collector/checks",
    "sockets",
    'import { connect } from "node:net";\nexport const x = connect;\n',
    "no-restricted-imports",
  ],
  ["collector/checks", "randomness", "export const x = Math.random();\n", "no-restricted-properties"],
  ["collector/conf", "the clock", "export const x = Date.now();\n", "no-restricted-properties"],
  ["collector/logs", "randomness", "export const x = Math.random();\n", "no-restricted-properties"],
  ["collector/pcap", "timers", "export const x = setTimeout(() => undefined, 1);\n", "no-restricted-globals"],
  ["collector/events", "the environment", "export const x = process.env;\n", "no-restricted-globals"],
  ["server/detect", "the clock", "export const x = Date.now();\n", "no-restricted-properties"],
  [
    "server/detect",
    "the store",
    'import type { Store } from "../store/store.ts";\nexport type X = Store;\n',
    "no-restricted-imports",
  ],
  [
    "server/store",
    "a composition root",
    'import { labVerb } from "../verbs/lab.ts";\nexport const x = labVerb;\n',
    "no-restricted-imports",
  ],
  [
    "web",
    "the server's code",
    'import { openStore } from "../server/store/clickhouse-store.ts";\nexport const x = openStore;\n',
    "no-restricted-imports",
  ],
  [
    "web",
    "the collector",
    'import { eventId } from "../collector/events/id.ts";\nexport const x = eventId;\n',
    "no-restricted-imports",
  ],
  ["collector/core", "a promise nobody awaits", "async function f(): Promise<void> {}\nf();\n", "no-floating-promises"],
];

describe("the linter sees our modules and keeps the arrows", () => {
  test.each(VIOLATIONS)("%s may not reach for %s", (folder, _what, source, rule) => {
    const path = plant(folder, source);
    const { status, output } = lint(path);
    rmSync(path);
    expect(output).toContain(rule);
    expect(status).not.toBe(0);
  });

  test("a cycle between two modules is found", () => {
    const a = join(root, "collector/core", `cycle-a-${PLANTED}`);
    const b = join(root, "collector/core", `cycle-b-${PLANTED}`);
    planted.add(a).add(b);
    writeFileSync(a, `import { y } from "./cycle-b-${PLANTED}";\nexport const x = (): number => y();\n`);
    writeFileSync(b, `import { x } from "./cycle-a-${PLANTED}";\nexport const y = (): number => x();\n`);
    const { output } = lint(a, b);
    rmSync(a);
    rmSync(b);
    expect(output).toContain("no-cycle");
  });
});
