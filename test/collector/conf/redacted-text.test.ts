import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConf } from "../../../collector/conf/parser.ts";
import { configRedactor } from "../../../collector/conf/redacted-text.ts";

const PATH = "/etc/keepalived/keepalived.conf";
/** The main file as it is shown; others are by their names. */
const shown = (text: string, others: Readonly<Record<string, string>> = {}, path = PATH): string => {
  const files = {
    read: (name: string) => others[name] ?? text,
    glob: (pattern: string) => Object.keys(others).filter((name) => name.endsWith(pattern)),
  };
  return configRedactor(parseConf(PATH, files, "lb1"), 400_000).file(path);
};
const instance = (line: string): string =>
  `vrrp_instance VI_1 {\n  interface eth0\n  authentication {\n    auth_type PASS\n    ${line}\n  }\n}`;

describe("a file as it may be shown", () => {
  test("is what it was, line by line, but for the secret", () => {
    expect(shown(instance("auth_pass hunter22"))).toBe(instance("auth_pass [redacted]"));
    const plain = "vrrp_instance VI_1 {\r\n\tinterface eth0 # 漢字\r\n\r\n}";
    expect(shown(plain)).toBe(plain.replaceAll("\r", ""));
  });

  test.each([
    ["a definition", `$PW=hunter22\n${instance("auth_pass $PW")}`],
    ["a definition of a definition", `$B=hunter22\n$A=$B\n${instance("auth_pass $A")}`],
    ["half a password", `$A=hunter22\n$B=other\n${instance("auth_pass $A$B")}`],
    ["a definition of several lines", `$PASSWORD=\\\n  hunter22\n${instance("auth_pass $PASSWORD")}`],
    ["several lines, the block in the definition", "$AUTH=\\\n authentication { \\\n auth_pass \\\n hunter22 \\\n }"],
    ["a comment", "# password before: hunter22"],
    ["the same word elsewhere", `${instance("auth_pass hunter22")}\n# hunter22 was it`],
    ["a broken line", instance("auth_pass\n    hunter22")],
    ["a misspelt keyword", instance("auth_pas hunter22")],
    ["an address", 'vrrp_script a {\n script "/bin/c https://u:hunter22@h/"\n}'],
    ["an address with an @ in the password", 'vrrp_script a {\n script "/bin/c https://u:x@hunter22@h/"\n}'],
    ["an address with a token alone", 'vrrp_script a {\n script "/bin/c https://hunter22@h/"\n}'],
    ["an option", 'vrrp_script a {\n script "/bin/redis-cli -a hunter22 ping"\n}'],
    ["an option glued to its value", 'vrrp_script a {\n script "/bin/mysql -phunter22 -e x"\n}'],
    ["curl's user", 'vrrp_script a {\n script "/bin/curl -u admin:hunter22 http://h/"\n}'],
    ["a header", `vrrp_script a {\n script "/bin/curl -H 'Authorization: Bearer hunter22' http://h/"\n}`],
    ["a query", "url {\n path /status?token=hunter22\n}"],
    ["auth_hmac", "vrrp_instance A {\n auth_hmac {\n key 1 hunter22\n }\n}"],
    ["SSL", "SSL {\n password hunter22\n ca /etc/ca.pem\n}"],
  ])("does not show the secret of %s", (_name, text) => {
    expect(text).toContain("hunter22");
    expect(shown(text)).not.toContain("hunter22");
    expect(shown(text)).toContain("[redacted]");
  });

  test.each([
    ["a port behind -p", 'script "/usr/bin/nc -z -p 8080 h"'],
    ["an address without credentials", "path http://192.0.2.1:80/status"],
    ["the type", "auth_type PASS"],
  ])("shows %s", (_name, text) => {
    expect(shown(text)).toBe(text);
  });

  test.each([
    ["a keyword out of a definition", `$P=auth_pass\n$A=SECRET#hunter22\n${instance("$P ${A}")}`],
    ["a line out of a definition", `$L=auth_pass hunter22\n${instance("$L")}`],
    ["definitions in one another", `$A=hunter22\n$C=$A\n$D=pre$C\n${instance("auth_pass $D")}`],
    ["a definition of several lines in use", `$PW=\\\n x \\\n hunter22\n${instance("auth_pass $PW")}`],
    ["definitions for each node", `@lb1 $PW=other333\n@lb2 $PW=hunter22\n${instance("auth_pass $PW")}`],
    ["a line for another node", instance("@lb2 auth_pass hunter22")],
    ["a broken line for another node", instance("@lb2 auth_pass\n    @lb2 hunter22")],
    ["a list", instance("~LST(PW,hunter22,other333) auth_pass $PW")],
    ["a list that is refused", instance("~LST($PW,hunter22) auth_pass $PW")],
    ["quotes", instance('auth_pass "a hunter22"')],
    ["quotes that are not closed", instance('auth_pass "a hunter22')],
    ["a comment sign in it", instance("auth_pass abc#hunter22")],
    ["an escaped comment sign in it", instance("auth_pass abc\\#hunter22")],
    ["a brace in it", instance("auth_pass abc}hunter22")],
    ["a quoted keyword", instance('"auth_pass hunter22"')],
    [
      "blocks that are not closed",
      "vrrp_instance V {\n virtual_ipaddress {\n 192.0.2.1\n authentication {\n auth_pass hunter22",
    ],
    ["a password that was commented out on a line of its own", "# auth_pass\n#   hunter22"],
    ["eight letters of one that is longer", `# hunter22 is it\n${instance("auth_pass hunter22xyz")}`],
    ["a password that sounds like one", instance("auth_pass\n    passhunter22")],
    ["JSON", `vrrp_script a {\n script "/bin/c -d '{\\"password\\":\\"hunter22\\"}'"\n}`],
    ["the second of a query", "path /status?user=x&token=hunter22"],
  ])("does not show the secret of %s", (_name, text) => {
    expect(text).toContain("hunter22");
    expect(shown(text)).not.toMatch(/hunter22|other333/);
  });

  test("does not show a secret of a file that is included, nor what another file has of it", () => {
    const others = {
      "/etc/keepalived/pw.conf": "$PW=hunter22\n",
      "/etc/keepalived/a.conf": "# hunter22\nauth_pass $PW\n",
    };
    const main = `include pw.conf\n${instance("include a.conf")}`;
    expect(shown(main, others, "/etc/keepalived/pw.conf")).toBe("$PW=[redacted]\n");
    expect(shown(main, others, "/etc/keepalived/a.conf")).toBe("# [redacted]\nauth_pass $PW\n");
    expect(shown(main, others)).toBe(main);
  });

  test.each([
    ["an interface", "eth0", "# eth0 is the uplink"],
    ["a port", "8080", "virtual_server 192.0.2.9 8080 {\n real_server 192.0.2.8 8080 {\n }\n}\n# 8080 is HTTP"],
    ["a keyword", "priority", "# the priority is the same"],
    ["a part of other words", "1234", "# port 12345"],
  ])("a password that is %s is hidden where it stands and nowhere else", (_name, password, other) => {
    const rest = (line: string): string => `${instance(line)}\n${other}`;
    expect(shown(rest(`auth_pass ${password}`))).toBe(rest("auth_pass [redacted]"));
  });

  test.each([
    ["half of it", "$A=eth0\n$B=x\nvrrp_instance V {\n interface $A\n authentication {\n  auth_pass ${A}${B}\n }\n}"],
    ["the whole", "$A=eth0\n$B=x\nvrrp_instance V {\n interface eth0\n authentication {\n  auth_pass $A\n }\n}"],
  ])("a definition that is also something else is hidden where it is defined: %s", (_name, text) => {
    expect(shown(text)).toBe(
      text.replace("$A=eth0", "$A=[redacted]").replace("$B=x", text.includes("${B}") ? "$B=[redacted]" : "$B=x"),
    );
  });

  test.each([
    [
      "settings with such names",
      "vrrp_script chk_pass {\n script /bin/true\n}\nvrrp_instance V {\n track_script {\n  chk_pass weight 5\n  chk_token\n  chk_x\n }\n}",
    ],
    ["what follows a comment", "# change the password\nvrrp_instance V {\n interface eth0\n}"],
    ["words that begin alike", "# bypass the firewall on 22\n# a passive node: eth1"],
    ["who runs a process", 'vrrp_script a {\n script "/usr/bin/pgrep -u keepalived -a haproxy"\n}'],
    ["a path", "url {\n path /bypass/a:b\n}"],
    ["the use of a definition", "$PW=x\n# auth_pass $PW\n"],
    [
      "the rest of a definition",
      "$AUTH=\\\n authentication { \\\n auth_type PASS \\\n }\nvrrp_instance V {\n $AUTH\n}",
    ],
  ])("shows %s", (_name, text) => {
    expect(shown(text)).toBe(text.replace("$PW=x", "$PW=[redacted]"));
  });

  const PLACES: readonly ((secret: string) => string)[] = [
    (secret) => instance(`auth_pass ${secret}`),
    (secret) => instance(`auth_pass "${secret}"`),
    (secret) => instance(`auth_pass\n    ${secret}`),
    (secret) => `# auth_pass ${secret}`,
    (secret) => instance(`@lb2 auth_pass ${secret}`),
    (secret) => `$PW=${secret}\n${instance("auth_pass $PW")}`,
    (secret) => `@lb2 $PW=${secret}\n${instance("auth_pass $PW")}`,
    (secret) => `$A=${secret}\n$B=$A\n$C=x\n${instance("auth_pass ${C}${B}")}`,
    (secret) => `$AUTH=\\\nauthentication { \\\nauth_pass ${secret} \\\n}\nvrrp_instance V {\n $AUTH\n}`,
    (secret) => `vrrp_instance V {\n auth_hmac {\n key 1 ${secret}\n }\n}`,
    (secret) => `SSL {\n password ${secret}\n}`,
  ];
  const letter = fc.constantFrom(...Array.from("QXZ0123456789#!\"{}\\$@:=,.-~'%&?/"));
  test("shows no four letters of a password of any letters", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: letter, minLength: 5, maxLength: 14 }),
        fc.constantFrom(...PLACES),
        (secret, place) => {
          const empty = place("");
          const text = shown(place(secret));
          for (let i = 0; i + 4 <= secret.length; i += 1) {
            const part = secret.slice(i, i + 4);
            if (!empty.includes(part)) expect(text).not.toContain(part);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("has as many lines whatever it holds, and nothing that turns a screen", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        const rows = shown(text).split("\n");
        expect(rows.length).toBe(text.split("\n").length);
        expect(rows.join("")).not.toMatch(/[^\P{Cc}\t]|[\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  test.each([
    ["colons behind a scheme", `path ://${":".repeat(200_000)}`],
    ["backslashes", `${"\\ ".repeat(100_000)}x`],
    ["quotes", `script ${'"a'.repeat(100_000)}`],
    ["a block of many lines", `authentication {\n${"x y\n".repeat(50_000)}`],
  ])("takes a time that grows with the length alone: %s", (_name, text) => {
    expect(shown(text).split("\n").length).toBe(text.split("\n").length);
  });
});
