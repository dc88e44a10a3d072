import type { Located } from "./located.ts";
import type { KeepalivedBuild } from "./build.ts";
import { compareReleases, type Release } from "../conf/version.ts";

type Argument = "none" | "required" | "optional";
type Text = `${number}.${number}.${number}`;

/** One option of keepalived's command line (keepalived/core/main.c, parse_cmdline). */
interface OptionRow {
  readonly long: string;
  readonly short?: string;
  readonly argument: Argument;
  /** First release that knows it. */
  readonly since: Text;
  /** The short form came later than the long one. */
  readonly shortSince?: Text;
  /** The short form's argument where it differs, before this release. */
  readonly shortBefore?: readonly [release: Text, argument: Argument];
  /** Only in a build with this `Config options` word. */
  readonly needs?: Feature;
}

/** What a build can leave out, as `keepalived -v` lists it. */
export type Feature =
  | "VRRP"
  | "LVS"
  | "BFD"
  | "SNMP"
  | "FILE_LOGGING"
  | "MEM_CHECK"
  | "MEM_CHECK_LOG"
  | "PERF"
  | "DEBUG";

/** Every option from 1.2.2 to 2.4.3. */
export const OPTIONS: readonly OptionRow[] = [
  { long: "use-file", short: "f", argument: "required", since: "1.2.2" },
  { long: "vrrp", short: "P", argument: "none", since: "1.2.2", needs: "LVS" },
  { long: "check", short: "C", argument: "none", since: "1.2.2", needs: "LVS" },
  { long: "no_bfd", short: "B", argument: "none", since: "2.0.0", needs: "BFD" },
  { long: "all", argument: "none", since: "2.0.0" },
  { long: "log-console", short: "l", argument: "none", since: "1.2.2" },
  { long: "log-detail", short: "D", argument: "none", since: "1.2.2" },
  { long: "log-facility", short: "S", argument: "required", since: "1.2.2" },
  { long: "log-file", short: "g", argument: "optional", since: "1.4.0", shortBefore: ["1.4.1", "required"] },
  { long: "flush-log-file", argument: "none", since: "1.4.0", needs: "FILE_LOGGING" },
  { long: "no-syslog", short: "G", argument: "none", since: "1.4.0" },
  { long: "all-config", short: "e", argument: "none", since: "2.2.0" },
  { long: "umask", short: "u", argument: "required", since: "2.0.9" },
  { long: "release-vips", short: "X", argument: "none", since: "1.2.17", shortSince: "1.3.5", needs: "VRRP" },
  { long: "dont-release-vrrp", short: "V", argument: "none", since: "1.2.2", needs: "VRRP" },
  { long: "dont-release-ipvs", short: "I", argument: "none", since: "1.2.2", needs: "LVS" },
  { long: "dont-respawn", short: "R", argument: "none", since: "1.2.9" },
  { long: "dont-fork", short: "n", argument: "none", since: "1.2.2" },
  { long: "dump-conf", short: "d", argument: "none", since: "1.2.2" },
  { long: "pid", short: "p", argument: "required", since: "1.2.2" },
  { long: "vrrp_pid", short: "r", argument: "required", since: "1.2.2", needs: "VRRP" },
  { long: "checkers_pid", short: "c", argument: "required", since: "1.2.2", needs: "LVS" },
  { long: "bfd_pid", short: "b", argument: "required", since: "2.0.0", needs: "BFD" },
  { long: "genhash", short: "T", argument: "none", since: "2.2.3", needs: "LVS" },
  { long: "address-monitoring", short: "a", argument: "none", since: "1.3.5", needs: "LVS" },
  { long: "snmp", short: "x", argument: "none", since: "1.2.9", needs: "SNMP" },
  { long: "snmp-agent-socket", short: "A", argument: "required", since: "1.2.17", needs: "SNMP" },
  { long: "core-dump", short: "m", argument: "none", since: "1.2.21" },
  { long: "core-dump-pattern", short: "M", argument: "optional", since: "1.2.21", shortBefore: ["1.4.1", "none"] },
  { long: "no-mem-check", argument: "none", since: "2.2.0", needs: "MEM_CHECK" },
  { long: "mem-check-log", short: "L", argument: "none", since: "1.2.23", needs: "MEM_CHECK_LOG" },
  { long: "openssl-mem-check", short: "O", argument: "none", since: "2.2.8", needs: "MEM_CHECK" },
  { long: "namespace", short: "s", argument: "required", since: "1.2.24" },
  { long: "config-id", short: "i", argument: "required", since: "1.3.0" },
  { long: "signum", argument: "required", since: "1.3.8" },
  { long: "config-test", short: "t", argument: "optional", since: "2.0.4", shortBefore: ["2.0.5", "none"] },
  { long: "config-fd", argument: "required", since: "2.2.0" },
  { long: "perf", argument: "optional", since: "2.0.8", needs: "PERF" },
  { long: "debug", argument: "optional", since: "2.0.8", needs: "DEBUG" },
  { long: "ignore-sigint", argument: "none", since: "2.3.2" },
  { long: "version", short: "v", argument: "none", since: "1.2.2" },
  { long: "help", short: "h", argument: "none", since: "1.2.2" },
];

