/**
 * What a stranger's SQL may be: one SELECT over the store's own tables. The engine's own read-only mode refuses writes and changed settings, but
 * not the scalar function `file`, INTO OUTFILE, or a second statement; so a question is looked at before it is asked, as the engine's own
 * parser reads it (EXPLAIN AST), and what is not known to be harmless is refused.
 */

/** Why a question is not asked. `code` is ClickHouse's own: 62 SYNTAX_ERROR, 164 READONLY, 497 ACCESS_DENIED. */
export interface Refusal {
  readonly code: 62 | 164 | 497;
  readonly why: string;
}

/** Longest question, characters. */
export const QUESTION_CHARS_MAX = 100_000;

/** Strings and quoted names, which may hold anything, and comments. What follows a quote or comment that never ends is refused below. */
const QUOTED = /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/g;
const COMMENT_OR_QUOTED = new RegExp(`${QUOTED.source}|--[^\\n]*|/\\*[\\s\\S]*?\\*/`, "g");

export interface Question {
  /** Without its format and its final semicolon, and with spaces for comments. */
  readonly sql: string;
  /** Where it begins in the text that it is taken from. */
  readonly start: number;
  readonly format: string | undefined;
}

/** Looks at the text alone: one statement, nothing that another lexer could read otherwise. */
export function questionOf(text: string): Question | Refusal {
  if (text.length > QUESTION_CHARS_MAX)
    return { code: 62, why: `the query has more than ${QUESTION_CHARS_MAX} characters` };
  const plain = text
    // As many characters, so that what the engine says of a place is right.
    .replace(COMMENT_OR_QUOTED, (part) =>
      part.startsWith("--") || part.startsWith("/*") ? part.replace(/[^\n]/g, " ") : part,
    )
    .replace(/[\s;]+$/, "");
  const bare = plain.replace(QUOTED, "''");
  const sign = /[;#$\\\0‘’“”−]|--|\/\*|\*\//.exec(bare)?.[0];
  if (sign === ";") return { code: 62, why: "only one statement at a time" };
  if (sign !== undefined) return { code: 62, why: `${JSON.stringify(sign)} is not taken outside of a string` };
  if (/['"`]/.test(bare.replaceAll("''", ""))) return { code: 62, why: "a quote is not closed" };
  const word = /\b(outfile|infile|compression)\b/i.exec(bare)?.[0];
  if (word !== undefined)
    return { code: 164, why: `${word.toUpperCase()} is not taken here: this interface only reads` };
  const format = /\bFORMAT\s+([A-Za-z][A-Za-z0-9]*)$/i.exec(plain);
  const sql = (format ? plain.slice(0, format.index) : plain).trim();
  if (sql === "") return { code: 62, why: "there is no query" };
  if (!/^[\s(]*(SELECT|WITH|SHOW|DESC|DESCRIBE)\b/i.test(sql))
    return {
      code: 164,
      why: "only SELECT, SHOW TABLES, SHOW DATABASES and DESCRIBE are taken: this interface only reads",
    };
  return { sql, start: plain.length - plain.trimStart().length, format: format?.[1] };
}

/** Table functions that make rows of nothing but their arguments. */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  "numbers",
  "numbers_mt",
  "zeros",
  "zeros_mt",
  "values",
  "generateseries",
  "generate_series",
  "view",
]);

/** Of the engine's own tables those that describe the language and our tables, in lower case. */
const SYSTEM_TABLES: ReadonlySet<string> = new Set(
  ["one", "numbers", "databases", "tables", "columns", "functions", "formats", "data_type_families", "time_zones"].map(
    (name) => `system.${name}`,
  ),
);

/** Scalar functions that reach beyond their arguments: files, dictionaries, other hosts, the engine's own state; and those that only take time. */
const FUNCTIONS_REFUSED =
  /^(file.*|dict.*|joinget.*|catboost.*|evalml.*|model.*|ai[a-z_]*|sleep.*|getclienthttpheader|get(macro|serversetting|mergetreesetting|serverport|setting.*)|tcpport|addressto.*|demangle|symbol.*|serveruuid|zookeeper.*|transaction.*|trap|logtrace|fuzz.*|obfuscatequery|executable.*|initializeaggregation|hascolumnintable|currentprofiles|enabled.*|defaultprofiles|generateserialid|remote.*|url|s3.*|timeseriesid.*)$/;
/** Names that match and are harmless. */
const FUNCTIONS_TAKEN: ReadonlySet<string> = new Set(["filter", "airpass"]);

/** Databases whose names are refused wherever a name may stand: also on the right of IN, where it is a table. */
const FOREIGN = /^(system|information_schema|default|_local|_temporary_and_external_tables)$/;

export interface Allowed {
  readonly database: string;
  /** Names of the tables that may be read. */
  readonly tables: ReadonlySet<string>;
  /** Functions that are not the engine's own, in lower case: what they do nobody here knows. */
  readonly foreign?: ReadonlySet<string>;
}

/** @param ast  lines of EXPLAIN AST */
export function refusalOf(ast: readonly string[], sql: string, allowed: Allowed): Refusal | undefined {
  const root = ast[0]?.trim().split(" ")[0];
  if (root === "ShowTables")
    return /^SHOW\s+(DATABASES|TABLES(\s+(FROM|IN)\s+["`]?\w+["`]?)?)$/i.test(sql)
      ? undefined
      : denied("SHOW takes DATABASES, or TABLES with FROM a database");
  if (root !== "SelectWithUnionQuery" && root !== "DescribeQuery")
    return {
      code: 164,
      why: "only SELECT, SHOW TABLES, SHOW DATABASES and DESCRIBE are taken: this interface only reads",
    };
  const ctes = namesOfWith(sql);
  let tableDepth = -1;
  for (const line of ast) {
    const depth = line.length - line.trimStart().length;
    const [, node = "", rest = ""] = /^\s*(\S+) ?(.*?)( \(alias .*\))?( \(children \d+\))?$/.exec(line) ?? [];
    const name = rest.trim();
    if (node === "TableExpression") tableDepth = depth;
    if (node === "Set") return { code: 164, why: "SETTINGS is not taken here: the limits are the server's" };
    if (node === "TableIdentifier" && !mayRead(name, allowed, ctes))
      return denied(`the table ${name} cannot be read here`);
    if (node === "Identifier" && isForeign(name)) return denied(`${name} cannot be read here`);
    if (node === "Function") {
      const isTable = depth === tableDepth + 1;
      const plain = name.toLowerCase();
      if (isTable && !TABLE_FUNCTIONS.has(plain)) return denied(`the table function ${name} is not taken here`);
      if (!isTable && allowed.foreign?.has(plain)) return denied(`the function ${name} is not taken here`);
      if (!isTable && FUNCTIONS_REFUSED.test(plain) && !FUNCTIONS_TAKEN.has(plain))
        return denied(`the function ${name} is not taken here`);
    }
    if (depth <= tableDepth && node !== "TableExpression") tableDepth = -1;
  }
  return undefined;
}

const denied = (why: string): Refusal => ({ code: 497, why });

/** Names that a WITH gives to subqueries, as far as they are plain words: nothing outside of our own database is called so. */
const namesOfWith = (sql: string): ReadonlySet<string> =>
  new Set([...sql.matchAll(/["`]?\b([A-Za-z_]\w*)["`]?\s+AS\s*\(/gi)].map(([, name = ""]) => name));

function mayRead(name: string, { database, tables }: Allowed, ctes: ReadonlySet<string>): boolean {
  if (ctes.has(name) || tables.has(name) || SYSTEM_TABLES.has(name.toLowerCase())) return true;
  return name.startsWith(`${database}.`) && tables.has(name.slice(database.length + 1));
}

function isForeign(name: string): boolean {
  const [database = "", table] = name.toLowerCase().split(".");
  return table !== undefined && FOREIGN.test(database) && !SYSTEM_TABLES.has(`${database}.${table}`);
}
