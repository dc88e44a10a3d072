import { parse, TomlError } from "smol-toml";
import { OperatorError } from "./errors.ts";
import type { SchemaFault } from "./schema.ts";

/** A schema that checks, as far as reading settings needs it. */
export interface SettingsSchema {
  Errors(value: unknown): readonly SchemaFault[];
}

/** A part of some settings: every table and key optional. */
export type Part<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Part<T[K]> : T[K];
};

/**
 * Reads TOML over defaults: unknown keys are refused, and all faults are told at once.
 * @param what   what the file configures, for the sentences: `the collector`
 * @param check  faults across keys, one sentence each; called when every key by itself is right
 * @throws OperatorError that names the file, and the line or every key at fault
 */
export function readSettings<T extends object>(
  text: string,
  path: string,
  options: {
    schema: SettingsSchema;
    defaults: T;
    overrides: Part<T>;
    what: string;
    check: (settings: T) => readonly string[];
  },
): T {
  const merged = merge(merge(options.defaults, parseToml(text, path)), options.overrides);
  const faults = options.schema.Errors(merged).map((fault) => sentence(fault, options.what, text));
  const found = faults.length > 0 ? [...new Set(faults)] : options.check(merged as T);
  if (found.length > 0) throw new OperatorError("CONFIG_INVALID", `${path}: ${found.join("; ")}`);
  return merged as T;
}

/**
 * The line on which a key stands, or the nearest table above it that the text has. TOML's parser keeps no places, so this
 * reads table headers and the beginnings of lines; what it cannot find has no line.
 * @param keys  tables, indices of arrays and the key: `["ingest", "tokens", "0", "sha256"]`
 * @returns counted from 1
 */
export function lineOfKey(text: string, keys: readonly string[]): number | undefined {
  const tables = new Map<string, number>();
  let best: { line: number; depth: number } | undefined;
  let table: readonly string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [, brackets, header] = /^\s*(\[{1,2})\s*([^\]#]+?)\s*\]/.exec(line) ?? [];
    const key = /^\s*([A-Za-z0-9_."'-]+)\s*=/.exec(line)?.[1];
    if (header !== undefined) {
      const name = dotted(header);
      const count = tables.get(name.join(".")) ?? 0;
      tables.set(name.join("."), count + 1);
      table = brackets === "[[" ? [...name, String(count)] : name;
    } else if (key === undefined) continue;
    const here = header === undefined && key !== undefined ? [...table, ...dotted(key)] : table;
    if (here.length > (best?.depth ?? 0) && here.every((part, i) => part === keys[i]))
      best = { line: index + 1, depth: here.length };
  }
  return best?.line;
}

const dotted = (name: string): string[] => name.split(".").map((part) => part.trim().replace(/^["']|["']$/g, ""));

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new OperatorError(
      "CONFIG_SYNTAX",
      `${path}:${cause.line}:${cause.column}: ${cause.message.split("\n")[0]?.replace("Invalid TOML document: ", "")}`,
      { cause },
    );
  }
}

/** The schemas are closed: an unknown key fails against a schema that nothing fits. */
function sentence({ instancePath, message }: SchemaFault, what: string, text: string): string {
  const keys = instancePath.slice(1).split("/");
  const key = keys.join(".");
  const line = lineOfKey(text, keys);
  const where = line === undefined ? "" : `line ${line}: `;
  if (message === "schema is false") return `${where}${key} is not a key of ${what}'s configuration`;
  return `${where}${key || "the file"} ${message}`;
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isTable(base) || !isTable(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over))
    merged[key] = Object.hasOwn(base, key) ? merge(base[key], value) : value;
  return merged;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
