import type { ConfFiles } from "../conf/parser.ts";

/** What lstat(2) says of one path, as far as the start chain asks. */
export interface ChainStat {
  readonly kind: "file" | "directory" | "link" | "other";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Epoch microseconds of the last change of the contents; undefined where the copy does not keep it. */
  readonly mtimeUs?: number;
}

/**
 * Where the chain's files come from: this machine, an operator's copy of its tree, or a table in a test.
 * All paths are absolute and as on the node; none of the functions follows a symbolic link.
 */
export interface ChainFiles {
  /** A regular file's text, or a sentence that says why it cannot be read. */
  readonly read: (path: string) => string | { readonly unreadable: string };
  readonly stat: (path: string) => ChainStat | undefined;
  readonly readlink: (path: string) => string | undefined;
  /** The names in a directory, in any order; empty when it is none. */
  readonly list: (path: string) => readonly string[];
}

/** As Linux does: more symbolic links than this in one path are a loop. */
const LINKS_MAX = 40;
/** Most paths of one pattern, and most alternatives of its braces. */
const GLOB_MAX = 4096;

/** The files of a node with links followed inside the tree: a copied tree's absolute links stay in the copy. */
export class ChainTree {
  private readonly files: ChainFiles;
  private readonly stats = new Map<string, ChainStat | undefined>();

  constructor(files: ChainFiles) {
    this.files = files;
  }

  /** The path with every link resolved, whether or not its last part exists; undefined for a loop of links. */
  real(path: string): string | undefined {
    let todo = path.split("/").filter((part) => part !== "" && part !== ".");
    const done: string[] = [];
    let links = 0;
    while (todo.length > 0) {
      const [part = "", ...rest] = todo;
      todo = rest;
      if (part === "..") {
        done.pop();
        continue;
      }
      const here = `/${[...done, part].join("/")}`;
      const target = this.lstat(here)?.kind === "link" ? this.files.readlink(here) : undefined;
      if (target === undefined) {
        done.push(part);
        continue;
      }
      links += 1;
      if (links > LINKS_MAX) return undefined;
      if (target.startsWith("/")) done.length = 0;
      todo = [...target.split("/").filter((one) => one !== "" && one !== "."), ...todo];
    }
    return `/${done.join("/")}`;
  }

  /** As stat(2): links are followed. */
  stat(path: string): ChainStat | undefined {
    const real = this.real(path);
    return real === undefined ? undefined : this.lstat(real);
  }

  lstat(path: string): ChainStat | undefined {
    if (!this.stats.has(path)) this.stats.set(path, this.files.stat(path));
    return this.stats.get(path);
  }

  exists(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  isFile(path: string): boolean {
    return this.stat(path)?.kind === "file";
  }

  /** A file's text, or why it cannot be read. */
  read(path: string): string | { readonly unreadable: string } {
    const real = this.real(path);
    if (real === undefined) return { unreadable: `${path} is a loop of symbolic links` };
    const stat = this.lstat(real);
    if (stat === undefined) return { unreadable: `${path} does not exist` };
    if (stat.kind !== "file") return { unreadable: `${path} is not a regular file` };
    return this.files.read(real);
  }

  /** The text, or undefined for whatever reason. */
  text(path: string): string | undefined {
    const text = this.read(path);
    return typeof text === "string" ? text : undefined;
  }

  /** Names in a directory, sorted by their code units as glob(3) and systemd do in the C locale. */
  names(path: string): string[] {
    const real = this.real(path);
    return real === undefined ? [] : [...this.files.list(real)].sort(byText);
  }

  /** Paths that a shell pattern matches, in order. A pattern without a wildcard gives its path when that exists. */
  glob(pattern: string): string[] {
    return braces(pattern).flatMap((one) => this.globOne(one));
  }

  /** The same files with keepalived's own rules for a configuration: regular, and no execute bit. */
  confFiles(): ConfFiles {
    return {
      read: (path) => {
        const stat = this.stat(path);
        if (stat?.kind === "file" && (stat.mode & 0o111) !== 0)
          return { unreadable: `${path} has an execute bit, and keepalived ignores it (chmod a-x ${path})` };
        return this.read(path);
      },
      glob: (pattern, directory) => this.glob(absolute(pattern, directory)),
    };
  }

  private globOne(pattern: string): string[] {
    let found = ["/"];
    for (const part of pattern.split("/").filter((one) => one !== "" && one !== ".")) {
      const next: string[] = [];
      for (const dir of found) {
        const under = dir === "/" ? "/" : `${dir}/`;
        if (!/[*?[]/.test(part)) next.push(`${under}${part}`);
        else
          for (const name of this.names(dir))
            if ((part.startsWith(".") || !name.startsWith(".")) && matches(part, name)) next.push(`${under}${name}`);
        if (next.length > GLOB_MAX) break;
      }
      found = next.slice(0, GLOB_MAX);
    }
    return found.filter((path) => this.exists(path));
  }
}

/** `path` as seen from `directory`, without `.` and with `..` left to the links. */
export function absolute(path: string, directory: string): string {
  return path.startsWith("/") ? path : `${directory.replace(/\/+$/, "")}/${path}`;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `a{b,c}d` → `abd`, `acd`; unbalanced braces stand for themselves, and the number of alternatives is bounded. */
function braces(pattern: string): string[] {
  let found = [pattern];
  for (let round = 0; round < 16; round++) {
    let changed = false;
    const next: string[] = [];
    for (const one of found) {
      const close = one.indexOf("}");
      const open = close < 0 ? -1 : one.lastIndexOf("{", close);
      if (open < 0) next.push(one);
      else {
        changed = true;
        for (const alternative of one.slice(open + 1, close).split(","))
          next.push(one.slice(0, open) + alternative + one.slice(close + 1));
      }
      if (next.length > GLOB_MAX) return next.slice(0, GLOB_MAX);
    }
    found = next;
    if (!changed) break;
  }
  return found;
}

/** fnmatch(3) without a regular expression: `*`, `?` and `[sets]`, in time of at most pattern × name. */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let starP = -1;
  let starN = 0;
  while (n < name.length) {
    const step = p < pattern.length ? matchOne(pattern, p, name[n] ?? "") : 0;
    if (pattern[p] === "*") {
      starP = p;
      starN = n;
      p += 1;
    } else if (step > 0) {
      p += step;
      n += 1;
    } else if (starP >= 0) {
      starN += 1;
      p = starP + 1;
      n = starN;
    } else return false;
  }
  while (pattern[p] === "*") p += 1;
  return p >= pattern.length;
}

/** @returns how many characters of the pattern match this one character; 0 when they do not */
function matchOne(pattern: string, at: number, char: string): number {
  const first = pattern[at];
  if (first === "?") return 1;
  if (first === "\\" && at + 1 < pattern.length) return pattern[at + 1] === char ? 2 : 0;
  if (first !== "[") return first === char ? 1 : 0;
  const negated = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  const start = at + (negated ? 2 : 1);
  const end = pattern.indexOf("]", start + 1);
  if (end < 0) return char === "[" ? 1 : 0;
  let inside = false;
  for (let i = start; i < end; i++) {
    const low = pattern[i] ?? "";
    if (pattern[i + 1] === "-" && i + 2 < end) {
      inside ||= low <= char && char <= (pattern[i + 2] ?? "");
      i += 2;
    } else inside ||= low === char;
  }
  return inside !== negated ? end - at + 1 : 0;
}
