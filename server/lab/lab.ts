import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { formatEpochUs } from "../../collector/core/time.ts";
import type { Incident } from "../detect/incident.ts";
import { compare, type Expectation, type Verdict } from "./compare.ts";
import { LabNetwork, removeRemains, SERVER_ADDRESS } from "./network.ts";
import { LabHost } from "./node.ts";
import { type Scenario, type Stage, VIP } from "./scenarios.ts";
import { openDoor, ServerClient } from "./server-client.ts";
import { endProcess, follow, isInstalled } from "./shell.ts";
import { VipTruth } from "./truth.ts";

const SERVER_PORT = 8080;
const WEBHOOK_PORT = 8081;
/** How long the server may take, after the scenario, to come to its final word. */
const VERDICT_DEADLINE_S = 20;
/** How long nothing is done before and after the scenario. */
const QUIET_S = 2;
const QUIET_RECORDED_S = 10;
const NEEDED: readonly { command: string; debianPackage: string }[] = [
  { command: "ip", debianPackage: "iproute2" },
  { command: "unshare", debianPackage: "util-linux" },
  { command: "nsenter", debianPackage: "util-linux" },
  { command: "keepalived", debianPackage: "keepalived" },
  { command: "rsyslogd", debianPackage: "rsyslog" },
  { command: "tcpdump", debianPackage: "tcpdump" },
];

export interface LabOptions {
  readonly scenario: Scenario;
  readonly say: (line: string) => void;
  /** Keep each node's log, capture and configuration here, for `keepwatch analyze` and for the demo. */
  readonly record?: string;
  /** Ends the run early and cleans up. */
  readonly signal: AbortSignal;
}

export interface WebhookReceipt {
  readonly receivedTs: number;
  readonly payload: {
    readonly status: string;
    readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
  };
}

export interface LabResult {
  readonly verdict: Verdict;
  readonly expected: readonly Expectation[];
  readonly incidents: readonly Incident[];
  readonly webhooks: readonly WebhookReceipt[];
  /** When the trunk was first cut, epoch microseconds. */
  readonly trunkCutTs: number | undefined;
}

export async function checkLabCanRun(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new OperatorError("LAB_ROOT", "the laboratory builds network namespaces, which needs root", {
      remedy: "Run it with sudo",
    });
  const missing: string[] = [];
  for (const { command, debianPackage } of NEEDED) if (!(await isInstalled(command))) missing.push(debianPackage);
  if (missing.length > 0) {
    const names = [...new Set(missing)].join(" ");
    throw new OperatorError("LAB_MISSING", `the laboratory needs programs that are not installed: ${names}`, {
      remedy: `apt-get install --no-install-recommends ${names}`,
    });
  }
}

/** Builds the network, plays the scenario with real daemons and compares what keepwatch found with what was done. Leaves nothing behind. */
export async function runLab(options: LabOptions): Promise<LabResult> {
  await checkLabCanRun();
  for (const name of await removeRemains()) options.say(`removed the remains of an earlier laboratory: ${name}`);
  const lab = new Laboratory(options);
  try {
    return await lab.play();
  } finally {
    await lab.tearDown();
  }
}

class Laboratory {
  private readonly options: LabOptions;
  private readonly network: LabNetwork;
  private readonly truth = new VipTruth(VIP);
  private readonly started: ChildProcess[] = [];
  private readonly webhooks: WebhookReceipt[] = [];
  private readonly secret = `whsec_${randomBytes(24).toString("base64")}`;
  private hosts: LabHost[] = [];
  private dir = "";
  private closeDoor: (() => void) | undefined;
  private trunkCutTs: number | undefined;
  private readonly beganTs = systemClock.epoch();

  constructor(options: LabOptions) {
    this.options = options;
    this.network = new LabNetwork(`kw${process.pid}`, options.scenario.nodes);
  }

