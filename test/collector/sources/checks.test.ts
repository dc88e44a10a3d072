import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ProbeRequest } from "../../../collector/checks/kinds/probe.ts";
import { NEWEST_RELEASE } from "../../../collector/conf/version.ts";
import { systemClock } from "../../../collector/core/system-clock.ts";
import type { EventBody } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { type ChecksOptions, type ChecksSettings, createChecksSource } from "../../../collector/sources/checks.ts";
import { EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import { Handover } from "../../../collector/sources/handover.ts";
import type { Source } from "../../../collector/sources/source.ts";
import { RawServer, runningOf } from "../checks/support.ts";
import { ManualTime, settle, Spooled } from "./fakes.ts";

const SETTINGS: ChecksSettings = {
  probe: "always",
  nodes: [],
  probesPerLoop: 1,
  concurrentMax: 16,
  scripts: [],
  tlsMin: "TLSv1.2",
};
const START = 1_795_000_000_000_000;

let running: Source | undefined;
afterEach(() => running?.stop());

/** A shadow over fake time, whose probes are answered by the test. */
class Bench {
  readonly time = new ManualTime(START);
  readonly spooled = new Spooled();
  readonly configs = new EffectiveConfigs();
  readonly logged = new Handover<readonly Observation[]>();
  readonly probes: { readonly at: number; readonly request: ProbeRequest; readonly end: (up: boolean) => void }[] = [];
  readonly source: Source;
  addresses: ReadonlySet<string> = new Set();
  /** Answers at once, unless it is undefined: then the test does. */
  answer: ((request: ProbeRequest) => boolean) | undefined = () => true;

  constructor(settings: Partial<ChecksSettings> = {}, over: Partial<ChecksOptions> = {}) {
    this.source = createChecksSource({
      clock: this.time,
      node: "lb1",
      settings: { ...SETTINGS, ...settings },
      configs: this.configs,
      logged: this.logged,
      wait: this.time.wait,
      random: () => 0,
      addresses: () => this.addresses,
      probe: (request) =>
        new Promise((resolve) => {
          const end = (up: boolean): void =>
            resolve({ result: up ? { kind: "success" } : { kind: "failure", reason: "connect" } });
          this.probes.push({ at: (this.time.epoch() - START) / 1e6, request, end });
          if (this.answer) end(this.answer(request));
        }),
      ...over,
    });
    running = this.source;
  }

  async start(text: string): Promise<void> {
    await this.source.start(this.spooled);
    this.configure(text);
    await settle();
  }

  configure(text: string): void {
    this.configs.publish({
      path: "/etc/keepalived/keepalived.conf",
      version: text,
      running: runningOf(text),
      release: NEWEST_RELEASE,
      chain: undefined,
      readTs: this.time.epoch(),
    });
  }

  bodies(...kinds: readonly string[]): EventBody[] {
    return this.spooled.batches
      .flat()
      .map(({ body }) => body)
      .filter(({ kind }) => kinds.includes(kind));
  }

  hear(body: EventBody): void {
    this.logged.publish([{ source: "log", ts: START, tsUncertaintyUs: 0, idParts: ["x"], body }]);
  }
}

const real = (address: string, checker = "TCP_CHECK {\n }"): string =>
  ` real_server ${address} 80 {\n ${checker}\n }\n`;
const virtual = (inside: string, head = ""): string =>
  `virtual_server 10.99.0.100 80 {\n protocol TCP\n delay_loop 10\n delay_before_retry 1\n retry 3\n warmup 0\n ${head}\n${inside}}\n`;

describe("the shadow of the checkers", () => {
  test("probes by the configuration, and tells what it finds with latencies and source check", async () => {
    const bench = new Bench();
    await bench.start(virtual(real("10.99.0.11")));
    await bench.time.pass(25_000);
    expect(bench.probes.map(({ at }) => at)).toEqual([0, 10, 20]);
    expect(bench.bodies("check.server-up", "check.quorum-gained")).toHaveLength(2);
    const all = bench.spooled.batches.flat();
    expect(new Set(all.map(({ source }) => source))).toEqual(new Set(["check"]));
    expect(bench.bodies("check.result")[0]).toMatchObject({ outcome: "success", latencyUs: expect.any(Number) });
    expect(new Set(all.map(({ idParts }) => JSON.stringify(idParts))).size).toBe(all.length);
    expect(bench.source.status().detail).toBe("1 checkers of 1 virtual servers are probed");
  });

  test("asks a real server once a loop, retries among them, unless it is told to do as keepalived does", async () => {
    const bench = new Bench();
    bench.answer = ({ isUp }) => !isUp;
    await bench.start(virtual(real("10.99.0.11", "TCP_CHECK {\n }\nTCP_CHECK {\n connect_port 81\n }")));
    await bench.time.pass(65_000);
    expect(bench.probes.map(({ at }) => at)).toEqual([0, 10, 20, 30, 40, 50, 60]);
    await bench.source.stop();

    const eager = new Bench({ probesPerLoop: 0 });
    eager.answer = (request) => !request.isUp;
    await eager.start(virtual(real("10.99.0.11")));
    await eager.time.pass(15_000);
    expect(eager.probes.map(({ at }) => at)).toEqual([0, 10, 11, 12, 13]);
    expect(eager.bodies("check.server-down")).toHaveLength(1);
  });

  test("has no more probes under way than it may, and begins the next when one ends", async () => {
    const bench = new Bench({ concurrentMax: 2 });
    bench.answer = undefined;
    await bench.start(virtual(["11", "12", "13", "14"].map((n) => real(`10.99.0.${n}`)).join("")));
    await bench.time.pass(5_000);
    expect(bench.probes).toHaveLength(2);
    bench.probes[0]?.end(true);
    await settle();
    expect(bench.probes).toHaveLength(3);
    for (let i = 1; i < 4; i++) {
      bench.probes[i]?.end(true);
      await settle();
    }
  });

  test("begins none while what it has found waits for the disk", async () => {
    const bench = new Bench({ concurrentMax: 256, probesPerLoop: 0 });
    bench.spooled.block();
    await bench.start(virtual(real("10.99.0.11"), "").replace("delay_loop 10", "delay_loop 0.01"));
    await bench.time.pass(60_000, 10);
    expect(bench.probes.length).toBeGreaterThan(900);
    expect(bench.probes.length).toBeLessThanOrEqual(1_000);
    bench.spooled.unblock();
    await settle();
    const before = bench.probes.length;
    await bench.time.pass(3_000, 10);
    expect(bench.probes.length).toBeGreaterThan(before);
  });

  test("takes the verdicts on what it does not probe from the log", async () => {
    const misc = real("10.99.0.11", "MISC_CHECK {\n misc_path /bin/check\n }\nTCP_CHECK {\n }");
    const bfd = real("10.99.0.12", "BFD_CHECK {\n name B\n }\nTCP_CHECK {\n }");
    const bench = new Bench();
    await bench.start(`bfd_instance B {\n neighbor_ip 10.99.0.12\n}\n${virtual(misc + bfd)}`);
    const service = "[10.99.0.11]:80";
    bench.hear({ kind: "check.result", checker: "MISC", outcome: "failure", service, script: "/bin/check" });
    bench.hear({ kind: "check.result", checker: "MISC", outcome: "down", service, script: "/bin/other" });
    await settle();
    expect(bench.bodies("check.server-down")).toEqual([]);
    bench.hear({ kind: "check.result", checker: "MISC", outcome: "down", service, script: "/bin/check" });
    bench.hear({ kind: "bfd.state", bfd: "B", state: "Down" });
    await settle();
    expect(bench.bodies("check.server-down")).toMatchObject([
      { realServer: service },
      { realServer: "[10.99.0.12]:80" },
    ]);
    bench.hear({ kind: "bfd.state", bfd: "B", state: "Up" });
    await settle();
    expect(bench.bodies("check.server-up").at(-1)).toMatchObject({ realServer: "[10.99.0.12]:80" });
    expect(bench.source.status().detail).toMatch(/left to the log: MISC_CHECK .*; BFD_CHECK /);
  });

  test("reads the files that checkers track", async () => {
    const dir = mkdtempSync(join(tmpdir(), "keepwatch-track-"));
    const path = join(dir, "weight");
    writeFileSync(path, "0\n");
    const files = `track_file F {\n file ${path}\n weight 1\n}\n`;
    const bench = new Bench();
    await bench.start(
      files + virtual(real("10.99.0.11", "FILE_CHECK {\n track_file F\n weight 2\n }\nTCP_CHECK {\n }")),
    );
    writeFileSync(path, "5\n");
    await bench.time.pass(3_000);
    expect(bench.bodies("check.weight-changed")).toMatchObject([{ from: 1, to: 11, active: true }]);
    writeFileSync(path, "-2000000000\n");
    await bench.time.pass(3_000);
    expect(bench.bodies("check.server-down")).toHaveLength(1);
    rmSync(dir, { recursive: true });
  });

  test("pauses with ha_suspend while the address is elsewhere, and says so", async () => {
    const bench = new Bench();
    await bench.start(virtual(real("10.99.0.11"), "ha_suspend"));
    await bench.time.pass(15_000);
    expect(bench.probes).toEqual([]);
    expect(bench.source.status().detail).toMatch(/1 of them not now/);
    bench.addresses = new Set(["10.99.0.100"]);
    await bench.time.pass(3_000);
    expect(bench.probes).toHaveLength(1);
    bench.addresses = new Set();
    await bench.time.pass(15_000);
    expect(bench.probes).toHaveLength(1);
    expect(bench.bodies("check.activation").map((body) => "active" in body && body.active)).toEqual([true, false]);
  });

  test("elected: the node that has the address probes, without asking anybody", async () => {
    const vrrp =
      "vrrp_instance V {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n 10.99.0.100\n }\n}\n";
    const bench = new Bench({ probe: "elected" });
    await bench.start(vrrp + virtual(real("10.99.0.11")));
    await bench.time.pass(12_000);
    expect(bench.probes).toEqual([]);
    bench.addresses = new Set(["10.99.0.100"]);
    await bench.time.pass(3_000);
    expect(bench.probes).toHaveLength(1);
  });

  test("without virtual servers it does nothing, and says so", async () => {
    const bench = new Bench();
    await bench.start("vrrp_instance V {\n}\n");
    await bench.time.pass(5_000);
    expect(bench.spooled.batches).toEqual([]);
    expect(bench.source.status()).toMatchObject({
      state: "running",
      detail: "no virtual servers in the configuration of keepalived",
    });
  });

  test("drops the verdict of a probe that a reload overtook", async () => {
    const bench = new Bench();
    bench.answer = undefined;
    await bench.start(virtual(real("10.99.0.11")));
    bench.configure(virtual(real("10.99.0.12")));
    bench.probes[0]?.end(false);
    await settle();
    expect(bench.bodies("check.result")).toEqual([]);
    bench.probes[1]?.end(true);
    await settle();
    expect(bench.bodies("check.result")).toMatchObject([{ service: "[10.99.0.12]:80" }]);
    // And what was claimed of the server that is gone is claimed no more.
    expect(bench.bodies("check.activation")).toMatchObject([
      { service: "[10.99.0.11]:80", active: true },
      { service: "[10.99.0.11]:80", active: false },
      { service: "[10.99.0.12]:80", active: true },
    ]);
  });

  test("a probe that throws, or cannot be made, is told in the status and harms nobody", async () => {
    const bench = new Bench({}, { probe: () => Promise.reject(new Error("no sockets left")) });
    await bench.start(virtual(real("10.99.0.11")));
    await bench.time.pass(25_000);
    expect(bench.source.status().reason).toBe("TCP_CHECK of [10.99.0.11]:80 cannot be probed: no sockets left");
    expect(bench.bodies("check.server-down", "check.server-up")).toEqual([]);
    expect(bench.spooled.logged.filter((line) => line.includes("no sockets left"))).toHaveLength(1);
  });

  test("over real sockets: a server that goes and comes back", async () => {
    const spooled = new Spooled();
    const configs = new EffectiveConfigs();
    let server: RawServer | undefined = await RawServer.start((socket) => socket.end());
    const { port } = server;
    const text = `virtual_server 127.0.0.1 ${port} {\n protocol TCP\n delay_loop 0.05\n warmup 0\n retry 1\n delay_before_retry 0.05\n real_server 127.0.0.1 ${port} {\n TCP_CHECK {\n }\n }\n}\n`;
    running = createChecksSource({
      clock: systemClock,
      node: "lb1",
      settings: SETTINGS,
      configs,
      logged: new Handover<readonly Observation[]>(),
    });
    await running.start(spooled);
    configs.publish({
      path: "x",
      version: "1",
      running: runningOf(text),
      release: NEWEST_RELEASE,
      chain: undefined,
      readTs: 0,
    });
    const told = (kind: string): number => spooled.batches.flat().filter(({ body }) => body.kind === kind).length;
    await expect.poll(() => told("check.server-up"), { timeout: 10_000 }).toBe(1);
    await server.stop();
    await expect.poll(() => told("check.server-down"), { timeout: 10_000 }).toBe(1);
    server = await RawServer.start((socket) => socket.end(), port);
    await expect.poll(() => told("check.server-up"), { timeout: 10_000 }).toBe(2);
    await running.stop();
    await server.stop();
    expect(told("check.activation")).toBe(2);
  });
});
