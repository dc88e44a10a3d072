import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { instanceConf, RealKeepalived } from "./keepalived.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";
import { Watched } from "./watched.ts";

const why = whyNoNamespaces("keepalived", "tcpdump", "nft");
const VIP = "10.99.0.100";

const feedNft = (host: Namespace, rules: string): void =>
  void execFileSync("ip", ["netns", "exec", host.name, "nft", "-f", "-"], { input: rules });
/** A firewall that lets no advert in, or none out. */
const nft = (host: Namespace, hook: "input" | "output"): void =>
  feedNft(host, `table inet t { chain c { type filter hook ${hook} priority 0; ip protocol 112 drop; }; }`);
const nftOff = (host: Namespace): void => feedNft(host, "delete table inet t");

/** A process that gets no CPU, as in a paused container: its state does not show it. */
class Paused {
  private readonly mount = mkdtempSync(join(tmpdir(), "kwt-cgroup-"));
  private readonly group = join(this.mount, `kwt${process.pid}`);
  private readonly home: string;
  private readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
    this.home = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "/";
    execFileSync("mount", ["-t", "cgroup2", "none", this.mount]);
    mkdirSync(this.group);
    writeFileSync(join(this.group, "cgroup.procs"), `${pid}`);
    writeFileSync(join(this.group, "cgroup.freeze"), "1");
  }

  end(): void {
    writeFileSync(join(this.group, "cgroup.freeze"), "0");
    writeFileSync(join(this.mount, this.home, "cgroup.procs"), `${this.pid}`);
    rmdirSync(this.group);
    execFileSync("umount", [this.mount]);
    rmdirSync(this.mount);
  }
}

