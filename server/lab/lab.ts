import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { formatEpochUs } from "../../collector/core/time.ts";
import type { Incident } from "../detect/incident.ts";
import { type Answer, describeView, viewOf } from "./client-view.ts";
import { compare, type Expectation, isEvent, type Verdict } from "./compare.ts";
import { LabHost, LabNode } from "./host.ts";
import type { MailReceipt } from "./mail.ts";
import { LabNetwork, type Place, removeRemains, SERVER_ADDRESS } from "./network.ts";
import { checkLabCanRun } from "./programs.ts";
import type { Scenario, Stage } from "./scenario.ts";
import { openDoor, ServerClient } from "./server-client.ts";
import { collectorToml, serverToml, WEBHOOK_PORT } from "./settings.ts";
import { endProcess, follow } from "./shell.ts";
import { VipTruth } from "./truth.ts";

/** How long the server may take, after the scenario, to come to its final word. */
const VERDICT_DEADLINE_S = 20;
/** How long nothing is done before and after the scenario. */
const QUIET_S = 2;
const QUIET_RECORDED_S = 10;
/** The client asks this often, and waits this long for an answer. */
const CLIENT_EVERY_MS = 50;
const CLIENT_TIMEOUT_MS = 1_000;
const SMTP_PORT = 25;

export interface LabOptions {
  readonly scenario: Scenario;
  readonly say: (line: string) => void;
  /** Keep each node's log, capture and configuration here, for `keepwatch analyze` and for the demo. */
  readonly record?: string;
  /** After the verdict, leave everything running until `signal`, so that the timeline can be looked at. */
  readonly keep?: boolean;
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
  readonly mails: readonly MailReceipt[];
  /** When the trunk was first cut, epoch microseconds. */
  readonly trunkCutTs: number | undefined;
}

