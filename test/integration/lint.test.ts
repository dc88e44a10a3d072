import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keepwatch, root } from "../support/process.ts";

/** `keepwatch lint` as a person runs it. */
const NODES = "test/integration/lint";
const RELEASE = ["--keepalived-version", "2.2.7"];
const GOLDEN = join(root, "test/golden/lint");
const dir = mkdtempSync(join(tmpdir(), "keepwatch-lint-"));

const file = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const GOOD = `vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.0.2.100/24
    }
}
`;

beforeAll(() => {
  file("good.conf", GOOD);
  file("binary.conf", Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 0, 1]));
  file("large.conf", "");
  truncateSync(join(dir, "large.conf"), 50 * 1024 * 1024);
  mkdirSync(join(dir, "folder"));
  symlinkSync("nowhere", join(dir, "link.conf"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("two nodes", () => {
  const nodes = [`lb1=${NODES}/lb1`, `lb2=${NODES}/lb2`];

  test("as text", async () => {
    const { status, stdout, stderr } = await keepwatch(["lint", ...RELEASE, ...nodes]);
    expect([status, stderr]).toEqual([1, ""]);
    await expect(stdout).toMatchFileSnapshot(join(GOLDEN, "nodes.txt"));
    expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
    expect(stdout).not.toContain("correct-horse");
  });

  test("as one folder that holds a copy of each", async () => {
    const { status, stdout } = await keepwatch(["lint", "--format", "json", ...RELEASE, NODES]);
    const each = await keepwatch(["lint", "--format", "json", ...RELEASE, ...nodes]);
    expect([status, JSON.parse(stdout)]).toEqual([1, JSON.parse(each.stdout)]);
  });

  test("as JSON", async () => {
    const { status, stdout, stderr } = await keepwatch(["lint", "--format", "json", ...RELEASE, ...nodes]);
    expect([status, stderr]).toEqual([1, ""]);
    await expect(stdout).toMatchFileSnapshot(join(GOLDEN, "nodes.json"));
    expect(stdout).not.toContain("correct-horse");
  });
});

describe("exit status", () => {
  test("0 when nothing is worse than a hint", async () => {
    const { status, stdout } = await keepwatch(["lint", ...RELEASE, join(dir, "good.conf")]);
    expect([status, stdout.trim().split("\n").at(-1)]).toEqual([
      0,
      "no fault found (1 file, 1 VRRP instance, 0 virtual servers)",
    ]);
  });

  test("1 when something is", async () => {
    const path = file("bad.conf", GOOD.replace("51", "512"));
    expect((await keepwatch(["lint", ...RELEASE, path])).status).toBe(1);
  });

  test.each<[string, string[], RegExp]>([
    ["a path that is not there", ["nowhere.conf"], /nowhere\.conf does not exist/],
    ["a link to nothing", ["link.conf"], /link\.conf is a link to nothing/],
    ["a folder without etc/", ["folder"], /folder has no etc\/ in it\. Give the folder/],
    ["a device", ["/dev/null"], /\/dev\/null is neither a file nor a directory/],
    ["a binary file", ["binary.conf"], /binary\.conf is a binary file/],
    ["a file of 50 MB", ["large.conf"], /large\.conf is larger than 16 MiB/],
    ["a root that is a file", ["--root", "good.conf"], /good\.conf is not a directory/],
    ["a root and a file", ["--root", "folder", "good.conf"], /--root and a FILE were both given/],
    ["options without a file", ["--options", "good.conf"], /--options needs the FILE/],
    ["options that are not there", ["--options", "none", "good.conf"], /none does not exist/],
    ["an unknown format", ["--format", "yaml", "good.conf"], /--format yaml is not known\. Choose one of text, json/],
    ["an unknown colour", ["--color", "red", "good.conf"], /--color red is not known/],
    ["one name for two nodes", ["a=good.conf", "a=good.conf"], /two inputs are called a/],
    ["a release that is none", ["--keepalived-version", "newest", "good.conf"], /newest is not a release/],
    ["a code that is none", ["--explain", "auth_pas"], /there is no code "auth_pas"\. Perhaps auth_pass_truncated/],
  ])("2 for %s", async (_name, args, told) => {
    const { status, stdout, stderr } = await keepwatch(["lint", ...args], {
      cwd: dir,
    });
    expect(stderr).toMatch(told);
    expect(stdout + stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect([status, stdout]).toEqual([2, ""]);
  });

  test("2 as well when only one of several cannot be read, and the others are told", async () => {
    const { status, stdout, stderr } = await keepwatch(["lint", "nowhere.conf", "good.conf"], { cwd: dir });
    expect([status, stderr]).toEqual([2, "keepwatch: nowhere.conf does not exist. Check the path [LINT_INPUT]\n"]);
    expect(stdout).toContain("good.conf");
  });
});

test("the release decides what keepalived does", async () => {
  const path = file("novrid.conf", GOOD.replace("    virtual_router_id 51\n", ""));
  const severityIn = async (release: string): Promise<unknown> => {
    const { stdout } = await keepwatch(["lint", "--format", "json", "--keepalived-version", release, path]);
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; severity: string }[] };
    return diagnostics.find(({ code }) => code === "no_vrid")?.severity;
  };
  expect([await severityIn("1.2.19"), await severityIn("2.2.7")]).toEqual(["instance-lost", "fatal"]);
});

test("start options of a file decide what it starts and what @id lines are for", async () => {
  const path = file("ids.conf", `${GOOD}@lb7 bogus 1\nvirtual_server 192.0.2.1 80 {\n}\n`);
  const options = file("options", 'KEEPALIVED_OPTIONS="-D -P -i lb7"\n');
  const { stdout } = await keepwatch(["lint", "--format", "json", ...RELEASE, "--options", options, path]);
  const codes = (JSON.parse(stdout) as { diagnostics: { code: string }[] }).diagnostics.map(({ code }) => code);
  expect(codes).toContain("subsystem_hidden");
  expect(codes).toContain("unknown_keyword");
});

test("hundreds of one fault are summed up in the text, and all there in JSON", async () => {
  const path = file("many.conf", `${GOOD}${"bogus 1\n".repeat(300)}`);
  const text = (await keepwatch(["lint", ...RELEASE, path])).stdout;
  expect(text.split("\n").length).toBeLessThan(60);
  expect(text).toContain("295 more of these, in lines 15, 16,");
  const { diagnostics } = JSON.parse((await keepwatch(["lint", "--format", "json", ...RELEASE, path])).stdout) as {
    diagnostics: unknown[];
  };
  expect(diagnostics.length).toBe(300);
});

test("passwords of two nodes are told apart without being told", async () => {
  const secret = (pass: string): string =>
    GOOD.replace(
      "    priority",
      `    authentication {\n        auth_type PASS\n        auth_pass ${pass}\n    }\n    priority`,
    );
  const nodes = [`a=${file("a.conf", secret("hunter1"))}`, `b=${file("b.conf", secret("hunter2"))}`];
  for (const format of ["text", "json"]) {
    const { status, stdout } = await keepwatch(["lint", "--format", format, ...RELEASE, ...nodes]);
    expect(status).toBe(1);
    expect(stdout).toContain("drift_auth_pass");
    expect(stdout).not.toContain("hunter");
  }
});

test("colour is for terminals, or for who asks for it", async () => {
  const path = file("bad-state.conf", GOOD.replace("BACKUP", "backup"));
  const run = (...args: string[]): Promise<{ stdout: string }> => keepwatch(["lint", ...RELEASE, ...args, path]);
  const plain = (await run()).stdout;
  const coloured = (await run("--color", "always")).stdout;
  expect(plain).not.toContain("\u001b");
  expect(coloured).toContain("\u001b[33mdegraded\u001b[0m");
  expect(stripVTControlCharacters(coloured)).toBe(plain);
});

test("--explain prints the code's section of the page", async () => {
  const { status, stdout } = await keepwatch(["lint", "--explain", "no_vrid"]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^## no_vrid\n/);
  expect(stdout).toContain("**fatal** from 1.2.24 on");
  expect(stdout.match(/^## /gm)).toHaveLength(1);
});
