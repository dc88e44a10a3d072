import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Expansion, type SourceLine } from "../../../collector/conf/expand.ts";
import { NO_CHECKS } from "../../../collector/conf/includes.ts";
import { reportedAt, wordsOf } from "../../../collector/conf/lexer.ts";
import { systemConfFiles } from "../../../collector/sources/conf-files.ts";
import { configTest, hasKeepalived, inFolder, INSTALLED } from "./real-daemon.ts";

const CONFIG_ID = "lb1";

/**
 * The messages of `keepalived -t` for a configuration of unknown keywords: one for each line that its parser sees, so
 * that they tell how the text was expanded. First the parent's, then those of three children that read its copy.
 */
function messagesOf(path: string): string[] {
  const copy: SourceLine[] = [];
  const options = {
    files: systemConfFiles,
    configId: CONFIG_ID,
    release: INSTALLED,
    environment: undefined,
    includeChecks: NO_CHECKS,
    report: () => {},
    onFile: () => {},
  };
  const parent = new Expansion(options, undefined, copy);
  parent.open(path);
  const first = linesOf(parent);
  const child = linesOf(new Expansion(options, copy, undefined));
  return [...first, ...child, ...child, ...child];
}

function linesOf(expansion: Expansion): string[] {
  const found: string[] = [];
  let depth = 0;
  for (let line = expansion.next(); line !== undefined; line = expansion.next()) {
    const [word] = wordsOf(line).words;
    if (!word) continue;
    const at = `Line ${reportedAt(word).line}`;
    if (word.text === "{") depth += 1;
    if (word.text === "}" && depth-- < 1) {
      found.push(`${at}) Extra '}' found`);
      depth = 0;
    }
    found.push(word.text === "{" ? `${at}) Unexpected '{' - ignoring` : `${at}) Unknown keyword '${word.text}'`);
  }
  return found;
}

const SAID = /^(?:\((?:.*: )?(Line \d+\) ))?((?:Unknown keyword|Unexpected '\{'|Extra '\}').*)$/s;

