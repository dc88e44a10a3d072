import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { secretNames } from "../../../collector/conf/redact.ts";
import { mayBeSecret } from "../../../collector/conf/secret-words.ts";
import { columnsOf, frameOf, harmless } from "../../../server/lint/frame.ts";

/** The line and the mark under it, as they are printed. */
const drawn = (line: string, column: number, before = "", widthMax = 90): string[] => {
  const { text, indent, width } = frameOf(line, before, column, widthMax);
  return [text, `${" ".repeat(indent)}${"^".repeat(width)}`];
};

const shown = (line: string, before = ""): string => frameOf(line, before, 1, 90).text;

describe("the mark stands under the word", () => {
  test.each<[string, string, number, string[]]>([
    ["after blanks", "    state master", 11, ["    state master", "          ^^^^^^"]],
    ["after tabs", "\tstate\tmaster", 8, ["    state   master", "            ^^^^^^"]],
    ["after wide characters", "a 漢字 b", 6, ["a 漢字 b", "       ^"]],
    ["on wide characters", "a 漢字 b", 3, ["a 漢字 b", "  ^^^^"]],
    ["after a letter with a mark of its own", "e\u0301t\u00e9 b", 6, ["e\u0301t\u00e9 b", "    ^"]],
    ["on a quoted word", 'script "a b" c', 8, ['script "a b" c', "       ^^^^^"]],
    ["on a brace", "a }", 3, ["a }", "  ^"]],
    ["at the end of the line", "state", 6, ["state", "     ^"]],
    ["beyond the end of the line", "state", 99, ["state", "     ^"]],
    ["on what cannot be seen", "\ufeffstate", 1, ["\ufffdstate", "^"]],
  ])("%s", (_name, line, column, expected) => {
    expect(drawn(line, column)).toEqual(expected);
  });

  test("a long line is cut around it", () => {
    const [text = "", mark = ""] = drawn(`${"x".repeat(500)} here ${"y".repeat(500)}`, 502, "", 60);
    expect(text).toMatch(/^….* here .*…$/);
    expect(text.slice(mark.indexOf("^"), mark.length)).toBe("here");
    expect(text.length).toBeLessThanOrEqual(60);
  });

  test("whatever the line holds, both fit and only printable characters are left", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.nat(400),
        fc.integer({ min: 20, max: 90 }),
        (line, at, most) => {
          const row = line.replaceAll("\n", " ");
          const { text, indent, width } = frameOf(row, "", at + 1, most);
          expect(
            Array.from(text).reduce((sum, char) => sum + columnsOf(char.codePointAt(0) ?? 0), 0),
          ).toBeLessThanOrEqual(most);
          expect(indent + width).toBeLessThanOrEqual(most + 1);
          expect(text).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        },
      ),
    );
  });
});

describe("no secret is shown", () => {
  test.each([
    ["auth_pass hunter2", "auth_pass [redacted]"],
    ["    auth_pass\thunter2 # old: hunter1", "    auth_pass   [redacted] [redacted] [redacted] [redacted]"],
    ['auth_pass "hunter 2"', "auth_pass [redacted]"],
    ["authentication { auth_type PASS auth_pass hunter2 }", "authentication { auth_type PASS auth_pass [redacted] }"],
    ["auth_pas hunter2", "auth_pas [redacted]"],
    ["password hunter2", "password [redacted]"],
    ["$AUTH_PASS=hunter2", "$AUTH_PASS=[redacted]"],
    ["$SECRET = hunter2", "$SECRET [redacted] [redacted]"],
    ["smtp_server http://ops:hunter2@mail.example.net/x", "smtp_server http://[redacted]@mail.example.net/x"],
    ['notify "/usr/bin/curl https://ops:hunter2@example.net"', 'notify "/usr/bin/curl https://[redacted]@example.net"'],
    ['path "/status?token=hunter2"', 'path "/status?token=[redacted]'],
    ["api_key hunter2", "api_key [redacted]"],
  ])("%s", (line, expected) => {
    expect(shown(line)).toBe(expected);
  });

  test("not even in a definition that only its use tells to be one", () => {
    expect(frameOf("$X=hunter2", "", 1, 90, new Set(["X"])).text).toBe("$X=[redacted]");
    expect([...secretNames(["auth_pass $X", "auth_pass  ${Y}", "state $Z"])]).toEqual(["X", "Y"]);
  });

  test("not even an argument of a command", () => {
    expect(shown('misc_path "/bin/check --password hunter2 -v"')).not.toContain("hunter2");
    expect(shown("misc_timeout 5", 'misc_path "/bin/check --user x"')).toBe("misc_timeout 5");
  });

  test("not even as a line of its own, where only passwords are lost", () => {
    const rows = [
      "authentication {",
      "  auth_type PASS",
      "  auth_pass",
      "  # c",
      "  hunter2 continued",
      "}",
      "hunter2",
    ];
    expect(rows.map((_row, i) => mayBeSecret(rows, i + 1))).toEqual([false, false, false, true, true, false, false]);
  });

  test("not even one whose line was broken", () => {
    expect(shown("hunter2", "    auth_pass")).toBe("[redacted]");
  });

  test.each(["auth_type PASS", "virtual_router_id 51", "script /usr/local/bin/check_pass.sh", "state MASTER"])(
    "what is none stays: %s",
    (line) => {
      expect(shown(line)).toBe(line);
    },
  );

  test("the mark stands on what is shown instead", () => {
    expect(drawn("auth_pass hunter2", 11)).toEqual(["auth_pass [redacted]", `${" ".repeat(10)}${"^".repeat(10)}`]);
    expect(drawn("auth_pass x }", 13)).toEqual(["auth_pass [redacted] }", `${" ".repeat(21)}^`]);
  });
});

test("text of others does not move the cursor or turn the line around", () => {
  expect(harmless("a\u001b[2Jb\u202ec\td")).toBe("a\ufffd[2Jb\ufffdc d");
});
