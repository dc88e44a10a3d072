import type { Scenario } from "../scenario.ts";
import { causeScenarios } from "./causes.ts";
import { nginxPair, nginxPairStrict } from "./nginx-pair.ts";
import { vrrpScenarios } from "./vrrp.ts";

export const SCENARIOS: readonly Scenario[] = [...vrrpScenarios, ...causeScenarios, nginxPair, nginxPairStrict];