const CASES: readonly (readonly [name: string, text: string, files?: Readonly<Record<string, string>>])[] = [
  ["comments and blanks", "# c\n\n  aaa # c\nbbb! c\n\tccc\t#c\n!\n#\n"],
  ["comments in words", "aa#bb cc\ndd!ee\n"],
  ["comment signs in quotes", '"aa#b" c\n"d !" e\nf "#" # "\n'],
  ["escaped comment signs", "aa\\#bb cc\ndd\\!ee\n\\\\#x\nff\\\\#gg\n"],
  ["escaped characters", 'aa\\bb\n\\\\\naa\\"b c"d\n'],
  ["a comment with a backslash at its end", "# c \\\naa # c \\\nbb # c \\\\\ncc\\\ndd \\\n"],
  ["quotes", '"aa bb" cc\ndd"ee"\n"" ff\n"a{b}c"\n'],
  ["a quote that is not closed", 'aa "bb\n"cc\ndd{ "e }\nff } "g\n'],
  ["CRLF line ends", "aaa\r\nbbb {\r\nccc\r\n}\r\n"],
  ["a carriage return inside a line", "aaa\rbbb\nccc }\r\n"],
  ["form feeds and vertical tabs", "aa\fbb\n\vcc\n\f\ndd\f{\n"],
  ["no line feed at the end", "aaa\nbbb"],
  ["an empty file", ""],
  ["only a brace", "{"],
  ["braces on lines of their own", "aa\n{\nbb\n}\n"],
  ["braces glued to text", "aa{bb}cc{dd}}ee\n"],
  ["several blocks on a line", "aa { bb } cc { dd { ee } } ff\n"],
  ["braces in front", "{ aa\n} bb {\n}{}{ cc\n"],
  ["too many braces", "}\n}}\naa }\n"],
  ["a definition", "$A=x\nk$A\n$A\n${A}\nk${A}l ${A}\n$A k\n"],
  ["what may follow a name", '$A=x\n$A, a\n$A) b\n$A. c\n$A/24\n$A; d\n$A\tz\n"$A"\n${A}y\n$A{ q\n$A}\n'],
  ["a definition in quotes", '$A=x\n"a $A b"\n"a${A}b"\n"$A "\n'],
  ["names that are none", "$1=a\n$A-B=b\n$=c\n$ D=d\n$E =e\n$_F=f\ng$_F ${_F}\n$1\n$A-B\n"],
  ["a definition with blanks", "  $A=  x y  \n$A\n${A}z\n"],
  ["an empty definition", "$A=\n${A}b\n$A c\n$A\n"],
  ["a redefinition", "$A=x\n$A\n$A=y\n$A\n"],
  ["definitions in definitions", "$A=x\n$B=${A}y\n$B\n$A=z\n$B\n"],
  ["a definition that defines", "$A=$B=7\n$A\nb${B}\n"],
  ["a definition of several words and braces", "$A=aa { bb\n$A\ncc }\n$B=} dd\n$B\n"],
  ["a definition that begins with a condition", "$B=@^lb1 bb\n$A=@lb2 aa $B\n$B\n$A\ncc\n"],
  ["a definition that holds a quote", '$A="a b" c\n$A\n$B="d\n$B\n'],
  ["a definition that holds a comment sign", '$A=a\\#b\n$A c\n$B="#" d\nx$B\n'],
  ["a definition that holds itself", "$A=a $A\n$A q\nend\n"],
  ["undefined names", "$A\n${A}\naa ${B} cc\n10.1.1.${C}\n"],
  ["blanks between the braces", "$A=x\n${A }y\n${ A}z\n${A  }\n"],
  ["a definition of several lines", "$A=aa \\\n  bb cc \\\ndd\n$A\nx $A\nend\n"],
  ["one of several lines that begins below", "$A=\\\naa\\\nbb\n$A\nend\n"],
  ["one of several lines in the middle of a line", "$A=aa\\\nbb\n$A cc\nx${A}y\n"],
  ["an empty line in a definition", "$A=aa \\\n\nbb\n$A\n"],
  ["a comment in a definition", "$A=aa \\\n# c\nbb\n$A\nend\n"],
  ["a blank line in a definition", "$A=aa \\\n  \t\nbb\n$A\nend\n"],
  ["a definition that the end of the file cuts", "aa\n$A=bb \\"],
  ["conditions in a definition", "$A=aa \\\n@lb1 bb \\\n@lb2 cc \\\n@^lb1 dd \\\nee\n$A\n"],
  ["a block in a definition", "$A=aa { \\\nbb \\\n} \\\ncc\n$A\n$A\n"],
  ["several lines in several lines", "$B=b1\\\nb2\n$A=aa\\\nx $B\\\ncc\n$A\nend\n"],
  ["definitions inside a definition", "$A=aa\\\n$V=1\\\nb${V}\n$A\nc${V}\n"],
  ["conditions", "@lb1 aa\n@lb2 bb\n@^lb1 cc\n@^lb2 dd\n@lb1\tee\n  @lb1   ff\n"],
  ["conditions that are none", "@ lb1 aa\n@^ lb1 bb\n@lb1\n@^lb2\n@ \n@lb10 cc\n@LB1 dd\n"],
  ["conditions behind braces", "aa { @lb1 bb } @lb2 cc\n} @^lb2 dd\n"],
  ["conditions of conditions", "@lb1 @lb1 aa\n@lb1 @^lb2 bb\n@lb1 $A=x\nk$A\n"],
  ["a sequence", "~SEQ(I, 1, 3) a$I\n~SEQ(I,2) b${I}c\n~SEQ(I,3,1) d$I\n~SEQ(I,0,5,12) e$I\nf$I\n"],
  ["a sequence of one number", "~SEQ(I,0) a$I\n~SEQ(I,-2) b$I\n~SEQ(I,1) c$I\n"],
  ["a sequence in other bases", "~SEQx(I,8,2,12) a$I\n~SEQ( I , 0x10 , 014 ) b$I\n~SEQx (I,10,11) c$I\n"],
  ["a sequence with definitions", "$N=3\n~SEQ(I,1,$N) a$I\n~SEQ(J,${N},4) b$J\n"],
  ["sequences in sequences", "~SEQ(I,2) ~SEQ(J,1,$I) a${I}b${J}\nend\n"],
  [
    "refused sequences",
    "~SEQ(I,1,a) a\n~SEQ I\n~SEQ(I) b\n~SEQ(I,1,0,3) c\n~SEQ(,1) d\n~SEQx(I,-3) e\n~SEQ(I,1,2,3,4) f\nend\n",
  ],
  ["a list", "~LST(A,a,b) w$A\n~LST({A,B},{1,2},{3,4},{5}) z${A}_${B}_\n~LST( A , x ) y$A\n~LST({A},{1},{2}) v$A\n"],
  ["a sequence of blocks in a definition", "$B=b$I {\\\nc$I\\\n}\n~SEQ(I,2) $B\nend\n"],
  ["a sequence inside a definition", "$A=aa\\\n~SEQ(I,2) b$I\\\ncc\n$A\nend\n"],
  ["a definition that is a sequence", "$A=~SEQ(I,2) b$I\n$A\n$B=~SEQ(I,2) c\n$B\nend\n"],
  ["a sequence that opens a block", "~SEQ(I,2) a$I {\nb$I\n}\n"],
  ["a tilde that is none", "~ aa\n~SEX(I,2) b\n~\n"],
  ["built-ins", "a${_INSTANCE}b\n$_INSTANCE\n${_HASH}c d\ne${_HASH}f\ng${_BANG}\nh\\${_HASH}i\n"],
  ["an include", "aa\ninclude inc/a.conf\nbb\n", { "inc/a.conf": "i1\n\ni3\n" }],
  [
    "includes of includes",
    "include inc/a.conf\nbb\n",
    { "inc/a.conf": "i1\ninclude b.conf\ni3\n", "inc/b.conf": "j1\n" },
  ],
  [
    "an include with wildcards and braces",
    "include inc/*.conf\ninclude inc/{b,a}.conf\ninclude inc/[b-z].c?nf\n",
    { "inc/a.conf": "a1\n", "inc/b.conf": "b1\n", "inc/.c.conf": "c1\n" },
  ],
  [
    "an include with nested braces",
    "include inc/{a,{b,c}}.conf\ninclude inc/{,x}a.conf\n",
    { "inc/a.conf": "a1\n", "inc/b.conf": "b1\n", "inc/c.conf": "c1\n", "inc/xa.conf": "xa1\n" },
  ],
  [
    "includes that match nothing",
    'include no.conf\ninclude no*.conf\ninclude "inc/a.conf"\ninclude\nincludeq a\nend\n',
    { "inc/a.conf": "a1\n" },
  ],
  ["an include with a comment behind it", "include inc/a.conf # c\nend\n", { "inc/a.conf": "a1" }],
  ["a checked include", "includer inc/a.conf\nincludem inc/a.conf\nincludea inc/a.conf\n", { "inc/a.conf": "a1" }],
  [
    "an include behind a condition",
    "@lb1 include inc/a.conf\n@lb2 include inc/a.conf\nend\n",
    { "inc/a.conf": "a1\n" },
  ],
  [
    "an include out of a definition",
    "$D=inc\ninclude $D/a.conf\ninclude ${D}/a.conf\n$I=include inc/a.conf\n$I\nend\n",
    { "inc/a.conf": "a1\n" },
  ],
  ["a definition out of an include", "include inc/a.conf\nk$A\n", { "inc/a.conf": "$A=x" }],
  ["an include behind a brace", "aa { include inc/a.conf\n}\n", { "inc/a.conf": "a1\n" }],
  ["a brace that an include closes", "aa {\ninclude inc/a.conf\nbb\n", { "inc/a.conf": "a1\n}\n" }],
  ["a line of 1022 bytes", `a${"b".repeat(1021)}\nend\n`],
  ["a line of 1023 bytes", `a${"b".repeat(1022)}\nend\n`],
  ["a line of 2100 bytes", `a${"b".repeat(2099)}\nend\n`],
  ["a line of 1100 bytes in several words", `${"abcdefg ".repeat(138)}\nend\n`],
  ["a line that definitions make too long", `$A=${"x".repeat(600)}\n$A $A\nb\${A}\${A}c\nend\n`],
  ["a NUL byte", "aaa\0bbb\nccc\n\0ddd\neee\n"],
  ["a byte order mark", "\uFEFFaaa\nbbb\n"],
  ["letters outside ASCII", "a\u00e9\u20ac b\n\u00a0cc\n"],
];

