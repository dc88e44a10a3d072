/**
 * From the moment two nodes have the virtual address to the webhook: real daemons, adverts and collectors in the laboratory's
 * namespaces, a trunk that is cut and healed; beside Prometheus and Alertmanager, which hear of each of the same splits at the
 * same moment through an exporter that answers at once.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isIncident } from "../../../server/lab/compare.ts";
import { runLab } from "../../../server/lab/lab.ts";
import type { Scenario } from "../../../server/lab/scenario.ts";
import { SCENARIOS } from "../../../server/lab/scenarios/registry.ts";
import { isInstalled, numberOf, print, verdictOf } from "../shared.ts";
import { DEFAULTS, SECONDS, type Watched, watch } from "./prometheus.ts";

const ROUNDS = 15;
/** The peers' first scrapes are over. */
const WARM_MS = 20_000;
/** A scrape, an evaluation, a group's wait, and some. */
const PEERS_WAIT_MS = 90_000;
/** Two splits this far apart are two incidents. */
const PEACE_S = 8;
/** How long a split lasts: the webhook is there before. */
const SPLIT_S = 4;

export async function benchAlerts(dir: string, args: readonly string[]): Promise<void> {
  const splitBrain = SCENARIOS.find(({ name }) => name === "split-brain");
  if (process.getuid?.() !== 0 || !splitBrain || !isInstalled("prometheus") || !isInstalled("prometheus-alertmanager"))
    return print("split-brain to webhook: NOT MEASURED (root, keepalived, prometheus, prometheus-alertmanager)");
  const rounds = numberOf(args, "--rounds", ROUNDS);
  const peers = [
    { ...DEFAULTS, watched: await watch(join(dir, "defaults"), rounds, DEFAULTS) },
    { ...SECONDS, watched: await watch(join(dir, "seconds"), rounds, SECONDS) },
  ];
  try {
    await sleep(WARM_MS);
    const begun: number[] = [];
    const ours = await measureOurs(splitBrain, rounds, () => {
      for (const { watched } of peers) watched.split(begun.length);
      begun.push(performance.now());
    });
    tell("keepwatch", ours, rounds);
    await heardByAll(peers, begun);
    const limits = { [DEFAULTS.name]: [0.05, 0.025], [SECONDS.name]: [1.2, 0.95] } as const;
    for (const { name, watched } of peers) {
      const theirs = begun.flatMap((at, index) => {
        const received = watched.receivedAt(index);
        return received === undefined ? [] : received - at;
      });
      tell(`Prometheus and Alertmanager ${name}`, theirs, rounds);
      const [must = 0, goal = 0] = limits[name] ?? [];
      const ratio = quantile(ours, 0.5) / quantile(theirs, 0.5);
      print(`split-brain to webhook, p50 / Prometheus ${name}: ${ratio.toFixed(3)}; ${verdictOf(ratio, must, goal)}`);
    }
  } finally {
    for (const { watched } of peers) await watched.stop();
  }
}

async function heardByAll(peers: readonly { watched: Watched }[], begun: readonly number[]): Promise<void> {
  const deadline = performance.now() + PEERS_WAIT_MS;
  const isHeard = ({ watched }: { watched: Watched }): boolean =>
    begun.every((_, index) => watched.receivedAt(index) !== undefined);
  while (!peers.every(isHeard) && performance.now() < deadline) await sleep(200);
}

/** @param onSplit  called when both have it, up to 50 ms late: what is measured of the peers begins with the call @returns milliseconds */
async function measureOurs(splitBrain: Scenario, rounds: number, onSplit: () => void): Promise<number[]> {
  const scenario: Scenario = {
    ...splitBrain,
    async play(stage) {
      for (let round = 0; round < rounds; round += 1) {
        // The peers' scrapes and the adverts are each at another phase.
        await stage.letRun(PEACE_S + Math.random());
        await stage.cutTrunk();
        await stage.until("both to be master", 10, () => stage.truth.isHeldBy("lb1", "lb2"));
        onSplit();
        await stage.letRun(SPLIT_S);
        await stage.healTrunk();
        await stage.until("lb2 to step back", 10, () => stage.truth.isHeldBy("lb1"));
      }
      await stage.letRun(PEACE_S);
      return stage.truth.overlaps().map(({ from, to }) => ({
        kind: "split-brain" as const,
        nodes: ["lb1", "lb2"],
        start: from,
        end: to,
        toleranceUs: 1_500_000,
      }));
    },
  };
  const { webhooks, expected } = await runLab({
    scenario,
    say: () => undefined,
    signal: new AbortController().signal,
  });
  const firing = webhooks.filter(
    ({ payload }) =>
      payload.status === "firing" && payload.alerts.some(({ labels }) => labels["alertname"] === "split-brain"),
  );
  return expected.filter(isIncident).flatMap(({ start, end }) => {
    const first = firing.find(({ receivedTs }) => receivedTs > start && receivedTs < (end ?? start) + 10_000_000);
    return first ? (first.receivedTs - start) / 1000 : [];
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function tell(name: string, times: readonly number[], rounds: number): void {
  const s = (share: number): string => `${(quantile(times, share) / 1000).toFixed(2)} s`;
  print(
    `split-brain to webhook, ${name}: p50 ${s(0.5)}, p99 ${s(0.99)}, least ${s(0)}; ${times.length} of ${rounds} told`,
  );
}
