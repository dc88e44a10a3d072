import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunningCollector, runCollector } from "../../../collector/app.ts";
import { parseCollectorConfig } from "../../../collector/config.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { parseRelease } from "../../../collector/conf/version.ts";
import type { EventBody, Source } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import { FakeSource, ManualClock } from "../app/support.ts";
import { NODE } from "../conf/node.ts";

const CONF = `
vrrp_script chk { script "/bin/true" }
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress { 10.99.0.100/24
      10.99.0.101/24 dev eth1 }
    virtual_ipaddress_excluded { 10.99.0.102/24 }
    track_script { chk }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress { 10.99.0.110/24 }
}`;

let dir: string;
let configs: EffectiveConfigs;
let said: string[];
const running: RunningCollector[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-metrics-"));
  configs = new EffectiveConfigs();
  said = [];
});
afterEach(async () => {
  for (const collector of running.splice(0)) await collector.stop();
  rmSync(dir, { recursive: true, force: true });
});

function know(text: string): void {
  const release = parseRelease("2.2.7") ?? [2, 2, 7];
  const tree = parseConf("keepalived.conf", { read: () => text, glob: () => [] }, "lb1", { release });
  const { running: effective } = modelOf(tree, { release, facts: NODE });
  configs.publish({ path: "keepalived.conf", version: "1", running: effective, release, chain: undefined, readTs: 0 });
}

async function run(sources: readonly FakeSource[], listen = "127.0.0.1:0"): Promise<RunningCollector> {
  const config = parseCollectorConfig("", "test", {
    node: "lb1",
    server: { url: "http://127.0.0.1:9" },
    spool: { dir: join(dir, "spool") },
    metrics: { listen },
  });
  const collector = await runCollector(config, {
    clock: new ManualClock(),
    log: (level, message) => void said.push(`${level}: ${message}`),
    sources,
    configs,
    every: () => () => undefined,
  });
  running.push(collector);
  return collector;
}