/** One option as it was given, with its long name. */
export interface OptionUse {
  readonly option: string;
  /** As written: `-S`, `--log-facility`. */
  readonly written: string;
  readonly value?: string;
  readonly word: Located;
}

export interface OptionFault {
  readonly kind: "unknown" | "ambiguous" | "missing-value" | "unwanted-value" | "unexpected-argument";
  readonly written: string;
  readonly word: Located;
  /** The option exists, but not in this release or build. */
  readonly why?: string;
}

export interface ParsedOptions {
  readonly uses: readonly OptionUse[];
  readonly faults: readonly OptionFault[];
}

/** popt read the command line up to 1.2.8: it stops at the first option it does not know, and says nothing. */
const POPT_UNTIL: Release = [1, 2, 8];

/**
 * Reads the words after the program's name as getopt_long(3) does: clusters, attached and separate values, unambiguous
 * abbreviations, options after arguments, `--`.
 * @param build  undefined: everything may be compiled in
 */
export function parseOptions(
  words: readonly Located[],
  release: Release,
  build: Pick<KeepalivedBuild, "features"> | undefined,
): ParsedOptions {
  const uses: OptionUse[] = [];
  const faults: OptionFault[] = [];
  const known = OPTIONS.filter((row) => isKnown(row, row.since, release, build));
  const shorts = new Map(
    known.flatMap((row) =>
      row.short !== undefined && isSince(row.shortSince ?? row.since, release) ? [[row.short, row] as const] : [],
    ),
  );
  const isPopt = compareReleases(release, POPT_UNTIL) <= 0;

  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (!word) continue;
    const { text } = word;
    if (text === "--") {
      for (const rest of words.slice(i + 1))
        faults.push({ kind: "unexpected-argument", written: rest.text, word: rest });
      break;
    }
    if (!text.startsWith("-") || text === "-") {
      faults.push({ kind: "unexpected-argument", written: text, word });
      continue;
    }
    const before = faults.length;
    if (text.startsWith("--")) {
      const equals = text.indexOf("=");
      const name = text.slice(2, equals < 0 ? undefined : equals);
      const value = equals < 0 ? undefined : text.slice(equals + 1);
      const found = longOption(known, name);
      if (typeof found === "string")
        faults.push({ kind: found, written: `--${name}`, word, ...whyUnknown(name, build) });
      else i += take(found, found.argument, `--${found.long}`, value, i, true);
    } else
      for (let c = 1; c < text.length; c++) {
        const letter = text[c] ?? "";
        const row = shorts.get(letter);
        if (!row) {
          faults.push({ kind: "unknown", written: `-${letter}`, word, ...whyUnknown(letter, build) });
          continue;
        }
        const argument = shortArgument(row, release);
        if (argument === "none") {
          take(row, argument, `-${letter}`, undefined, i, false);
          continue;
        }
        const attached = text.slice(c + 1);
        i += take(row, argument, `-${letter}`, attached === "" ? undefined : attached, i, false);
        break;
      }
    if (isPopt && faults.slice(before).some(({ kind }) => kind === "unknown")) break;
  }
  return { uses, faults };

  /** @returns how many of the following words the option took */
  function take(
    row: OptionRow,
    argument: Argument,
    written: string,
    value: string | undefined,
    at: number,
    isLong: boolean,
  ): number {
    const word = words[at] ?? { text: written };
    if (argument === "none" && value !== undefined) {
      faults.push({ kind: "unwanted-value", written, word });
      return 0;
    }
    if (argument !== "required" || value !== undefined) {
      // `--use-file=` gives an empty value, which keepalived refuses from 1.4.1 on.
      if (argument === "required" && value === "" && isLong && isSince("1.4.1", release))
        faults.push({ kind: "missing-value", written, word });
      else uses.push({ option: row.long, written, word, ...(value === undefined ? {} : { value }) });
      return 0;
    }
    const next = words[at + 1];
    if (next) {
      // The value's own place: that is what has to be changed.
      uses.push({ option: row.long, written, value: next.text, word: next });
      return 1;
    }
    faults.push({ kind: "missing-value", written, word });
    return 0;
  }
}

