import type { LineGrammar } from "../grammar.ts";
import { bfdGrammars } from "./bfd.ts";
import { checkerGrammars } from "./checkers.ts";
import { configGrammars } from "./config.ts";
import { daemonGrammars } from "./daemon.ts";
import { netlinkGrammars } from "./netlink.ts";
import { noiseGrammars } from "./noise.ts";
import { problemGrammars } from "./problems.ts";
import { scriptGrammars } from "./scripts.ts";
import { smtpGrammars } from "./smtp.ts";
import { virtualServerGrammars } from "./virtual-servers.ts";
import { addressGrammars } from "./vrrp-addresses.ts";
import { packetGrammars } from "./vrrp-packets.ts";
import { vrrpGrammars } from "./vrrp.ts";

/** Every row there is. Their order says nothing: of several that fit a message, the one with more letters of its own is meant. */
export const allGrammars: readonly LineGrammar[] = [
  ...daemonGrammars,
  ...vrrpGrammars,
  ...packetGrammars,
  ...addressGrammars,
  ...netlinkGrammars,
  ...scriptGrammars,
  ...bfdGrammars,
  ...virtualServerGrammars,
  ...checkerGrammars,
  ...smtpGrammars,
  ...configGrammars,
  ...problemGrammars,
  ...noiseGrammars,
];
