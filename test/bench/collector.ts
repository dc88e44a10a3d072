/**
 * `npm run bench -- collector [--seconds N]` (root): the real `keepwatch collector` in a network namespace beside a real
 * keepalived of 255 instances, its spool on disk and no server to be had, while adverts come in at a steady rate; and how
 * long after the kernel saw an advert there is an event, beside `tshark -l` on the same interface in the same run.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../collector/core/system-clock.ts";
import { createCaptureSource } from "../../collector/sources/capture.ts";
import { startChild } from "../../collector/sources/child.ts";
import { isInstalled, numberOf, print } from "./shared.ts";

const MAIN = new URL("../../server/main.js", import.meta.url).pathname;
const PEERS = new URL("../../../test/bench/peers/", import.meta.url).pathname;
/** Until everything that is compiled as it runs has been, and the shadow follows all instances, seconds. */
const WARM_UP_S = 20;
const INSTANCES = 255;
const TICKS_PER_SECOND = 100;
const LATENCY_ADVERTS = 300;
const LATENCY_GAP_MS = 37;

export async function benchCollector(dir: string, args: readonly string[]): Promise<void> {
  const seconds = numberOf(args, "--seconds", 60);
  const sender = join(dir, "sender");
  if (process.getuid?.() !== 0) return print("collector: NOT MEASURED, network namespaces need root");
  if (spawnSync("cc", ["-O2", "-o", sender, join(PEERS, "sender.c")]).status !== 0)
    return print("collector: NOT MEASURED, there is no C compiler");
  const [node, peer] = ["a", "b"].map((name) => `kwb${process.pid}${name}`) as [string, string];
  try {
    cable(node, peer);
    const send = (count: number, gapUs: number, senders: number): ChildProcess =>
      spawn("ip", ["netns", "exec", peer, sender, "eth1", String(count), String(gapUs), String(senders)]);
    await latency(node, send);
    for (const rate of [0, INSTANCES, 2_000])
      await load(dir, node, {
        rate,
        seconds,
        start: () =>
          rate === 0 ? undefined : send(rate * (WARM_UP_S + seconds + 5), Math.floor(1e6 / rate), INSTANCES),
      });
  } finally {
    for (const name of [node, peer]) spawnSync("ip", ["netns", "del", name]);
    rmSync(join("/etc/netns", node), { recursive: true, force: true });
  }
}

function cable(node: string, peer: string): void {
  const ip = (...words: readonly string[]): void => void execFileSync("ip", words);
  for (const name of [node, peer]) ip("netns", "add", name);
  ip("-n", node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1", "netns", peer);
  ip("-n", node, "link", "set", "eth0", "up");
  ip("-n", node, "address", "add", "10.98.0.1/24", "dev", "eth0");
  ip("-n", peer, "link", "set", "eth1", "up");
}

type Send = (count: number, gapUs: number, senders: number) => ChildProcess;

/** The product's own clock has whole milliseconds: not enough for what takes less. Nobody sets the clock meanwhile. */
const epochUs = (): number => (performance.timeOrigin + performance.now()) * 1_000;

/** Each advert is of a sender of its own, so that each makes an edge; an event is one when it is handed over to the spool. */
async function latency(node: string, send: Send): Promise<void> {
  const ours: number[] = [];
  const source = createCaptureSource({
    clock: systemClock,
    start: (command, args, env, onStderr) => startChild("ip", ["netns", "exec", node, command, ...args], env, onStderr),
  });
  await source.start({
    position: () => undefined,
    log: (_level, message) => print(message),
    emit: async (seen) => {
      for (const { ts, body } of seen) if (body.kind === "wire.master-seen") ours.push(epochUs() - ts);
    },
  });
  const theirs: number[] = [];
  const fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "vrrp.virt_rtr_id", "-e", "vrrp.prio"];
  const tshark = isInstalled("tshark")
    ? spawn("ip", ["netns", "exec", node, "tshark", "-l", "-n", "-Q", "-i", "eth0", "-f", "ip proto 112", ...fields])
    : undefined;
  tshark?.stdout.on("data", (text: Buffer) => {
    for (const line of text.toString().split("\n").filter(Boolean))
      theirs.push(epochUs() - Number(line.split("\t")[0]) * 1e6);
  });
  await sleep(4_000);
  send(LATENCY_ADVERTS, LATENCY_GAP_MS * 1_000, LATENCY_ADVERTS);
  await sleep(LATENCY_ADVERTS * LATENCY_GAP_MS + 3_000);
  tshark?.kill("SIGTERM");
  await source.stop();
  const [mine, peers] = [quantiles(ours), quantiles(theirs)];
  print(`wire to event: ${mine.text}; tshark -l: ${theirs.length === 0 ? "NOT MEASURED, not installed" : peers.text}`);
  print(
    `  p50 / tshark's ${(mine.p50 / peers.p50).toFixed(5)}: must 0.002 ${said(mine.p50 / peers.p50 <= 0.002)}, goal 0.001 ${said(mine.p50 / peers.p50 <= 0.001)}; goal p99 4 ms ${said(mine.p99 <= 4_000)}`,
  );
}