const get = (collector: RunningCollector, path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${collector.metricsPort()}${path}`, init);

async function seriesOf(collector: RunningCollector): Promise<Map<string, number>> {
  const lines = (await (await get(collector, "/metrics")).text()).split("\n");
  const parts = lines.flatMap((line) => /^(keep\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? []);
  const found = new Map<string, number>();
  for (let i = 0; i < parts.length; i += 3) found.set(parts[i + 1] ?? "", Number(parts[i + 2]));
  return found;
}

let made = 0;
const seen = (source: Source, body: EventBody, more: Partial<Observation> = {}): Observation => ({
  source,
  ts: 1_772_700_000_000_000 + ++made,
  tsUncertaintyUs: 0,
  idParts: [made],
  body,
  ...more,
});
const wire = (vrid: number, outgoing: boolean, priority = 100): Observation =>
  seen("wire", {
    kind: "wire.advert",
    interface: "eth0",
    family: "ipv4",
    vrid,
    peer: "10.99.0.12",
    outgoing,
    priority,
    vips: ["10.99.0.100"],
    advertIntervalUs: 1_000_000,
    destination: "224.0.0.18",
    version: 2,
    ttl: 255,
    authType: "none",
    checksum: "ok",
  });
const state = (instance: string, is: "MASTER" | "BACKUP" | "FAULT"): Observation =>
  seen("log", { kind: "vrrp.state", instance, state: is });

const VI_1 = 'iname="VI_1",intf="eth0",vrid="51"';

test("without [metrics] nothing listens", async () => {
  const config = parseCollectorConfig("", "test", {
    server: { url: "http://127.0.0.1:9" },
    spool: { dir: join(dir, "spool") },
  });
  const collector = await runCollector(config, { clock: new ManualClock(), log: () => undefined, sources: [] });
  running.push(collector);
  expect(collector.metricsPort()).toBeUndefined();
});

test("the exporters' series, of what was observed", async () => {
  const [log, capture, process] = [new FakeSource("log"), new FakeSource("capture"), new FakeSource("process")];
  const collector = await run([log, capture, process]);
  know(CONF);
  await process.emit([
    seen("process", {
      kind: "process.snapshot",
      processes: [
        { pid: 10, daemon: "parent", state: "running", startedTs: 1 },
        { pid: 11, daemon: "vrrp", parentPid: 10, state: "running", startedTs: 1 },
      ],
    }),
  ]);
  await capture.emit([wire(51, true), wire(51, true), wire(51, false), wire(51, false, 0), wire(77, false)]);
  const rejected = { kind: "vrrp.advert-rejected", instance: "VI_1" } as const;
  await log.emit([
    state("VI_1", "BACKUP"),
    state("VI_1", "MASTER"),
    state("VI_1", "FAULT"),
    seen("log", { ...rejected, reason: "auth" }, { repeated: 3 }),
    seen("log", { ...rejected, reason: "auth", received: "1", expected: "0" }),
    seen("log", { ...rejected, reason: "ttl" }),
    seen("log", { kind: "vrrp.advert-rejected", interface: "eth0", vrid: 51, reason: "vip-list" }),
    seen("log", { kind: "script.result", script: "chk", outcome: "failure" }),
  ]);
  const series = await seriesOf(collector);
  expect(
    Object.fromEntries([...series].filter(([name]) => name.startsWith("keepalived_") && !name.includes("VI_2"))),
  ).toEqual({
    keepalived_up: 1,
    [`keepalived_vrrp_state{${VI_1},ip_address="10.99.0.100"}`]: 3,
    [`keepalived_vrrp_state{${VI_1.replace("eth0", "eth1")},ip_address="10.99.0.101"}`]: 3,
    [`keepalived_vrrp_excluded_state{${VI_1},ip_address="10.99.0.102"}`]: 3,
    [`keepalived_gratuitous_arp_delay_total{${VI_1}}`]: 5,
    [`keepalived_advertisements_received_total{${VI_1}}`]: 2,
    [`keepalived_advertisements_sent_total{${VI_1}}`]: 2,
    [`keepalived_priority_zero_received_total{${VI_1}}`]: 1,
    [`keepalived_priority_zero_sent_total{${VI_1}}`]: 0,
    [`keepalived_become_master_total{${VI_1}}`]: 1,
    [`keepalived_release_master_total{${VI_1}}`]: 1,
    [`keepalived_advertisements_interval_errors_total{${VI_1}}`]: 0,
    [`keepalived_ip_ttl_errors_total{${VI_1}}`]: 1,
    [`keepalived_address_list_errors_total{${VI_1}}`]: 1,
    [`keepalived_packet_length_errors_total{${VI_1}}`]: 0,
    [`keepalived_invalid_type_received_total{${VI_1}}`]: 0,
    [`keepalived_authentication_failure_total{${VI_1}}`]: 4,
    [`keepalived_authentication_invalid_total{${VI_1}}`]: 0,
    [`keepalived_authentication_mismatch_total{${VI_1}}`]: 1,
    'keepalived_script_status{name="chk"}': 0,
  });
  expect(series.get("keepwatch_collector_foreign_adverts_total")).toBe(1);
  // Of the other instance nothing is known but its counters.
  expect(
    [...series.keys()].filter((name) => name.startsWith("keepalived_vrrp_state") && name.includes("VI_2")),
  ).toEqual([]);

  // Its addresses tell that it is master while the log does not; a frozen daemon answers nobody.
  await log.emit([
    seen("kernel", { kind: "kernel.address-added", interface: "eth0", address: "10.99.0.110", prefixLength: 24 }),
  ]);
  const second = 'keepalived_vrrp_state{iname="VI_2",intf="eth0",vrid="52",ip_address="10.99.0.110"}';
  expect((await seriesOf(collector)).get(second)).toBe(2);
  await process.emit([
    seen("process", { kind: "process.state", daemon: "vrrp", state: "frozen", previousState: "running" }, { pid: 11 }),
  ]);
  const frozen = await seriesOf(collector);
  expect([frozen.get("keepalived_up"), frozen.get(second)]).toEqual([0, undefined]);

  // What cannot be seen has no series: not a number that stands still.
  capture.state = "unavailable";
  process.state = "unavailable";
  const blind = await seriesOf(collector);
  expect(blind.has("keepalived_up")).toBe(false);
  expect([...blind.keys()].filter((name) => name.startsWith("keepalived_advertisements_sent"))).toEqual([]);
  expect(blind.get(second)).toBe(2);
});

test("what Prometheus' own tool says of it", async (context) => {
  const collector = await run([new FakeSource("log"), new FakeSource("capture"), new FakeSource("process")]);
  know(CONF);
  const text = await (await get(collector, "/metrics")).text();
  const { status, stdout, stderr, error } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  if (error) context.skip("promtool is not installed");
  expect([status, stdout + stderr]).toEqual([0, ""]);
});

test("it answers nothing else, and a reload forgets what is gone", async () => {
  const collector = await run([new FakeSource("log")]);
  know(CONF);
  expect((await get(collector, "/healthz")).status).toBe(200);
  expect((await get(collector, "/")).status).toBe(404);
  expect((await get(collector, "/metrics", { method: "POST", body: "x" })).status).toBe(405);
  know("vrrp_instance VI_3 {\n interface eth0\n virtual_router_id 53\n virtual_ipaddress { 10.99.0.120 }\n}");
  const names = [...(await seriesOf(collector)).keys()].join("\n");
  expect([names.includes("VI_1"), names.includes("VI_3")]).toEqual([false, true]);
});

test("an address that is taken is told, and the watching goes on", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const collector = await run([new FakeSource("log")], `127.0.0.1:${(other.address() as AddressInfo).port}`);
  expect(said.filter((line) => line.includes("metrics"))).toEqual([
    "error: metrics cannot be served; the watching goes on, and the address is tried again",
  ]);
  expect(collector.status()).toHaveLength(1);
  other.close();
});

test.each(["9165", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:9165", ":9165", "127.0.0.1:9165/metrics"])(
  "%j is no address to listen at",
  (listen) => {
    expect(() => parseCollectorConfig(`[metrics]\nlisten = "${listen}"`, "collector.toml")).toThrow(
      /collector\.toml.*metrics\.listen .* is no address/s,
    );
  },
);
