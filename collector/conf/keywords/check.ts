import type { SourceLocation } from "../../core/errors.ts";
import { shapeOf } from "../blocks.ts";
import type { Word } from "../lexer.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { blocksWith, keywordsOf } from "./blocks.ts";
import type { Keyword } from "./keyword.ts";

export interface KeywordFinding {
  readonly code: string;
  readonly at: SourceLocation;
  readonly message: string;
  readonly fix?: string;
  readonly instance?: string;
}

interface Place {
  /** The keyword of the block around, "" at the top level. */
  readonly outer: string;
  readonly instance: string | undefined;
  /** Unknown keywords that were compared with all known ones: a bound for files that are no configuration. */
  readonly compared: { count: number };
}

/** Most unknown keywords for which a known one is sought. */
const COMPARISONS_MAX = 200;

/** Every fault of a single keyword: its name, its place, its release, its value. (keepalived up to 2.4.3) */
export function* checkKeywords(roots: readonly ConfNode[], release: Release): Iterable<KeywordFinding> {
  yield* checkBlock(roots, { outer: "", instance: undefined, compared: { count: 0 } }, release);
}

function* checkBlock(nodes: readonly ConfNode[], place: Place, release: Release): Iterable<KeywordFinding> {
  const known = keywordsOf(place.outer);
  if (!known) return;
  const seen = new Map<string, ConfNode>();
  for (const node of nodes) {
    const { keyword, children } = node;
    if (keyword.text === "" || keyword.unknown) continue;
    const row = known.get(keyword.text);
    for (const finding of row ? checkLine(node, row, place, release, seen) : [unknown(node, place, known)])
      yield place.instance === undefined ? finding : { ...finding, instance: place.instance };
    if (row && children && shapeOf(place.outer, keyword.text) === "keywords")
      yield* checkBlock(children, placeIn(node, place), release);
  }
}

function placeIn({ keyword, values }: ConfNode, { instance, compared }: Place): Place {
  return { outer: keyword.text, instance: keyword.text === "vrrp_instance" ? values[0]?.text : instance, compared };
}

const IS_COMMAND = /^(?:notify|quorum_(?:up|down)$|script$|misc_path$)/;

function* checkLine(
  node: ConfNode,
  row: Keyword,
  place: Place,
  release: Release,
  seen: Map<string, ConfNode>,
): Iterable<KeywordFinding> {
  const { keyword, values } = node;
  if (compareReleases(release, row.since) < 0 || (row.until && compareReleases(release, row.until) > 0)) {
    yield* otherRelease(node, row, place, release);
    return;
  }
  if (row.deprecated !== undefined)
    yield {
      code: "deprecated",
      at: keyword.at,
      message: `${row.name} is an old name: ${row.deprecated} has taken its place`,
      fix: `Use ${row.deprecated}`,
    };
  yield* repeated(node, row, seen);
  if (values.length === 0 && (node.children === undefined || row.value.isNamed)) {
    // Commands are cut from the line once more: with a quote that is not closed, which is told, there is only no command.
    if (row.value.missing === "fatal" && IS_COMMAND.test(row.name) && node.line?.text.includes('"')) return;
    if (row.value.missing === "fatal")
      yield {
        code: "missing_parameter",
        at: keyword.at,
        message: `${row.name} has no value: keepalived ends when it reads this line`,
      };
    else if (row.value.missing === "told")
      yield {
        code: "value_missing",
        at: keyword.at,
        message: `${row.name} has no value, and the line is ignored${fallback(row)}`,
      };
    return;
  }
  yield* checkValue(node, row);
  yield* surplus(node, row, place);
}

function* checkValue({ values }: ConfNode, row: Keyword): Iterable<KeywordFinding> {
  const [first] = values;
  if (!first || values.some((word) => word.unknown)) return;
  const looked = values.slice(0, row.value.words);
  const fault = row.value.fault?.(looked.map(({ text }) => text));
  if (fault === undefined) return;
  const words = row.secret ? "its value" : shown(looked.length > 1 && row.value.words > 2 ? looked : [first]);
  yield {
    code: row.value.code ?? "value_invalid",
    at: first.at,
    message: `${row.name}: ${words} ${fault}, and ${row.value.instead ?? `is not taken${fallback(row)}`}`,
  };
}

const fallback = ({ default: usual }: Keyword): string =>
  usual === undefined ? "" : `; what stands before it applies, or the default: ${usual}`;

