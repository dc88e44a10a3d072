import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, keepwatchBin, Running } from "../support/process.ts";

/** Who watches the watchmen: a collector that is killed is told of, and the server itself says elsewhere that it lives. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-silent-"));
const secret = `whsec_${Buffer.from("a secret of twenty-four b").toString("base64")}`;
/** Silence takes 60 s to be one beside others, 75 s alone; the rest is for a machine with much else to do. */
const SILENCE_MS = 240_000;

interface Alert {
  readonly status: string;
  readonly fingerprint: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}
const told: Alert[] = [];
const beats: {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly status: string;
  readonly at: string;
}[] = [];
const running: Running[] = [];
let receiver: Server;
let monitoring: Server;
let server: Running;
let url: string;

const textOf = async (req: IncomingMessage): Promise<string> => {
  let text = "";
  for await (const chunk of req.setEncoding("utf8")) text += chunk;
  return text;
};

const listen = async (hear: (req: IncomingMessage, text: string) => void): Promise<[Server, number]> => {
  const made = createServer((req, res) => {
    void textOf(req).then((text) => {
      hear(req, text);
      res.writeHead(204).end();
    });
  });
  made.listen(0, "127.0.0.1");
  await once(made, "listening");
  return [made, (made.address() as AddressInfo).port];
};

const run = (...args: string[]): Running => {
  const made = new Running(process.execPath, [keepwatchBin, ...args]);
  running.push(made);
  return made;
};

const collect = async (cluster: string, node: string): Promise<Running> => {
  const home = join(dir, cluster, node);
  mkdirSync(home, { recursive: true });
  appendFileSync(join(home, "messages"), "");
  const config = join(home, "collector.toml");
  writeFileSync(
    config,
    `cluster = "${cluster}"\nnode = "${node}"\nheartbeat_seconds = 0.2\n[server]\nurl = "${url}"\n[spool]\ndir = "${home}/spool"
[logs]\nfiles = ["${home}/messages"]\njournal = false\n[capture]\nenabled = false\n[addresses]\nenabled = false\n[shadow]\nenabled = false
[process]\nenabled = false\n[checks]\nenabled = false\n[keepalived]\nwatch = false\n`,
  );
  const collector = run("collector", "--config", config);
  await collector.printed(/keepwatch collector of/);
  return collector;
};

/** Whose collectors the server has heard of, and of what happened since then, microseconds. */
const heard = async (since = 0): Promise<string[]> => {
  const nodes = (await (await fetch(`${url}api/v1/nodes`)).json()) as {
    node: string;
    startedTs: number | null;
    lastSeenTs: number;
  }[];
  return nodes.filter(({ startedTs, lastSeenTs }) => startedTs !== null && lastSeenTs > since).map(({ node }) => node);
};

beforeAll(async () => {
  let hookPort: number;
  let beatPort: number;
  [receiver, hookPort] = await listen((req, text) => {
    const payload = new Webhook(secret).verify(text, req.headers as Record<string, string>) as { alerts: Alert[] };
    told.push(...payload.alerts);
  });
  [monitoring, beatPort] = await listen(({ method, url: path }, text) =>
    beats.push({ method, path, ...(JSON.parse(text) as { status: string; at: string }) }),
  );
  writeFileSync(
    join(dir, "server.toml"),
    `[listen]\nport = 0\n[storage]\npath = "${join(dir, "store")}"
[alerts]\nheartbeat_url = "http://127.0.0.1:${beatPort}/ping"\nheartbeat_seconds = 10
[[alerts.webhooks]]\nname = "test"\nurl = "http://127.0.0.1:${hookPort}/hook"\nsecret = "${secret}"\n`,
  );
  server = run("server", "--config", join(dir, "server.toml"));
  [, url = ""] = await server.printed(/timeline at (http:\S+)/);
}, 90_000);

afterAll(async () => {
  for (const process of [...running].reverse()) await process.end("SIGKILL");
  receiver.close();
  monitoring.close();
  rmSync(dir, { recursive: true, force: true });
});

test("a collector that is killed is told of once, by name, until it is back; and the server's heartbeat goes on meanwhile", async () => {
  await collect("pair", "lb1");
  const killed = [await collect("pair", "lb2"), await collect("lone", "lb3")];
  await eventually("all three to be heard of", async () => ((await heard()).length === 3 ? true : undefined), 60_000);
  for (const collector of killed) await collector.end("SIGKILL");
  const beatsBefore = beats.length;
  const silent = ["lb2", "lb3"];
  const all = (status: string): Promise<true> =>
    eventually(
      `both to be ${status}`,
      async () =>
        silent.every((node) => told.some(({ labels, ...alert }) => labels.node === node && alert.status === status))
          ? true
          : undefined,
      SILENCE_MS,
    );
  await all("firing");
  for (const { annotations, labels } of told) {
    expect(annotations.cause_code).toBe("collector-silent");
    expect(annotations.summary).toContain(`What happens on ${labels.node} cannot be seen since`);
  }
  await collect("pair", "lb2");
  await collect("lone", "lb3");
  await all("resolved");
  // Until all that the three know has been concluded from, and told.
  const back = Date.now() * 1000;
  await eventually("all three to be seen after that", async () =>
    (await heard(back)).length === 3 ? true : undefined,
  );
  await eventually("all to be sent", async () => {
    const rows = (await (await fetch(`${url}api/v1/deliveries`)).json()) as { status: string }[];
    return rows.some(({ status }) => status === "pending") ? undefined : true;
  });
  const story = (node: string): string[] =>
    told
      .filter(({ labels }) => labels.node === node)
      .map(({ status, labels, annotations }) => `${status} ${labels.alertname} ${annotations.cause}`);
  expect(told).toHaveLength(4);
  for (const node of silent)
    expect(story(node)).toEqual([
      "firing blind-spot nothing is heard of its collector",
      "resolved blind-spot the collector did not run",
    ]);
  for (const node of silent)
    expect(new Set(told.filter(({ labels }) => labels.node === node).map(({ fingerprint }) => fingerprint)).size).toBe(
      1,
    );

  // Six are due in a silence.
  expect(beats.length - beatsBefore).toBeGreaterThanOrEqual(3);
  expect(new Set(beats.map(({ at }) => at)).size).toBe(beats.length);
  for (const beat of beats) expect(beat).toMatchObject({ method: "POST", path: "/ping", status: "alive" });
}, 600_000);
