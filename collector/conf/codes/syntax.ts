import type { DiagnosticCode } from "./code.ts";

/** Faults of the text itself: words, quotes, braces, includes, definitions. */
export const syntaxCodes: readonly DiagnosticCode[] = [
  {
    code: "unterminated_quote",
    severity: "degraded",
    title: "a double quote is not closed on its line",
    explanation:
      "Quotes do not reach over lines. keepalived drops the line from the quote on, so that the keyword may be left without its value (which ends the daemon), and a brace behind the quote does not count. A backslash does not escape a quote, except in commands.",
    fix: "Close the quote on the same line.",
  },
  {
    code: "missing_brace_close",
    severity: "degraded",
    title: "a block is not closed",
    explanation:
      "keepalived says how many braces are missing (2.0.8) and goes on: blocks that follow are read inside the open one, and two instances may merge into one with the second's id and both sets of addresses.",
    fix: "Close the block. A # or ! in a value begins a comment and can swallow a brace.",
  },
  {
    code: "missing_brace_open",
    severity: "degraded",
    title: "a block without its opening brace",
    explanation:
      "keepalived reads on as if the brace were there. When the closing brace is there, the count of braces is one too low, and an outer block ends too early. A comment sign in the block's name swallows the brace.",
    fix: "Put a { behind the keyword, or on the next line.",
  },
  {
    code: "extra_brace_close",
    severity: "degraded",
    title: "a closing brace too many",
    explanation: "The block ends earlier than it seems to: what follows is read as keywords of the enclosing block.",
    fix: "Remove it, or add the opening brace that is missing before it.",
  },
  {
    code: "unexpected_brace",
    severity: "degraded",
    title: "a { where no block can begin",
    explanation:
      "The keyword before it is misspelt, stands in the wrong place, or is missing. The brace is ignored, and the contents are read as if they stood in the block around them; the closing brace then ends that block, so that the rest of it is read one level further out: typically an instance without its addresses.",
    fix: "Correct the keyword before it: keywords are case sensitive.",
  },
  {
    code: "brace_in_comment",
    severity: "degraded",
    title: "a comment swallows a brace",
    explanation:
      "# and ! begin a comment anywhere outside double quotes, also in the middle of a word, and a brace in it does not count. The blocks of the file do not add up, and this is the likely place.",
    fix: "Put the value in double quotes, or the brace on a line of its own.",
  },
  {
    code: "comment_in_word",
    severity: "degraded",
    title: "a comment begins in the middle of a word",
    explanation:
      "# and ! begin a comment anywhere outside double quotes. The value ends before the sign: a password is shorter than it looks, and differs from the peer's.",
    fix: "Put the value in double quotes, or put a blank before the comment.",
  },
  {
    code: "escaped_comment_sign",
    severity: [
      ["1.2.2", "hint"],
      ["2.2.0", "degraded"],
    ],
    title: "a backslash before # or !",
    explanation:
      "From 2.0.9 to 2.1.5 it makes the sign part of the value. Since 2.2.0 the children read a copy of the file from which the backslash is already gone, so that the sign begins a comment for them: auth_pass a\\#b is the password a, and keepalived -t says nothing.",
    fix: "Put the value in double quotes.",
  },
  {
    code: "comment_ends_with_backslash",
    severity: [
      ["2.0.9", "degraded"],
      ["2.4.0", "hint"],
    ],
    title: "a comment ends with a backslash",
    explanation:
      "From 2.0.9 to 2.3.4 the backslash stays when the comment is taken away: a line that is only a comment becomes the unknown keyword \\, and a value before the comment gets a backslash at its end.",
    fix: "Remove the backslash.",
  },
  {
    code: "backslash_at_end",
    severity: "degraded",
    title: "a backslash at the end of a line does not continue it",
    explanation:
      "Only a definition goes on over several lines. Elsewhere the backslash is part of the last word, and the next line is a line of its own.",
    fix: "Write it on one line, or put it into a definition.",
  },
  {
    code: "foreign_comment",
    severity: "degraded",
    title: "a comment of another language",
    explanation:
      "Only # and ! begin a comment. // and ; and /* are words: at the start of a line an unknown keyword, in an address list an address that is refused, behind a value mostly without effect. Braces in such a comment count.",
    fix: "Begin the comment with #.",
  },
  {
    code: "trailing_semicolon",
    severity: "degraded",
    title: "a line ends with a semicolon",
    explanation:
      "The semicolon is part of the word: interface eth0; names the interface `eth0;`, which does not exist, and the daemon ends.",
    fix: "Remove it.",
  },
  {
    code: "carriage_return",
    severity: "degraded",
    title: "a carriage return inside a line",
    explanation:
      "Only a line feed ends a line. A file with bare carriage returns is a single line for keepalived, cut wherever its buffer is full.",
    fix: "Convert the file, for example with mac2unix.",
  },
  {
    code: "crlf",
    severity: "hint",
    title: "line ends of Windows",
    explanation: "keepalived takes the carriage returns away. Scripts with such line ends do not start.",
    fix: "Convert the file, for example with dos2unix.",
  },
  {
    code: "byte_order_mark",
    severity: "degraded",
    title: "a byte order mark at the start of the file",
    explanation:
      "The mark is part of the first word: the first keyword is unknown, and when it opens a block (global_defs), the block is read in the wrong place. If the first line is a comment, it is an unknown keyword.",
    fix: "Save the file as UTF-8 without a byte order mark.",
  },
  {
    code: "typographic_quote",
    severity: "degraded",
    title: "a typographic quote",
    explanation:
      "Only the straight double quote quotes. A typographic one is part of the word: a path with it does not exist, and blanks cut the text into several words.",
    fix: 'Type a straight quote: ".',
  },
  {
    code: "typographic_dash",
    severity: "degraded",
    title: "a typographic dash",
    explanation: "It is part of the word: a range or a negative number with it is not understood.",
    fix: "Type a minus sign: -.",
  },
  {
    code: "invisible_character",
    severity: "degraded",
    title: "a character one cannot see",
    explanation:
      "Only space, tab and the ASCII line controls part words. A no-break space or a zero-width character is part of the word: the keyword is unknown, the value is not the one that is seen.",
    fix: "Delete it, and type a plain space if one is needed.",
  },
  {
    code: "lookalike_character",
    severity: "degraded",
    title: "a sign that only looks like the right one",
    explanation:
      "Full-width braces, digits and the like are letters for keepalived: the block or value is not understood.",
    fix: "Type the plain character.",
  },
  {
    code: "invalid_utf8",
    severity: "hint",
    title: "bytes that are no UTF-8",
    explanation: "keepalived passes them on as they are; mails, SNMP and logs may show something else.",
    fix: "Save the file as UTF-8.",
  },
  {
    code: "nul_byte",
    severity: "degraded",
    title: "a NUL byte",
    explanation:
      "Up to 2.3.4 the rest of the line is lost and the next line is counted wrong; since 2.4.0 the whole line is ignored. Often the file was cut by a crash, or is UTF-16.",
    fix: "Write the line anew, and save the file as UTF-8.",
  },
  {
    code: "line_too_long",
    severity: "degraded",
    title: "a line of more than 1022 bytes",
    explanation:
      "keepalived reads 1023 bytes at a time. Up to 2.3.4 the rest is a line of its own, with an unknown keyword or worse; since 2.4.0 the full part is ignored, and the rest is still read as a line.",
    fix: "Write it on several lines.",
  },
  {
    code: "expanded_line_too_long",
    severity: "degraded",
    title: "a line is too long with its definitions put in",
    explanation: "The line would be longer than 1023 bytes: the rest of its definitions stays as it is.",
    fix: "Write it on several lines, or in a definition of several lines.",
  },
  {
    code: "file_executable",
    severity: "fatal",
    title: "the configuration file has an execute bit",
    explanation:
      "Since 1.3.2 keepalived passes such a file over. With 2.2.0 and later there is then nothing to run; keepalived -t still ends with success.",
    fix: "chmod a-x the file.",
  },
  {
    code: "main_file_unreadable",
    severity: "fatal",
    title: "the configuration file cannot be read",
    explanation:
      "keepalived ends at once when the file is missing or no regular file; keepalived -t says so in a line, and still ends with success.",
    fix: "Check the path that the service gives with -f, and that root can read the file.",
  },
  {
    code: "include_depth",
    severity: "degraded",
    title: "files include each other without end",
    explanation: "A file that includes itself is read until keepalived has no file descriptors left.",
    fix: "Remove the file that includes itself.",
  },
  {
    code: "include_no_match",
    severity: "degraded",
    title: "an include matches no file",
    explanation:
      "keepalived logs it (since 1.2.21; not for wildcards since 2.2.0) and starts all the same, without what should stand there. The path is relative to the folder of the including file.",
    fix: "Check the path; includea (2.2.0) makes it an error.",
  },
  {
    code: "include_no_match_checked",
    severity: "fatal",
    title: "an include that must match matches no file",
    explanation: "Its keyword, include_check or -e makes it an error: keepalived does not start.",
    fix: "Check the path; it is relative to the folder of the including file.",
  },
  {
    code: "include_alternative_missing",
    severity: "degraded",
    title: "an alternative of an include does not exist",
    explanation: "The files that exist are read; the start goes on without the others.",
    fix: "Check the names between the braces.",
  },
  {
    code: "include_alternative_missing_checked",
    severity: "fatal",
    title: "an alternative of an include that must match does not exist",
    explanation: "includeb, includea, include_check brace_match or -e make it an error: keepalived does not start.",
    fix: "Check the names between the braces.",
  },
  {
    code: "include_read_twice",
    severity: "degraded",
    title: "an include that is read twice",
    explanation:
      "An include behind a condition or a brace, or put in by a definition, is expanded by the parent process, and since 2.2.0 once more by its children. Everything in the file is there twice: instances are reported as already defined, lists have double entries. A line of the file that begins with # or ! confuses the children's file names and line numbers.",
    fix: "Put the condition on the lines of the included file, and the include on a line of its own.",
  },
  {
    code: "file_unreadable",
    severity: "degraded",
    title: "an included file cannot be read",
    explanation: "The file is skipped with a message, and keepalived starts without it.",
    fix: "Check that it is a regular file, readable by root and without an execute bit.",
  },
  {
    code: "file_unreadable_checked",
    severity: "fatal",
    title: "an included file that must be read cannot be",
    explanation: "Its keyword, include_check or -e makes it an error: keepalived does not start.",
    fix: "Check that it is a regular file, readable by root and without an execute bit.",
  },
  {
    code: "condition_empty",
    severity: "degraded",
    title: "a condition without a line",
    explanation: "Nothing follows the id, and the line has no effect. The next line is used on every node.",
    fix: "Write the id and what it is for on one line.",
  },
  {
    code: "condition_without_id",
    severity: "degraded",
    title: "a blank after @",
    explanation:
      "The id is empty: `@ id` holds on no node, `@^ id` on every node, and id itself is read as the keyword.",
    fix: "Remove the blank.",
  },
  {
    code: "feature_too_new",
    severity: "degraded",
    title: "syntax that this keepalived does not know",
    explanation:
      "Conditions came with 1.3.0, definitions with 1.4.0, ~SEQ with 2.0.9, ~LST with 2.1.0, the checked includes with 2.2.0. An older keepalived reads them as unknown keywords.",
    fix: "Write it out, or update keepalived.",
  },
  {
    code: "undefined_definition",
    severity: "degraded",
    title: "a name that nothing defines",
    explanation:
      "It stays as it is. The braces of ${NAME} then count as braces: in an address list they end the block. Environment variables are never consulted, except by ${_ENV NAME} since 2.4.0.",
    fix: "Define it before this line, in this file or one included before.",
  },
  {
    code: "definition_not_delimited",
    severity: "degraded",
    title: "a definition that is not put in, for what stands beside it",
    explanation:
      "$NAME is only put in before a blank, a comma, a closing bracket or the end of the line: $NET.1 and $DEV: stay as they are. Between the braces of ${NAME} nothing else may stand.",
    fix: "Write ${NAME}.",
  },
  {
    code: "definition_not_last",
    severity: "degraded",
    title: "a definition of several lines before the end of a line",
    explanation: "It is only put in at the end of a line; elsewhere the name stays as it is.",
    fix: "Let the line end with it.",
  },
  {
    code: "definition_params",
    severity: "degraded",
    title: "wrong parameters of a built-in definition",
    explanation: "It is not put in, and the braces count as braces.",
    fix: "${_RANDOM [MIN [MAX]]} takes up to two numbers, ${_ENV NAME} one name, the others nothing.",
  },
  {
    code: "definition_malformed",
    severity: "degraded",
    title: "a definition that is none",
    explanation: "The line is read as an unknown keyword, and the name stays undefined.",
    fix: "Write $NAME=text: letters, digits and _ only, and no blank before the =.",
  },
  {
    code: "definition_unused",
    severity: "hint",
    title: "a definition that nothing uses",
    explanation: "It has no effect. Often its name is misspelt where it should be used.",
    fix: "Remove it, or correct the name where it should be used.",
  },
  {
    code: "definition_recursive",
    severity: "degraded",
    title: "a definition that holds itself",
    explanation:
      "A definition keeps its text, not its value: $A=$A more does not append. It is put in again and again until the line is full, and what comes out is nonsense.",
    fix: "Use another name for the longer text.",
  },
  {
    code: "definition_hangs",
    severity: "fatal",
    title: "a definition that holds itself without end",
    explanation:
      "keepalived puts it in for ever: it hangs at this line without a message, and on a reload the running daemon hangs.",
    fix: "Take the definition out of its own text.",
  },
  {
    code: "definition_hides_builtin",
    severity: "hint",
    title: "a definition with the name of a built-in",
    explanation: "The built-in value is not available from here on.",
    fix: "Choose a name without a leading underscore.",
  },
  {
    code: "condition_in_definition",
    severity: [
      ["1.4.0", "fatal"],
      ["2.4.0", "degraded"],
    ],
    title: "a definition that begins with a condition",
    explanation:
      "Where such a definition begins a line and its condition holds, releases up to 2.3.4 overwrite their own memory: they abort (double free), or read a garbled word. Since 2.4.0 the condition is not looked at, and is an unknown keyword. In the second or a later line of a definition a condition works.",
    fix: "Put the condition before the definition's name: @id $NAME.",
  },
  {
    code: "definition_not_read_again",
    severity: "degraded",
    title: "a definition that begins with a definition or a sequence",
    explanation:
      "Up to 2.3.4 the line is looked at again only while a $ is left in it, since 2.4.0 never: otherwise the definition or the sequence is an unknown keyword.",
    fix: "Write it out, or in the second or a later line of a definition of several lines.",
  },
  {
    code: "comment_in_definition",
    severity: [
      ["1.4.0", "hint"],
      ["2.2.0", "degraded"],
    ],
    title: "a comment inside a definition of several lines",
    explanation:
      "Since 2.2.0 the children read a copy in which the comment is an empty line, and an empty line ends a definition: the lines after it are read at once, where the definition stands, and are missing where it is used.",
    fix: "Put the comment before the definition.",
  },
  {
    code: "random_not_last",
    severity: "degraded",
    title: "text after ${_RANDOM MIN MAX}",
    explanation: "Up to 2.3.4 the rest of the line is garbled when ${_RANDOM} has parameters, and braces may appear.",
    fix: "Let the line end with it, or put it into a definition of its own.",
  },
  {
    code: "sequence_malformed",
    severity: "degraded",
    title: "a ~SEQ or ~LST that is refused",
    explanation:
      "The line is dropped with a message. A refused ~LST also makes keepalived lose count: later sequences may be read at the wrong place. A single variable takes no braces: ~LST(A,1,2); several take a set each: ~LST({A,B},{1,2},{3,4}).",
    fix: "Write ~SEQ(NAME, TO) line, ~SEQ(NAME, FROM, TO) line or ~SEQ(NAME, FROM, STEP, TO) line, or ~LST(NAME, VALUE, …) line.",
  },
  {
    code: "sequence_empty",
    severity: "degraded",
    title: "a ~SEQ or ~LST that repeats nothing",
    explanation: "It repeats the rest of its own line only. Lines that follow are read once, with the last value.",
    fix: "Put what is repeated on the same line, in a definition of several lines if need be.",
  },
  {
    code: "sequence_opens_block",
    severity: "degraded",
    title: "a sequence repeats the opening of a block, not the block",
    explanation:
      "~SEQ and ~LST repeat one line. When the line opens a block, that many blocks are opened in one another, and the body on the following lines is read once.",
    fix: "Put the whole block into a definition of several lines, and let the sequence repeat that.",
  },
  {
    code: "expansion_too_large",
    severity: "degraded",
    title: "too much to look at",
    explanation:
      "Sequences, definitions or includes make more lines than keepwatch looks at. keepalived has no such bound: it may take all memory, or be merely slow.",
    fix: "Check the sequence's end, and that no definition or file holds itself.",
  },
];