/** Words behind the value are ignored without a word: most dangerous when they are a second setting. */
function* surplus({ values, children }: ConfNode, row: Keyword, { outer }: Place): Iterable<KeywordFinding> {
  const first = values[row.value.words];
  if (!first || children !== undefined) return;
  const setting = values.slice(row.value.words).find(({ text }) => keywordsOf(outer)?.has(text));
  if (setting)
    yield {
      code: "second_keyword_ignored",
      at: setting.at,
      message: `${setting.text} stands behind ${row.name} on one line, and is ignored`,
      fix: `Put ${setting.text} on a line of its own`,
    };
  else if (row.value.words > 0 || !isBoolean(first))
    yield {
      code: "surplus_words",
      at: first.at,
      message: `${row.secret ? "what stands behind the value" : shown(values.slice(row.value.words))} is ignored: ${row.name} takes ${row.value.words === 0 ? "no value" : row.value.words === 1 ? "one word" : "less"}`,
    };
  else if (["off", "false", "no"].includes(first.text))
    yield {
      code: "flag_not_off",
      at: first.at,
      message: `${row.name} ${first.text} switches ${row.name} on: it takes no value`,
      fix: `Remove the line to have ${row.name} off`,
    };
}

const isBoolean = ({ text }: Word): boolean => ["on", "off", "true", "false", "yes", "no"].includes(text);

function* repeated(node: ConfNode, row: Keyword, seen: Map<string, ConfNode>): Iterable<KeywordFinding> {
  const before = seen.get(row.name);
  seen.set(row.name, node);
  if (!before || row.repeats || node.children !== undefined) return;
  if (row.firstCounts) {
    yield {
      code: "keyword_second_ignored",
      at: node.keyword.at,
      message: `${row.name} stands in line ${before.keyword.at.line} already, and this one is ignored`,
    };
    return;
  }
  if (!row.value.fault) return;
  yield {
    code: "keyword_repeated",
    at: node.keyword.at,
    message: `${row.name} stands in line ${before.keyword.at.line} already: the last valid one of them counts, without a message`,
  };
}

function* otherRelease(
  { keyword }: ConfNode,
  row: Keyword,
  { outer }: Place,
  release: Release,
): Iterable<KeywordFinding> {
  const isNew = compareReleases(release, row.since) < 0;
  // Up to 1.2.19 an unknown keyword is not even logged.
  const when = isNew ? `came with ${row.since.join(".")}` : `went with ${row.until?.join(".")}`;
  yield {
    code: isNew ? "keyword_too_new" : "keyword_removed",
    at: keyword.at,
    message: `${row.name} ${when}, and keepalived ${release.join(".")} ignores it${outer === "" ? "" : ` in ${outer}`}`,
  };
}

function unknown(node: ConfNode, { outer, compared }: Place, known: ReadonlyMap<string, Keyword>): KeywordFinding {
  const { keyword, children } = node;
  const where = outer === "" ? "at the top level" : `in ${outer}`;
  const others = blocksWith(keyword.text);
  const contents = children ? ", and what is in its block is read as if it stood around it" : "";
  if (others.length > 0) {
    const home = others.map((one) => (one === "" ? "the top level" : one)).join(", ");
    return {
      code: "keyword_misplaced",
      at: keyword.at,
      message: `${keyword.text} is no keyword ${where}, and is ignored${contents}: it belongs to ${home}`,
      fix: `Move it to ${home}, and check that no brace before it is missing or too many`,
    };
  }
  compared.count += 1;
  const meant = compared.count > COMPARISONS_MAX ? undefined : nearest(keyword.text, [...known.keys()]);
  return {
    code: "unknown_keyword",
    at: keyword.at,
    message: `${outer !== "" && hasSecrets(known) ? "this" : shown([keyword])} is no keyword ${where}, and is ignored${contents}`,
    ...(meant === undefined ? {} : { fix: `Did you mean ${meant}?` }),
  };
}

/** In such a block an unknown keyword may be a password whose line was broken. */
function hasSecrets(known: ReadonlyMap<string, Keyword>): boolean {
  return [...known.values()].some(({ secret }) => secret);
}

/** Words of the file as they may be shown. */
function shown(words: readonly Word[]): string {
  const text = words.map((word) => word.text).join(" ");
  return /^[A-Za-z0-9_.:/,+ -]{1,60}$/.test(text) ? text : words.length > 1 ? "its value" : "a word";
}

/** Longest keyword that is compared by letters. */
const COMPARED_MAX = 40;

/** The known word that differs by at most two letters, or only by capitals. */
function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > COMPARED_MAX) return undefined;
  const same = known.find((one) => one.toLowerCase() === word.toLowerCase());
  if (same !== undefined) return same;
  const max = word.length < 5 ? 1 : 2;
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const one of known) {
    if (Math.abs(one.length - word.length) > max) continue;
    const distance = distanceOf(word, one);
    if (distance <= max && (!best || distance < best.distance)) best = { word: one, distance };
  }
  return best?.word;
}

/** Levenshtein's. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}