function longOption(known: readonly OptionRow[], name: string): OptionRow | "unknown" | "ambiguous" {
  const exact = known.find(({ long }) => long === name);
  if (exact) return exact;
  const candidates = name === "" ? [] : known.filter(({ long }) => long.startsWith(name));
  const [only] = candidates;
  return only === undefined ? "unknown" : candidates.length === 1 ? only : "ambiguous";
}

function shortArgument(row: OptionRow, release: Release): Argument {
  if (row.shortBefore === undefined) return row.argument;
  const [until, argument] = row.shortBefore;
  return isSince(until, release) ? row.argument : argument;
}

function isKnown(
  row: OptionRow,
  since: Text,
  release: Release,
  build: Pick<KeepalivedBuild, "features"> | undefined,
): boolean {
  if (!isSince(since, release)) return false;
  if (row.needs === undefined) return true;
  // What only developers build in is there only when the build says so.
  if (row.needs === "MEM_CHECK" || row.needs === "MEM_CHECK_LOG" || row.needs === "PERF" || row.needs === "DEBUG")
    return build?.features.has(row.needs) ?? false;
  return hasFeature(build, row.needs);
}

/** SNMP is listed by its parts. */
function hasFeature(build: Pick<KeepalivedBuild, "features"> | undefined, feature: Feature): boolean {
  if (build === undefined) return true;
  return feature === "SNMP" ? [...build.features].some((one) => one.startsWith("SNMP")) : build.features.has(feature);
}

function whyUnknown(name: string, build: Pick<KeepalivedBuild, "features"> | undefined): { why?: string } {
  const row = OPTIONS.find(({ short, long }) => (name.length === 1 ? short === name : long === name));
  if (!row) return {};
  if (row.needs !== undefined && !hasFeature(build, row.needs)) return { why: `this build has no ${row.needs}` };
  return { why: `it came with ${name.length === 1 ? (row.shortSince ?? row.since) : row.since}` };
}

/** @param since  a release as text, which the table spells correctly */
export function isSince(since: Text, release: Release): boolean {
  const [major = 0, minor = 0, patch = 0] = since.split(".").map(Number);
  return compareReleases([major, minor, patch], release) <= 0;
}

/** The last use of an option: keepalived's later ones overwrite the earlier. */
export function optionOf(options: ParsedOptions, name: string): OptionUse | undefined {
  return options.uses.findLast(({ option }) => option === name);
}

export interface Facility {
  /** `daemon`, `user`, `local0` … `local7`. */
  readonly name: string;
  /** The value was not taken, and this is what holds instead. */
  readonly invalid?: OptionUse;
}

/**
 * The facility that `-S` chooses: the last value that is one. Up to 2.2.4 only the digits 0 to 7; an invalid value is
 * reported on stderr and changes nothing (up to 2.0.6 it was not checked at all).
 */
export function facilityOf(uses: readonly OptionUse[], release: Release): Facility {
  let name = "daemon";
  let invalid: OptionUse | undefined;
  const hasNames = isSince("2.2.5", release);
  for (const use of uses) {
    if (use.option !== "log-facility") continue;
    const match = /^(local)?0*([0-7])$/.exec((use.value ?? "").trimStart());
    if (match && (match[1] === undefined || hasNames)) name = `local${match[2]}`;
    else if (hasNames && (use.value === "user" || use.value === "daemon")) name = use.value;
    else if (!isSince("2.0.7", release) && !/^\s*[0-7]/.test(use.value ?? "")) {
      // atoi: text that is no number chooses local0.
      name = "local0";
      if (!/^local0?$/.test(use.value ?? "")) invalid = use;
    } else invalid = use;
  }
  return { name, ...(invalid === undefined ? {} : { invalid }) };
}
