import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { readEnvironmentFile } from "../../collector/chain/environment.ts";
import { parseUnit } from "../../collector/chain/unit.ts";
import { modelOf } from "../../collector/conf/model.ts";
import { parseConf } from "../../collector/conf/parser.ts";
import { parseFile, printFile } from "../../collector/conf/syntax.ts";
import { decodeBytes } from "../../collector/conf/text.ts";
import type { Release } from "../../collector/conf/version.ts";
import { allGrammars } from "../../collector/logs/grammars/all.ts";
import { readJournalEntry } from "../../collector/logs/journal.ts";
import { createLogReader } from "../../collector/logs/reader.ts";
import { LogScanner, machineParts } from "../../collector/offline/scan.ts";
import { seededRandom } from "../bench/generate.ts";
import { captures, readCapture } from "./captures.ts";
import { CHECK_CORPUS, CHECK_TARGETS } from "./checks.ts";

export type FuzzReport =
  | { readonly type: "begun"; readonly path: string }
  | { readonly type: "failed"; readonly target: string; readonly why: string; readonly input: Uint8Array }
  | {
      readonly type: "done";
      readonly counts: Readonly<Record<string, number>>;
      readonly perSecond: number;
      readonly steepest: number;
    };

const { seed, untilMs } = workerData as { seed: number; untilMs: number };
const random = seededRandom(seed);
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
const upTo = (max: number): number => Math.floor(random() * max);
const say = (report: FuzzReport): void => parentPort?.postMessage(report);

const RELEASES: readonly Release[] = [
  [1, 2, 13],
  [1, 3, 5],
  [2, 0, 20],
  [2, 2, 7],
  [2, 4, 3],
];
const machine = machineParts();
const REFERENCE = Date.UTC(2026, 10, 24) * 1000;

/** What an input is given to, as the release that would read it does. @throws on whatever must not be */
const TARGETS: Readonly<Record<string, (input: Uint8Array, release: Release) => void | Promise<void>>> = {
  configuration(input, release) {
    const text = decodeBytes(input);
    const read = (path: string) => (path === "/main.conf" ? text : { unreadable: "there is no such file" });
    modelOf(parseConf("/main.conf", { read, glob: () => [] }, "lb1", { release }), { release });
    if (Buffer.compare(printFile(parseFile(input)), input) !== 0) throw new Error("it is not printed as it was read");
  },
  async log(input) {
    const reader = createLogReader({ path: "messages", fingerprint: "f", zone: "Europe/Berlin" });
    let from = 0;
    let lines = 0;
    for (let newline = input.indexOf(10); from < input.length; newline = input.indexOf(10, from)) {
      const end = newline < 0 ? input.length : newline;
      reader.read(input.subarray(from, end), { offset: from }, REFERENCE);
      lines += 1;
      from = end + 1;
    }
    const scanner = new LogScanner({ path: "messages", zone: "Europe/Berlin", reference: REFERENCE }, machine);
    await scanner.push(input);
    const counted = await scanner.end();
    if (counted.lines !== lines) throw new Error(`counted ${counted.lines} lines of ${lines}`);
  },
  journal(input) {
    for (const line of Buffer.from(input).toString("utf8").split("\n")) readJournalEntry(line);
  },
  capture: readCapture,
  unit: (input) => void parseUnit("keepalived.service", Buffer.from(input).toString("utf8")),
  environment: (input) => void readEnvironmentFile("/etc/default/keepalived", Buffer.from(input).toString("utf8")),
  ...CHECK_TARGETS,
};

const ROOT = new URL("../../../", import.meta.url).pathname;
const CORPUS: Readonly<Record<string, readonly Uint8Array[]>> = {
  configuration: files(["test/collector/conf/mistakes", "test/differential/configs"], /\.conf$/),
  log: [...files(["test/golden/logs/fixtures"], /./), Buffer.from(logOfSamples())],
  journal: [Buffer.from(journalOfSamples())],
  capture: [...files(["test/collector/pcap/fixtures"], /\.pcap$/), ...captures()],
  unit: [
    Buffer.from(
      "[Service]\nType=notify\nEnvironmentFile=-/etc/default/keepalived\nExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS\n",
    ),
  ],
  environment: [Buffer.from("# options\nDAEMON_ARGS=\"-D -S 3\"\nexport A='b c' \\\n d\n")],
  ...CHECK_CORPUS,
};

function files(folders: readonly string[], pattern: RegExp): Uint8Array[] {
  return folders.flatMap((folder) => {
    const all = readdirSync(join(ROOT, folder), { recursive: true }).map(String);
    return all
      .filter((name) => pattern.test(name) && statSync(join(ROOT, folder, name)).isFile())
      .map((name) => readFileSync(join(ROOT, folder, name)));
  });
}

function logOfSamples(): string {
  return allGrammars
    .flatMap(({ samples }) => samples)
    .map(
      (sample, i) =>
        `Nov 24 10:53:${String(i % 60).padStart(2, "0")} lb${1 + (i % 3)} Keepalived_vrrp[815]: ${sample}\n`,
    )
    .join("");
}

function journalOfSamples(): string {
  return allGrammars
    .flatMap(({ samples }) => samples)
    .map((sample, i) =>
      JSON.stringify({
        __CURSOR: `s=1;i=${i}`,
        __REALTIME_TIMESTAMP: `${REFERENCE + i}`,
        SYSLOG_IDENTIFIER: "Keepalived_vrrp",
        MESSAGE: i % 3 === 0 ? [...Buffer.from(sample)] : sample,
      }),
    )
    .join("\n");
}

