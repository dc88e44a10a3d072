import type { Family } from "../../events/event.ts";
import { entriesOf, integer, prefixed, wordsOf } from "../model/read.ts";
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

/** Words of a route that take one behind them. (keepalived 2.2.7, vrrp_iproute.c) */
const ROUTE_VALUES: ReadonlySet<string> = new Set(
  "src as to protocol metric priority preference pref tos dsfield table scope dev oif mtu hoplimit advmss rtt rttvar reordering window cwnd initcwnd initrwnd ssthresh realms rto_min quickack congctl expires features fastopen_no_cookie ttl-propagate encap via gw or track_group".split(
    " ",
  ),
);
const ROUTE_ALONE: ReadonlySet<string> = new Set(
  "onlink no_track unicast local broadcast anycast multicast nat blackhole unreachable prohibit throw nexthop".split(
    " ",
  ),
);
const SCOPES: ReadonlySet<string> = new Set(["global", "site", "link", "host", "nowhere"]);
const ROUTE_NUMBERS: Readonly<Record<string, number>> = {
  metric: 4_294_967_295,
  priority: 4_294_967_295,
  preference: 4_294_967_295,
  hoplimit: 255,
  advmss: 4_294_967_295,
  reordering: 4_294_967_295,
  window: 4_294_967_295,
  cwnd: 4_294_967_295,
  initcwnd: 4_294_967_295,
  initrwnd: 4_294_967_295,
  mtu: 4_294_967_295,
  tos: 255,
  dsfield: 255,
  quickack: 1,
  fastopen_no_cookie: 1,
};
/** Behind these the words have a grammar of their own. */
const ROUTE_OTHER: ReadonlySet<string> = new Set(["nexthop", "or", "encap", "features", "as"]);

/** Words of a rule that take one behind them, as far as a missing one ends keepalived. (keepalived 2.2.7, vrrp_iprule.c) */
const RULE_VALUES: ReadonlySet<string> = new Set(
  "from to priority preference order fwmark tos dsfield iif oif dev table lookup realms goto".split(" "),
);

/** Decimal, or for TOS and the like hexadecimal or a name. */
const isNumber = (text: string, max: number): boolean =>
  max === 255 && !/^\d+$/.test(text)
    ? /^(0x[0-9a-fA-F]{1,2}|[A-Za-z][\w-]*)$/.test(text)
    : integer(0, max)(text) !== undefined;

/** A keyword at the end of the line that wants a value. */
function* cutShort(node: ConfNode, wanting: ReadonlySet<string>): Iterable<Finding> {
  const end = [node.keyword, ...node.values].at(-1);
  const before = [node.keyword, ...node.values].at(-2);
  if (end && !end.unknown && wanting.has(end.text) && !(before && wanting.has(before.text)))
    yield {
      code: "missing_parameter",
      at: end.at,
      message: `${end.text} has no value: keepalived ends when it reads this line`,
    };
}

function* routeWords(conf: Conf): Iterable<Finding> {
  for (const node of linesOf(conf, "static_routes", "virtual_routes")) {
    yield* cutShort(node, ROUTE_VALUES);
    const all = [node.keyword, ...node.values];
    let family: Family | undefined;
    for (let i = 0; i < all.length; i++) {
      const word = all[i];
      if (!word || word.unknown || ROUTE_OTHER.has(word.text)) break;
      const found = prefixed(word.text);
      const fault = (message: string): Finding => ({ code: "route_invalid", at: word.at, message });
      if (ROUTE_VALUES.has(word.text)) {
        const value = all[i + 1];
        i += 1;
        if (!value || value.unknown) break;
        const max = ROUTE_NUMBERS[word.text];
        const address = ["src", "via", "gw", "to"].includes(word.text) ? prefixed(value.text) : undefined;
        if (address && family !== undefined && address.family !== family)
          yield fault(`${word.text} ${address.address} is of another address family: the route is passed over`);
        else if (max !== undefined && value.text !== "lock" && !isNumber(value.text, max))
          yield fault(`${shown(value.text)} is no number of ${word.text}: that is passed over`);
        else if (word.text === "scope" && !SCOPES.has(value.text) && integer(0, 255)(value.text) === undefined)
          yield fault(`${shown(value.text)} is no scope: the route is passed over`);
        family ??= address?.family;
      } else if (found) {
        family ??= found.family;
        if (!found.isPrefixValid)
          yield fault(`${shown(word.text)} has no valid length: /${found.prefixLength} is used`);
      } else if (!ROUTE_ALONE.has(word.text) && word.text !== "default" && word.text !== "all") {
        yield fault(`${shown(word.text)} is no word of a route: the route is passed over`);
        break;
      }
    }
  }
}

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
    yield* cutShort(node, RULE_VALUES);
    const preference = words.findIndex((word) => PREFERENCES.has(word));
    const number = preference < 0 ? undefined : node.values[preference];
    if (number && !number.unknown && integer(0, 4_294_967_295)(number.text) === undefined)
      yield {
        code: "rule_invalid",
        at: number.at,
        message: `${shown(number.text)} is no preference: this rule is passed over`,
      };
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

export const routeRules: readonly Rule[] = [routes, routeWords, rules];
