import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBuild } from "../../../collector/chain/build.ts";
import { facilityOf, OPTIONS, optionOf, parseOptions } from "../../../collector/chain/options.ts";
import { parseRelease, type Release } from "../../../collector/conf/version.ts";

function release(text: string): Release {
  const parsed = parseRelease(text);
  if (!parsed) throw new Error(`${text} is no release`);
  return parsed;
}

const parse = (text: string, version = "2.2.7"): ReturnType<typeof parseOptions> =>
  parseOptions(
    text
      .split(" ")
      .filter(Boolean)
      .map((word) => ({ text: word })),
    release(version),
    undefined,
  );

/** One row a case: `option=value` for what was understood, the fault's kind and what was written for what was not. */
test.each<[line: string, version: string, uses: string, faults: string]>([
  ["-D -f /a", "2.2.7", "log-detail use-file=/a", ""],
  ["-DDnS3", "2.2.7", "log-detail log-detail dont-fork log-facility=3", ""],
  ["-f/a -S 3", "2.2.7", "use-file=/a log-facility=3", ""],
  ["--use-file=/a --use-file /b", "2.2.7", "use-file=/a use-file=/b", ""],
  ["--use-fil /a", "2.2.7", "use-file=/a", ""],
  ["--log-f 3", "2.2.7", "", "ambiguous --log-f unexpected-argument 3"],
  ["--vrrp", "2.2.7", "vrrp", ""],
  ["--vrrp=1", "2.2.7", "", "unwanted-value --vrrp"],
  ["--use-file= -D", "2.2.7", "log-detail", "missing-value --use-file"],
  ["-D -f", "2.2.7", "log-detail", "missing-value -f"],
  ["-f -D", "2.2.7", "use-file=-D", ""],
  ["-g -D", "2.2.7", "log-file log-detail", ""],
  ["-g/a -t/b", "2.2.7", "log-file=/a config-test=/b", ""],
  [
    "extra -D -- -f /a",
    "2.2.7",
    "log-detail",
    "unexpected-argument extra unexpected-argument -f unexpected-argument /a",
  ],
  ["- -D", "2.2.7", "log-detail", "unexpected-argument -"],
  ["-W -Dz", "2.2.7", "log-detail", "unknown -W unknown -z"],
  ["--dont-know", "2.2.7", "", "unknown --dont-know"],
  // Older releases know less.
  ["-e", "2.1.5", "", "unknown -e"],
  ["-t -D", "2.0.3", "log-detail", "unknown -t"],
  ["-t/log", "2.0.4", "config-test log-console log-file", "unknown -/ unknown -o"],
  ["-X", "1.3.4", "", "unknown -X"],
  ["--release-vips", "1.3.4", "release-vips", ""],
  ["-g -D", "1.4.0", "log-file=-D", ""],
  ["--use-file=", "1.4.0", "use-file=", ""],
  // popt stops at the first option it does not know.
  ["-D -R -f /a", "1.2.7", "log-detail", "unknown -R"],
  ["-D -R -f /a", "1.2.9", "log-detail dont-respawn use-file=/a", ""],
])("%s, as keepalived %s reads it", (line, version, uses, faults) => {
  const parsed = parse(line, version);
  expect(parsed.uses.map(({ option, value }) => (value === undefined ? option : `${option}=${value}`)).join(" ")).toBe(
    uses,
  );
  expect(parsed.faults.map(({ kind, written }) => `${kind} ${written}`).join(" ")).toBe(faults);
});

test.each<[line: string, version: string, facility: string, isInvalid: boolean]>([
  ["-D", "2.2.7", "daemon", false],
  ["-S 3", "2.2.7", "local3", false],
  ["-S local3", "2.2.7", "local3", false],
  ["-S user", "2.2.7", "user", false],
  ["-S 8", "2.2.7", "daemon", true],
  ["-S local9 -S 2", "2.2.7", "local2", true],
  ["-S LOCAL3", "2.2.7", "daemon", true],
  ["-S local3", "2.2.4", "daemon", true],
  ["-S 7", "2.2.4", "local7", false],
  ["-S local3", "1.3.5", "local0", true],
  ["-S 4", "1.2.2", "local4", false],
])("%s of keepalived %s logs to %s", (line, version, facility, isInvalid) => {
  const found = facilityOf(parse(line, version).uses, release(version));
  expect([found.name, found.invalid !== undefined]).toEqual([facility, isInvalid]);
});

