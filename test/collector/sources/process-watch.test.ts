import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { StartChain } from "../../../collector/chain/chain.ts";
import { systemClock } from "../../../collector/core/system-clock.ts";
import { type EffectiveConfig, EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import { Handover } from "../../../collector/sources/handover.ts";
import { createDumpSource } from "../../../collector/sources/dump.ts";
import { createProcessWatchSource, type ProcessNews } from "../../../collector/sources/process-watch.ts";
import type { Source } from "../../../collector/sources/source.ts";
import type { StartChild } from "../../../collector/sources/child.ts";
import { FakeChild, ManualTime, Spooled } from "./fakes.ts";
import { instanceConf, RealKeepalived } from "./keepalived.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";

test("systemd is asked for the unit of the start chain where it runs, and told again only when it changes", async () => {
  const configs = new EffectiveConfigs();
  const launcher = { kind: "systemd", unit: { name: "keepalived@a.service" } };
  const pidFiles = {
    parent: "/nowhere/a.pid",
    vrrp: "/nowhere/b.pid",
    checkers: "/nowhere/c.pid",
    bfd: "/nowhere/d.pid",
  };
  configs.publish({ chain: { launcher, pidFiles, subsystems: [] } } as unknown as EffectiveConfig);
  const time = new ManualTime(systemClock.epoch());
  const asked: FakeChild[] = [];
  let state = "active";
  const start: StartChild = (...args) => {
    const child = new FakeChild(...args);
    asked.push(child);
    child.stdout.write(`LoadState=loaded\nActiveState=${state}\nSubState=x\n`);
    child.end();
    return child;
  };
  const source = createProcessWatchSource({ clock: time, configs, start, wait: time.wait, hasSystemd: () => true });
  const spooled = new Spooled();
  await source.start(spooled);
  await spooled.until("what systemd says", (all) => all.of("process.unit")[0]);
  expect(asked[0]?.command.join(" ")).toBe(
    "systemctl show -p LoadState,ActiveState,SubState,Result,MainPID,NRestarts -- keepalived@a.service",
  );
  await time.pass(31_000, 1_000);
  state = "failed";
  await time.pass(31_000, 1_000);
  await spooled.until("the change", (all) => all.of("process.unit")[1]);
  expect(asked.length).toBe(3);
  expect(spooled.of("process.unit").map(({ body }) => body.activeState)).toEqual(["active", "failed"]);
  await source.stop();
});

/** A process in a /proc of our own. @param ticks  its start, a hundredth of a second each since the boot */
function putProcess(proc: string, pid: number, parent: number, ticks: number): void {
  const dir = join(proc, String(pid));
  mkdirSync(join(dir, "task", String(pid)), { recursive: true });
  mkdirSync(join(dir, "ns"), { recursive: true });
  writeFileSync(join(dir, "stat"), `${pid} (keepalived) S ${parent} ${"0 ".repeat(17)}${ticks} 0 0\n`);
  writeFileSync(join(dir, "cmdline"), "/usr/sbin/keepalived\0");
  writeFileSync(join(dir, "task", String(pid), "children"), "");
}

test("what a daemon that is known has forked since is seen at the next look", async () => {
  const proc = mkdtempSync(join(tmpdir(), "keepwatch-proc-"));
  try {
    writeFileSync(join(proc, "uptime"), "1000.00 0.00\n");
    putProcess(proc, 10, 1, 10_000);
    putProcess(proc, 11, 10, 10_001);
    const children = join(proc, "10", "task", "10", "children");
    writeFileSync(children, "11 ");
    const nowhere = { parent: "/nowhere/a", vrrp: "/nowhere/b", checkers: "/nowhere/c", bfd: "/nowhere/d" };
    const configs = new EffectiveConfigs();
    const chain = { pidFiles: nowhere, subsystems: [{ name: "vrrp", runs: true }], launcher: { kind: "none" } };
    configs.publish({ chain } as unknown as EffectiveConfig);
    const time = new ManualTime(systemClock.epoch());
    const source = createProcessWatchSource({ clock: time, configs, proc, wait: time.wait, hasSystemd: () => false });
    const spooled = new Spooled();
    await source.start(spooled);
    await time.pass(500, 250);
    expect(spooled.of("process.started")).toEqual([]);
    putProcess(proc, 12, 10, 10_002);
    writeFileSync(children, "11 12 ");
    await time.pass(250, 250);
    expect(spooled.of("process.started").map(({ pid }) => pid)).toEqual([12]);
    await source.stop();
  } finally {
    rmSync(proc, { recursive: true });
  }
});

const why = whyNoNamespaces("keepalived");

describe.skipIf(why !== "")(`a real keepalived's processes${why}`, () => {
  let namespace: Namespace;
  let keepalived: RealKeepalived;
  const sources: Source[] = [];

  beforeAll(() => {
    namespace = new Namespace("process");
    namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "wire0");
    namespace.ip("link", "set", "wire0", "up");
    namespace.ip("link", "set", "eth0", "up");
    namespace.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
  });
  afterEach(async () => {
    for (const source of sources.splice(0)) await source.stop();
    await keepalived.remove();
  });
  afterAll(() => namespace.remove());

  async function watch(): Promise<{ spooled: Spooled; processes: Handover<ProcessNews> }> {
    const configs = new EffectiveConfigs();
    const processes = new Handover<ProcessNews>();
    const chain = {
      namespace: namespace.name,
      pidFiles: keepalived.pidFiles,
      subsystems: [{ name: "vrrp", runs: true }],
      launcher: { kind: "none" },
    } as unknown as StartChain;
    configs.publish({ chain } as EffectiveConfig);
    const source = createProcessWatchSource({ clock: systemClock, configs, processes, hasSystemd: () => false });
    const spooled = new Spooled();
    await source.start(spooled);
    sources.push(source);
    return { spooled, processes };
  }

  const isVrrp = ({ body }: { body: { daemon?: string } }): boolean => body.daemon === "vrrp";

  test("a start, a freeze, a thaw and a kill are seen, each of the process it happens to", async () => {
    keepalived = new RealKeepalived(namespace, instanceConf(100));
    const { spooled } = await watch();
    const [snapshot] = spooled.of("process.snapshot");
    expect(snapshot?.body.processes).toEqual([]);

    const before = systemClock.epoch();
    keepalived.start();
    const started = await spooled.until("the VRRP child", (all) => all.of("process.started").find(isVrrp));
    expect(started.body.parentPid).toBe(keepalived.pid);
    expect(started.pid).toBe(keepalived.vrrpPid);
    expect(Math.abs(started.ts - before)).toBeLessThan(5_000_000);
    const parent = spooled.of("process.started").find(({ body }) => body.daemon === "parent");
    expect(parent?.pid).toBe(keepalived.pid);

    process.kill(keepalived.vrrpPid, "SIGSTOP");
    const frozen = await spooled.until("the freeze", (all) => all.of("process.state").find(isVrrp));
    expect(frozen.body).toMatchObject({ daemon: "vrrp", state: "frozen", previousState: "running" });
    expect(frozen.tsUncertaintyUs).toBeLessThan(5_000_000);
    process.kill(keepalived.vrrpPid, "SIGCONT");
    await spooled.until("the thaw", (all) =>
      all.of("process.state").find((seen) => isVrrp(seen) && seen.body.state === "running"),
    );

    const killed = keepalived.vrrpPid;
    process.kill(killed, "SIGKILL");
    await spooled.until("the end of the killed child", (all) =>
      all.of("process.gone").find(({ pid }) => pid === killed),
    );
    const successor = await spooled.until("its successor", (all) =>
      all.of("process.started").find((seen) => isVrrp(seen) && seen.pid !== killed),
    );
    // Its pid file is empty for a moment.
    await expect.poll(() => keepalived?.vrrpPid, { timeout: 10_000 }).toBe(successor.pid);
  }, 60_000);

  test("a daemon that ran before is in the snapshot, and told as started by nobody", async () => {
    keepalived = new RealKeepalived(namespace, instanceConf(100));
    keepalived.start();
    const { spooled: first } = await watch();
    await first.until("the VRRP child", (all) =>
      all
        .of("process.started", "process.snapshot")
        .find(({ body }) => (body.kind === "process.started" ? body.daemon === "vrrp" : body.processes.length > 1)),
    );
    const { spooled } = await watch();
    expect(spooled.of("process.snapshot")[0]?.body.processes.map(({ daemon, state }) => `${daemon} ${state}`)).toEqual([
      "parent running",
      "vrrp running",
    ]);
    expect(spooled.of("process.started")).toEqual([]);
  }, 60_000);

  test("a daemon that was found before its configuration is told of when it is known which process is which", async () => {
    keepalived = new RealKeepalived(namespace, instanceConf(100));
    keepalived.start();
    const configs = new EffectiveConfigs();
    const processes = new Handover<ProcessNews>();
    const chain = { namespace: namespace.name, subsystems: [], launcher: { kind: "none" } };
    const nowhere = { parent: "/nowhere/a", vrrp: "/nowhere/b", checkers: "/nowhere/c", bfd: "/nowhere/d" };
    configs.publish({ chain: { ...chain, pidFiles: nowhere } as unknown as StartChain } as EffectiveConfig);
    await expect.poll(() => keepalived.vrrpPid, { timeout: 10_000 }).toBeGreaterThan(0);
    const source = createProcessWatchSource({ clock: systemClock, configs, processes, hasSystemd: () => false });
    const spooled = new Spooled();
    await source.start(spooled);
    sources.push(source);
    const vrrp = keepalived.vrrpPid;
    await expect.poll(() => processes.current()?.known.some(({ pid }) => pid === vrrp), { timeout: 10_000 }).toBe(true);
    configs.publish({ chain: { ...chain, pidFiles: keepalived.pidFiles } as unknown as StartChain } as EffectiveConfig);
    await spooled.until("the snapshot that names it", (all) =>
      all
        .of("process.snapshot")
        .find(({ body }) => body.processes.some(({ pid, daemon }) => pid === vrrp && daemon === "vrrp")),
    );
    const { changes, known } = processes.current() ?? {};
    expect(changes).toEqual([]);
    expect(known?.find(({ pid }) => pid === vrrp)?.daemon).toBe("vrrp");
  }, 60_000);

  test("the dump tells what keepalived itself holds for true, and no password", async () => {
    keepalived = new RealKeepalived(namespace, instanceConf(100));
    keepalived.start();
    const { processes } = await watch();
    const dump = createDumpSource({
      clock: systemClock,
      processes,
      every: 250,
      path: `${keepalived.folder}/keepalived.json`,
    });
    const spooled = new Spooled();
    await dump.start(spooled);
    sources.unshift(dump);
    const master = await spooled.until("a master by its own word", (all) =>
      all.of("dump.instance").find(({ body }) => body.state === "MASTER"),
    );
    expect(master.body).toMatchObject({
      instance: "VI_1",
      wantedState: "MASTER",
      vrid: 51,
      interface: "eth0",
      priority: 100,
      basePriority: 100,
      vipsSet: true,
    });
    expect(JSON.stringify(spooled.all)).not.toContain("k33pw4tc");
    expect(keepalived.log()).toMatch(/Printing VRRP as json for process\(\d+\) on signal/);
    // Alive after all the signals.
    expect(() => process.kill(keepalived.vrrpPid, 0)).not.toThrow();
  }, 60_000);
});
