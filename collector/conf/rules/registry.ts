import { addressRules } from "./addresses.ts";
import { electionRules } from "./election.ts";
import { instanceRules } from "./instances.ts";
import { timerRules } from "./timers.ts";
import type { Rule } from "./rule.ts";

/** Every rule, by subject. Findings appear in this order. */
export const RULES: readonly Rule[] = [...instanceRules, ...electionRules, ...timerRules, ...addressRules];
