import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIsoUs, US_PER_SECOND } from "../../../collector/core/time.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { LineReader } from "../../../collector/logs/reader.ts";
import { looksLikeConsole } from "../../../collector/logs/syslog.ts";
import { harmless, textOf } from "../../../collector/logs/text.ts";
import { isWrapped } from "../../../collector/offline/identify.ts";
import { LogScanner, scanWrapped } from "../../../collector/offline/scan.ts";
import { logLine } from "../../support/log-lines.ts";
import { machineParts } from "../../support/machine.ts";

const REFERENCE = parseIsoUs("2026-11-24T10:53:30Z") ?? 0;
const parts = machineParts();

interface Counts {
  lines: number;
  keepalivedLines: number;
  unrecognised: number;
  malformed: number;
  from: number | undefined;
  to: number | undefined;
  kinds: Record<string, number>;
  rows: Record<string, number>;
  states: Record<string, number>;
}

const sorted = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** What is counted when each line is read by itself, as text. */
function readOneByOne(lines: readonly Buffer[], zone: string, reference: number): Counts {
  const reader = new LineReader({ path: "messages", zone });
  const counts: Counts = {
    lines: lines.length,
    keepalivedLines: 0,
    unrecognised: 0,
    malformed: 0,
    from: undefined,
    to: undefined,
    kinds: {},
    rows: {},
    states: {},
  };
  const add = (of: Record<string, number>, name: string): void => void (of[name] = (of[name] ?? 0) + 1);
  for (const line of lines) {
    const read =
      line.includes("eepalived") || looksLikeConsole(line)
        ? reader.readText(harmless(textOf(line)), reference)
        : undefined;
    if (!read) continue;
    const { ts, host, meaning } = read;
    counts.keepalivedLines += 1;
    if (meaning.body.kind === "log.unrecognised") counts.unrecognised += 1;
    if (ts === undefined) counts.malformed += 1;
    else {
      counts.from = Math.min(counts.from ?? ts, ts);
      counts.to = Math.max(counts.to ?? ts, ts);
    }
    add(counts.kinds, meaning.body.kind);
    add(counts.rows, meaning.row);
    if (meaning.body.kind === "vrrp.state")
      add(counts.states, `${host?.slice(0, 255)} ${meaning.body.instance} ${meaning.body.state}`);
  }
  return counts;
}

/** @param cuts  how many bytes come at a time; the rest comes at once */
async function scan(bytes: Buffer, cuts: readonly number[] = [], zone = "UTC", reference = REFERENCE): Promise<Counts> {
  const scanner = new LogScanner({ path: "messages", zone, reference }, parts);
  let at = 0;
  for (const cut of cuts) {
    await scanner.push(bytes.subarray(at, at + cut));
    at += cut;
  }
  await scanner.push(bytes.subarray(at));
  const { statesElsewhere, kinds, rows, states, ...counts } = await scanner.end();
  expect(statesElsewhere).toBe(0);
  return {
    ...counts,
    kinds: sorted(Object.fromEntries(kinds)),
    rows: sorted(Object.fromEntries(rows)),
    states: sorted(
      Object.fromEntries(states.map(({ host, instance, state, count }) => [`${host} ${instance} ${state}`, count])),
    ),
  };
}

const joined = (lines: readonly Buffer[]): Buffer => Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
const linesOf = (bytes: Buffer): Buffer[] =>
  bytes
    .toString("latin1")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => Buffer.from(line, "latin1"));

const GOLDEN = join(import.meta.dirname, "../../golden/logs/fixtures");
const golden = readdirSync(GOLDEN).map((name) => [name, readFileSync(join(GOLDEN, name))] as const);

