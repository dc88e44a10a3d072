import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { readEnvironmentFile } from "../../collector/chain/environment.ts";
import { parseUnit } from "../../collector/chain/unit.ts";
import { modelOf } from "../../collector/conf/model.ts";
import { parseConf } from "../../collector/conf/parser.ts";
import { decodeBytes } from "../../collector/conf/text.ts";
import type { Release } from "../../collector/conf/version.ts";
import { allGrammars } from "../../collector/logs/grammars/all.ts";
import { createLogReader } from "../../collector/logs/reader.ts";
import { LogScanner } from "../../collector/offline/scan.ts";
import { seededRandom } from "../bench/generate.ts";

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
const REFERENCE = Date.UTC(2026, 10, 24) * 1000;

/** What an input is given to. @throws on whatever must not be */
const TARGETS: Readonly<Record<string, (input: Uint8Array) => void>> = {
  configuration(input) {
    const text = decodeBytes(input);
    const read = (path: string) => (path === "/main.conf" ? text : { unreadable: "there is no such file" });
    const release = pick(RELEASES);
    modelOf(parseConf("/main.conf", { read, glob: () => [] }, "lb1", { release }), { release });
  },
  log(input) {
    const reader = createLogReader({ path: "messages", fingerprint: "f", zone: "Europe/Berlin" });
    let from = 0;
    let lines = 0;
    for (let newline = input.indexOf(10); from < input.length; newline = input.indexOf(10, from)) {
      const end = newline < 0 ? input.length : newline;
      reader.read(input.subarray(from, end), { offset: from }, REFERENCE);
      lines += 1;
      from = end + 1;
    }
    const scanner = new LogScanner({ path: "messages", zone: "Europe/Berlin", reference: REFERENCE });
    scanner.push(input);
    if (scanner.end().lines !== lines) throw new Error(`counted ${scanner.end().lines} lines of ${lines}`);
  },
  unit: (input) => void parseUnit("keepalived.service", Buffer.from(input).toString("utf8")),
  environment: (input) => void readEnvironmentFile("/etc/default/keepalived", Buffer.from(input).toString("utf8")),
};

const ROOT = new URL("../../../", import.meta.url).pathname;
const CORPUS: Readonly<Record<string, readonly Uint8Array[]>> = {
  configuration: files(["test/collector/conf/mistakes", "test/differential/configs"], /\.conf$/),
  log: [...files(["test/golden/logs"], /\.log$/), Buffer.from(logOfSamples())],
  unit: [
    Buffer.from(
      "[Service]\nType=notify\nEnvironmentFile=-/etc/default/keepalived\nExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS\n",
    ),
  ],
  environment: [Buffer.from("# options\nDAEMON_ARGS=\"-D -S 3\"\nexport A='b c' \\\n d\n")],
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

/** The shortest of three times, milliseconds. */
function timeOf(run: (input: Uint8Array) => void, input: Uint8Array): number {
  return Math.min(
    ...[1, 2, 3].map(() => {
      const before = performance.now();
      run(input);
      return performance.now() - before;
    }),
  );
}

const counts: Record<string, number> = {};
const scratch = join(mkdtempSync(join(tmpdir(), "keepwatch-fuzz-")), "input");
const started = Date.now();
let steepest = 0;
for (let i = 0; Date.now() < untilMs; i++) {
  const target = pick(["configuration", "configuration", "log", "log", "unit", "environment"]);
  const run = TARGETS[target] ?? (() => undefined);
  const input = mutated(target);
  counts[target] = (counts[target] ?? 0) + 1;
  try {
    // A hang leaves its input behind.
    if (i % 50 === 0) say({ type: "begun", path: scratch });
    writeFileSync(scratch, input);
    run(input);
    if (i % 200 === 0) {
      const ten = Buffer.concat(Array.from({ length: 10 }, () => input));
      const growth = timeOf(run, ten) / Math.max(timeOf(run, input), 5);
      steepest = Math.max(steepest, growth);
      if (growth > 24) throw new Error(`10 times the input takes ${growth.toFixed(0)} times as long`);
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
