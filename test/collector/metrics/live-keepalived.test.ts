import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RunningCollector, runCollector } from "../../../collector/app.ts";
import { parseCollectorConfig } from "../../../collector/config.ts";
import { systemClock } from "../../../collector/core/system-clock.ts";
import { instanceConf, RealKeepalived } from "../sources/keepalived.ts";
import { Namespace, whyNoNamespaces } from "../sources/namespace.ts";
import { Watched } from "../sources/watched.ts";

const why = whyNoNamespaces("keepalived", "tcpdump");
const WAIT_MS = 30_000;
const POLL_MS = 50;

/** Our series → where keepalived's own statistics have the same, heading and line. */
const SAME = {
  keepalived_advertisements_received_total: ["Advertisements", "Received"],
  keepalived_advertisements_sent_total: ["Advertisements", "Sent"],
  keepalived_become_master_total: ["", "Became master"],
  keepalived_release_master_total: ["", "Released master"],
  keepalived_priority_zero_received_total: ["Priority Zero", "Received"],
  keepalived_priority_zero_sent_total: ["Priority Zero", "Sent"],
} as const;
type Name = keyof typeof SAME;

describe.skipIf(why !== "")(`the exporter's series beside a real keepalived's own statistics${why}`, () => {
  let near: Namespace;
  let far: Namespace;
  let own: RealKeepalived;
  let peer: RealKeepalived;
  let collector: RunningCollector;

  beforeEach(async () => {
    near = new Namespace("near");
    far = new Namespace("far");
    near.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name);
    near.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
    far.ip("addr", "add", "10.99.0.12/24", "dev", "eth0");
    for (const one of [near, far]) one.ip("link", "set", "eth0", "up");
    own = new RealKeepalived(near, instanceConf(100));
    peer = new RealKeepalived(far, instanceConf(150));
    const watched = new Watched(own);
    const config = parseCollectorConfig("", "test", {
      node: "lb1",
      server: { url: "http://127.0.0.1:9" },
      spool: { dir: join(own.folder, "spool") },
      metrics: { listen: "127.0.0.1:0" },
    });
    const { sources, configs } = watched;
    collector = await runCollector(config, { clock: systemClock, log: () => undefined, sources, configs });
    watched.publish();
  });
  afterEach(async () => {
    await collector.stop();
    for (const daemon of [own, peer]) await daemon.remove();
    for (const one of [near, far]) one.remove();
  });

  const series = async (): Promise<ReadonlyMap<string, number>> => {
    const text = await (await fetch(`http://127.0.0.1:${collector.metricsPort()}/metrics`)).text();
    return new Map(
      [...text.matchAll(/^(keepalived_\w+)(?:\{.*\})? (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]),
    );
  };
  const becomes = (wanted: Readonly<Record<string, number>>): Promise<void> =>
    expect
      .poll(async () => Object.fromEntries([...(await series())].filter(([name]) => name in wanted)), {
        timeout: WAIT_MS,
        interval: POLL_MS,
      })
      .toEqual(wanted);

  /** It writes them when it is told to. */
  async function statistics(): Promise<ReadonlyMap<Name, number>> {
    const path = join(own.folder, "keepalived.stats");
    rmSync(path, { force: true });
    process.kill(own.pid, "SIGUSR2");
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const found = countersIn(path);
      if (found.size === Object.keys(SAME).length) return found;
      if (performance.now() > deadline) throw new Error(`keepalived wrote no statistics to ${path}`);
      await sleep(POLL_MS);
    }
  }

  test("a takeover, a failback and its end: what keepalived counted is what the collector did", async () => {
    own.start();
    await becomes({ keepalived_up: 1, keepalived_vrrp_state: 2, keepalived_become_master_total: 1 });
    await expect
      .poll(async () => (await series()).get("keepalived_advertisements_sent_total"), { timeout: WAIT_MS })
      .toBeGreaterThan(1);
    peer.start();
    await becomes({ keepalived_vrrp_state: 1, keepalived_release_master_total: 1 });
    // It sends none any more, so that this number stands.
    const sent = await statistics();
    expect(sent.get("keepalived_advertisements_sent_total")).toBeGreaterThan(1);
    await same(sent, "keepalived_advertisements_sent_total", "keepalived_release_master_total");
    await peer.stop();
    await becomes({ keepalived_vrrp_state: 2, keepalived_become_master_total: 2 });
    // Nobody else sends.
    const received = await statistics();
    expect(received.get("keepalived_advertisements_received_total")).toBeGreaterThan(1);
    expect(received.get("keepalived_priority_zero_received_total")).toBe(1);
    await same(
      received,
      "keepalived_advertisements_received_total",
      "keepalived_priority_zero_received_total",
      "keepalived_become_master_total",
      "keepalived_release_master_total",
      "keepalived_priority_zero_sent_total",
    );
    await own.stop();
    await becomes({
      keepalived_up: 0,
      keepalived_priority_zero_sent_total: 1,
      keepalived_become_master_total: 2,
      keepalived_release_master_total: 2,
    });
  }, 120_000);

  const same = (counted: ReadonlyMap<Name, number>, ...names: readonly Name[]): Promise<void> =>
    becomes(Object.fromEntries(names.map((name) => [name, counted.get(name) ?? Number.NaN])));
});

/** As far as they are written by now. */
function countersIn(path: string): ReadonlyMap<Name, number> {
  const found = new Map<Name, number>();
  let heading = "";
  for (const line of readIfThere(path).split("\n")) {
    const [, indent = "", label = "", value] = /^(\s*)([^:]+):\s*(\d+)?\s*$/.exec(line) ?? [];
    if (value === undefined) heading = label;
    else
      for (const [name, [under, of]] of Object.entries(SAME) as [Name, readonly [string, string]][])
        if (of === label && (indent.length > 2 ? heading : "") === under) found.set(name, Number(value));
  }
  return found;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