describe.skipIf(!hasKeepalived)("the real daemon sees the same lines", () => {
  const rows = CASES.map(([name, text, files = {}]) => [name, text, files] as const);
  test.each(rows)("%s", (_name, text, files) => {
    inFolder({ "keepalived.conf": text, ...files }, (folder) => {
      const path = join(folder, "keepalived.conf");
      const real = configTest(path, CONFIG_ID);
      expect(real.ended).toBe(true);
      // keepalived counts line feeds, not lines: its numbers are no help where one is missing or does not count.
      const areCounted = Object.values({ text, ...files }).every((one) => /^(?:[^\0\n]{0,1022}\n)*$/.test(one));
      const theirs = real.lines.flatMap((line) => {
        const [, at = "", message] = SAID.exec(line) ?? [];
        return message === undefined ? [] : [(areCounted ? at : "") + message];
      });
      const ours = messagesOf(path).map((line) => {
        const bytes = Buffer.from(line, "utf8").toString("latin1");
        return areCounted ? bytes : bytes.replace(/^Line \d+\) /, "");
      });
      expect(ours).toEqual(theirs);
    });
  });
});
if (!hasKeepalived)
  process.stderr.write(
    "\nSKIPPED, the comparison of the expansion with keepalived -t: keepalived is not installed\n\n",
  );
