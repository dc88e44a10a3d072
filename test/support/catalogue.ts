import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "../../collector/events/event.ts";

/**
 * keepalived's messages from 1.2.2 to 2.4.3, one row a printf format: test/golden/logs/catalogue.jsonl.
 * Facts only; what a message means is said by the row of the grammar that reads it.
 */
export interface CatalogueRow {
  readonly id: string;
  /** Formats of one message in several wordings share it. */
  readonly event: string;
  /** a daemon, b configuration, c VRRP and BFD, d checkers and IPVS, e mail, f netlink and interfaces. */
  readonly group: "a" | "b" | "c" | "d" | "e" | "f";
  /** Read by a person in keepalived's source, not only found there. */
  readonly curated: boolean;
  readonly format: string;
  /** `1.2.2-1.2.19`, `1.2.20-` for one that is still printed, `2.0.0` for one release; `any` where releases do not matter. */
  readonly releases: readonly string[];
  readonly level: string;
  readonly source: string;
  /** What ends because of it, when something does. */
  readonly consequence?: "daemon" | "process" | "instance" | "tolerated";
  /** keepalived may write `(FILE: Line N) ` in front of it. */
  readonly placed?: true;
  /** What each conversion holds: a name out of VALUES, or the only words it can hold. */
  readonly holes?: readonly (string | readonly string[])[];
  /** Whole messages, where the format is not one keepalived's printf would take. */
  readonly examples?: readonly string[];
}

export const catalogue: readonly CatalogueRow[] = readFileSync(
  join(import.meta.dirname, "../golden/logs/catalogue.jsonl"),
  "utf8",
)
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line) as CatalogueRow);

const CONVERSION = /%(?:%|\d*\$?[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))*(?:hh|h|ll|l|z)?(?:l[^\W\d_]|[a-zA-Z]))/g;

/** What keepalived writes where, by the name of the hole. Names that are not here go by the conversion. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  instance: ["VI_1", "web-v6", "51"],
  addr: ["10.99.0.11", "2001:db8::11", "10.99.0.12"],
  peer: ["10.99.0.11", "2001:db8::11", "10.99.0.12"],
  old_addr: ["10.99.0.13", "2001:db8::13", "10.99.0.14"],
  vs_addr: ["10.99.0.100", "2001:db8::100", "web"],
  rs_addr: ["10.99.0.12", "2001:db8::12", "10.99.0.13"],
  rs: ["[10.99.0.12]:tcp:80", "[2001:db8::12]:udp:53", "[10.99.0.12]:80"],
  vs: ["[10.99.0.100]:tcp:80", "FWM 7", "[web]:0"],
  group: ["VG_1", "web", "G2"],
  bfd: ["bfd1", "to-lb2", "b"],
  iface: ["eth0", "bond0.100", "vrrp.51"],
  old_iface: ["eth1", "ens3", "wlan0"],
  vrid: ["51", "1", "255"],
  family: ["4", "6", "4"],
  priority: ["100", "254", "1"],
  our_priority: ["150", "100", "90"],
  port: ["80", "25", "65535"],
  pid: ["1234", "15", "4194303"],
  errno: ["2", "110", "101"],
  error: ["No such file or directory", "Connection timed out", "Network is unreachable"],
  file: ["/etc/keepalived/keepalived.conf", "/etc/keepalived/conf.d/web.conf", "a"],
  path: ["/etc/keepalived/keepalived.conf", "/run/keepalived.pid", "/tmp/x y"],
  script: ["/usr/local/bin/check", "chk_haproxy", "/etc/keepalived/notify.sh"],
  process: ["haproxy", "vrrp", "named"],
  version: ["Keepalived v2.2.7 (01/16,2022)", "Keepalived v1.2.20 (04/03,2016)", "Keepalived v2.4.3 (05/05,2026)"],
  seconds: ["12", "0", "3"],
  micros: ["345678", "000001", "000000"],
  status: ["1", "127", "0"],
  from: ["100", "150", "80"],
  to: ["80", "100", "150"],
  weight: ["10", "1", "253"],
  state: ["Up", "Down", "Init"],
};
const BY_CONVERSION: Readonly<Record<string, readonly string[]>> = {
  s: ["bogus", "web-1", "10x"],
  d: ["7", "0", "12"],
  i: ["7", "0", "12"],
  u: ["7", "0", "51"],
  x: ["1f", "0", "deadbeef"],
  p: ["0x55d0c0de", "(nil)", "0x1"],
  f: ["1.500000", "0.010000", "300.000000"],
  g: ["1.5", "0", "300"],
  c: ["x", "}", "'"],
  m: ["No such file or directory", "Permission denied", "Network is unreachable"],
};

/** Messages as keepalived would write them: every format with several values, and in all the places it may name. */
export function messagesOf(row: CatalogueRow): string[] {
  if (row.examples) return [...row.examples];
  const count = Math.max(3, ...(row.holes ?? []).map((hole) => (typeof hole === "string" ? 0 : hole.length)));
  return Array.from({ length: count }, (_, i) => {
    const message = written(row, i);
    if (!row.placed) return message;
    return i === 0 ? message : `${i === 1 ? "(Line 12) " : "(/etc/keepalived/keepalived.conf: Line 12) "}${message}`;
  });
}

function written({ format, holes }: CatalogueRow, i: number): string {
  let hole = 0;
  return format.replace(CONVERSION, (conversion) => {
    if (conversion === "%%") return "%";
    const of = holes?.[hole] ?? "arg";
    const kind = conversion.at(-1) ?? "s";
    // A width that is handed in: keepalived indents with it.
    if (conversion === "%*s") {
      hole += 1;
      return " ".repeat(6 + i);
    }
    // Two of one kind in a message are told apart.
    const at = i + (typeof of === "string" && holes?.indexOf(of) !== hole ? 1 : 0);
    hole += 1;
    const named = typeof of === "string" ? VALUES[of] : of;
    const values = named && (typeof of !== "string" || isOf(named, kind)) ? named : (BY_CONVERSION[kind] ?? ["?"]);
    return values[at % values.length] ?? "";
  });
}

