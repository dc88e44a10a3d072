import type { LineGrammar } from "../grammar.ts";
import { configGrammars } from "./config.ts";
import { daemonGrammars } from "./daemon.ts";
import { noiseGrammars } from "./noise.ts";
import { vrrpGrammars } from "./vrrp.ts";

/** Every row there is. Their order says nothing: of several that fit a message, the one with more letters of its own is meant. */
export const allGrammars: readonly LineGrammar[] = [
  ...daemonGrammars,
  ...vrrpGrammars,
  ...configGrammars,
  ...noiseGrammars,
];
