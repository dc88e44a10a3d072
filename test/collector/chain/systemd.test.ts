import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { readEnvironmentFile } from "../../../collector/chain/environment.ts";
import { ChainTree } from "../../../collector/chain/files.ts";
import { commandsOf, loadUnit } from "../../../collector/chain/unit.ts";
import { systemChainFiles } from "../../../collector/sources/chain-files.ts";

/** systemd reads units without being the machine's init: `--test` prints what it would start. It refuses to do so as root. */
const SYSTEMD = "/lib/systemd/systemd";
const ENVIRONMENT_GENERATOR = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folder(files: Readonly<Record<string, string | { readonly link: string }>>): string {
  const root = mkdtempSync(join(tmpdir(), "keepalived-units-"));
  folders.push(root);
  chmodSync(root, 0o755);
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    if (typeof contents === "string") writeFileSync(join(root, path), contents);
    else symlinkSync(contents.link, join(root, path));
  }
  return root;
}

/** What systemd makes of all units that case.target wants: by unit, its file, its drop-ins and its commands. */
function systemdSays(
  directories: readonly string[],
): Map<string, { path?: string; dropIns: string[]; commands: string[][] }> {
  const asNobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const [program, ...args] = [...asNobody, SYSTEMD, "--system", "--test", "--no-pager", "--unit=case.target"];
  const { stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      SYSTEMD_UNIT_PATH: directories.join(":"),
      SYSTEMD_LOG_TARGET: "console",
    },
    maxBuffer: 64 * 1024 * 1024,
  });
  const found = new Map<string, { path?: string; dropIns: string[]; commands: string[][] }>();
  for (const part of `${stdout}${stderr}`.split(/^\s*-> Unit /m).slice(1)) {
    const name = part.slice(0, part.indexOf(":"));
    const values = (key: string): string[] =>
      [...part.matchAll(new RegExp(`^\\s*${key}: (.*)$`, "gm"))].map((match) => match[1] ?? "");
    const [path] = values("Fragment Path");
    found.set(name, {
      dropIns: values("DropIn Path"),
      commands: values("Command Line").map(quotedWords),
      ...(path === undefined ? {} : { path }),
    });
  }
  return found;
}

/** systemd prints words in double quotes where they need it, with a backslash before what a shell would take. */
function quotedWords(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => unescaped(match[1] ?? match[2] ?? ""));
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_whole, letter: string) => ({ t: "\t", n: "\n" })[letter] ?? letter);
}

