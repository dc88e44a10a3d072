import type { Scenario } from "../scenario.ts";
import { nginxPair, nginxPairStrict } from "./nginx-pair.ts";
import { vrrpScenarios } from "./vrrp.ts";

export const SCENARIOS: readonly Scenario[] = [...vrrpScenarios, nginxPair, nginxPairStrict];
