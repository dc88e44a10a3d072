import { describe, expect, test } from "vitest";
import { type ConfFiles, type ParseOptions, parseConf } from "../../../collector/conf/parser.ts";
import { severityOf } from "../../../collector/conf/codes/registry.ts";
import { syntaxCodes } from "../../../collector/conf/codes/syntax.ts";
import { NEWEST_RELEASE, parseRelease } from "../../../collector/conf/version.ts";

const MAIN = "/etc/keepalived/keepalived.conf";

function filesOf(table: Readonly<Record<string, string>>): ConfFiles {
  const full = new Map(
    Object.entries(table).map(([name, text]) => [name.startsWith("/") ? name : `/etc/keepalived/${name}`, text]),
  );
  return {
    read: (path) => full.get(path) ?? { unreadable: `${path} does not exist` },
    glob: (pattern, directory) => {
      const path = pattern.startsWith("/") ? pattern : directory + pattern;
      const [before = ""] = path.split("*");
      return [...full.keys()].filter((name) => (path.includes("*") ? name.startsWith(before) : name === path));
    },
  };
}

const read = (text: string, others: Readonly<Record<string, string>> = {}, options: ParseOptions = {}) =>
  parseConf(MAIN, filesOf({ [MAIN]: text, ...others }), "lb1", options);

const release = (text: string) => ({ release: parseRelease(text) ?? NEWEST_RELEASE });

