import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { GrammarTable } from "../../collector/logs/grammar.ts";
import { allGrammars } from "../../collector/logs/grammars/all.ts";
import type { MachineParts } from "../../collector/logs/machine.ts";
import { packTables } from "../../collector/logs/tables.ts";

const root = join(import.meta.dirname, "../..");
const COMPILED = join(root, "dist/collector/logs/machine.wasm");
const logs = join(root, "collector/logs");

/** Before any test: the machine is compiled when its source is newer. */
export default function setup(): void {
  const sources = [...readdirSync(join(logs, "assembly")).map((name) => `assembly/${name}`), "layout.ts"];
  const changed = Math.max(...sources.map((name) => statSync(join(logs, name)).mtimeMs));
  if ((statSync(COMPILED, { throwIfNoEntry: false })?.mtimeMs ?? 0) > changed) return;
  execFileSync("npm", ["run", "--silent", "build:machine"], { cwd: root, stdio: "inherit" });
}

/** The machine, with the grammar as its source has it. */
export const machineParts = (): MachineParts => ({
  code: new Uint8Array(readFileSync(COMPILED)),
  tables: packTables(new GrammarTable(allGrammars).matcher.automaton),
});