  async play(): Promise<LabResult> {
    const { scenario } = this.options;
    this.say(`scenario ${scenario.name}: ${scenario.about}`);
    this.dir = await mkdtemp(join(tmpdir(), "keepwatch-lab-"));
    await this.network.build();
    this.hosts = this.network.nodes.map((node) => new LabHost(node, this.dir));
    await Promise.all(this.hosts.map((host) => host.boot()));
    const client = await this.startServer();
    const door = await openDoor(join(this.dir, "server.sock"));
    this.closeDoor = () => door.close();
    this.say(`timeline: ${door.url}`);
    for (const host of this.hosts) await this.startNode(host);
    await this.until("lb1 to be master", 20, () => this.truth.holders().join() === "lb1");
    await this.until("the server to see lb1 as the one master", 20, async () =>
      (await client.routers()).some((r) => r.masters.join() === "lb1"),
    );
    // A recording shows the quiet before and after, too.
    const quietSeconds = this.options.record ? QUIET_RECORDED_S : QUIET_S;
    await this.letRun(quietSeconds);
    const expected = await scenario.play(this.stage());
    await this.letRun(quietSeconds);
    const { verdict, incidents } = await this.judge(client, expected);
    if (this.options.record) await this.keepRecording(this.options.record);
    return { verdict, expected, incidents, webhooks: this.webhooks, trunkCutTs: this.trunkCutTs };
  }

  async tearDown(): Promise<void> {
    this.closeDoor?.();
    await this.truth.stop();
    await Promise.all(this.hosts.map((host) => host.shutDown()));
    await Promise.all(this.started.map((child) => endProcess(child)));
    await this.network.remove();
    if (this.dir) await rm(this.dir, { recursive: true, force: true });
  }

  /** The server's last word may come a heartbeat after the deed: ask until it agrees, or until the deadline. */
  private async judge(
    client: ServerClient,
    expected: readonly Expectation[],
  ): Promise<{ verdict: Verdict; incidents: readonly Incident[] }> {
    const deadline = systemClock.mono() + VERDICT_DEADLINE_S * 1_000_000;
    for (;;) {
      const incidents = await client.incidents();
      const verdict = compare(expected, incidents);
      if (verdict.agrees || systemClock.mono() > deadline) return { verdict, incidents };
      await this.letRun(0.5);
    }
  }

  private async startServer(): Promise<ServerClient> {
    const socket = join(this.dir, "server.sock");
    const tokens = this.network.nodes.map(
      (node) =>
        `[[ingest.tokens]]\nnode = "${node.name}"\nsha256 = "${createHash("sha256").update(this.tokenOf(node.name)).digest("hex")}"\n`,
    );
    const config = `[listen]
host = "${SERVER_ADDRESS}"
port = ${SERVER_PORT}
socket = "${socket}"

[storage]
path = "${join(this.dir, "store")}"

[alerts]
mail_from_keepalived_conf = false

[[alerts.webhooks]]
name = "lab"
url = "http://${SERVER_ADDRESS}:${WEBHOOK_PORT}/"
secret = "${this.secret}"

${tokens.join("\n")}`;
    const path = join(this.dir, "server.toml");
    await writeFile(path, config, { mode: 0o600 });
    const inServerNetns = ["netns", "exec", this.network.serverNetns, process.execPath];
    const sink = fileURLToPath(new URL("webhook-sink.js", import.meta.url));
    this.started.push(
      follow("ip", [...inServerNetns, sink, SERVER_ADDRESS, String(WEBHOOK_PORT), this.secret], (line, stream) =>
        this.onWebhook(line, stream),
      ),
    );
    const server = follow("ip", [...inServerNetns, keepwatchBin(), "server", "--config", path], (line) =>
      this.say(`server: ${line}`),
    );
    this.started.push(server);
    const client = new ServerClient(socket);
    await this.until("the server to be ready", 60, () => {
      if (server.exitCode !== null)
        throw new OperatorError("LAB_SERVER", `the server ended with status ${server.exitCode}`);
      return client.isReady();
    });
    return client;
  }

  private async startNode(host: LabHost): Promise<void> {
    const { node } = host;
    const config = `cluster = "lab"
node = "${node.name}"
heartbeat_seconds = 1

[server]
url = "http://${SERVER_ADDRESS}:${SERVER_PORT}"
token = "${this.tokenOf(node.name)}"

[spool]
dir = "${host.path("spool")}"

[logs]
files = ["/var/log/messages"]
journal = false
`;
    await writeFile(host.path("collector.toml"), config, { mode: 0o600 });
    await host.writeConfig(
      keepalivedConf(
        node.name,
        this.network.nodes.findIndex((n) => n.name === node.name),
      ),
    );
    this.truth.watch(node.name, node.netns, (name, holds, ts) =>
      this.say(`truth: ${name} ${holds ? "holds" : "gave up"} ${VIP}`, ts),
    );
    if (this.options.record) {
      host.start(
        () => undefined,
        "tcpdump",
        "-i",
        "any",
        "-n",
        "-U",
        "--immediate-mode",
        "-Z",
        "root",
        "-w",
        host.capturePath,
        "ip proto 112 or ip6 proto 112",
      );
    }
    host.start(
      (line) => this.say(`${node.name} collector: ${line}`),
      process.execPath,
      keepwatchBin(),
      "collector",
      "--config",
      host.path("collector.toml"),
    );
    await host.startKeepalived("-P");
    this.say(`${node.name}: keepalived started`);
  }