test("no two options share a name or a letter", () => {
  for (const names of [OPTIONS.map(({ long }) => long), OPTIONS.flatMap(({ short }) => short ?? [])])
    expect(names.length).toBe(new Set(names).size);
});

const keepalived = "/usr/sbin/keepalived";
describe.skipIf(!existsSync(keepalived))("the real program", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "keepalived-options-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const build = readBuild(spawnSync(keepalived, ["-v"], { encoding: "utf8" }).stderr);

  test("lists the options that we know of its release and build, and no others", () => {
    const help = spawnSync(keepalived, ["-h"], { encoding: "utf8" }).stderr;
    const listed = [...help.matchAll(/^ {2}(?:-(\w), | {4})--([\w-]+)/gm)].map(
      (match) => `${match[1] ?? ""} ${match[2]}`,
    );
    const known = OPTIONS.filter(({ long }) => {
      const { faults } = parseOptions([{ text: `--${long}=1` }], build?.release ?? [0, 0, 0], build);
      return !faults.some(({ kind }) => kind === "unknown");
    });
    // config-fd is for keepalived itself, and log-file is known to every build but only listed where it works.
    const expected = known.filter(
      ({ long }) => long !== "config-fd" && (long !== "log-file" || build?.features.has("FILE_LOGGING")),
    );
    expect(listed.sort()).toEqual(expected.map(({ short, long }) => `${short ?? ""} ${long}`).sort());
  });

  // -m and -M are left out: they change the machine's core pattern. -v, -h, -T and --signum end the program early.
  const words = [
    "-D",
    "-DD",
    "-n",
    "-l",
    "-P",
    "-C",
    "-B",
    "-R",
    "-V",
    "-I",
    "-X",
    "-d",
    "-a",
    "-x",
    "-e",
    "-G",
    "-DPn",
    "-nW",
    "-Wn",
    "-Z",
    "-f",
    "-fother.conf",
    "-f=x",
    "other.conf",
    "-S",
    "-S3",
    "-DS",
    "9",
    "user",
    "-p",
    "-r",
    "-c",
    "-b",
    "-A",
    "-i",
    "-u077",
    "-s",
    "--use-file",
    "--use-file=third.conf",
    "--use-file=",
    "--use",
    "--us=x",
    "--vrrp",
    "--vrrp=1",
    "--vrr",
    "--vrrp_",
    "--pid",
    "--pi=q",
    "--all",
    "--all-",
    "--log",
    "--log-d",
    "--log-c",
    "--no",
    "--no_b",
    "--no-s",
    "--dont-r",
    "--dont-release-v",
    "--config-i=1",
    "--config-t",
    "--umask",
    "--check",
    "--check=",
    "--checkers_pid=a",
    "--perf",
    "--debug",
    "--nonsense",
    "--",
    "-",
    "x",
    "",
    "--=",
    "--=x",
  ];

  test("refuses the same command lines, and reads the same file", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 7 }), (chosen) => {
        // -t comes first: no daemon is ever started.
        const argv = ["-t", ...chosen];
        const parsed = parseOptions(
          argv.map((text) => ({ text })),
          build?.release ?? [0, 0, 0],
          build,
        );
        const { stdout, stderr, signal } = spawnSync(keepalived, argv, { cwd: folder, encoding: "utf8" });
        const said = [...stderr.matchAll(/Unknown option|Missing parameter/g)].length;
        const refused = parsed.faults.filter(({ kind }) => kind !== "unexpected-argument");
        // Ending by a signal: the program prints the name of an option that it does not have.
        if (signal === null) expect([argv, said]).toEqual([argv, refused.length]);
        else expect(refused.length).toBeGreaterThan(0);
        const extra = /^Unexpected argument\(s\): (.*) $/m.exec(stdout)?.[1] ?? "";
        if (signal === null)
          expect(extra).toBe(
            parsed.faults.flatMap(({ kind, written }) => (kind === "unexpected-argument" ? written : [])).join(" "),
          );
        if (refused.length > 0) return;
        const file = optionOf(parsed, "use-file")?.value ?? build?.defaultFile ?? "";
        const missing = /Config files missing '(.*)'\.$/m.exec(stderr)?.[1];
        if (!existsSync(join(folder, file)) && !existsSync(file)) expect([argv, missing]).toEqual([argv, file]);
      }),
      { numRuns: 300, seed: 3 },
    );
  });
});
