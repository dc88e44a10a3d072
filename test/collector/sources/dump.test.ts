import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../../collector/core/system-clock.ts";
import type { KnownProcess } from "../../../collector/process/table.ts";
import { createDumpSource } from "../../../collector/sources/dump.ts";
import { Handover } from "../../../collector/sources/handover.ts";
import type { ProcessNews } from "../../../collector/sources/process-watch.ts";
import { readStat } from "../../../collector/sources/processes.ts";
import type { Source } from "../../../collector/sources/source.ts";
import { ManualTime, settle, Spooled } from "./fakes.ts";

/** SIGUSR2 ends a program that does not expect it. */
const SIGUSR2 = 12;

let source: Source | undefined;
afterEach(() => source?.stop());

/** A source that is told that these are keepalived's processes. */
async function asking(...known: readonly Partial<KnownProcess>[]): Promise<{ spooled: Spooled; time: ManualTime }> {
  const processes = new Handover<ProcessNews>();
  processes.publish({
    known: known.map((one) => ({
      parentPid: 1,
      startedUs: 0,
      letter: "S",
      state: "running",
      daemon: "parent",
      pid: 0,
      startTicks: 0,
      ...one,
    })),
    changes: [],
    uptimeUs: 0,
  });
  const time = new ManualTime(systemClock.epoch());
  source = createDumpSource({ clock: time, processes, wait: time.wait, signalNumber: () => SIGUSR2 });
  const spooled = new Spooled();
  await source.start(spooled);
  await settle();
  return { spooled, time };
}

test("a process that is not keepalived is sent no signal, whatever the table says", async () => {
  const sleeper = spawn("sleep", ["60"]);
  await once(sleeper, "spawn");
  const pid = sleeper.pid ?? 0;
  const startTicks = readStat(pid)?.startTicks ?? 0;
  const { spooled } = await asking({ pid, startTicks }, { pid: pid + 1, daemon: "vrrp" });
  expect(spooled.logged).toEqual([
    `warn: no dump of keepalived: process ${pid} is not keepalived: it is not sent a signal`,
  ]);
  expect(sleeper.signalCode).toBeNull();
  sleeper.kill();
  await once(sleeper, "exit");
  expect(sleeper.signalCode).toBe("SIGTERM");
});

test("a pid that came again is sent no signal", async () => {
  const { spooled } = await asking({ pid: process.pid, startTicks: 1 }, { pid: process.pid, daemon: "vrrp" });
  expect(spooled.logged.at(-1)).toContain(`process ${process.pid} is another one by now`);
});

test.each<[string, readonly Partial<KnownProcess>[]]>([
  ["no daemon", []],
  ["no VRRP process", [{ pid: 10 }]],
  [
    "a frozen parent, which would act on it later",
    [
      { pid: 10, state: "frozen" },
      { pid: 11, daemon: "vrrp" },
    ],
  ],
  ["two parents", [{ pid: 10 }, { pid: 20 }, { pid: 11, daemon: "vrrp" }]],
])("nobody is asked when there is %s", async (_, known) => {
  const { spooled } = await asking(...known);
  expect(spooled.logged).toEqual([
    "warn: no dump of keepalived: there is no one running keepalived with a VRRP process to ask",
  ]);
});

test("a keepalived without JSON is never sent the signal, and the status says so", async () => {
  const time = new ManualTime(systemClock.epoch());
  source = createDumpSource({
    clock: time,
    processes: new Handover<ProcessNews>(),
    wait: time.wait,
    signalNumber: () => ({ why: "this keepalived is built without JSON" }),
  });
  await source.start(new Spooled());
  expect(source.status()).toMatchObject({ state: "unavailable", reason: "this keepalived is built without JSON" });
});