  private stage(): Stage {
    const host = (name: string): LabHost => {
      const found = this.hosts.find((h) => h.node.name === name);
      if (!found) throw new OperatorError("LAB_SCENARIO", `the scenario names ${name}, which is no node of it`);
      return found;
    };
    return {
      truth: this.truth,
      nodes: this.hosts.map((h) => h.node.name),
      say: (text) => this.say(text),
      now: () => systemClock.epoch(),
      cutTrunk: async () => {
        this.trunkCutTs ??= systemClock.epoch();
        await this.network.cutTrunk();
        this.say("deed: the trunk between the switches is cut");
      },
      healTrunk: async () => {
        await this.network.healTrunk();
        this.say("deed: the trunk is healed");
      },
      setCable: async (name, plugged) => {
        await this.network.setCable(host(name).node, plugged);
        this.say(`deed: the cable of ${name} is ${plugged ? "plugged in" : "pulled"}`);
      },
      startKeepalived: async (name) => {
        this.say(`deed: keepalived is started on ${name}`);
        await host(name).startKeepalived("-P");
      },
      stopKeepalived: async (name) => {
        this.say(`deed: keepalived is stopped on ${name}`);
        await host(name).stopKeepalived();
      },
      configure: async (name, spoil) => {
        const good = keepalivedConf(
          name,
          this.hosts.findIndex((h) => h.node.name === name),
        );
        await host(name).writeConfig(spoil ? spoil(good) : good);
        this.say(`deed: keepalived.conf of ${name} is ${spoil ? "spoiled" : "mended"}`);
      },
      until: (what, seconds, holds) => this.until(what, seconds, holds),
      letRun: (seconds) => this.letRun(seconds),
    };
  }

  private async until(what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = systemClock.mono() + seconds * 1_000_000;
    while (!(await holds())) {
      if (systemClock.mono() > deadline)
        throw new OperatorError("LAB_SCENARIO", `waited ${seconds} s in vain for ${what}`);
      await this.letRun(0.05);
    }
  }

  private letRun(seconds: number): Promise<void> {
    const { signal } = this.options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(interrupted());
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(interrupted());
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, seconds * 1000);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  private onWebhook(line: string, stream: "out" | "err"): void {
    if (stream === "err") return this.say(`webhook receiver: ${line}`);
    const receipt = JSON.parse(line) as WebhookReceipt;
    this.webhooks.push(receipt);
    const names = receipt.payload.alerts.map((alert) => alert.labels["alertname"] ?? "?").join(", ");
    this.say(`webhook received: ${names} ${receipt.payload.status}`);
  }

  private async keepRecording(target: string): Promise<void> {
    for (const host of this.hosts) {
      const dir = join(target, host.node.name);
      await mkdir(dir, { recursive: true });
      await cp(host.logPath, join(dir, "messages"));
      await cp(host.capturePath, join(dir, "capture.pcap"));
      await cp(host.configPath, join(dir, "keepalived.conf"));
    }
    this.say(`recorded to ${target}`);
  }

  private tokenOf(node: string): string {
    return createHash("sha256").update(`${this.secret}/${node}`).digest("hex");
  }

  private say(text: string, ts: number = systemClock.epoch()): void {
    const seconds = (ts - this.beganTs) / 1_000_000;
    this.options.say(
      `${formatEpochUs(ts as ReturnType<typeof systemClock.epoch>).slice(11, 23)} ${seconds.toFixed(2).padStart(7)}s  ${text}`,
    );
  }
}

/** The executable beside this file once it is compiled. */
function keepwatchBin(): string {
  return fileURLToPath(new URL("../main.js", import.meta.url));
}

const interrupted = (): OperatorError =>
  new OperatorError("LAB_INTERRUPTED", "interrupted; the laboratory was taken down");

function keepalivedConf(node: string, index: number): string {
  return `global_defs {
    router_id ${node}
}

vrrp_instance VI_1 {
    state ${index === 0 ? "MASTER" : "BACKUP"}
    interface eth0
    virtual_router_id 51
    priority ${150 - 50 * index}
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass k33pw4tc
    }
    virtual_ipaddress {
        ${VIP}/24
    }
}
`;
}
