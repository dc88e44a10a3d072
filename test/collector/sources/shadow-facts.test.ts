import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { StartChain } from "../../../collector/chain/chain.ts";
import type { Daemon, EventBody, ProcessState, Source as EventSource } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { readMessage } from "../../../collector/logs/reader.ts";
import type { KnownProcess, ProcessChange } from "../../../collector/process/table.ts";
import { EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import { Handover } from "../../../collector/sources/handover.ts";
import type { ProcessNews } from "../../../collector/sources/process-watch.ts";
import { createShadowSource } from "../../../collector/sources/shadow.ts";
import type { Source } from "../../../collector/sources/source.ts";
import type { HeardAdvert } from "../../../collector/vrrp/senders.ts";
import { runningOf } from "../../support/running.ts";
import { instanceConf } from "./keepalived.ts";
import { ManualTime, settle, Spooled } from "./fakes.ts";

const T0 = 1_795_517_580_000_000;
const VIP = "10.99.0.100";
const SERVER = "[10.99.0.100]:80";
const REAL = "[10.0.0.1]:80";
const CHECKED = `virtual_server ${VIP} 80 {
    delay_loop 2
    protocol TCP
    real_server 10.0.0.1 80 {
        TCP_CHECK {
            connect_timeout 1
        }
    }
}
`;

/** A node whose sources are played by the test. */
class Node {
  readonly time = new ManualTime(T0);
  readonly spooled = new Spooled();
  readonly sight = { wire: true, kernel: true, process: true };
  readonly folder = mkdtempSync(join(tmpdir(), "kwt-shadow-"));
  private readonly configs = new EffectiveConfigs();
  private readonly processes = new Handover<ProcessNews>();
  private readonly handovers = {
    logged: new Handover<readonly Observation[]>(),
    addressed: new Handover<readonly Observation[]>(),
    captured: new Handover<readonly Observation[]>(),
    processed: new Handover<readonly Observation[]>(),
    checked: new Handover<readonly Observation[]>(),
  };
  private readonly heard = new Handover<HeardAdvert>();
  private readonly source: Source;
  private tick: () => void = () => undefined;
  private ran: KnownProcess[] = [];

  constructor() {
    this.source = createShadowSource({
      clock: this.time,
      configs: this.configs,
      processes: this.processes,
      heard: this.heard,
      ...this.handovers,
      sight: () => this.sight,
      linkIsUp: () => true,
      every: (_, tick) => {
        this.tick = tick;
        return () => undefined;
      },
    });
  }

  async start(): Promise<void> {
    await this.source.start(this.spooled);
    this.say("addressed", "kernel", {
      kind: "kernel.addresses",
      addresses: [{ interface: "eth0", address: "10.99.0.11", prefixLength: 24 }],
    });
  }

  async stop(): Promise<void> {
    await this.source.stop();
    rmSync(this.folder, { recursive: true });
  }

  status = () => this.source.status();

  /** @param changedAt  seconds before now at which the file was changed */
  configure(text: string, changedAt = 3_600): void {
    const path = join(this.folder, "keepalived.conf");
    writeFileSync(path, text);
    // The file system's clock is the machine's own: what was changed when is said by where the test's clock stands.
    const chain = {
      configuration: { path, files: changedAt > 0 ? [] : [path] },
      options: { uses: [], faults: [] },
    } as unknown as StartChain;
    this.configs.publish({ path, version: text, running: runningOf(text), release: [2, 2, 7], chain, readTs: T0 });
  }

  /** Seconds of life of the daemon are told by what the kernel says. */
  process(
    daemon: Daemon,
    kind: "process.started" | "process.gone" | "process.state",
    state: ProcessState = "running",
    ageSeconds = 0,
  ): void {
    const pid = { parent: 10, vrrp: 11, checker: 12, bfd: 13 }[daemon];
    const startedUs = this.time.epoch() - ageSeconds * 1_000_000;
    const process: KnownProcess = { pid, parentPid: 10, startTicks: 100, startedUs, letter: "S", daemon, state };
    this.ran = [...this.ran.filter((one) => one.pid !== pid), process];
    const body = {
      kind,
      daemon,
      ...(kind === "process.state" ? { state, previousState: "running" } : {}),
    } as ProcessChange["body"];
    this.processes.publish({
      known: this.ran,
      changes: [{ process, atUs: startedUs, body }],
      uptimeUs: 1_000_000 + ageSeconds * 1_000_000,
    });
  }

  /** A daemon that ran for an hour when the watching begins. */
  foundRunning(): void {
    const startedUs = this.time.epoch() - 3_600_000_000;
    const vrrp = {
      pid: 11,
      parentPid: 10,
      startTicks: 100,
      startedUs,
      letter: "S",
      daemon: "vrrp",
      state: "running",
    } as const;
    this.processes.publish({ known: [vrrp], changes: [], uptimeUs: 3_601_000_000 });
  }

  say(to: keyof Node["handovers"], source: EventSource, body: EventBody, raw?: string): void {
    const ts = this.time.epoch();
    this.handovers[to].publish([
      { source, ts, tsUncertaintyUs: 0, idParts: [], body, ...(raw === undefined ? {} : { raw }) },
    ]);
  }

  /** @param ageMs  how long ago it was captured */
  advert(priority: number, outgoing = false, ageMs = 0): void {
    this.heard.publish({
      ts: this.time.epoch() - ageMs * 1_000,
      idParts: [],
      interface: "eth0",
      outgoing,
      advert: {
        version: 2,
        family: "ipv4",
        vrid: 51,
        priority,
        advertIntervalUs: 1_000_000,
        vips: [VIP],
        source: outgoing ? "10.99.0.11" : "10.99.0.12",
        destination: "224.0.0.18",
        ttl: 255,
        authType: "pass",
        checksum: "ok",
      },
    } as HeardAdvert);
  }

  /** Time passes; the peer, when there is one, sends an advert a second. */
  async pass(seconds: number, peer?: number): Promise<void> {
    for (let tenths = 0; tenths < seconds * 10; tenths += 1) {
      if (peer !== undefined && tenths % 10 === 0) this.advert(peer);
      await this.time.sleep(100);
      this.tick();
    }
    await settle();
  }

  get states(): string[] {
    return this.spooled.of("shadow.state").map(({ body }) => `${body.state} ${body.cause}`);
  }
  get following(): string[] {
    return this.spooled
      .of("shadow.following")
      .map(({ body }) => `${body.following ? "yes" : "no"} ${body.reason ?? ""}`.trim());
  }
  get divergences(): string[] {
    return this.spooled.of("shadow.divergence").map(({ body }) => `${body.phase} ${body.code}`);
  }
}

let node: Node;
afterEach(() => node.stop());

async function watched(config: string): Promise<Node> {
  node = new Node();
  node.configure(config);
  await node.start();
  return node;
}

describe("adverts that come late", () => {
  test("are told once in five seconds, and again when they come later still", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    for (const wait of [1, 1, 2, 2, 3]) {
      await node.pass(wait);
      node.advert(150);
    }
    await node.pass(0.1);
    expect(node.spooled.of("shadow.near-miss").map(({ body }) => body.missed)).toEqual([1, 2]);
  });

  test("count from when they were captured, though the deadline is over when they are read", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    node.advert(150);
    // The backup's time is over after 3.609 s: the next advert was captured before, and is read behind it.
    await node.pass(3.7);
    node.advert(150, false, 150);
    await node.pass(3);
    expect(node.states).toEqual(["BACKUP start"]);
  });
});

