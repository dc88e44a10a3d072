import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keepwatch, keepwatchBin, root } from "../support/process.ts";

/** What an operator may hand to `keepwatch analyze` by mistake: a clear error each, and nothing else is lost. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-bad-"));
const recording = join(root, "server/demo/recording");
const good = (node: string): string => `${node}=${join(recording, node, "messages")}`;

interface Analysis {
  readonly inputs: {
    path: string;
    error?: string;
    lines: number;
    keepalivedLines: number;
    unrecognised: number;
    kind: string;
  }[];
  readonly incidents: { kind: string }[];
  readonly timeline: { kind: string; ts: string; source: string; raw?: string }[];
}

async function analyzed(
  ...inputs: readonly string[]
): Promise<{ status: number | null; stderr: string; analysis: Analysis }> {
  const { status, stdout, stderr } = await keepwatch(["analyze", "--tz", "UTC", "--format", "json", ...inputs]);
  expect(stdout + stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
  return { status, stderr, analysis: JSON.parse(stdout) as Analysis };
}

const kinds = ({ incidents }: Analysis): string[] => incidents.map(({ kind }) => kind);

beforeAll(() => {
  mkdirSync(join(dir, "folder"));
  writeFileSync(join(dir, "binary"), Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 32)));
  writeFileSync(join(dir, "torn.gz"), gzipSync(readFileSync(join(recording, "lb1/messages"))).subarray(0, 200));
  writeFileSync(join(dir, "cut.pcap"), readFileSync(join(recording, "lb1/capture.pcap")).subarray(0, 700));
  writeFileSync(
    join(dir, "broken.conf"),
    "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id\n virtual_ipaddress {\n 10.99.0.100\n}\n",
  );
  writeFileSync(
    join(dir, "journal.json"),
    'not json\n{"__REALTIME_TIMESTAMP":"1795522075000000","__CURSOR":"c1","SYSLOG_IDENTIFIER":"Keepalived","MESSAGE":"Stopping"}\n',
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("keepwatch analyze", () => {
  test.each([
    ["a path that is not there", "nowhere/messages", /nowhere\/messages cannot be read: .*Check the path/],
    ["a folder", "folder", /folder is a directory/],
    ["a binary file", "binary", /binary was not read: it is a binary file/],
    ["a torn gzip file", "torn.gz", /torn\.gz: its gz data cannot be read/],
    ["a cut capture", "cut.pcap", /in the middle of a record/],
  ])("names %s, and reads the rest all the same", async (_name, file, told) => {
    const { status, stderr, analysis } = await analyzed(good("lb1"), `lb1=${join(dir, file)}`, good("lb2"));
    expect(status).toBe(2);
    expect(stderr).toMatch(told);
    expect(analysis.inputs[1]?.error).toMatch(told);
    expect(kinds(analysis)).toEqual(["split-brain"]);
  });

  test("counts a damaged line as not recognised, keeps it, and loses nothing else", async () => {
    const text = readFileSync(join(recording, "lb2/messages"), "utf8").split("\n");
    text.splice(10, 0, "Nov 2x 12:0 lb2 Keepalived_vrrp[31]: (VI_1) Ent\0ring MAS", "\xff\xfe Keepalived[1]: half");
    writeFileSync(join(dir, "messages"), text.join("\n"), "latin1");
    const { status, analysis } = await analyzed(good("lb1"), `lb2=${join(dir, "messages")}`);
    expect(status).toBe(0);
    expect(analysis.inputs[1]?.unrecognised).toBe(2);
    expect(analysis.timeline.filter(({ kind }) => kind === "log.unrecognised")).toHaveLength(2);
    expect(kinds(analysis)).toEqual(["split-brain"]);
  });

  test("reads what is sound in a broken configuration and names each fault with its line", async () => {
    const { status, analysis } = await analyzed(good("lb1"), good("lb2"), `lb2=${join(dir, "broken.conf")}`);
    expect(status).toBe(0);
    const told = analysis.timeline
      .filter(({ kind }) => kind === "config.diagnostic")
      .map((event) => `${Reflect.get(event, "line")} ${Reflect.get(event, "code")}`);
    // An id without a value is told twice: the word that is missing, and that the instance is lost for it.
    expect(told.sort()).toEqual(["1 missing_brace_close", "3 missing_parameter", "3 no_vrid", "5 vip_no_prefix"]);
    expect(kinds(analysis)).toEqual(["config-error", "split-brain"]);
  });

  test("reads classic lines in a zone that is an offset", async () => {
    const at = async (zone: string) => {
      const { status, analysis } = await analyzed(good("lb1"), "--tz", zone);
      expect(status).toBe(0);
      return Date.parse(analysis.timeline.find(({ source }) => source === "log")?.ts ?? "");
    };
    expect((await at("UTC")) - (await at("+02:00"))).toBe(2 * 3600 * 1000);
  });

  test("says how many journal entries are none, and reads the others", async () => {
    const { status, stderr, analysis } = await analyzed(`lb1=${join(dir, "journal.json")}`);
    expect([status, analysis.inputs[0]?.kind]).toEqual([2, "journal"]);
    // A first line that is no entry does not make a log of it.
    expect(stderr).toMatch(/1 of 2 lines are no journal entries .* line 1: it is not JSON/);
    expect(analysis.timeline.map(({ kind }) => kind)).toEqual(["daemon.stopping"]);
  });

  test.each([
    [["analyze", "--tz", "Mars/Olympus", "x"], /--tz Mars\/Olympus is not a time zone.*offset such as \+02:00/],
    [["analyze", "--tz", "+19:00", "x"], /--tz \+19:00 is not a time zone/],
    [["analyze", "--format", "pdf", "x"], /--format pdf is not known.*text, json, markdown/],
    [["analyze", "--year", "26", "x"], /--year 26 is not a year/],
    [["up", "--port", "http"], /--port http is not a port number/],
    [["lab", "earthquake"], /there is no scenario "earthquake".*split-brain/],
    [["server", "--config", "/nowhere.toml"], /\/nowhere\.toml cannot be read/],
    [["collector", "--config", "/nowhere.toml"], /\/nowhere\.toml cannot be read/],
  ])("keepwatch %j says what is wrong and what to do", async (args, told) => {
    const { status, stderr } = await keepwatch(args);
    expect(stderr).toMatch(told);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(2);
  });

  test("ends with status 1 for an incident when it is asked to", async () => {
    const { status } = await keepwatch(["analyze", "--tz", "UTC", "--exit-code", good("lb1"), good("lb2")]);
    expect(status).toBe(1);
  });
});

test("a reader that has seen enough is no fault", () => {
  // `true` reads nothing: what is written when it has ended meets a closed pipe.
  const script = `"${process.execPath}" "${keepwatchBin}" scan "${join(recording, "lb1/messages")}" | true`;
  const { status, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
