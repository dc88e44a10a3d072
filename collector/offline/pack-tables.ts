/** Part of the build: the automaton of all templates, and what they mean, is made once, and read by every scan. */
import { writeFileSync } from "node:fs";
import { GrammarTable } from "../logs/grammar.ts";
import { allGrammars } from "../logs/grammars/all.ts";
import { meaningsOf } from "../logs/meanings.ts";
import { packTables } from "../logs/tables.ts";

const table = new GrammarTable(allGrammars);
writeFileSync(new URL("../logs/tables.bin", import.meta.url), packTables(table.matcher.automaton, meaningsOf(table)));
