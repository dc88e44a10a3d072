import { addressRules } from "./addresses.ts";
import { authenticationRules } from "./authentication.ts";
import { bfdRules } from "./bfd.ts";
import { checkRules } from "./checks.ts";
import { electionRules } from "./election.ts";
import { groupRules } from "./groups.ts";
import { instanceRules } from "./instances.ts";
import { interfaceRules } from "./interfaces.ts";
import { mailRules } from "./mail.ts";
import { processorRules } from "./processors.ts";
import { routeRules } from "./routes.ts";
import type { Rule } from "./rule.ts";
import { scriptRules } from "./scripts.ts";
import { serverOptionRules } from "./server-options.ts";
import { serverRules } from "./servers.ts";
import { strictRules } from "./strict.ts";
import { timerRules } from "./timers.ts";
import { trackGroupRules } from "./track-groups.ts";
import { trackingRules } from "./tracking.ts";
import { unicastRules } from "./unicast.ts";

/** Every rule, by subject. Findings appear in this order. */
export const RULES: readonly Rule[] = [
  ...instanceRules,
  ...interfaceRules,
  ...electionRules,
  ...authenticationRules,
  ...strictRules,
  ...timerRules,
  ...addressRules,
  ...unicastRules,
  ...routeRules,
  ...serverRules,
  ...serverOptionRules,
  ...checkRules,
  ...bfdRules,
  ...trackingRules,
  ...trackGroupRules,
  ...scriptRules,
  ...groupRules,
  ...mailRules,
  ...processorRules,
];
