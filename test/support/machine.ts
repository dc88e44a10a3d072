import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { GrammarTable } from "../../collector/logs/grammar.ts";
import { allGrammars } from "../../collector/logs/grammars/all.ts";
import { compile as compiled, type MachineParts } from "../../collector/logs/machine.ts";
import { meaningsOf } from "../../collector/logs/meanings.ts";
import { packTables } from "../../collector/logs/tables.ts";

const root = join(import.meta.dirname, "../..");
const COMPILED = join(root, "dist/collector/logs/machine.wasm");
const logs = join(root, "collector/logs");

/** The machine, compiled again when its source is newer, with the grammar as its source has it. */
export function machineParts(): MachineParts {
  if (isStale()) compile();
  const table = new GrammarTable(allGrammars);
  return {
    code: compiled(new Uint8Array(readFileSync(COMPILED))),
    tables: packTables(table.matcher.automaton, meaningsOf(table)),
  };
}

function isStale(): boolean {
  const sources = [...readdirSync(join(logs, "assembly")).map((name) => `assembly/${name}`), "layout.ts"];
  const changed = Math.max(...sources.map((name) => statSync(join(logs, name)).mtimeMs));
  return (statSync(COMPILED, { throwIfNoEntry: false })?.mtimeMs ?? 0) < changed;
}

/** Test files run side by side: none sees half of what another one writes. */
function compile(): void {
  const own = `${COMPILED}.${process.pid}`;
  mkdirSync(dirname(COMPILED), { recursive: true });
  execFileSync("npm", ["run", "--silent", "build:machine", "--", "--outFile", own], { cwd: root, stdio: "inherit" });
  renameSync(own, COMPILED);
}