const SPICE = [
  "{",
  "}",
  '"',
  "#",
  "!",
  "$A",
  "${A}",
  "$A=\\\n",
  "~SEQ(I,3) ",
  "@lb1 ",
  "\0",
  "\r\n",
  "\\",
  "\n",
  "include x",
  "(VI_1) ",
  "é",
  "\u201c",
  "[",
  "%i",
  "'",
];

function mutated(target: string): Uint8Array {
  const corpus = CORPUS[target] ?? [];
  let bytes = Buffer.from(pick(corpus));
  if (bytes.length > 20_000) bytes = bytes.subarray(upTo(bytes.length - 20_000)).subarray(0, 20_000);
  for (let times = 1 + upTo(6); times > 0; times--) {
    const at = upTo(bytes.length + 1);
    const length = upTo(Math.min(200, bytes.length - at + 1));
    switch (upTo(6)) {
      case 0:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(SPICE)), bytes.subarray(at)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.from(bytes);
        if (bytes.length > 0) bytes[upTo(bytes.length)] = upTo(256);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(corpus)).subarray(0, 2_000)]);
        break;
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.concat(Array.from({ length: 1 + upTo(50) }, () => bytes.subarray(at, at + length))),
          bytes.subarray(at + length),
        ]);
    }
  }
  return bytes;
}

/** What may be long. */
const MEASURED: ReadonlySet<string> = new Set(["configuration", "log", "journal"]);
/** Ten times the input is to take at most 12 times as long. What is quadratic takes 100. */
const GROWTH_MAX = 12;
/** Shorter times are not worth comparing, milliseconds: the garbage collector has had no work yet. */
const MEASURABLE_MS = 30;
/** Inputs are made longer, so that there is something to measure, up to this many bytes. */
const MEASURED_BYTES = 60_000;
/** On a busy machine a time can be anything: only what is slow each time, and from four times the length on as well, is slow. */
const ATTEMPTS = 12;

const repeated = (bytes: Uint8Array, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => bytes));

/** What this process has had of the processors, milliseconds: others that want them do not count. */
function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The shortest of three times, milliseconds. */
async function timeOf(run: (input: Uint8Array) => Promise<void>, input: Uint8Array): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    say({ type: "begun", path: scratch });
    const before = usedMs();
    await run(input);
    least = Math.min(least, usedMs() - before);
  }
  return least;
}

/** How many times as long ten times the input takes. `longer` makes an input so many times as long. */
async function growthOf(
  run: (input: Uint8Array) => Promise<void>,
  longer: (times: number) => Uint8Array,
): Promise<number> {
  let times = 1;
  while (longer(times).length < MEASURED_BYTES && (await timeOf(run, longer(times))) < MEASURABLE_MS) times *= 2;
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS && least > GROWTH_MAX; attempt++) {
    const from = attempt % 2 === 0 ? times : times * 4;
    const longerMs = await timeOf(run, longer(from * 10));
    least = Math.min(least, longerMs / Math.max(await timeOf(run, longer(from)), MEASURABLE_MS));
  }
  return least;
}

/** The input as often again, and a piece of it as often again within its line. */
function longerForms(input: Uint8Array): ((times: number) => Uint8Array)[] {
  const at = upTo(input.length + 1);
  const piece = Buffer.from(input.subarray(at, at + 1 + upTo(40)))
    .toString("latin1")
    .replaceAll("\n", " ");
  const inLine = (times: number): Uint8Array =>
    Buffer.concat([input.subarray(0, at), repeated(Buffer.from(piece, "latin1"), times), input.subarray(at)]);
  return [(times) => repeated(input, times), inLine];
}

const counts: Record<string, number> = {};
const scratch = join(mkdtempSync(join(tmpdir(), "keepwatch-fuzz-")), "input");
const started = Date.now();
let steepest = 0;
for (let i = 0; Date.now() < untilMs; i++) {
  const target = pick([
    "configuration",
    "configuration",
    "configuration",
    "log",
    "log",
    "journal",
    "capture",
    "capture",
    "unit",
    "environment",
    ...Object.keys(CHECK_TARGETS),
  ]);
  const release = pick(RELEASES);
  const run = async (bytes: Uint8Array): Promise<void> => await TARGETS[target]?.(bytes, release);
  const input = mutated(target);
  counts[target] = (counts[target] ?? 0) + 1;
  try {
    // A hang leaves its input behind.
    say({ type: "begun", path: scratch });
    writeFileSync(scratch, input);
    await run(input);
    if (MEASURED.has(target) && i % 200 === 199)
      for (const longer of longerForms(input)) {
        const growth = await growthOf(run, longer);
        steepest = Math.max(steepest, growth);
        if (growth > GROWTH_MAX) throw new Error(`10 times the input takes ${growth.toFixed(0)} times as long`);
      }
  } catch (error) {
    say({
      type: "failed",
      target,
      why: error instanceof Error ? (error.stack ?? error.message) : String(error),
      input,
    });
    break;
  }
}
const total = Object.values(counts).reduce((a, b) => a + b, 0);
say({ type: "done", counts, perSecond: (total * 1000) / (Date.now() - started), steepest });
