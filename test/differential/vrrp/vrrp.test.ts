import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkLabCanRun } from "../../../server/lab/programs.ts";
import { removeRemains } from "../../../server/lab/network.ts";
import { INSTALLED } from "../../collector/conf/real-daemon.ts";
import { limited } from "../../support/limited.ts";
import { printRecording } from "./recording.ts";
import { printVerdict, summaryOf } from "./report.ts";
import { NOT_PLAYED, SCENARIOS } from "./scenarios/all.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { record } from "./stage.ts";
import { isRight, judge, type NodeVerdict } from "./verdict.ts";

/**
 * The shadow engine against the real daemon: README.md beside it says how to run and to read it.
 */
const isWhole = process.env["KEEPWATCH_DIFFERENTIAL"] === "all";
const folder = process.env["KEEPWATCH_RECORD"];

/** Scenarios played at a time: they mostly wait, but a busy machine makes a daemon late. */
const PARALLEL = { idle: 6, busy: 3 };
/** A machine that lets this process wait for so long lets the daemons wait too: what they did then says little. Milliseconds. */
const LATE_MS = 60;
const ATTEMPTS = 3;
const SCENARIO_DEADLINE_MS = 150_000;

const reason = await checkLabCanRun().then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the differential test of the shadow engine: ${reason}\n\n`);

const isBusy = (): boolean => (loadavg()[0] ?? 0) > 1.5 * availableParallelism();
const verdicts = new Map<string, readonly NodeVerdict[]>();
const notes: string[] = [];

/** Plays it, and again when it disagrees on a machine that was too busy to tell. */
async function play(scenario: Scenario): Promise<readonly NodeVerdict[]> {
  for (let attempt = 1; ; attempt++) {
    const lateness = monitorEventLoopDelay({ resolution: 10 });
    lateness.enable();
    const recordings = await record(scenario, INSTALLED);
    lateness.disable();
    const judged = recordings.map(judge);
    const lateMs = lateness.max / 1e6;
    if (judged.every(isRight) || lateMs < LATE_MS || attempt === ATTEMPTS) {
      if (folder !== undefined)
        for (const one of recordings)
          writeFileSync(join(folder, `${scenario.name}.${one.node}.jsonl`), printRecording(one));
      return judged;
    }
    notes.push(`${scenario.name}: played again, this machine was late by ${lateMs.toFixed(0)} ms`);
  }
}

describe.skipIf(reason !== undefined)("the shadow engine and the daemon agree", () => {
  const limit = limited(() => (isBusy() ? PARALLEL.busy : PARALLEL.idle));

  beforeAll(async () => {
    await removeRemains();
    if (folder !== undefined) mkdirSync(folder, { recursive: true });
  });

  test.concurrent.each(SCENARIOS.filter(({ isShort }) => isWhole || isShort))(
    "$name",
    (scenario) =>
      limit(async () => {
        const judged = await play(scenario);
        verdicts.set(scenario.name, judged);
        expect(judged.filter((one) => !isRight(one)).map(printVerdict)).toEqual([]);
      }),
    SCENARIO_DEADLINE_MS,
  );

  afterAll(() => {
    const all = SCENARIOS.flatMap(({ name }) => verdicts.get(name) ?? []);
    const { scenarios, nodes, states, priorities, wrong, largestOffsetUs } = summaryOf(all);
    const lines = [
      ...(isWhole ? all.map(printVerdict) : []),
      ...notes,
      ...NOT_PLAYED.map(([what, why]) => `NOT PLAYED: ${what}: ${why}`),
      `keepalived ${INSTALLED.join(".")}: ${scenarios} scenarios on ${nodes} nodes, ${states} state changes and ${priorities} of priorities, ${wrong} wrong; largest offset ${(largestOffsetUs / 1_000).toFixed(1)} ms`,
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
  });
});
