/**
 * `npm run bench [-- --lab | logs | wire | collector | detect | timeline | people | store]`: the first figures, each with what it was measured against in the same run.
 * Machines are noisy: read the ratios. `--lab` (root) adds the time from a cut link to the webhook.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { analyze } from "../../server/analyze/analyze.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { isIncident } from "../../server/lab/compare.ts";
import { runLab } from "../../server/lab/lab.ts";
import { SCENARIOS } from "../../server/lab/scenarios/registry.ts";
import { benchCollector } from "./collector.ts";
import { benchDetect } from "./detect.ts";
import { messagesLog, vrrpCapture } from "./generate.ts";
import { benchLogs } from "./logs.ts";
import { benchPeople } from "./people/people.ts";
import { median, print } from "./shared.ts";
import { benchStore } from "./store.ts";
import { benchTimeline } from "./timeline.ts";
import { benchWire } from "./wire.ts";

const ROUNDS = 5;
const LINES = 200_000;
const ADVERTS = 200_000;

/** CPU seconds of this process, user and system. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** CPU seconds of a child process, read by the shell that waited for it. */
function childCpuSeconds(command: string): number {
  const { stderr } = spawnSync("bash", ["-c", `TIMEFORMAT='%U %S'; time ${command} >/dev/null 2>&1`], {
    encoding: "utf8",
  });
  const [user = "NaN", system = "NaN"] = stderr.trim().split(/\s+/).slice(-2);
  return Number(user) + Number(system);
}

/** Ours and a peer in turn, A B A B …, so that a drift of the machine's speed meets both. */
async function paired(
  name: string,
  unit: string,
  amount: number,
  ours: () => Promise<void>,
  peer: { name: string; command: string },
): Promise<void> {
  const rates: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuSeconds();
    await ours();
    const own = cpuSeconds() - before;
    rates.push(amount / own);
    ratios.push(own / childCpuSeconds(peer.command));
  }
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  print(
    `${name}: ${Math.round(median(rates)).toLocaleString("en")} ${unit} a CPU second; ${median(ratios).toFixed(2)} × the CPU of ${peer.name} (${spread}, ${ROUNDS} pairs)`,
  );
}

async function benchAnalyze(dir: string): Promise<void> {
  const options = { cluster: "bench", zone: "UTC", now: Date.UTC(2026, 2, 6) * 1000, year: 2026 };
  for (const fraction of [0.01, 1]) {
    const log = join(dir, `messages-${fraction}`);
    await writeFile(log, messagesLog(LINES, fraction, 7));
    const run = async (): Promise<void> => void analyze(await readInputs([`lb1=${log}`], options), { adverts: false });
    await paired(`analyze, ${fraction * 100} % of the lines keepalived's`, "lines", LINES, run, {
      name: "grep -c with one regular expression",
      command: `grep -cE 'Keepalived(_vrrp|_healthcheckers)?\\[[0-9]+\\]: ' ${log}`,
    });
  }
  const capture = join(dir, "adverts.pcap");
  await writeFile(capture, vrrpCapture(ADVERTS));
  const decode = async (): Promise<void> => void (await readInputs([`lb1=${capture}`], options));
  await paired("adverts decoded", "adverts", ADVERTS, decode, {
    name: "tcpdump -nn -r",
    command: `tcpdump -nn -r ${capture}`,
  });
}

/** From the cut of the trunk: the backup's master-down time of 3.609 s, the threshold of 1.5 s, and our own share. */
async function benchLab(): Promise<void> {
  const scenario = SCENARIOS.find(({ name }) => name === "split-brain");
  if (!scenario) return;
  const { webhooks, trunkCutTs, expected } = await runLab({
    scenario,
    say: () => undefined,
    signal: new AbortController().signal,
  });
  const opened = webhooks.find(({ payload }) => payload.status === "firing");
  const overlap = expected.find(isIncident);
  if (!opened || trunkCutTs === undefined || !overlap) return print("link cut to webhook: no webhook arrived");
  const masterDownUs = 3_609_375;
  const sinceCutMs = (opened.receivedTs - trunkCutTs) / 1000;
  const sinceOverlapMs = (opened.receivedTs - overlap.start) / 1000;
  print(
    `link cut to webhook: ${sinceCutMs.toFixed(0)} ms; ${(sinceCutMs - masterDownUs / 1000).toFixed(0)} ms past the master-down time; ${sinceOverlapMs.toFixed(0)} ms after both were master, of which 1500 ms are the threshold`,
  );
}

const dir = await mkdtemp(join(tmpdir(), "keepwatch-bench-"));
try {
  if (process.argv.includes("logs")) await benchLogs(dir, process.argv);
  else if (process.argv.includes("collector")) await benchCollector(dir, process.argv);
  else if (process.argv.includes("wire")) await benchWire(dir, process.argv);
  else if (process.argv.includes("detect")) await benchDetect(process.argv);
  else if (process.argv.includes("store")) await benchStore(dir, process.argv);
  else if (process.argv.includes("people")) await benchPeople(dir, process.argv);
  else if (process.argv.includes("timeline")) await benchTimeline(dir, process.argv);
  else await benchAnalyze(dir);
  if (process.argv.includes("--lab")) await benchLab();
  else if (
    !["logs", "wire", "collector", "detect", "timeline", "people", "store"].some((part) => process.argv.includes(part))
  )
    print("link cut to webhook: not measured (npm run bench -- --lab, as root)");
} finally {
  await rm(dir, { recursive: true, force: true });
}
