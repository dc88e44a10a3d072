import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { builtPage } from "../e2e/support/browser.ts";

/** What a browser loads before it shows anything, bytes. */
const FIRST_LOAD_MAX = 200 * 1024;

test("the page's first load is small, and all of it is its own", () => {
  const folder = builtPage();
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");
  for (const path of named) expect(path).toMatch(/^\/[\w./-]+$/);
  expect(html).not.toMatch(/<script(?![^>]*src)|<style|style=/);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.(html|js|css|svg)$/.test(name),
  );
  expect(files.length).toBeGreaterThanOrEqual(3);
  const bytes = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
  expect(bytes).toBeLessThan(FIRST_LOAD_MAX);
});