describe("a scan", () => {
  test("counts what each line means as text, wherever the bytes are cut, whatever the machine knows by then", async () => {
    const line = fc
      .oneof(
        { arbitrary: logLine, weight: 9 },
        {
          arbitrary: fc.constantFrom("", "Mar  4 h sshd[1]: x", "Nov 24 10:53:23 lb1 sshd[1]: keepalived x"),
          weight: 1,
        },
      )
      .map((text) => Buffer.from(text.replaceAll("\n", " ")));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 30 }),
        // Each line again and again: asked about, then known, then known by heart.
        fc.array(fc.nat(29), { maxLength: 60 }),
        fc.array(fc.nat(400), { maxLength: 5 }),
        fc.constantFrom("UTC", "Europe/Berlin", "+05:30", "Australia/Lord_Howe"),
        fc.constantFrom(REFERENCE, REFERENCE - 86_400 * US_PER_SECOND),
        async (drawn, again, cuts, zone, reference) => {
          const lines = [...drawn, ...again.map((i) => drawn[i % drawn.length] as Buffer)];
          expect(await scan(joined(lines), cuts, zone, reference)).toEqual(readOneByOne(lines, zone, reference));
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each(golden)("counts what each line of %s means as text, and of its every mutation", async (_name, bytes) => {
    expect(await scan(bytes)).toEqual(readOneByOne(linesOf(bytes), "UTC", REFERENCE));
    const piece = bytes.subarray(0, 4_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(piece.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        fc.nat(piece.length),
        async (changes, from) => {
          const mutated = Buffer.from(piece);
          for (const [at, byte] of changes) mutated[at] = byte;
          const twice = Buffer.concat([mutated.subarray(from), Buffer.from("\n"), mutated, Buffer.from("\n"), mutated]);
          expect(await scan(twice)).toEqual(readOneByOne(linesOf(twice), "UTC", REFERENCE));
        },
      ),
      { numRuns: 10 },
    );
  });

  test("counts each sample of each row as it means as text, from every daemon, with every cut", async () => {
    const lines = allGrammars.flatMap(({ samples }) =>
      samples.flatMap((sample, i) =>
        ["Keepalived", "Keepalived_vrrp", "Keepalived_healthcheckers", "keepalived"].map((tag) =>
          Buffer.from(`Nov 24 10:53:${String(i % 60).padStart(2, "0")} lb${1 + (i % 3)} ${tag}[815]: ${sample}`),
        ),
      ),
    );
    expect(await scan(joined([...lines, ...lines, ...lines]))).toEqual(
      readOneByOne([...lines, ...lines, ...lines], "UTC", REFERENCE),
    );
    const few = lines.slice(0, 2);
    const bytes = joined(few);
    const expected = readOneByOne(few, "UTC", REFERENCE);
    for (let cut = 0; cut <= bytes.length; cut++) expect(await scan(bytes, [cut])).toEqual(expected);
  });

  test("tells all hours and minutes, those of a change of the clock as well", async () => {
    const lines = ["Mar 28", "Mar 29", "Oct 24", "Oct 25", "Apr  5", "Nov 24", "Nov 25"].flatMap((day) =>
      Array.from({ length: 24 * 12 }, (_, i) => {
        const time = [Math.floor(i / 12), (i % 12) * 5, i % 60].map((n) => String(n).padStart(2, "0")).join(":");
        return Buffer.from(`${day} ${time} lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE`);
      }),
    );
    for (const zone of ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
      for (const some of [lines, lines.toReversed(), ...lines.filter((_, i) => i % 97 === 0).map((line) => [line])])
        expect(await scan(joined(some), [], zone)).toEqual(readOneByOne(some, zone, REFERENCE));
  });

  test("counts a line that is longer than its memory once, by its beginning, and a last one without a newline", async () => {
    const state = "Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE";
    const long = `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${"Keepalived ".repeat(100_000)}`;
    const { lines, keepalivedLines, states } = await scan(Buffer.from([state, long, state].join("\n")));
    expect({ lines, keepalivedLines, states }).toEqual({
      lines: 3,
      keepalivedLines: 3,
      states: { "lb1 VI_1 MASTER": 2 },
    });
  });
});

describe("a scan of what something else has put an envelope around", () => {
  const CONSOLE = "Tue Nov 24 10:53:20 2026: (VI_1) Entering MASTER STATE";
  const halves = [CONSOLE.slice(0, 40), CONSOLE.slice(40)] as const;

  test.each([
    ["docker", [`{"log":"${CONSOLE}\\n","stream":"stderr","time":"2026-11-24T10:53:21Z"}`]],
    [
      "docker, in pieces",
      halves.map((half, i) => `{"log":"${half}${i ? "\\n" : ""}","stream":"stderr","time":"2026-11-24T10:53:21Z"}`),
    ],
    ["docker logs -t", [`2026-11-24T10:53:21.123456789Z ${CONSOLE}`]],
    ["CRI", [`2026-11-24T10:53:21Z stderr F ${CONSOLE}`]],
    ["CRI, in pieces", halves.map((half, i) => `2026-11-24T10:53:21Z stderr ${i ? "F" : "P"} ${half}`)],
    ["docker compose", [`keepalived-1  | ${CONSOLE}`]],
    ["kubectl --prefix", [`[pod/kp-7x2/keepalived] ${CONSOLE}`]],
    ["a journal", [entry({ MESSAGE: "(VI_1) Entering MASTER STATE" })]],
    ["a journal, with bytes", [entry({ MESSAGE: [...Buffer.from("(VI_1) Entering MASTER STATE")] })]],
  ])("%s: counts what keepalived said", async (_name, wrapped) => {
    const others = ['{"MESSAGE":"x"}', "2026-11-24T10:53:21Z stderr F level=info", "", "{"];
    const bytes = joined([...wrapped, ...others].map((line) => Buffer.from(line)));
    expect(isWrapped(bytes)).toBe(true);
    const tally = await scanWrapped(chunks(bytes), { path: "messages", zone: "UTC", reference: REFERENCE }, parts);
    expect(tally).toMatchObject({ lines: wrapped.length + others.length, keepalivedLines: 1, malformed: 0 });
    expect(tally.states).toMatchObject([{ instance: "VI_1", state: "MASTER", count: 1 }]);
    expect(tally.from).toBeGreaterThanOrEqual(parseIsoUs("2026-11-24T10:53:20Z") ?? 0);
    expect(tally.from).toBeLessThan(parseIsoUs("2026-11-24T10:53:22Z") ?? 0);
  });

  test("counts a line whose last piece never came as one that cannot be read", async () => {
    const lines = [`2026-11-24T10:53:21Z stderr P ${CONSOLE}`, `2026-11-24T10:53:22Z stderr F ${CONSOLE}`];
    const bytes = joined(lines.map((line) => Buffer.from(line)));
    const tally = await scanWrapped(chunks(bytes), { path: "messages", zone: "UTC", reference: REFERENCE }, parts);
    expect(tally).toMatchObject({ keepalivedLines: 2, unrecognised: 1, malformed: 1 });
  });

  test.each(golden)("%s needs none", (_name, bytes) => expect(isWrapped(bytes.subarray(0, 16_384))).toBe(false));

  test("counts in any lines what each means by itself", async () => {
    const lines = fc.array(
      logLine.map((text) => text.replaceAll("\n", " ")),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(lines, async (drawn) => {
        const buffers = drawn.map((line) => Buffer.from(line));
        const options = { path: "messages", zone: "UTC", reference: REFERENCE };
        const { lines: count, keepalivedLines, malformed } = await scanWrapped(chunks(joined(buffers)), options, parts);
        const expected = readOneByOne(buffers, "UTC", REFERENCE);
        expect({ count, keepalivedLines, malformed }).toEqual({
          count: expected.lines,
          keepalivedLines: expected.keepalivedLines,
          malformed: expected.malformed,
        });
      }),
      { numRuns: 100 },
    );
  });
});

function entry(fields: object): string {
  const whole = { __REALTIME_TIMESTAMP: "1795517601000000", _HOSTNAME: "lb1", SYSLOG_IDENTIFIER: "Keepalived_vrrp" };
  return JSON.stringify({ ...whole, _PID: "15", ...fields });
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}
