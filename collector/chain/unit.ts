import type { SourceLocation } from "../core/errors.ts";
import { baseName, byText, type ChainTree, matches } from "./files.ts";
import { isContinued, type Located, LocatedText } from "./located.ts";
import { expandSpecifiers, systemdWords } from "./systemd-text.ts";

/** Where the system manager looks for units, first wins (systemd.unit(5)). */
const UNIT_PATH: readonly string[] = [
  "/etc/systemd/system.control",
  "/run/systemd/system.control",
  "/run/systemd/transient",
  "/run/systemd/generator.early",
  "/etc/systemd/system",
  "/etc/systemd/system.attached",
  "/run/systemd/system",
  "/run/systemd/system.attached",
  "/run/systemd/generator",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
  "/run/systemd/generator.late",
];

export interface UnitSetting {
  readonly section: string;
  readonly key: string;
  readonly value: LocatedText;
  readonly at: SourceLocation;
}

/** A unit with its drop-ins, as systemd merges them. */
export interface Unit {
  readonly name: string;
  /** The unit file; undefined for one that only has drop-ins. */
  readonly path?: string;
  readonly dropIns: readonly string[];
  /** The link to /dev/null, or the empty file, that masks it. */
  readonly maskedBy?: string;
  readonly settings: readonly UnitSetting[];
  readonly unreadable?: string;
}

/** @returns undefined when systemd knows no such unit */
export function loadUnit(tree: ChainTree, name: string, directories = UNIT_PATH): Unit | undefined {
  const names = namesOf(name);
  const path = names.flatMap((one) => directories.map((dir) => `${dir}/${one}`)).find((one) => present(tree, one));
  const dropIns = dropInsOf(tree, name, path === undefined ? undefined : tree.real(path), directories);
  if (path === undefined && dropIns.length === 0) return undefined;
  if (path !== undefined && isMask(tree, path)) return { name, path, dropIns, maskedBy: path, settings: [] };
  const settings: UnitSetting[] = [];
  let unreadable: string | undefined;
  for (const file of path === undefined ? dropIns : [path, ...dropIns]) {
    const text = tree.read(file);
    if (typeof text === "string") settings.push(...parseUnit(file, text));
    else unreadable ??= text.unreadable;
  }
  return {
    name,
    dropIns,
    settings,
    ...(path === undefined ? {} : { path }),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}

/** A unit and the template it is an instance of. */
function namesOf(name: string): string[] {
  const at = name.indexOf("@");
  return at > 0 && !name.startsWith("@.", at)
    ? [name, `${name.slice(0, at + 1)}${name.slice(name.lastIndexOf("."))}`]
    : [name];
}

/** A link to nowhere is present too: systemd sees the link. */
function present(tree: ChainTree, path: string): boolean {
  return tree.lstat(path) !== undefined || tree.exists(path);
}

function isMask(tree: ChainTree, path: string): boolean {
  if (tree.real(path) === "/dev/null") return true;
  const stat = tree.stat(path);
  return stat?.kind === "file" && stat.size === 0;
}

/** `NAME.d/*.conf` of every directory, the unit's own before `service.d`; of two with one file name the first counts. */
function dropInsOf(tree: ChainTree, name: string, real: string | undefined, directories: readonly string[]): string[] {
  const suffix = name.slice(name.lastIndexOf("."));
  const stem = name.slice(0, name.length - suffix.length);
  const names = namesOf(name);
  if (real !== undefined && !names.includes(baseName(real)) && real !== "/dev/null") names.push(baseName(real));
  // Unit a-b.service takes a-.service.d as well.
  for (let dash = stem.lastIndexOf("-", stem.length - 2); dash > 0; dash = stem.lastIndexOf("-", dash - 1))
    names.push(`${stem.slice(0, dash + 1)}${suffix}`);
  names.push(suffix.slice(1));
  const byName = new Map<string, string>();
  const seen = new Set<string>();
  for (const one of names)
    for (const dir of directories) {
      const folder = `${dir}/${one}.d`;
      const where = tree.real(folder) ?? folder;
      if (seen.has(where)) continue;
      seen.add(where);
      for (const file of tree.names(folder))
        if (matches("*.conf", file) && !byName.has(file)) byName.set(file, `${folder}/${file}`);
    }
  return [...byName.entries()]
    .sort(([a], [b]) => byText(a, b))
    .map(([, path]) => path)
    .filter((path) => !isMask(tree, path));
}

/** The assignments of one file. Lines that end with a backslash go on; comments between them do not end them. */
export function parseUnit(file: string, text: string): UnitSetting[] {
  const settings: UnitSetting[] = [];
  let section = "";
  const rows = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? "";
    const start = row.search(/[^ \t]/);
    if (start < 0 || row[start] === "#" || row[start] === ";") continue;
    const logical = new LocatedText(file);
    const line = i + 1;
    let continued = addChunk(logical, row, line, start);
    while (continued && i + 1 < rows.length) {
      i += 1;
      const next = rows[i] ?? "";
      const first = next.search(/[^ \t]/);
      if (first >= 0 && (next[first] === "#" || next[first] === ";")) continue;
      continued = addChunk(logical, next, i + 1, 0);
    }
    const whole = logical.text.trimEnd();
    if (whole.startsWith("[")) {
      section = whole.endsWith("]") ? whole.slice(1, -1) : "";
      continue;
    }
    const equals = whole.indexOf("=");
    if (equals <= 0) continue;
    settings.push({
      section,
      key: whole.slice(0, equals).trimEnd(),
      value: rest(logical, whole, equals + 1),
      at: { file, line, column: start + 1 },
    });
  }
  return settings;
}

