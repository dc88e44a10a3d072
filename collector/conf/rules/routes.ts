import type { Family } from "../../events/event.ts";
import { entriesOf, integer, prefixed, wordsOf } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import type { Word } from "../lexer.ts";
import { compareReleases, type Release } from "../version.ts";
import { type Conf, type Finding, type Rule, shown } from "./rule.ts";

/** Routes and rules that keepalived sets, of instances and of its own. */

const TRACKS_ROUTES: Release = [2, 0, 1];
/** From here on the kernel's answer tells which interface a route has. */
const FINDS_INTERFACES: Release = [2, 3, 2];
const COUNTS_PREFERENCES: Release = [2, 0, 16];
/** Old words of a route, and what they are called since 1.2.24. */
const OLD_WORDS: Readonly<Record<string, string>> = { gw: "via", or: "nexthop" };

const linesOf = ({ roots, instances }: Conf, ...keywords: readonly string[]): ConfNode[] => [
  ...entriesOf(roots, ...keywords),
  ...instances.flatMap(({ nodes }) => entriesOf(nodes, ...keywords)),
];

/** Words of a route that take one behind them. (keepalived 2.2.7, vrrp_iproute.c) */
const ROUTE_VALUES: ReadonlySet<string> = new Set(
  "src as to protocol metric priority preference pref tos dsfield table scope dev oif mtu hoplimit advmss rtt rttvar reordering window cwnd initcwnd initrwnd ssthresh realms rto_min quickack congctl expires features fastopen_no_cookie ttl-propagate encap via gw or".split(
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

const TRACK_GROUP = "track_group";
/** Only what is set for all instances is in a group of them. */
const withGroup = (words: ReadonlySet<string>): ReadonlySet<string> => new Set([...words, TRACK_GROUP]);
const ROUTE_BLOCKS = [
  ["virtual_routes", ROUTE_VALUES],
  ["static_routes", withGroup(ROUTE_VALUES)],
] as const;
const RULE_BLOCKS = [
  ["virtual_rules", RULE_VALUES],
  ["static_rules", withGroup(RULE_VALUES)],
] as const;

/** What keepalived calls these without a file. (keepalived 2.2.7, core/rttables.c) */
const OWN_TABLES: readonly string[] = ["default", "main", "local"];
/** Reads the other places in which iproute2 keeps names. */
const LOOKS_ELSEWHERE: Release = [2, 3, 3];
/** strtoul(3) with any base. */
const TABLE_NUMBER = /^[-+]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/;

/** @returns whether keepalived knows the routing table; undefined: the names of the node are not known */
function isTable(text: string, { facts: { routeTables }, release }: Conf): boolean | undefined {
  if (TABLE_NUMBER.test(text) || OWN_TABLES.includes(text)) return true;
  if (!routeTables) return undefined;
  return (
    routeTables.etc.has(text) || (compareReleases(release, LOOKS_ELSEWHERE) >= 0 && routeTables.iproute2.has(text))
  );
}

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
  for (const [block, wanting] of ROUTE_BLOCKS)
    for (const node of linesOf(conf, block)) {
      yield* cutShort(node, wanting);
      const all = [node.keyword, ...node.values];
      let family: Family | undefined;
      for (let i = 0; i < all.length; i++) {
        const word = all[i];
        if (!word || word.unknown || ROUTE_OTHER.has(word.text)) break;
        const found = prefixed(word.text);
        const fault = (message: string): Finding => ({ code: "route_invalid", at: word.at, message });
        if (wanting.has(word.text)) {
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
          else if (word.text === "table" && isTable(value.text, conf) === false)
            yield fault(`no routing table has the name ${shown(value.text)}: the route is passed over`);
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
    const hasInterface = (before < 0 ? words : words.slice(0, before)).some((word) => word === "dev" || word === "oif");
    const needsInterface =
      compareReleases(conf.release, TRACKS_ROUTES) >= 0 && compareReleases(conf.release, FINDS_INTERFACES) < 0;
    if (!needsInterface || hasInterface || words.includes("no_track")) continue;
    yield {
      code: "route_untracked",
      at: node.keyword.at,
      message: "this route names no interface: keepalived sets it, and does not see when it is gone",
    };
  }
}

function* rules(conf: Conf): Iterable<Finding> {
  for (const [block, wanting] of RULE_BLOCKS)
    for (const node of linesOf(conf, block)) {
      yield* cutShort(node, wanting);
      const faults = [...ruleFaults(node, wanting, conf)];
      yield* faults;
      if (
        faults.length === 0 &&
        compareReleases(conf.release, COUNTS_PREFERENCES) >= 0 &&
        !wordsOf(node).some((word) => PREFERENCES.has(word))
      )
        yield {
          code: "rule_no_preference",
          at: node.keyword.at,
          message: "this rule has no preference: keepalived takes one, from 16384 down",
        };
    }
}

/** What makes keepalived pass over a rule. */
function* ruleFaults(node: ConfNode, wanting: ReadonlySet<string>, conf: Conf): Iterable<Finding> {
  const all = [node.keyword, ...node.values];
  for (const [i, word] of all.entries()) {
    const value = all[i + 1];
    const fault = (at: Word, why: string): Finding => ({
      code: "rule_invalid",
      at: at.at,
      message: `${why}: this rule is passed over`,
    });
    if (word.text === TRACK_GROUP && !wanting.has(TRACK_GROUP)) {
      yield fault(word, "track_group is for static rules");
      return;
    }
    if (!value || value.unknown) continue;
    const text = shown(value.text);
    if (PREFERENCES.has(word.text) && integer(0, 4_294_967_295)(value.text) === undefined)
      yield fault(value, `${text} is no preference`);
    else if (ADDRESS_WORDS.has(word.text) && !isAddress(value.text)) yield fault(value, `${text} is no address`);
    else if (TABLE_WORDS.has(word.text) && isTable(value.text, conf) === false)
      yield fault(value, `no routing table has the name ${text}`);
    else if (TABLE_WORDS.has(word.text) && /^0[xX]?0*$/.test(value.text)) yield fault(value, "0 is no table of a rule");
  }
}

const PREFERENCES: ReadonlySet<string> = new Set(["preference", "priority", "order"]);
const TABLE_WORDS: ReadonlySet<string> = new Set(["table", "lookup"]);
const ADDRESS_WORDS: ReadonlySet<string> = new Set(["from", "to"]);
const isAddress = (word: string): boolean =>
  word === "all" || word === "any" || word === "default" || prefixed(word) !== undefined;

export const routeRules: readonly Rule[] = [routes, routeWords, rules];
