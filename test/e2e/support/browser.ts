import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { root } from "../../support/process.ts";

export const CHROMIUM = "/usr/bin/chromium";
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The built page; built here only when there is none, or the sources are newer: `npm test` has built it already. */
export function builtPage(): string {
  const folder = join(root, "dist/web");
  const index = join(folder, "index.html");
  const newest = Math.max(
    ...readdirSync(join(root, "web"), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(tsx?|css|html|svg)$/.test(name))
      .map((name) => statSync(join(root, "web", name)).mtimeMs),
  );
  if (existsSync(index) && statSync(index).mtimeMs >= newest) return folder;
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const { status, stderr } = spawnSync(process.execPath, [vite, "build", "--config", "web/vite.config.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the page could not be built: ${stderr}`);
  return folder;
}

/** Whatever a page complains of, a breach of the content security policy among it. */
export function noteFaults(page: Page, faults: string[]): void {
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
}
