import { entriesOf, prefixed, wordsOf } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { type Conf, type Finding, type Rule, shown } from "./rule.ts";

/** Routes and rules that keepalived sets, of instances and of its own. */

const TRACKS_ROUTES: Release = [2, 0, 1];
const COUNTS_PREFERENCES: Release = [2, 0, 16];
/** Old words of a route, and what they are called since 1.2.24. */
const OLD_WORDS: Readonly<Record<string, string>> = { gw: "via", or: "nexthop" };

const linesOf = ({ roots, instances }: Conf, ...keywords: readonly string[]): ConfNode[] => [
  ...entriesOf(roots, ...keywords),
  ...instances.flatMap(({ nodes }) => entriesOf(nodes, ...keywords)),
];

function* routes(conf: Conf): Iterable<Finding> {
  for (const node of linesOf(conf, "static_routes", "virtual_routes")) {
    const words = wordsOf(node);
    for (const { text, at } of node.values) {
      const now = OLD_WORDS[text];
      if (now !== undefined)
        yield {
          code: "route_deprecated",
          at,
          message: `${text} is an old word of a route`,
          fix: `Write ${now} instead of ${text}.`,
        };
    }
    const before = words.findIndex((word) => word === "nexthop" || word === "or");
    const hasInterface = (before < 0 ? words : words.slice(0, before)).includes("dev");
    if (compareReleases(conf.release, TRACKS_ROUTES) < 0 || hasInterface || words.includes("no_track")) continue;
    yield {
      code: "route_untracked",
      at: node.keyword.at,
      message: "this route names no interface: keepalived sets it, and does not see when it is gone",
    };
  }
}

function* rules(conf: Conf): Iterable<Finding> {
  for (const node of linesOf(conf, "static_rules", "virtual_rules")) {
    const words = wordsOf(node);
    const end = words.findIndex((word, i) => isAddressWord(words[i - 1]) && !isAddress(word));
    if (end >= 0)
      yield {
        code: "rule_invalid",
        at: node.values[end - 1]?.at ?? node.keyword.at,
        message: `${shown(words[end] ?? "")} is no address: this rule is passed over`,
      };
    else if (compareReleases(conf.release, COUNTS_PREFERENCES) >= 0 && !words.some((word) => PREFERENCES.has(word)))
      yield {
        code: "rule_no_preference",
        at: node.keyword.at,
        message: "this rule has no preference: keepalived takes one, from 16384 down",
      };
  }
}

const PREFERENCES: ReadonlySet<string> = new Set(["preference", "priority", "order"]);
const isAddressWord = (word: string | undefined): boolean => word === "from" || word === "to";
const isAddress = (word: string): boolean =>
  word === "all" || word === "any" || word === "default" || prefixed(word) !== undefined;

export const routeRules: readonly Rule[] = [routes, rules];
