import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningCollector, runCollector } from "../../collector/app.ts";
import { parseCollectorConfig } from "../../collector/config.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { prometheusDashboards } from "../../dashboards/src/prometheus.ts";
import { batchesOf, endStray, NOW, type TestServer, testServer } from "../server/app/support.ts";
import { root } from "../support/process.ts";
import { queriesOf } from "./queries.ts";

const isMissing = spawnSync("prometheus", ["--version"]).error !== undefined;
if (isMissing) process.stderr.write("\nSKIPPED, the real Prometheus: apt-get install prometheus\n\n");

const recording = join(root, "server/demo/recording");
const LOG = "messages";
const RECORDED = [LOG, "capture.pcap", "keepalived.conf"];
const RULES = join(root, "dashboards/prometheus/keepwatch.rules.yml");

interface Exemplars {
  readonly data: readonly {
    readonly seriesLabels: Record<string, string>;
    readonly exemplars: readonly { readonly labels: Record<string, string>; readonly value: string }[];
  }[];
}

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

/** While both are master. */
const UNTIL = Date.parse("2026-11-24T12:32:22Z") * 1000;

/** The recording has no virtual servers: one of which a real server is down. */
const SERVER_DOWN: Event = {
  id: eventId("lb1", "log", "a real server"),
  cluster: "demo",
  node: "lb1",
  source: "log",
  ts: UNTIL - 2_000_000,
  tsUncertaintyUs: 0,
  observedTs: UNTIL,
  kind: "check.server-down",
  virtualServer: "10.99.0.100:80",
  realServer: "10.99.0.21:80",
  action: "removed",
};

