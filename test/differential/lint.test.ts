import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkLabCanRun } from "../../server/lab/programs.ts";
import { INSTALLED } from "../collector/conf/real-daemon.ts";
import { type Comparison, compare } from "./compare.ts";
import { limited } from "../support/limited.ts";
import type { CaseFiles } from "./daemon.ts";

/**
 * What keepwatch says of a configuration against what the installed keepalived does with it when it is started.
 *
 * `npm run differential -- lint` runs this file alone and prints the report.
 */
const SOURCES = [
  "/usr/share/doc/keepalived/samples",
  join(import.meta.dirname, "../collector/conf/mistakes"),
  join(import.meta.dirname, "configs"),
];
/** Daemons started at a time. */
const PARALLEL = 4;

/** What keepalived says and lint does not, and why. */
const LEFT_OUT: readonly (readonly [line: RegExp, reason: string])[] = [
  [/no firewall configured - using nftables$/, "a notice: with nftables, which is there, it works"],
  [/Invalid smtp server/, "keepalived asks a name server, lint does not"],
  [/Failed to set\/clear process event listen/, "this kernel tells no process events"],
];

/** Configurations whose verdicts differ, and why that is right. */
const JUSTIFIED: Readonly<Record<string, string>> = {
  "track-process-quorum.conf": "FAULT because the process does not run: it is not the file's fault",
  "bfd-good.conf": "FAULT because the neighbour is not there: it is not the file's fault",
  "vip-is-own.conf":
    "FAULT for want of a source address; lint says degraded, as another address on the interface avoids it",
  "weight-zero-fault.conf": "its script fails at once: then no state is told",
};

const reason = await checkLabCanRun().then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the differential test of lint: ${reason}\n\n`);

const cases = SOURCES.filter((path) => existsSync(path)).flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /^keepalived\.conf\.|\.conf$/.test(name) || statSync(join(folder, name)).isDirectory())
    .map((name) => ({ name, files: filesOf(join(folder, name)) })),
);

/** A file is a configuration, a folder one with its includes. */
function filesOf(path: string): CaseFiles {
  const files = new Map<string, { text: Uint8Array; mode: number }>();
  const add = (below: string): void => {
    const stat = statSync(join(path, below));
    if (!stat.isDirectory())
      files.set(below || "keepalived.conf", { text: readFileSync(join(path, below)), mode: stat.mode & 0o777 });
    else for (const name of readdirSync(join(path, below))) add(join(below, name));
  };
  add("");
  return files;
}

function differencesOf({ ours, real }: Comparison): string[] {
  const found: string[] = [];
  if (ours.dies !== real.dies)
    found.push(`keepalived ${real.dies ? "ends" : "runs"}, and we say that it ${ours.dies ? "ends" : "runs"}`);
  if (real.fates && !ours.dies)
    for (const [i, fate] of real.fates.entries()) {
      const said = ours.fates?.[i] ?? "runs";
      // In FAULT from the start is as good as lost.
      if (fate !== said && !(fate === "fault" && said === "lost"))
        found.push(`vrrp_instance block ${i + 1}: keepalived ${fate}, we ${said}`);
    }
  return found;
}

const unexplained = ({ complaints }: Comparison): string[] =>
  complaints
    .filter(({ line, by }) => by === undefined && !LEFT_OUT.some(([words]) => words.test(line)))
    .map(({ line }) => `no diagnostic says: ${line}`);

const disagreementsOf = (one: Comparison): string[] => [...differencesOf(one), ...unexplained(one)];

describe.skipIf(reason !== undefined)("lint and the daemon agree", () => {
  const limit = limited(() => PARALLEL);
  const results = new Map<string, Comparison>();

  test.concurrent.each(cases)(
    "$name",
    ({ name, files }) =>
      limit(async () => {
        const comparison = await compare(files, INSTALLED);
        results.set(name, comparison);
        if (JUSTIFIED[name] === undefined) expect(disagreementsOf(comparison)).toEqual([]);
      }),
    60_000,
  );

  test("nothing is justified that is no difference any more", () => {
    const lines = [...results.values()].flatMap(({ complaints }) => complaints.map(({ line }) => line));
    const stale = [
      ...LEFT_OUT.filter(([words]) => !lines.some((line) => words.test(line))).map(([words]) => words.source),
      ...Object.keys(JUSTIFIED).filter((name) => disagreementsOf(results.get(name) as Comparison).length === 0),
    ];
    expect(stale).toEqual([]);
  });

  test("the configurations are many, and most of them have one fault", () => {
    expect(results.size).toBe(cases.length);
    expect(cases.length).toBeGreaterThan(300);
    const faulty = [...results.values()].filter(({ diagnostics }) =>
      diagnostics.some(({ severity }) => severity !== "hint"),
    );
    expect(faulty.length).toBeGreaterThan(200);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  afterAll(() => {
    const all = [...results];
    const agreeing = all.filter(([, { ours, real }]) => ours.dies === real.dies);
    const complaints = all.flatMap(([, one]) => one.complaints);
    const differing = all.filter(([, one]) => disagreementsOf(one).length > 0);
    const inFault = all.flatMap(([name, { ours, real }]) =>
      (real.fates ?? []).flatMap((fate, i) => (fate === "fault" ? [{ name, said: ours.fates?.[i] }] : [])),
    );
    const lines = [
      `configurations: ${all.length}; keepalived ${INSTALLED.join(".")} ends on ${all.filter(([, one]) => one.real.dies).length}`,
      `verdicts that agree: ${agreeing.length} of ${all.length}`,
      `lines in which keepalived finds fault: ${complaints.length}, explained: ${complaints.filter(({ by }) => by !== undefined).length}`,
      `  by the same code: ${complaints.filter(({ code, by }) => by !== undefined && by === code).length}; left out for a reason: ${complaints.filter(({ by }) => by === undefined).length}`,
      `instances in FAULT from the start: ${inFault.length}; of which lint says that they run: ${
        inFault
          .filter(({ said }) => said === "runs")
          .map(({ name }) => name)
          .join(", ") || "none"
      }`,
      `disagreements: ${differing.length}, justified: ${differing.filter(([name]) => JUSTIFIED[name] !== undefined).length}`,
      ...differing.flatMap(([name, one]) => [
        `  ${name}${JUSTIFIED[name] ? `: ${JUSTIFIED[name]}` : ""}`,
        ...disagreementsOf(one).map((text) => `    ${text}`),
      ]),
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
  });
});