describe.skipIf(why !== "")(`the shadow beside real keepalived daemons${why}`, () => {
  let near: Namespace;
  let far: Namespace;
  const daemons: RealKeepalived[] = [];
  let watched: Watched;

  beforeEach(() => {
    near = new Namespace("near");
    far = new Namespace("far");
    near.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name);
    near.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
    far.ip("addr", "add", "10.99.0.12/24", "dev", "eth0");
    for (const one of [near, far]) one.ip("link", "set", "eth0", "up");
  });
  afterEach(async () => {
    await watched.stop();
    for (const daemon of daemons.splice(0)) await daemon.remove();
    near.remove();
    far.remove();
  });

  function daemon(
    namespace: Namespace,
    priority: number,
    { more, detail }: { readonly more?: string; readonly detail?: readonly string[] } = {},
  ): RealKeepalived {
    const one = new RealKeepalived(namespace, instanceConf(priority, more), detail);
    daemons.push(one);
    return one;
  }

  const divergences = (): string[] =>
    watched.spooled
      .of("shadow.divergence")
      .map(({ body }) => [body.phase, body.code, body.reason].filter(Boolean).join(" "));
  const predicted = (): string[] => watched.spooled.of("shadow.state").map(({ body }) => `${body.state} ${body.cause}`);
  const until = (state: string, cause: string): Promise<unknown> =>
    watched.spooled.until(`${state} ${cause}`, (all) =>
      all.of("shadow.state").find(({ body }) => body.state === state && body.cause === cause),
    );
  const logged = (state: string, after = 0): Promise<unknown> =>
    watched.spooled.until(`${state} in the log`, (all) =>
      all
        .of("vrrp.state")
        .slice(after)
        .find(({ body }) => body.state === state),
    );
  const diverges = (code: string, phase = "begin") =>
    watched.spooled.until(
      `${phase} ${code}`,
      (all) => all.of("shadow.divergence").find(({ body }) => body.code === code && body.phase === phase),
      25_000,
    );

  test("start, failover, failback, reload and stop are predicted, and nothing differs", async () => {
    const own = daemon(near, 100);
    const peer = daemon(far, 150);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await until("MASTER", "master-down");
    await logged("MASTER");
    peer.start();
    await until("BACKUP", "outranked");
    await logged("BACKUP", 2);
    await peer.stop();
    await until("MASTER", "priority-zero");
    await logged("MASTER", 3);
    process.kill(own.pid, "SIGHUP");
    await watched.spooled.until("the reload", (all) => all.of("daemon.reloading")[0]);
    await own.stop();
    await until("INIT", "stop");
    await watched.spooled.until("the end", (all) =>
      all.of("process.gone").find(({ body }) => body.daemon === "parent"),
    );
    expect(predicted()).toEqual([
      "BACKUP start",
      "MASTER master-down",
      "BACKUP outranked",
      "MASTER priority-zero",
      "INIT stop",
    ]);
    expect(divergences()).toEqual([]);
  }, 60_000);

  test("a track script counts when as many runs as it takes have agreed, not with the first of them", async () => {
    const own = daemon(near, 110, { more: "    track_script {\n        flag\n    }\n" });
    const flag = join(own.folder, "flag");
    writeFileSync(flag, "");
    const script = `vrrp_script flag {\n    script "/usr/bin/test -e ${flag}"\n    interval 2\n    weight -20\n    rise 3\n    user root\n}\n`;
    own.configure(`${script}${readFileSync(own.configPath, "utf8")}`);
    const peer = daemon(far, 100);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await logged("MASTER");
    peer.start();
    await watched.spooled.until("the peer to be there", (all) => all.of("wire.advert")[3]);
    rmSync(flag);
    await until("BACKUP", "outranked");
    await logged("BACKUP", 2);
    writeFileSync(flag, "");
    await logged("MASTER", 3);
    await watched.spooled.until(
      "the second mastership to be predicted",
      (all) => all.of("shadow.state").filter(({ body }) => body.state === "MASTER")[1],
    );
    const told = watched.spooled.of("script.result").map(({ body }) => `${body.outcome}${body.run ? " once" : ""}`);
    expect(told.slice(-2)).toEqual(["success once", "success"]);
    expect(divergences()).toEqual([]);
  }, 90_000);

  test("a master whose VRRP process is stopped is frozen until it runs again, and nothing else", async () => {
    const own = daemon(near, 150);
    const peer = daemon(far, 100);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await until("MASTER", "master-down");
    await logged("MASTER");
    peer.start();
    await watched.spooled.until("an advert", (all) => all.of("wire.advert")[2]);
    process.kill(own.vrrpPid, "SIGSTOP");
    const { body } = await diverges("frozen");
    expect(body.instance).toBe("VI_1");
    expect(body.message).toMatch(/^keepalived's VRRP process \d+ and with it VI_1 is stopped/);
    expect(body.evidence.map(({ source }) => source)).toEqual(["process"]);
    await watched.spooled.until("the peer's adverts", (all) =>
      all.of("wire.advert").find(({ body: { outgoing } }) => !outgoing),
    );
    process.kill(own.vrrpPid, "SIGCONT");
    await diverges("frozen", "end");
    expect(divergences()).toEqual(["begin frozen frozen", "end frozen frozen"]);
  }, 60_000);

  test("a daemon that is killed as a whole leaves its address on the interface, while the peer is master too", async () => {
    const own = daemon(near, 150);
    const peer = daemon(far, 100);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await until("MASTER", "master-down");
    await logged("MASTER");
    peer.start();
    await watched.spooled.until("its address", (all) =>
      all.of("kernel.address-added").find(({ body }) => body.address === VIP),
    );
    await own.killGroup();
    const { body } = await diverges("zombie-vip");
    expect(body).toMatchObject({ instance: "VI_1", reason: "daemon-gone" });
    expect(near.ip("addr", "show", "dev", "eth0")).toContain(`${VIP}/24`);
    expect(body.evidence.map(({ source }) => source)).toEqual(expect.arrayContaining(["process", "kernel"]));
    own.start();
    await diverges("zombie-vip", "end");
    await until("BACKUP", "start");
    expect(divergences()).toEqual(["begin zombie-vip daemon-gone", "end zombie-vip daemon-gone"]);
  }, 60_000);

  test("a backup whose firewall drops adverts becomes master although they reach the node", async () => {
    const own = daemon(near, 100);
    const peer = daemon(far, 150);
    watched = new Watched(own);
    await watched.start();
    peer.start();
    own.start();
    await watched.spooled.until("the peer's adverts", (all) =>
      all.of("wire.advert").find(({ body: { outgoing } }) => !outgoing),
    );
    await logged("BACKUP");
    nft(near, "input");
    const { body } = await diverges("socket-not-read");
    expect(body).toMatchObject({ instance: "VI_1", expected: "BACKUP" });
    expect(body.observed).toContain("its log says MASTER");
    expect(new Set(body.evidence.map(({ source }) => source))).toEqual(new Set(["shadow", "log", "wire", "kernel"]));
    expect(
      body.evidence.some(({ text }) => text.includes("hears from 10.99.0.12 an advert of VRID 51 with priority 150")),
    ).toBe(true);
    nftOff(near);
    await diverges("socket-not-read", "end");
    expect(divergences()).toEqual(["begin socket-not-read", "end socket-not-read"]);
  }, 60_000);

  test("a backup that becomes master with nothing in its log that tells why is one all the same", async () => {
    // Without -D it does not say that it heard nothing.
    const own = daemon(near, 100, { detail: [] });
    const peer = daemon(far, 150);
    watched = new Watched(own);
    await watched.start();
    peer.start();
    own.start();
    await watched.spooled.until("the peer's adverts", (all) =>
      all.of("wire.advert").find(({ body: { outgoing } }) => !outgoing),
    );
    await logged("BACKUP");
    nft(near, "input");
    const { body } = await diverges("unexpected-master");
    expect(body).toMatchObject({ instance: "VI_1", expected: "BACKUP" });
    expect(body.message).toContain("10.99.0.12 sends adverts with priority 150");
    nftOff(near);
    await diverges("unexpected-master", "end");
    expect(divergences()).toEqual(["begin unexpected-master", "end unexpected-master"]);
  }, 60_000);

  test("a master whose firewall drops what it sends is silent", async () => {
    const own = daemon(near, 150);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await logged("MASTER");
    await watched.spooled.until("its adverts", (all) => all.of("wire.advert")[1]);
    nft(near, "output");
    const { body } = await diverges("silent-master");
    expect(body).toMatchObject({ instance: "VI_1", expected: "MASTER: an advert every interval" });
    expect(new Set(body.evidence.map(({ source }) => source))).toEqual(new Set(["shadow", "log", "wire", "kernel"]));
    nftOff(near);
    await diverges("silent-master", "end");
    expect(divergences()).toEqual(["begin silent-master", "end silent-master"]);
  }, 60_000);

  test("a backup that gets no CPU does not take over when its master leaves, though its process seems to run", async () => {
    const own = daemon(near, 100);
    const peer = daemon(far, 150);
    watched = new Watched(own);
    await watched.start();
    peer.start();
    await peer.says(/Entering MASTER STATE/);
    own.start();
    await logged("BACKUP");
    const paused = new Paused(own.vrrpPid);
    try {
      await peer.stop();
      const { body } = await diverges("not-master");
      expect(body).toMatchObject({ instance: "VI_1", expected: "MASTER", observed: "BACKUP by its log" });
    } finally {
      paused.end();
    }
    await diverges("not-master", "end");
    expect(divergences()).toEqual(["begin not-master", "end not-master"]);
  }, 60_000);

  test("a reload that ends the master leaves its address, and nothing else is predicted of it", async () => {
    const own = daemon(near, 150);
    const peer = daemon(far, 100);
    const right = readFileSync(own.configPath, "utf8");
    watched = new Watched(own);
    await watched.start();
    own.start();
    await logged("MASTER");
    peer.start();
    await peer.says(/Entering BACKUP STATE/);
    await watched.spooled.until("its address", (all) =>
      all.of("kernel.address-added").find(({ body }) => body.address === VIP),
    );
    own.configure(right.replace("virtual_router_id 51", ""));
    process.kill(own.pid, "SIGHUP");
    const { body } = await diverges("zombie-vip");
    expect(body).toMatchObject({ instance: "VI_1", reason: "daemon-gone" });
    await peer.says(/Entering MASTER STATE/);
    expect(near.ip("addr", "show", "dev", "eth0")).toContain(`${VIP}/24`);
    // Whether the log's word of the reload or the process table's of its end is heard first is chance.
    expect(predicted()).toEqual([
      "BACKUP start",
      "MASTER master-down",
      expect.stringMatching(/^INIT (?:reload|died)$/),
    ]);
    own.configure(right);
    own.start();
    await diverges("zombie-vip", "end");
    expect(divergences()).toEqual(["begin zombie-vip daemon-gone", "end zombie-vip daemon-gone"]);
  }, 60_000);

  test("a daemon that ran before is followed from what it is found to be", async () => {
    const own = daemon(near, 100);
    const peer = daemon(far, 150);
    peer.start();
    await peer.says(/Entering MASTER STATE/);
    own.start();
    await own.says(/Entering BACKUP STATE/);
    watched = new Watched(own);
    await watched.start();
    await until("BACKUP", "seed");
    await peer.stop();
    await until("MASTER", "priority-zero");
    await logged("MASTER");
    await watched.stop();

    watched = new Watched(own);
    await watched.start();
    await until("MASTER", "seed");
    peer.start();
    await until("BACKUP", "outranked");
    await logged("BACKUP");
    expect(divergences()).toEqual([]);
  }, 60_000);

  test("a killed VRRP process has a successor that begins anew; a killed parent has none, and nobody takes over", async () => {
    const own = daemon(near, 100);
    watched = new Watched(own);
    await watched.start();
    own.start();
    await until("MASTER", "master-down");
    await logged("MASTER");
    process.kill(own.vrrpPid, "SIGKILL");
    await watched.spooled.until(
      "the second mastership",
      (all) => all.of("shadow.state").filter(({ body }) => body.state === "MASTER")[1],
    );
    await logged("MASTER", 3);
    expect(divergences()).toEqual([]);
    process.kill(own.pid, "SIGKILL");
    const { body } = await diverges("daemon-absent");
    expect(body.observed).toBe("no VRRP process");
    expect(near.ip("addr", "show", "dev", "eth0")).not.toContain(VIP);
    expect(divergences()).toEqual(["begin daemon-absent"]);
  }, 60_000);
});