/** @returns whether the line goes on; a backslash that continues stands for a blank */
function addChunk(logical: LocatedText, row: string, line: number, start: number): boolean {
  const continues = isContinued(row);
  logical.add(continues ? `${row.slice(start, -1)} ` : row.slice(start), line, start + 1);
  return continues;
}

function rest(logical: LocatedText, whole: string, from: number): LocatedText {
  const value = new LocatedText(logical.file);
  let start = from;
  while (start < whole.length && /[ \t]/.test(whole[start] ?? "")) start += 1;
  // Chunk by chunk where the place jumps: one character a chunk would be slow, so runs on one line are kept together.
  let run = start;
  for (let i = start; i <= whole.length; i++) {
    const here = logical.at(i);
    const first = logical.at(run);
    if (i < whole.length && here.line === first.line) continue;
    value.add(whole.slice(run, i), first.line, first.column);
    run = i;
  }
  return value;
}

/** The settings of one key since it was last emptied: a list in systemd's sense. */
export function listOf(unit: Unit, section: string, ...keys: readonly string[]): UnitSetting[] {
  let found: UnitSetting[] = [];
  for (const setting of unit.settings)
    if (setting.section === section && keys.includes(setting.key)) {
      if (setting.value.text.trim() === "") found = [];
      else found.push(setting);
    }
  return found;
}

/** The last assignment of a key that is not a list. */
export function settingOf(unit: Unit, section: string, key: string): UnitSetting | undefined {
  return unit.settings.findLast((setting) => setting.section === section && setting.key === key);
}

export interface Command {
  /** Where `ExecStart` is written. */
  readonly at: SourceLocation;
  /** Path of the program, then its words as they are before variables are expanded. */
  readonly words: readonly Located[];
  /** `:` before the path: variables stay as they are. */
  readonly isLiteral: boolean;
  /** `-` before the path: a failure counts as a success. */
  readonly ignoresFailure: boolean;
}

/** A command for which systemd refuses to load the unit, and why. */
export interface RefusedCommand {
  readonly at: SourceLocation;
  readonly why: string;
}

/**
 * The commands of `ExecStart=` and its like: after the last empty assignment, each `;` by itself beginning another.
 * @param refused  is told of a command that makes systemd refuse the unit; one with `-` before it is only left out
 */