/** A hole's name says what it means, its conversion what it can hold. */
const isOf = (values: readonly string[], kind: string): boolean =>
  "duix".includes(kind) ? values.every((value) => /^\d+$/.test(value)) : true;

/** @returns whether this release prints such a message, without the place in front of it */
export function isPrintedIn(release: string, message: string): boolean {
  return catalogue.some((row) => isReleased(row, release) && shapeOf(row).test(message));
}

const isReleased = ({ releases }: CatalogueRow, release: string): boolean =>
  releases.some((range) => {
    if (range === "any") return true;
    const [since = "", until = since] = range.split("-");
    return compareReleases(since, release) <= 0 && (until === "" || compareReleases(release, until) <= 0);
  });

const shapes = new Map<CatalogueRow, RegExp>();

/** A format with anything where its conversions are, or with one of the words they can be. */
function shapeOf(row: CatalogueRow): RegExp {
  const known = shapes.get(row);
  if (known) return known;
  const { format, holes, examples } = row;
  // Where the format is not printf's, `A / B` is either, `<X>` a word, and `...` at the end more of the same.
  const [hole, wordings] = examples
    ? [new RegExp(`(${CONVERSION.source}|<[A-Z_]+>| \\.{3}$)`), format.split(" / ")]
    : [new RegExp(`(${CONVERSION.source})`), [format]];
  let count = 0;
  const shapeOfParts = (parts: readonly string[]): string =>
    parts.map((part, i) => (i % 2 === 0 || part === "%%" ? escaped(part) : anyOf(holes?.[count++]))).join("");
  const shape = new RegExp(`^(?:${wordings.map((one) => shapeOfParts(one.split(hole))).join("|")})$`);
  shapes.set(row, shape);
  return shape;
}

const anyOf = (hole: string | readonly string[] | undefined): string =>
  hole === undefined || typeof hole === "string" ? ".*" : `(?:${hole.map(escaped).join("|")})`;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The process that prints it. */
export const daemonOf = ({ source }: CatalogueRow): Daemon =>
  source.startsWith("vrrp/")
    ? "vrrp"
    : source.startsWith("check/")
      ? "checker"
      : source.startsWith("bfd/")
        ? "bfd"
        : "parent";

/** The first release of a range, and the last unless it is still printed; undefined where releases do not matter. */
export function releasesOf({ releases }: CatalogueRow): { since: string; until: string | undefined } | undefined {
  if (releases.includes("any")) return undefined;
  const ends = releases.map((range) => {
    const [since = "", until = since] = range.split("-");
    return { since, until: range.endsWith("-") ? undefined : until };
  });
  const [since = ""] = ends.map((end) => end.since).sort(compareReleases);
  const until = ends.some((end) => end.until === undefined)
    ? undefined
    : ends
        .map((end) => end.until ?? "")
        .sort(compareReleases)
        .at(-1);
  return { since, until };
}

export function compareReleases(a: string, b: string): number {
  const [x, y] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let i = 0; i < 3; i++) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}

/** A hole of a message that was written out: what the catalogue calls it, and what it holds. */
export interface FilledHole {
  /** A name out of VALUES; undefined where only some words can stand there. */
  readonly name: string | undefined;
  /** The words that can stand there. */
  readonly words: readonly string[];
  readonly value: string;
}

/**
 * A message whose holes hold values that no other hole of it has, so that it is seen where each of them ends up.
 * @param wordOf  for a hole that holds one of some words: which, by the number of the hole
 */
export function filled(
  { format, holes }: CatalogueRow,
  wordOf: (hole: number) => number = () => 0,
): { readonly message: string; readonly holes: readonly FilledHole[] } {
  const seen: FilledHole[] = [];
  const message = format.replace(CONVERSION, (conversion) => {
    if (conversion === "%%") return "%";
    const at = seen.length;
    const of = holes?.[at] ?? "arg";
    const kind = conversion.at(-1) ?? "s";
    const [name, words] = typeof of === "string" ? [of, []] : [undefined, of];
    // A width that is handed in: keepalived indents with it.
    const indent = conversion === "%*s" ? "      " : undefined;
    const value = indent ?? (name === undefined ? words[wordOf(at) % words.length] : ownValue(name, kind, at)) ?? "";
    seen.push({ name: indent === undefined ? name : undefined, words: indent === undefined ? words : [], value });
    return value;
  });
  return { message, holes: seen };
}

/** Of its type, small enough for a priority, an errno or a signal, and of this hole alone. */
function ownValue(name: string, kind: string, at: number): string {
  if (name === "family") return "6";
  if (name === "version" && kind === "s") return `Keepalived v2.${at}.41 (01/16,2022)`;
  if (name === "micros") return `0000${41 + at}`;
  if ("diu".includes(kind)) return String(41 + at);
  if (kind === "x" || kind === "p") return kind === "x" ? `5${at}` : `0x55d0c0d${at}`;
  if (kind === "f" || kind === "g") return `${61 + at}.500000`;
  if (kind === "m") return `No such file or directory ${at}`;
  if (name.endsWith("addr") || name === "peer") return `10.77.0.${11 + at}`;
  if (name === "rs" || name === "vs") return `[10.78.0.${11 + at}]:tcp:${81 + at}`;
  return `${name === "path" || name === "file" ? "/run/" : ""}${name}-q${at}`;
}
