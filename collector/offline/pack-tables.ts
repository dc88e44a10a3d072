/** Part of the build: the automaton of all templates is made once, and read by every scan. */
import { writeFileSync } from "node:fs";
import { GrammarTable } from "../logs/grammar.ts";
import { allGrammars } from "../logs/grammars/all.ts";
import { packTables } from "../logs/tables.ts";

writeFileSync(
  new URL("../logs/tables.bin", import.meta.url),
  packTables(new GrammarTable(allGrammars).matcher.automaton),
);