export function commandsOf(
  unit: Unit,
  key: string,
  hostname: string | undefined,
  refused: (command: RefusedCommand) => void = () => undefined,
): Command[] {
  return listOf(unit, "Service", key).flatMap(({ value, at }) => {
    const commands: Command[] = [];
    let words: Located[] = [];
    let isCut = false;
    const end = (openQuoteAt?: SourceLocation): void => {
      const [first, ...others] = words;
      words = [];
      if (!first || isCut) return;
      const prefix = /^[-@:+!|]*/.exec(first.text)?.[0] ?? "";
      const program = first.text.slice(prefix.length);
      const why =
        openQuoteAt !== undefined
          ? "a quote is not closed"
          : program === "" || (program.includes("/") && !program.startsWith("/"))
            ? "the program's path is not absolute"
            : undefined;
      if (why !== undefined) {
        isCut = true;
        // Where the program itself should stand, an open quote only ends the line.
        if (!prefix.includes("-") && first.at !== openQuoteAt) refused({ at: openQuoteAt ?? first.at ?? at, why });
        return;
      }
      // `@` makes the second word the name that the program sees of itself.
      const args = prefix.includes("@") ? others.slice(1) : others;
      commands.push({
        at,
        words: [{ ...first, text: program }, ...args].map((word) => ({
          ...word,
          text: expandSpecifiers(word.text, unit.name, hostname),
        })),
        isLiteral: prefix.includes(":"),
        ignoresFailure: prefix.includes("-"),
      });
    };
    for (const word of systemdWords(value)) {
      if (word.separates) end();
      else words.push(word);
      if (word.isOpen) end(word.at ?? at);
    }
    end();
    return commands;
  });
}

export interface Condition {
  /** `ConditionFileNotEmpty` and its like. */
  readonly key: string;
  readonly at: SourceLocation;
  readonly path: string;
  /** undefined: only the living machine can tell. */
  readonly holds: boolean | undefined;
  /** `AssertX=`: a failure is a failed start, not a skipped one. */
  readonly isAssert: boolean;
  /** `|`: one of these is enough. */
  readonly isTrigger: boolean;
}

/** The unit's conditions on files, judged against the tree. */
export function conditionsOf(unit: Unit, tree: ChainTree, hostname: string | undefined): Condition[] {
  let found: Condition[] = [];
  for (const { section, key, value, at } of unit.settings) {
    const match = /^(Condition|Assert)([A-Z]\w*)$/.exec(key);
    if (section !== "Unit" || !match) continue;
    const [, kind = "", test = ""] = match;
    const text = value.text.trim();
    // An empty assignment takes back all conditions of its kind, whatever they test.
    if (text === "") {
      found = found.filter(({ isAssert }) => isAssert !== (kind === "Assert"));
      continue;
    }
    const isTrigger = text.startsWith("|");
    const unbarred = text.slice(isTrigger ? 1 : 0).trimStart();
    const isNegated = unbarred.startsWith("!");
    const path = expandSpecifiers(unbarred.slice(isNegated ? 1 : 0).trimStart(), unit.name, hostname);
    const fact = pathTest(tree, test, path);
    found.push({
      key,
      at,
      path,
      holds: fact === undefined ? undefined : fact !== isNegated,
      isAssert: kind === "Assert",
      isTrigger,
    });
  }
  return found;
}

/** @returns the conditions that keep the unit from starting */
export function failedConditions(conditions: readonly Condition[]): Condition[] {
  const failed = conditions.filter(({ holds, isTrigger }) => holds === false && !isTrigger);
  for (const isAssert of [false, true]) {
    const triggers = conditions.filter((one) => one.isTrigger && one.isAssert === isAssert);
    if (triggers.length > 0 && triggers.every(({ holds }) => holds === false)) failed.push(...triggers);
  }
  return failed;
}

function pathTest(tree: ChainTree, test: string, path: string): boolean | undefined {
  const stat = tree.stat(path);
  switch (test) {
    case "PathExists":
      return stat !== undefined;
    case "PathExistsGlob":
      return tree.glob(path).length > 0;
    case "PathIsDirectory":
      return stat?.kind === "directory";
    case "PathIsSymbolicLink":
      return tree.lstat(path)?.kind === "link";
    case "FileNotEmpty":
      return stat?.kind === "file" && stat.size > 0;
    case "FileIsExecutable":
      return stat?.kind === "file" && (stat.mode & 0o111) !== 0;
    case "DirectoryNotEmpty":
      return tree.names(path).length > 0;
    default:
      return undefined;
  }
}
