import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALL_CODES } from "../../../collector/conf/codes/registry.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { parseRelease } from "../../../collector/conf/version.ts";
import { type Example, pageOf } from "./codes-page.ts";
import { root } from "../../support/process.ts";
import { NODE } from "./node.ts";

const MISTAKES = join(import.meta.dirname, "mistakes");
const EXPECT = /^# (?:expect|release): .*\n/gm;

/** What the fixtures of the rules show. */
function examples(): Example[] {
  return readdirSync(MISTAKES)
    .filter((name) => name.endsWith(".conf"))
    .flatMap((name) => {
      const text = readFileSync(join(MISTAKES, name), "utf8");
      const headers = [...text.matchAll(EXPECT)].length;
      const release = parseRelease(/^# release: (\S+)/m.exec(text)?.[1] ?? "2.2.7") ?? [2, 2, 7];
      const tree = parseConf("keepalived.conf", { read: () => text, glob: () => [] }, "lb1", { release });
      return modelOf(tree, { release, facts: NODE }).diagnostics.map(({ code, line = 1, message }) => ({
        code,
        line: line - headers,
        message,
        text: text.replace(EXPECT, ""),
      }));
    });
}

test("the page tells what the tables tell: otherwise run npm run pages", async () => {
  await expect(pageOf(examples())).toMatchFileSnapshot(join(root, "collector/conf/codes/README.md"));
});

test("every code has a section of its own, and every section a code", () => {
  const sections = [...pageOf([]).matchAll(/^## (.*)$/gm)].map(([, code]) => code);
  expect(sections).toEqual(ALL_CODES.map(({ code }) => code).sort());
});

test("no code is there twice, and all are snake_case", () => {
  const codes = ALL_CODES.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.filter((code) => !/^[a-z][a-z0-9_]*$/.test(code))).toEqual([]);
});