const said = (isMet: boolean): string => (isMet ? "met" : "missed");

function quantiles(values: readonly number[]): { p50: number; p99: number; text: string } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  const [p50, p99] = [at(0.5), at(0.99)];
  const ms = (us: number): string => (us / 1000).toFixed(2);
  return { p50, p99, text: `p50 ${ms(p50)} ms, p99 ${ms(p99)} ms, max ${ms(at(1))} ms of ${sorted.length}` };
}

/** Backups of what the sender sends. */
const instance = (vrid: number): string =>
  `vrrp_instance VI_${vrid} {\n  interface eth0\n  virtual_router_id ${vrid}\n  priority 90\n  virtual_ipaddress {\n    10.99.0.${vrid}\n  }\n}\n`;

async function load(
  dir: string,
  node: string,
  { rate, seconds, start }: { rate: number; seconds: number; start: () => ChildProcess | undefined },
): Promise<void> {
  const keepalivedConf = join(dir, "keepalived.conf");
  writeFileSync(keepalivedConf, Array.from({ length: INSTANCES }, (_, at) => instance(at + 1)).join(""));
  const config = join(dir, `collector-${rate}.toml`);
  writeFileSync(
    config,
    `node = "lb1"\n[server]\nurl = "http://127.0.0.1:1"\n[spool]\ndir = "${join(dir, `spool-${rate}`)}"\n[keepalived]\nconfig = "${keepalivedConf}"\n[logs]\nfiles = []\njournal = false\n`,
  );
  const inNode = (...command: readonly string[]): ChildProcess =>
    spawn("ip", ["netns", "exec", node, ...command], { stdio: "ignore" });
  const sending = start();
  const options = `-P -l -f ${keepalivedConf} -p ${join(dir, "keepalived.pid")} -r ${join(dir, "vrrp.pid")}`;
  // As its unit would start it: a daemon that runs with other options is looked at again and again, as that may pass.
  const etc = join("/etc/netns", node, "default");
  mkdirSync(etc, { recursive: true });
  writeFileSync(join(etc, "keepalived"), `DAEMON_ARGS="${options}"\n`);
  // Without a master to hear it would become one itself, and send.
  const keepalived =
    sending && isInstalled("keepalived")
      ? inNode("/usr/sbin/keepalived", "--dont-fork", ...options.split(" "))
      : undefined;
  const collector = inNode(process.execPath, MAIN, "collector", "--config", config);
  try {
    await sleep(WARM_UP_S * 1_000);
    // `ip netns exec` becomes the program: its pid is the collector's.
    const pids = [collector.pid ?? 0, ...childrenOf(collector.pid ?? 0)];
    const before = pids.map(ticksOf);
    await sleep(seconds * 1_000);
    const spent = pids.map((pid, at) => ((ticksOf(pid) - (before[at] ?? 0)) / TICKS_PER_SECOND / seconds) * 100);
    const [own = 0, ...others] = spent;
    const rss = residentMiB(pids[0] ?? 0);
    const limits = rate === INSTANCES ? `; must 2 % ${said(own <= 2)}, 80 MiB ${said(rss <= 80)}` : "";
    print(
      `collector at ${rate} adverts a second and ${INSTANCES} instances${keepalived ? ", which keepalived runs" : ""}, for ${seconds} s: ${own.toFixed(2)} % of a core, tcpdump ${others.reduce((a, b) => a + b, 0).toFixed(2)} %; ${rss.toFixed(0)} MiB resident${limits}`,
    );
  } finally {
    sending?.kill("SIGKILL");
    for (const one of [collector, keepalived]) one?.kill("SIGTERM");
    await sleep(1_500);
  }
}

const statOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
/** User and system. */
const ticksOf = (pid: number): number => Number(statOf(pid)[11]) + Number(statOf(pid)[12]);
const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((one) => one > 0 && parentOf(one) === pid);
}

/** Undefined when it has ended meanwhile. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(statOf(pid)[1]);
  } catch {
    return undefined;
  }
}
