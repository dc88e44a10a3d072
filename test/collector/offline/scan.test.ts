import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIsoUs, US_PER_SECOND } from "../../../collector/core/time.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { LineReader } from "../../../collector/logs/reader.ts";
import { looksLikeConsole } from "../../../collector/logs/syslog.ts";
import { harmless, textOf } from "../../../collector/logs/text.ts";
import { LogScanner } from "../../../collector/offline/scan.ts";
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