describe("when the shadow can say anything", () => {
  test("a daemon that is seen to begin is predicted from its start on", async () => {
    await watched(instanceConf(100));
    await node.pass(1);
    node.process("vrrp", "process.started");
    await node.pass(5);
    expect(node.states).toEqual(["BACKUP start", "MASTER master-down"]);
    const [begin, master] = node.spooled.of("shadow.state");
    // 3 intervals and (256 - 100) / 256 s.
    expect((master?.ts ?? 0) - (begin?.ts ?? 0)).toBe(3_609_375);
    expect(node.status().detail).toBe("1 of 1 instances are followed");
  });

  test("one that began before it was found is predicted from when it did, with what was heard since", async () => {
    await watched(instanceConf(100));
    await node.pass(1.5);
    node.advert(150);
    await node.pass(1);
    // Two seconds old when it is seen, and one after the advert.
    node.process("vrrp", "process.started", "running", 2);
    await node.pass(4);
    const [begin, master] = node.spooled.of("shadow.state");
    expect(node.states).toEqual(["BACKUP start", "MASTER master-down"]);
    expect((begin?.ts ?? 0) - T0).toBe(500_000);
    expect((master?.ts ?? 0) - T0).toBe(1_500_000 + 3_609_375);
  });

  test("one that ran before is listened to first, and taken for what it is found to be", async () => {
    await watched(instanceConf(100));
    node.foundRunning();
    await node.pass(1.4, 150);
    expect(node.states).toEqual([]);
    expect(node.status().reason).toBe("keepalived ran before: it begins with what is seen");
    await node.pass(1, 150);
    expect(node.states).toEqual(["BACKUP seed"]);
    expect(node.following).toEqual(["no keepalived ran before: it begins with what is seen", "yes"]);
  });

  test("one that shows nothing is waited for", async () => {
    await watched(instanceConf(100));
    node.foundRunning();
    await node.pass(30);
    expect(node.states).toEqual([]);
  });

  test("one in FAULT is waited for until it leaves it", async () => {
    await watched(instanceConf(100));
    node.foundRunning();
    node.say("logged", "log", { kind: "vrrp.state", instance: "VI_1", state: "FAULT" });
    await node.pass(10, 150);
    expect(node.states).toEqual([]);
    node.say("logged", "log", { kind: "vrrp.state", instance: "VI_1", state: "BACKUP" });
    await node.pass(1, 150);
    expect(node.states).toEqual(["BACKUP seed"]);
  });

  test("a configuration that is newer than the daemon is not what it runs, until it is reloaded", async () => {
    node = new Node();
    node.configure(instanceConf(100), 0);
    await node.start();
    // Written now by the machine's clock, after the daemon's start by the test's.
    node.foundRunning();
    await node.pass(5, 150);
    expect(node.following).toEqual([
      "no the configuration was changed after keepalived was started: what it runs is not known",
    ]);
    node.say("logged", "log", { kind: "daemon.reloading" });
    await node.pass(3, 150);
    expect(node.states).toEqual(["BACKUP seed"]);
  });

  test("blindness ends what is expected, and it begins anew with what is seen", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(2, 150);
    node.sight.wire = false;
    // What would be a divergence, if anybody could see.
    node.say("logged", "log", { kind: "vrrp.state", instance: "VI_1", state: "MASTER" });
    await node.pass(10);
    expect(node.following.at(-1)).toBe("no adverts are not captured");
    node.sight.wire = true;
    await node.pass(3, 150);
    expect(node.states).toEqual(["BACKUP start", "MASTER seed", "BACKUP outranked"]);
    expect(node.divergences).toEqual([]);
    await node.pass(3, 150);
    expect(node.divergences).toEqual(["begin unexpected-master"]);
  });

  test("packets that were dropped may have been adverts", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(2, 150);
    node.say("captured", "collector", { kind: "collector.gap", sourceName: "capture", reason: "dropped", lost: 3 });
    await node.pass(2, 150);
    expect(node.states).toEqual(["BACKUP start", "BACKUP seed"]);
    expect(node.following).toEqual([
      "yes",
      "no something was missed: it begins anew with what is seen",
      "no keepalived ran before: it begins with what is seen",
      "yes",
    ]);
  });
});