/** Builds the network, plays the scenario with real daemons and compares what keepwatch found with what was done. Leaves nothing behind. */
export async function runLab(options: LabOptions): Promise<LabResult> {
  await checkLabCanRun(options.scenario);
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
  private readonly truth: VipTruth;
  private readonly started: ChildProcess[] = [];
  private readonly webhooks: WebhookReceipt[] = [];
  private readonly mails: MailReceipt[] = [];
  private readonly answers: Answer[] = [];
  private readonly secret = `whsec_${randomBytes(24).toString("base64")}`;
  private nodes: LabNode[] = [];
  private hosts: LabHost[] = [];
  private dir = "";
  private closeDoor: (() => void) | undefined;
  private trunkCutTs: number | undefined;
  private readonly beganTs = systemClock.epoch();

  constructor(options: LabOptions) {
    this.options = options;
    const { nodes, hosts = [], vip } = options.scenario;
    this.network = new LabNetwork(`kw${process.pid}`, [...nodes, ...hosts]);
    this.truth = new VipTruth(vip);
  }

  async play(): Promise<LabResult> {
    const { scenario } = this.options;
    const first = scenario.nodes[0]?.name ?? "";
    this.say(`scenario ${scenario.name}: ${scenario.about}`);
    this.dir = await mkdtemp(join(tmpdir(), "keepwatch-lab-"));
    await this.network.build();
    await this.bootHosts();
    const client = await this.startServer();
    const door = await openDoor(join(this.dir, "server.sock"));
    this.closeDoor = () => door.close();
    this.say(`timeline: ${door.url}`);
    for (const node of this.nodes) await this.startNode(node);
    await this.until(`${first} to be master`, 20, () => this.truth.isHeldBy(first));
    await this.until(`the server to see ${first} as the one master`, 20, async () =>
      (await client.routers()).some((r) => r.masters.join() === first),
    );
    this.startClient();
    // A recording shows the quiet before and after, too.
    const quietSeconds = this.options.record ? QUIET_RECORDED_S : QUIET_S;
    await this.letRun(quietSeconds);
    const expected = await scenario.play(this.stage(client));
    await this.letRun(quietSeconds);
    const { verdict, incidents } = await this.judge(client, expected);
    if (this.options.record) await this.keepRecording(this.options.record);
    if (this.options.keep) await this.lookAt(door.url, verdict);
    const { webhooks, mails, trunkCutTs } = this;
    return { verdict, expected, incidents, webhooks, mails, trunkCutTs };
  }

  async tearDown(): Promise<void> {
    this.closeDoor?.();
    await this.truth.stop();
    await Promise.all(this.hosts.map((host) => host.shutDown()));
    await Promise.all(this.started.map((child) => endProcess(child)));
    await this.network.remove();
    if (this.dir) await rm(this.dir, { recursive: true, force: true });
  }

  private async bootHosts(): Promise<void> {
    const { nodes, hosts = [] } = this.options.scenario;
    this.nodes = nodes.map((spec) => new LabNode(spec, this.placeOf(spec.name).netns, this.dir));
    this.hosts = [...this.nodes, ...hosts.map((spec) => new LabHost(spec, this.placeOf(spec.name).netns, this.dir))];
    await Promise.all(this.hosts.map((host) => host.boot()));
    const { mail } = this.options.scenario;
    if (mail !== undefined) await this.startMailServer(mail);
  }

  private async startMailServer(mail: string): Promise<void> {
    const host = this.hostNamed(mail);
    await new Promise<void>((resolve, reject) => {
      const said: string[] = [];
      const onLine = (line: string, stream: "out" | "err"): void => {
        if (stream === "err") return void said.push(line);
        if (line === '"ready"') return resolve();
        const receipt = JSON.parse(line) as MailReceipt;
        this.mails.push(receipt);
        this.say(`mail to ${receipt.to.join(", ")} from ${receipt.from}: ${receipt.subject}`);
      };
      host
        .start(
          onLine,
          process.execPath,
          insideProgram("mail-sink"),
          this.placeOf(mail).managementAddress,
          String(SMTP_PORT),
        )
        .once("exit", () =>
          reject(new OperatorError("LAB_MAIL", `the mail server did not start: ${said.join(" ").slice(0, 500)}`)),
        );
    });
  }

  /** The server's last word may come a heartbeat after the deed: ask until it agrees, or until the deadline. */
  private async judge(
    client: ServerClient,
    expected: readonly Expectation[],
  ): Promise<{ verdict: Verdict; incidents: readonly Incident[] }> {
    const deadline = systemClock.mono() + VERDICT_DEADLINE_S * 1_000_000;
    const kinds = [...new Set(expected.filter(isEvent).map(({ event }) => event))];
    for (;;) {
      const incidents = await client.incidents();
      const events = kinds.length === 0 ? [] : await client.events(kinds, this.beganTs);
      const verdict = compare(expected, { incidents, events, mails: this.mails });
      if (verdict.agrees || systemClock.mono() > deadline) return { verdict, incidents };
      await this.letRun(0.5);
    }
  }

  private async lookAt(url: string, { agrees, lines }: Verdict): Promise<void> {
    for (const line of lines) this.options.say(line);
    this.say(`${agrees ? "agrees" : "does NOT agree"}; kept until it is interrupted: ${url}`);
    const { signal } = this.options;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }

  private async startServer(): Promise<ServerClient> {
    const socket = join(this.dir, "server.sock");
    const path = join(this.dir, "server.toml");
    const settings = serverToml({
      socket,
      store: join(this.dir, "store"),
      secret: this.secret,
      nodes: this.nodes.map(({ name }) => name),
      mail: this.options.scenario.mail !== undefined,
    });
    await writeFile(path, settings, { mode: 0o600 });
    const inServerNetns = ["netns", "exec", this.network.serverNetns, process.execPath];
    this.started.push(
      follow(
        "ip",
        [...inServerNetns, insideProgram("webhook-sink"), SERVER_ADDRESS, String(WEBHOOK_PORT), this.secret],
        (line, stream) => this.onWebhook(line, stream),
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

  private async startNode(node: LabNode): Promise<void> {
    const { name } = node;
    await writeFile(node.path("collector.toml"), collectorToml(name, this.secret, node.path("spool")), { mode: 0o600 });
    await node.configure();
    const { vip } = this.options.scenario;
    this.truth.watch(name, this.placeOf(name).netns, (who, holds, ts) =>
      this.say(`truth: ${who} ${holds ? "holds" : "gave up"} ${vip}`, ts),
    );
    if (this.options.record) {
      node.start(
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
        node.capturePath,
        "ip proto 112 or ip6 proto 112",
      );
    }
    node.start(
      (line) => this.say(`${name} collector: ${line}`),
      process.execPath,
      keepwatchBin(),
      "collector",
      "--config",
      node.path("collector.toml"),
    );
    this.said(name, "keepalived started", await node.startKeepalived());
  }

  private startClient(): void {
    const { client } = this.options.scenario;
    if (!client) return;
    this.hostNamed(client.host).start(
      (line, stream) => {
        if (stream === "err") return this.say(`client: ${line}`);
        this.answers.push(JSON.parse(line) as Answer);
      },
      process.execPath,
      insideProgram("web-client"),
      client.url,
      String(CLIENT_EVERY_MS),
      String(CLIENT_TIMEOUT_MS),
    );
  }

  private stage(client: ServerClient): Stage {
    return {
      truth: this.truth,
      nodes: this.nodes.map(({ name }) => name),
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
      loseAdverts: async (name) => {
        await this.network.loseAdverts(name === undefined ? undefined : this.placeOf(name));
        this.say(`deed: the switch loses ${name === undefined ? "nothing any more" : `what ${name} advertises`}`);
      },
      setCable: async (name, plugged) => {
        await this.network.setCable(this.placeOf(name), plugged);
        this.say(`deed: the cable of ${name} is ${plugged ? "plugged in" : "pulled"}`);
      },
      startKeepalived: async (name) => {
        this.say(`deed: keepalived is started on ${name}`);
        this.said(name, "the start reported success", await this.nodeNamed(name).startKeepalived());
      },
      stopKeepalived: async (name) => {
        this.say(`deed: keepalived is stopped on ${name}`);
        await this.nodeNamed(name).stopKeepalived();
      },
      restartKeepalived: async (name) => {
        this.say(`deed: keepalived is restarted on ${name}`);
        this.said(name, "the restart reported success", await this.nodeNamed(name).restartKeepalived());
      },
      reloadKeepalived: async (name) => {
        this.say(`deed: keepalived is reloaded on ${name}`);
        this.said(name, "the reload reported success", await this.nodeNamed(name).reloadKeepalived());
      },
      configure: async (name, change) => {
        await this.nodeNamed(name).configure(change);
        this.say(`deed: keepalived.conf of ${name} is ${change ? "changed" : "as it was"}`);
      },
      exec: (name, command, ...args) => this.hostNamed(name).exec(command, ...args),
      write: (name, path, text) => this.hostNamed(name).write(path, text),
      watched: async (title, deed) => {
        this.say(`deed: ${title}`);
        const from = systemClock.epoch();
        await deed();
        const to = systemClock.epoch();
        // What was asked last is answered, or given up.
        await this.letRun(CLIENT_TIMEOUT_MS / 1000);
        const view = viewOf(this.answers, from, to);
        this.say(`client, ${title}: ${describeView(view)}`);
        return view;
      },
      masters: async () => (await client.routers()).flatMap(({ masters }) => masters),
      events: (kinds, from) => client.events(kinds, from),
      until: (what, seconds, holds) => this.until(what, seconds, holds),
      letRun: (seconds) => this.letRun(seconds),
    };
  }

  private placeOf(name: string): Place {
    return this.network.places.find((place) => place.name === name) ?? fail(name);
  }

  private hostNamed(name: string): LabHost {
    return this.hosts.find((host) => host.name === name) ?? fail(name);
  }

  private nodeNamed(name: string): LabNode {
    return this.nodes.find((node) => node.name === name) ?? fail(name);
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
    for (const node of this.nodes) {
      const dir = join(target, node.name);
      await mkdir(dir, { recursive: true });
      await cp(node.logPath, join(dir, "messages"));
      await cp(node.capturePath, join(dir, "capture.pcap"));
      await cp(node.configPath, join(dir, "keepalived.conf"));
    }
    this.say(`recorded to ${target}`);
  }

  /** What a starter printed, behind what it comes to. */
  private said(name: string, what: string, output: string): void {
    const words = output.replaceAll(/\s+/g, " ").trim();
    this.say(`${name}: ${what}${words === "" ? "" : `, and said: ${words}`}`);
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

/** A program of the laboratory's that runs on one of its hosts, once compiled. */
function insideProgram(name: string): string {
  return fileURLToPath(new URL(`inside/${name}.js`, import.meta.url));
}

function fail(name: string): never {
  throw new OperatorError("LAB_SCENARIO", `the scenario names ${name}, which is no host of it`);
}

const interrupted = (): OperatorError =>
  new OperatorError("LAB_INTERRUPTED", "interrupted; the laboratory was taken down");
