/**
 * From a line that is appended to a log to what is made of it: the collector's spool on disk, rsyslog's file by imfile, and mtail's
 * counter. All three follow the same file at once, and are looked at in turn by the same loop, so that its share is the same for each.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isInstalled, median, numberOf, print, verdictOf } from "../shared.ts";

const MAIN = new URL("../../../server/main.js", import.meta.url).pathname;
const PEERS = new URL("../../../../test/bench/peers/", import.meta.url).pathname;
const LINES = 60;
const WARM_MS = 5_000;
const GIVE_UP_MS = 3_000;
const MTAIL_PORT = 39_610;

interface Follower {
  readonly name: string;
  /** Whether what it makes of this line is there. */
  has(instance: string): boolean | Promise<boolean>;
  readonly times: number[];
}

export async function benchLines(dir: string, args: readonly string[]): Promise<void> {
  if (!isInstalled("rsyslogd") || !isInstalled("mtail")) return print("line to event: NOT MEASURED (rsyslogd, mtail)");
  const log = join(dir, "messages");
  const written = join(dir, "rsyslog.out");
  const spool = join(dir, "spool");
  writeFileSync(log, "");
  mkdirSync(join(dir, "mtail"));
  writeFileSync(
    join(dir, "collector.toml"),
    `[server]\nurl = "http://127.0.0.1:9"\ntoken = "of-nobody-here"\n[spool]\ndir = "${spool}"\n[logs]\nfiles = ["${log}"]\njournal = false\n${["capture", "addresses", "process", "shadow", "checks"].map((part) => `[${part}]\nenabled = false\n`).join("")}[keepalived]\nwatch = false\n`,
  );
  writeFileSync(
    join(dir, "rsyslog.conf"),
    `global(workDirectory="${dir}")\nmodule(load="imfile" mode="inotify")\ninput(type="imfile" File="${log}" Tag="k:")\naction(type="omfile" file="${written}")\n`,
  );
  const programs = [
    start(process.execPath, MAIN, "collector", "--config", join(dir, "collector.toml")),
    start("rsyslogd", "-n", "-f", join(dir, "rsyslog.conf"), "-i", join(dir, "rsyslog.pid")),
    start(
      "mtail",
      "--progs",
      `${PEERS}keepalived.mtail`,
      "--logs",
      log,
      "--log_dir",
      join(dir, "mtail"),
      "--address",
      "127.0.0.1",
      "--port",
      String(MTAIL_PORT),
    ),
  ];
  try {
    await sleep(WARM_MS);
    const ours = { name: "keepwatch collector, durable in its spool", has: inFolder(spool), times: [] };
    const rsyslog = { name: "rsyslog imfile, in its file", has: inFile(written), times: [] };
    const mtail = { name: "mtail, in its counters", has: inMetrics, times: [] };
    await measure(log, numberOf(args, "--lines", LINES), [ours, rsyslog, mtail]);
    for (const [peer, must, goal] of [
      [rsyslog, 1, 1],
      [mtail, 0.02, 0.01],
    ] as const) {
      const ratio = median(ours.times) / median(peer.times);
      print(`line to event, p50 / ${peer.name}: ${ratio.toFixed(3)}; ${verdictOf(ratio, must, goal)}`);
    }
  } finally {
    for (const program of programs) if (program.exitCode === null && program.kill()) await once(program, "exit");
  }
}

const start = (command: string, ...args: string[]): ChildProcess => spawn(command, args, { stdio: "ignore" });

/** A line for each in turn, so that nobody waits for the loop to look at another. */
async function measure(log: string, lines: number, followers: readonly Follower[]): Promise<void> {
  for (let i = 0; i < lines; i += 1)
    for (const [which, follower] of followers.entries()) {
      await sleep(100 + Math.random() * 400);
      const instance = `VI_${which}_${i}_`;
      const before = performance.now();
      appendFileSync(
        log,
        `${new Date().toString().slice(4, 10)} ${new Date().toTimeString().slice(0, 8)} lb2 Keepalived_vrrp[1039]: (${instance}) Entering MASTER STATE\n`,
      );
      while (!(await follower.has(instance)) && performance.now() - before < GIVE_UP_MS) await sleep(1);
      follower.times.push(performance.now() - before);
    }
  for (const { name, times } of followers) {
    const sorted = [...times].sort((a, b) => a - b);
    print(
      `line to event, ${name}: p50 ${median(times).toFixed(2)} ms, p95 ${(sorted[Math.floor(sorted.length * 0.95)] ?? 0).toFixed(1)} ms, ${times.length} lines`,
    );
  }
}

const inFile = (path: string) => {
  let size = 0;
  return (instance: string): boolean => {
    const now = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (now === size) return false;
    size = now;
    return readFileSync(path, "latin1").includes(instance);
  };
};

const inFolder = (folder: string) => {
  const looks = new Map<string, (instance: string) => boolean>();
  return (instance: string): boolean =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .some(({ name }) => {
        const look = looks.get(name) ?? inFile(join(folder, name));
        looks.set(name, look);
        return look(instance);
      });
};

async function inMetrics(instance: string): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${MTAIL_PORT}/metrics`).catch(() => undefined);
  return (await response?.text())?.includes(instance) ?? false;
}