describe("a configuration that ends the daemon", () => {
  const BROKEN = instanceConf(100).replace("virtual_router_id 51", "");
  const ENDS = "no keepalived ends with this configuration: no_vrid";

  test("nothing is predicted of a daemon that is started with it", async () => {
    await watched(BROKEN);
    node.process("vrrp", "process.started");
    await node.pass(0.2);
    node.process("vrrp", "process.gone");
    await node.pass(5);
    expect(node.states).toEqual([]);
    expect(node.following).toEqual([ENDS, "no keepalived's VRRP process does not run"]);
  });

  test("a reload with it ends what is predicted; a daemon that lives on all the same is taken for what it is found to be", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(2, 150);
    node.configure(BROKEN);
    node.say("logged", "log", { kind: "daemon.reloading" });
    await node.pass(1, 150);
    expect(node.states).toEqual(["BACKUP start", "INIT reload"]);
    expect(node.following.at(-1)).toBe(ENDS);
    await node.pass(4, 150);
    expect(node.following.slice(1)).toEqual([ENDS, "no keepalived ran before: it begins with what is seen"]);
  });

  test("the right one again, in time, is run by a daemon that lives on", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(2, 150);
    node.configure(BROKEN);
    node.say("logged", "log", { kind: "daemon.reloading" });
    await node.pass(1, 150);
    node.configure(instanceConf(100));
    node.say("logged", "log", { kind: "daemon.reloading" });
    await node.pass(4, 150);
    expect(node.states).toEqual(["BACKUP start", "INIT reload", "BACKUP seed"]);
    expect(node.divergences).toEqual([]);
  });
});