describe.skipIf(isMissing)(
  "a real Prometheus that scrapes server and collector, with the demo's recording in them",
  () => {
    const dir = mkdtempSync(join(tmpdir(), "keepwatch-prometheus-"));
    let server: TestServer;
    const webhook = createHttpServer((request, response) => {
      request.resume().on("end", () => response.writeHead(204).end());
    });
    let collector: RunningCollector;
    let child: ChildProcess;
    let said = "";
    let url: string;

    const ask = async (query: string): Promise<Answer["data"]["result"]> => {
      const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`${query}: ${text}`);
      return (JSON.parse(text) as Answer).data.result;
    };

    beforeAll(async () => {
      webhook.listen(0, "127.0.0.1");
      await once(webhook, "listening");
      const { port: hook } = webhook.address() as AddressInfo;
      const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
      server = await testServer({
        toml: `[[alerts.webhooks]]\nname = "ops"\nurl = "http://127.0.0.1:${hook}/"\nsecret = "${secret}"\n`,
      });
      const { events } = await readInputs(
        ["lb1", "lb2"].flatMap((node) => RECORDED.map((name) => `${node}=${join(recording, node, name)}`)),
        { cluster: "demo", zone: "UTC", now: NOW },
      );
      for (const batch of batchesOf([...events.filter(({ ts }) => ts < UNTIL), SERVER_DOWN]))
        expect((await server.post(batch)).status).toBe(200);
      const log = join(dir, LOG);
      writeFileSync(log, "");
      const config = parseCollectorConfig("", "test", {
        node: "lb1",
        cluster: "live",
        server: { url: server.url },
        spool: { dir: join(dir, "spool") },
        logs: { files: [log], journal: false, zone: "UTC" },
        keepalived: { config: join(recording, "lb1", "keepalived.conf") },
        capture: { enabled: false },
        // The recording's daemons are not of this machine.
        process: { enabled: false },
        checks: { enabled: false },
        metrics: { listen: "127.0.0.1:0" },
      });
      collector = await runCollector(config, { clock: systemClock, log: () => undefined });
      // A log is read from where it ends when the collector first sees it.
      appendFileSync(log, readFileSync(join(recording, "lb1", LOG)));
      const free = createServer().listen(0, "127.0.0.1");
      await once(free, "listening");
      const { port } = free.address() as AddressInfo;
      await new Promise((done) => free.close(done));
      url = `http://127.0.0.1:${port}`;
      writeFileSync(
        join(dir, "prometheus.yml"),
        JSON.stringify({
          global: { scrape_interval: "1s", evaluation_interval: "1s" },
          rule_files: [RULES],
          scrape_configs: [
            { job_name: "keepwatch", static_configs: [{ targets: [new URL(server.url).host] }] },
            { job_name: "keepalived", static_configs: [{ targets: [`127.0.0.1:${collector.metricsPort()}`] }] },
          ],
        }),
      );
      child = spawn(
        "prometheus",
        [
          `--config.file=${dir}/prometheus.yml`,
          `--storage.tsdb.path=${dir}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          "--enable-feature=exemplar-storage",
        ],
        { stdio: ["ignore", "ignore", "pipe"] },
      );
      child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
    }, 120_000);

    afterAll(async () => {
      child?.kill("SIGTERM");
      if (child) await once(child, "exit");
      await collector?.stop();
      await endStray();
      webhook.close();
      rmSync(dir, { recursive: true, force: true });
    });

    test("both answer, without a complaint of its own", async () => {
      const bothUp = (): Promise<boolean> =>
        ask("count_over_time(up[1m]) > 1 and up == 1").then(
          (result) => result.length === 2,
          () => false,
        );
      // A rate is of two scrapes.
      await expect.poll(bothUp, { timeout: 60_000, interval: 250 }).toBe(true);
      const up = await ask("up");
      expect(up.map(({ metric, value }) => `${metric["job"]} ${value[1]}`).sort()).toEqual([
        "keepalived 1",
        "keepwatch 1",
      ]);
      expect(said).not.toMatch(/level=(?:warn|error)/);
    }, 90_000);

    test("the rules are loaded, and fire as the recording asks", async () => {
      interface Rules {
        readonly data: {
          readonly groups: readonly { readonly rules: readonly { name: string; health: string; state: string }[] }[];
        };
      }
      const loaded = async (): Promise<readonly { name: string; health: string; state: string }[]> =>
        ((await (await fetch(`${url}/api/v1/rules`)).json()) as Rules).data.groups.flatMap(({ rules }) => rules);
      await expect
        .poll(async () => (await loaded()).every(({ health }) => health === "ok"), { timeout: 30_000 })
        .toBe(true);
      const rules = await loaded();
      expect(rules).toHaveLength(9);
      const split = async (): Promise<string | undefined> =>
        (await loaded()).find(({ name }) => name === "KeepalivedSplitBrain")?.state;
      await expect.poll(split, { timeout: 15_000 }).toBe("firing");
    });

    const queries = Object.entries(prometheusDashboards()).flatMap(([name, dashboard]) => [
      ...queriesOf(dashboard, "expr").map((query) => [name, query] as const),
      ...queriesOf(dashboard.templating, "query")
        .filter((query) => query.startsWith("label_values("))
        .map((query) => [name, query.replace(/^label_values\((.*), (\w+)\)$/, "sum by ($2) ($1)")] as const),
    ]);
    test.each(queries)("%s: %s has data", async (_name, query) => {
      const asked = query.replaceAll("$__rate_interval", "1m").replaceAll(/\$\w+/g, ".+");
      await expect.poll(async () => (await ask(asked)).length, { timeout: 15_000 }).toBeGreaterThan(0);
    });

    test.each([
      ["keepwatch_incidents_total", { kind: "split-brain", severity: "critical" }],
      ["keepwatch_notification_delay_seconds_bucket", { receiver: "webhook" }],
      ["keepwatch_notification_delivery_seconds_bucket", { receiver: "webhook" }],
    ])("%s has exemplars that lead to incidents", async (name, labels) => {
      const asked = async (): Promise<Exemplars["data"]> => {
        const [to, from] = [Date.now() / 1000 + 60, Date.now() / 1000 - 600];
        const parameters = new URLSearchParams({ query: name, start: String(from), end: String(to) });
        return ((await (await fetch(`${url}/api/v1/query_exemplars?${parameters}`)).json()) as Exemplars).data;
      };
      const found = async (): Promise<readonly { readonly labels: Record<string, string> }[]> =>
        (await asked())
          .filter(({ seriesLabels }) => Object.entries(labels).every(([key, value]) => seriesLabels[key] === value))
          .flatMap(({ exemplars }) => exemplars);
      await expect.poll(async () => (await found()).length, { timeout: 15_000 }).toBeGreaterThan(0);
      for (const { labels: link } of await found()) {
        const { incident = "", path = "" } = link;
        expect(path).toBe(`/incidents/${incident}`);
        expect(await server.json(`/api/v1/incidents/${incident}`)).toMatchObject({ id: incident });
      }
    });

    test("the boards of a keepalived exporter have data of the collector", async () => {
      for (const query of [
        'keepalived_vrrp_state{job="keepalived"} == 2',
        'keepalived_become_master_total{job="keepalived"} > 0',
      ])
        await expect.poll(async () => (await ask(query)).map(({ metric }) => metric["iname"])).toContain("VI_1");
    });
  },
);