describe.skipIf(!existsSync(SYSTEMD))("systemd itself", () => {
  const target = (count: number): string =>
    `[Unit]\nDefaultDependencies=no\nWants=${Array.from({ length: count }, (_, i) => `case${i}.service`).join(" ")}\n`;
  const service = (lines: string): string => `[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n${lines}\n`;

  test("splits the same words out of a command line", () => {
    const pieces = [
      "-D",
      " ",
      "  ",
      "\t",
      '"',
      "'",
      "a b",
      "\\\n",
      "\\\n# comment\n",
      "\\x41",
      "\\t",
      "\\\\",
      '\\"',
      "\\s",
      "\\q",
      "%%",
      "%n",
      "$X",
      "${X}",
      ";",
      " ; /bin/true ",
      "x \\; ",
      "/bin/true",
      "\\101",
    ];
    const lines = fc
      .sample(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), { numRuns: 600, seed: 8 })
      .map((chosen) => chosen.join(""));
    const files = Object.fromEntries(
      lines.map((line, i) => [`u/case${i}.service`, service(`ExecStart=/usr/sbin/keepalived ${line}\n`)]),
    );
    const root = folder({ ...files, "u/case.target": target(lines.length) });
    const says = systemdSays([join(root, "u")]);
    const tree = new ChainTree(systemChainFiles(root));
    lines.forEach((line, i) => {
      const theirs = says.get(`case${i}.service`)?.commands ?? [];
      const unit = loadUnit(tree, `case${i}.service`, ["/u"]);
      let isRefused = false;
      const commands = unit ? commandsOf(unit, "ExecStart", undefined, () => (isRefused = true)) : [];
      const ours = isRefused ? [] : commands.map(({ words }) => words.map(({ text }) => text));
      expect([line, ours]).toEqual([line, theirs]);
    });
  });

  test("takes the same unit file and the same drop-ins, in the same order", () => {
    const base = service("ExecStart=/usr/sbin/keepalived -D");
    const drop = (word: string): string => `[Service]\nExecStart=\nExecStart=/usr/sbin/keepalived ${word}\n`;
    const root = folder({
      // In three directories the first wins; drop-ins of all are merged by file name.
      "a/case0.service": service("ExecStart=/usr/sbin/keepalived -a"),
      "b/case0.service": base,
      "c/case0.service.d/20-c.conf": drop("-c"),
      "b/case0.service.d/30-b.conf": drop("-b"),
      "a/case0.service.d/10-a.conf": drop("-x"),
      // The same file name in two directories, and a drop-in masked by /dev/null.
      "b/case1.service": base,
      "a/case1.service.d/10.conf": drop("-first"),
      "c/case1.service.d/10.conf": drop("-second"),
      "c/case1.service.d/20.conf": drop("-masked"),
      "a/case1.service.d/20.conf": { link: "/dev/null" },
      // Drop-ins for all services come after the unit's own of that name, wherever they are.
      "b/case2.service": base,
      "a/service.d/10.conf": drop("-for-all"),
      "c/case2.service.d/10.conf": drop("-own"),
      // A name with a dash has a folder for its beginning.
      "b/case3-x.service": base,
      "b/case3.service": { link: "case3-x.service" },
      "a/case3-.service.d/15.conf": drop("-dash"),
      "a/ignored.service.d/x.conf": drop("-never"),
      "b/case4.service": base,
      "b/case4.service.d/not-a-drop-in": drop("-never"),
      "a/case.target": target(5),
    });
    const says = systemdSays(["a", "b", "c"].map((one) => join(root, one)));
    const tree = new ChainTree(systemChainFiles(root));
    for (const name of ["case0.service", "case1.service", "case2.service", "case3-x.service", "case4.service"]) {
      const unit = loadUnit(tree, name, ["/a", "/b", "/c"]);
      const theirs = says.get(name);
      expect([name, unit && root + (unit.path ?? "")]).toEqual([name, theirs?.path]);
      // systemd lists a drop-in that is masked, and reads nothing from it.
      const effective = theirs?.dropIns.filter((path) => !lstatSync(path).isSymbolicLink());
      expect([name, unit?.dropIns.map((path) => root + path)]).toEqual([name, effective]);
      expect([
        name,
        unit && commandsOf(unit, "ExecStart", undefined).map(({ words }) => words.map(({ text }) => text)),
      ]).toEqual([name, theirs?.commands]);
    }
  });
});

describe.skipIf(!existsSync(ENVIRONMENT_GENERATOR))("systemd's reader of environment files", () => {
  test("finds the same variables with the same values", () => {
    const pieces = [
      "A",
      "B=",
      "C=1",
      "export D=2",
      "=",
      " ",
      "\t",
      "\n",
      "\n",
      "\nE=",
      "\\",
      "\\\n",
      '"',
      "'",
      "#",
      ";",
      "x y",
      " # c",
      "\\n",
      "-D",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 16 }), (chosen) => {
        const text = `${chosen.join("")}\nLAST=1\n`;
        const root = folder({ "environment.d/50.conf": text });
        const stdout = execFileSync(ENVIRONMENT_GENERATOR, {
          encoding: "utf8",
          env: { XDG_CONFIG_HOME: root, HOME: root },
          stdio: ["ignore", "pipe", "ignore"],
        });
        rmSync(folders.pop() ?? "", { recursive: true });
        // This reader of theirs does not let an empty value take back an earlier one; for a service it does.
        const set = readEnvironmentFile("/f", text).variables.filter((one) => one.text !== "");
        const ours = new Map(set.map((one) => [one.name, one.text]));
        const theirs = new Map(
          [...stdout.matchAll(/^(\w+)=(?:"((?:[^"\\]|\\[\s\S])*)"|(.*))$/gm)].map((match) => [
            match[1] ?? "",
            match[2] === undefined ? (match[3] ?? "") : unescaped(match[2]),
          ]),
        );
        // What the machine's own files set is not ours.
        for (const name of ["A", "B", "C", "D", "E", "LAST"])
          expect([text, name, ours.get(name) ?? ""]).toEqual([text, name, theirs.get(name) ?? ""]);
      }),
      { numRuns: 300, seed: 12 },
    );
  });
});