describe("what else it goes by", () => {
  test("an address that goes is held back until what made it go can be known", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(5);
    node.say("addressed", "kernel", {
      kind: "kernel.address-added",
      interface: "eth0",
      address: VIP,
      prefixLength: 24,
    });
    await node.pass(1);
    const removed = { kind: "kernel.address-removed", interface: "eth0", address: VIP, prefixLength: 24 } as const;
    // The kernel's word overtakes the advert that is the reason.
    node.say("addressed", "kernel", removed);
    node.advert(150);
    await node.pass(2, 150);
    expect(node.states).toEqual(["BACKUP start", "MASTER master-down", "BACKUP outranked"]);
  });

  test("an address that is back when all of them are looked at does not go again later", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(5);
    const vip = { interface: "eth0", address: VIP, prefixLength: 24 };
    node.say("addressed", "kernel", { kind: "kernel.address-added", ...vip });
    await node.pass(1);
    const begin = node.states.length;
    node.say("addressed", "kernel", { kind: "kernel.address-removed", ...vip });
    node.say("addressed", "kernel", {
      kind: "kernel.addresses",
      addresses: [{ interface: "eth0", address: "10.99.0.11", prefixLength: 24 }, vip],
    });
    // The removal counts before the look, and not after it.
    await node.pass(0.1);
    expect(node.states.slice(begin)).toEqual(["BACKUP vip-removed"]);
    await node.pass(2);
    expect(node.states.slice(begin)).toEqual(["BACKUP vip-removed", "MASTER master-down"]);
  });

  test("an address that somebody else removes makes a master begin anew", async () => {
    await watched(instanceConf(100));
    node.process("vrrp", "process.started");
    await node.pass(5);
    node.say("addressed", "kernel", {
      kind: "kernel.address-added",
      interface: "eth0",
      address: VIP,
      prefixLength: 24,
    });
    await node.pass(1);
    node.say("addressed", "kernel", {
      kind: "kernel.address-removed",
      interface: "eth0",
      address: VIP,
      prefixLength: 24,
    });
    await node.pass(2);
    expect(node.states.slice(2)).toEqual(["BACKUP vip-removed", "MASTER master-down"]);
  });

  const TRACKED = `vrrp_script chk {
    script "/bin/true"
    interval 1
    fall 2
    rise 2
    weight -60
}
`;

  test("a script's verdict in the log counts as all the runs that made it", async () => {
    await watched(TRACKED + instanceConf(100, "    track_script {\n        chk\n    }\n"));
    node.process("vrrp", "process.started");
    node.say("logged", "log", { kind: "script.result", script: "chk", outcome: "success" });
    await node.pass(1, 50);
    node.say("logged", "log", { kind: "script.result", script: "chk", outcome: "failure" });
    await node.pass(5, 50);
    expect(node.spooled.of("shadow.priority").map(({ body }) => `${body.from}>${body.to}`)).toEqual(["100>40"]);
    expect(node.states).toEqual(["BACKUP start"]);
  });

  test("a tracked file is read by itself", async () => {
    node = new Node();
    const path = join(node.folder, "number");
    writeFileSync(path, "0");
    node.configure(
      `vrrp_track_file number {\n    file ${path}\n    weight 1\n}\n${instanceConf(100, "    track_file {\n        number\n    }\n")}`,
    );
    await node.start();
    node.process("vrrp", "process.started");
    await node.pass(1, 150);
    writeFileSync(path, "-30");
    await node.pass(2, 150);
    expect(node.spooled.of("shadow.priority").map(({ body }) => `${body.from}>${body.to}`)).toEqual(["100>70"]);
  });

  test("lines of a daemon that is gone say nothing of the one that lives", async () => {
    await watched(instanceConf(100));
    await node.pass(10);
    node.process("vrrp", "process.started");
    node.time.set(-9_000_000);
    node.say("logged", "log", { kind: "vrrp.state", instance: "VI_1", state: "MASTER" });
    node.time.set(9_000_000);
    await node.pass(10, 150);
    expect(node.divergences).toEqual([]);
  });
});