/** Each fault as `line:column severity code`. */
const faults = (text: string, others: Readonly<Record<string, string>> = {}, version = "2.2.7"): string[] =>
  read(text, others, release(version)).faults.map(
    ({ code, at }) =>
      `${at.file === MAIN ? "" : `${at.file.replace(/.*\//, "")}:`}${at.line}:${at.column} ${severityOf(code, release(version).release)} ${code}`,
  );

const block = (body: string): string => `vrrp_instance V {\n${body}}\n`;

const TABLE: readonly (readonly [name: string, text: string, expected: readonly string[], version?: string])[] = [
  ["nothing", block("  priority 100 # c\n"), []],
  ["a quote that is not closed", block('  notify "/bin/a\n'), ["2:10 degraded unterminated_quote"]],
  [
    "a missing brace, where the indentation says",
    "vrrp_instance A {\n  authentication {\n    auth_type PASS\n  priority 1\n}\nvrrp_instance B {\n}\n",
    ["2:3 degraded missing_brace_close", "6:17 degraded unexpected_brace"],
  ],
  [
    "a missing brace without indentation",
    "vrrp_instance A {\npriority 1\nvrrp_instance B {\n}\n",
    ["3:17 degraded unexpected_brace", "1:1 degraded missing_brace_close"],
  ],
  ["a brace too many", "vrrp_instance A {\n  }\n  priority 1\n}\n", ["4:1 degraded extra_brace_close"]],
  [
    "a block that is none",
    block("  Virtual_ipaddress {\n    10.0.0.1\n  }\n"),
    ["2:21 degraded unexpected_brace", "5:1 degraded extra_brace_close"].slice(0, 1),
  ],
  [
    "a block without its brace",
    "vrrp_instance V\n  priority 1\n}\n",
    ["1:1 degraded missing_brace_open", "3:1 degraded extra_brace_close"],
  ],
  [
    "a brace in a comment",
    block("  authentication {\n    auth_pass a#b }\n"),
    ["3:16 degraded comment_in_word", "2:3 degraded missing_brace_close", "3:16 degraded brace_in_comment"],
  ],
  ["a comment in a word", block("  auth_pass abc!def\n"), ["2:16 degraded comment_in_word"]],
  ["a comment behind a word", block("  priority 1# c\n"), []],
  ["an escaped comment sign", block("  auth_pass a\\#b\n"), ["2:14 degraded escaped_comment_sign"]],
  ["the same where it works", block("  auth_pass a\\#b\n"), [], "2.1.5"],
  ["a comment that ends with a backslash", "# c:\\\n", ["1:5 degraded comment_ends_with_backslash"]],
  ["the same where it does not matter", "# c:\\\n", [], "2.4.0"],
  ["a backslash that continues nothing", block("  priority 1 \\\n  nopreempt\n"), ["2:14 degraded backslash_at_end"]],
  [
    "comments of other languages",
    "// a\n; b\n/* c */\nvrrp_instance V { // d\n}\n",
    [
      "1:1 degraded foreign_comment",
      "2:1 degraded foreign_comment",
      "3:1 degraded foreign_comment",
      "4:19 degraded foreign_comment",
    ],
  ],
  ["paths that look like comments", block("  notify //bin/a\n  notify /bin/*\n"), []],
  ["a semicolon", block("  interface eth0;\n"), ["2:17 degraded trailing_semicolon"]],
  ["line ends of Windows, once", "vrrp_instance V {\r\n}\r\n", ["1:18 hint crlf"]],
  ["line ends of old Macs", "vrrp_instance V {\r}\r", ["1:18 degraded carriage_return", "1:20 hint crlf"]],
  ["a byte order mark", "\uFEFF# c\n", ["1:1 degraded byte_order_mark"]],
  [
    "typographic quotes",
    block("  notify \u201c/bin/a\u201d\n"),
    ["2:10 degraded typographic_quote", "2:17 degraded typographic_quote"],
  ],
  ["a typographic dash", block("  weight \u201320\n"), ["2:10 degraded typographic_dash"]],
  [
    "a no-break space and a zero-width one",
    block("  priority\u00a01\n  pri\u200bority 1\n"),
    ["2:11 degraded invisible_character", "3:6 degraded invisible_character"],
  ],
  ["a full-width brace", "vrrp_instance V \uff5b\n", ["1:17 degraded lookalike_character"]],
  ["such signs in a comment", "# \u201ca\u201d \u2013\u00a0\n", []],
  ["bytes that are no UTF-8, once", "a\udce9\nb\udce9\n", ["1:2 hint invalid_utf8"]],
  ["a NUL byte", "router\0_id x\n", ["1:7 degraded nul_byte"]],
  ["a line that is too long", `# ${"x".repeat(1021)}\n`, ["1:1 degraded line_too_long"]],
  ["a line that just fits", `# ${"x".repeat(1020)}\n`, []],
  [
    "an undefined name",
    block("  priority ${P}\n"),
    ["2:12 degraded undefined_definition", "2:13 degraded unexpected_brace"],
  ],
  ["a password with a dollar", block("  auth_pass pa$word\n"), []],
  ["a definition nothing uses", "$A=1\n", ["1:1 hint definition_unused"]],
  [
    "a definition beside other text",
    "$NET=10.0.0\n$NET.1\n",
    ["2:1 degraded definition_not_delimited", "1:1 hint definition_unused"],
  ],
  [
    "several lines in the middle of a line",
    "$A=a\\\nb\n$A c\n",
    ["3:1 degraded definition_not_last", "1:1 hint definition_unused"],
  ],
  [
    "a definition with a blank",
    "$A = 1\n$A-B=2\n",
    [
      "1:1 degraded definition_malformed",
      "1:1 degraded undefined_definition",
      "2:1 degraded definition_malformed",
      "2:1 degraded undefined_definition",
    ],
  ],
  ["a definition that appends to itself", "$A=1\n$A=$A 2\n$A\n", ["2:4 degraded definition_recursive"]],
  ["a definition that is itself", "$A=$A\n$A\n", ["1:4 fatal definition_hangs"]],
  [
    "two that are each other",
    "$A=${B}\n$B=${A}\n${A}\n",
    ["2:4 fatal definition_hangs", "2:5 degraded unexpected_brace"],
  ],
  ["a definition that begins with a condition", "$A=@lb1 a\n$A\n", ["1:4 fatal condition_in_definition"]],
  ["the same since 2.4.0", "$A=@lb1 a\n$A\n", ["1:4 degraded condition_in_definition"], "2.4.3"],
  ["a comment in a definition", "$A=a \\\n# c\nb\n$A\n", ["2:1 degraded comment_in_definition"]],
  ["parameters where none belong", "${_PWD 1}\n", ["1:1 degraded definition_params", "1:2 degraded unexpected_brace"]],
  ["text behind a random number", "a${_RANDOM 1 5}b\n", ["1:2 degraded random_not_last"]],
  [
    "a condition without a line",
    "@lb1\n@ lb1 a\n",
    ["1:1 degraded condition_empty", "2:1 degraded condition_without_id"],
  ],
  [
    "a refused sequence",
    "~SEQ(I, 1, x) a\n~LST(A,{a,b}) c\n",
    ["1:9 degraded sequence_malformed", "2:8 degraded sequence_malformed"],
  ],
  ["a sequence of nothing", "~SEQ(I, 3)\n", ["1:1 degraded sequence_empty"]],
  [
    "a sequence that opens blocks",
    "~SEQ(I, 2) vrrp_script s$I {\n}\n",
    ["1:1 degraded sequence_opens_block", "1:12 degraded missing_brace_close", "1:28 degraded unexpected_brace"],
  ],
  ["a sequence without end", "~SEQ(I, 4000000000) a\n", ["1:21 degraded expansion_too_large"]],
  [
    "definitions that explode",
    `$A=x\n${Array.from({ length: 40 }, (_, i) => `$L${i}=\\\n$L${i + 1}\\\n$L${i + 1}\\\nend`).join("\n")}\n$L0\n`,
    ["", "degraded expansion_too_large"].slice(1).map((one) => `?:? ${one}`),
  ],
  [
    "an include that is not there",
    "include no.conf\ninclude no*.conf\n",
    ["1:1 degraded include_no_match", "2:1 degraded include_no_match"],
  ],
  [
    "a checked include that is not there",
    "includea no.conf\nincludew no*.conf\nincludem no*.conf\n",
    ["1:1 fatal include_no_match_checked", "2:1 fatal include_no_match_checked", "3:1 degraded include_no_match"],
  ],
  [
    "an include after include_check",
    "global_defs {\n  include_check\n}\ninclude no.conf\n",
    ["4:1 fatal include_no_match_checked"],
  ],
  ["an include behind a condition", "@lb1 include inc.conf\n", ["1:6 degraded include_read_twice"]],
  ["a file that includes itself", "include keepalived.conf\n", ["1:1 degraded include_depth"]],
  [
    "definitions before they were known",
    "$A=1\n$A\n",
    ["1:1 degraded feature_too_new", "2:1 degraded undefined_definition"].slice(0, 1),
    "1.3.9",
  ],
  ["conditions before they were known", "@lb1 a\n", ["1:1 degraded feature_too_new"], "1.2.24"],
  [
    "sequences before they were known",
    "~SEQ(I,2) a\n~LST(A,b) c\n",
    ["1:1 degraded feature_too_new", "2:1 degraded feature_too_new"],
    "2.0.8",
  ],
  ["checked includes before they were known", "includer inc.conf\n", ["1:1 degraded feature_too_new"], "2.1.5"],
];

describe("each fault of the text is told, with its place", () => {
  test.each(TABLE.map(([name, text, expected, version = "2.2.7"]) => [name, text, expected, version] as const))(
    "%s",
    (_name, text, expected, version) => {
      const found = faults(text, { "inc.conf": "a\n" }, version);
      if (expected.some((one) => one.startsWith("?")))
        expect(found.map((one) => one.replace(/^\S+/, "?:?"))).toEqual(expect.arrayContaining([...expected]));
      else expect(found.toSorted()).toEqual(expected.toSorted());
    },
  );

  test("every code that is told has a row, and every row is told somewhere", () => {
    const told = new Set(
      TABLE.flatMap(([, text, , version = "2.2.7"]) =>
        read(text, { "inc.conf": "a\n" }, release(version)).faults.map(({ code }) => code),
      ),
    );
    const elsewhere = [
      // Told below, or by files that only a disk can have.
      "expanded_line_too_long",
      "definition_hides_builtin",
      "definition_not_read_again",
      "file_executable",
      "main_file_unreadable",
      "file_unreadable",
      "file_unreadable_checked",
      "include_alternative_missing",
      "include_alternative_missing_checked",
    ];
    expect([...told, ...elsewhere].toSorted()).toEqual(syntaxCodes.map(({ code }) => code).toSorted());
  });
});