describe("services", () => {
  const check = (kind: "check.server-up" | "check.server-down"): EventBody =>
    kind === "check.server-up"
      ? { kind, virtualServer: SERVER, realServer: REAL, action: "added" }
      : { kind, virtualServer: SERVER, realServer: REAL, action: "removed" };

  test("one that the collector's checks hold for down and keepalived never took out is kept", async () => {
    await watched(instanceConf(100) + CHECKED);
    node.process("checker", "process.started");
    await node.pass(1);
    node.say("checked", "check", check("check.server-down"));
    // delay_loop, two attempts of three steps each, a pause between them, and a second.
    await node.pass(9);
    expect(node.divergences).toEqual([]);
    await node.pass(2);
    expect(node.divergences).toEqual(["begin service-kept"]);
    const [{ body } = { body: undefined }] = node.spooled.of("shadow.divergence");
    expect(body).toMatchObject({ virtualServer: SERVER, realServer: REAL, expected: "down", observed: "up" });
    node.process("vrrp", "process.started");
    node.say("logged", "log", check("check.server-down"));
    await node.pass(1);
    expect(node.divergences).toEqual(["begin service-kept", "end service-kept"]);
  });

  test("what 2.2.7's own lines hold of a server is compared: no kernel here has the IPVS that they need", async () => {
    const logs = (line: string): void => node.say("logged", "log", readMessage(line, "checker"));
    await watched(instanceConf(100) + CHECKED);
    node.process("checker", "process.started");
    logs("TCP connection to [10.0.0.1]:tcp:80 failed.");
    logs("Removing service [10.0.0.1]:tcp:80 from VS [10.99.0.100]:tcp:80");
    node.say("checked", "check", {
      kind: "check.result",
      checker: "TCP",
      outcome: "success",
      service: REAL,
      virtualServer: SERVER,
    });
    await node.pass(12);
    expect(node.divergences).toEqual(["begin service-removed"]);
    logs("TCP connection to [10.0.0.1]:tcp:80 success.");
    logs("Adding service [10.0.0.1]:tcp:80 to VS [10.99.0.100]:tcp:80");
    await node.pass(1);
    expect(node.divergences).toEqual(["begin service-removed", "end service-removed"]);
    node.say("checked", "check", check("check.server-down"));
    await node.pass(12);
    expect(node.divergences.slice(2)).toEqual(["begin service-kept"]);
    logs("Removing service [10.0.0.1]:tcp:80 from VS [10.99.0.100]:tcp:80");
    await node.pass(1);
    expect(node.divergences.slice(2)).toEqual(["begin service-kept", "end service-kept"]);
  });

  test("what a checker process held is void when it is gone, and what the configuration no longer has is nobody's", async () => {
    await watched(instanceConf(100) + CHECKED);
    node.process("checker", "process.started");
    node.say("checked", "check", check("check.server-down"));
    await node.pass(11);
    node.process("checker", "process.gone");
    await node.pass(1);
    expect(node.divergences).toEqual(["begin service-kept", "end service-kept"]);
    node.process("checker", "process.started");
    await node.pass(11);
    node.configure(instanceConf(100));
    await node.pass(1);
    expect(node.divergences.slice(2)).toEqual(["begin service-kept", "end service-kept"]);
  });

  test("of checkers that ran before nothing is known until they say something", async () => {
    await watched(instanceConf(100) + CHECKED);
    node.foundRunning();
    node.say("checked", "check", check("check.server-down"));
    await node.pass(20);
    expect(node.divergences).toEqual([]);
    node.say("checked", "check", {
      kind: "check.result",
      checker: "TCP",
      outcome: "success",
      service: REAL,
      virtualServer: SERVER,
    });
    node.say("logged", "log", check("check.server-down"));
    await node.pass(12);
    expect(node.divergences).toEqual(["begin service-removed"]);
  });
});

test("predictions that come too thick are not told, but counted", async () => {
  await watched(instanceConf(100));
  node.process("vrrp", "process.started");
  for (let turn = 0; turn < 1_500; turn += 1)
    node.say("addressed", "kernel", { kind: "kernel.link", interface: "eth0", up: turn % 2 === 1 });
  await settle();
  expect(node.spooled.of("shadow.state").length).toBe(1_000);
  await node.pass(11);
  const [gap] = node.spooled.of("collector.gap");
  // The start is one of them, and what becomes of the last turn.
  expect(gap?.body).toMatchObject({ sourceName: "shadow", lost: 502 });
  expect(node.states.length).toBe(1_000);
  node.advert(150);
  await node.pass(1);
  expect(node.states.at(-1)).toBe("BACKUP outranked");
  expect(node.spooled.logged).toEqual([]);
});
