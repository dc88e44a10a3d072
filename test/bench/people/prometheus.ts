import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createProbe, type AddressInfo } from "node:net";
import { join } from "node:path";

export interface Settings {
  readonly name: string;
  /** As Prometheus writes them: `15s`. */
  readonly scrape: string;
  readonly evaluation: string;
  readonly groupWait: string;
}

/** Prometheus and Alertmanager as packaged, with the intervals their documentation shows. */
export const DEFAULTS: Settings = { name: "with its defaults", scrape: "15s", evaluation: "15s", groupWait: "30s" };
export const SECONDS: Settings = { name: "at 1 s", scrape: "1s", evaluation: "1s", groupWait: "0s" };

/** A pair of nodes a target, so that each is scraped at a phase of its own, as a fleet is. */
export interface Watched {
  /** Two masters from now on, milliseconds of performance.now(). */
  split(index: number): void;
  /** When the webhook about it came; undefined: not yet. */
  receivedAt(index: number): number | undefined;
  stop(): Promise<void>;
}

export async function watch(dir: string, pairs: number, settings: Settings): Promise<Watched> {
  mkdirSync(dir, { recursive: true });
  const masters = Array.from({ length: pairs }, () => 1);
  const received = new Map<number, number>();
  const exporter = createServer((request, response) => {
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const now = performance.now();
        const { alerts } = JSON.parse(Buffer.concat(chunks).toString()) as {
          alerts: { status: string; labels: { pair: string } }[];
        };
        for (const { status, labels } of alerts)
          if (status === "firing" && !received.has(Number(labels.pair))) received.set(Number(labels.pair), now);
        response.end();
      });
      return;
    }
    const index = Number(request.url?.slice("/pair/".length));
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(
      `# TYPE keepalived_vrrp_state gauge\nkeepalived_vrrp_state{node="lb1"} 2\nkeepalived_vrrp_state{node="lb2"} ${masters[index] === 2 ? 2 : 1}\n`,
    );
  });
  exporter.listen(0, "127.0.0.1");
  await once(exporter, "listening");
  const exporterPort = (exporter.address() as AddressInfo).port;
  const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()];
  const jobs = masters.map(
    (_, index) => `- job_name: pair-${index}
  metrics_path: /pair/${index}
  static_configs: [{ targets: ['127.0.0.1:${exporterPort}'], labels: { pair: '${index}' } }]`,
  );
  const { scrape, evaluation, groupWait } = settings;
  writeFileSync(
    join(dir, "rules.yml"),
    "groups:\n- name: keepalived\n  rules:\n  - alert: SplitBrain\n    expr: count by (pair) (keepalived_vrrp_state == 2) > 1\n",
  );
  writeFileSync(
    join(dir, "prometheus.yml"),
    `global: { scrape_interval: ${scrape}, scrape_timeout: 1s, evaluation_interval: ${evaluation} }
rule_files: ['${join(dir, "rules.yml")}']
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanagerPort}'] }] }] }
scrape_configs:
${jobs.join("\n")}
`,
  );
  writeFileSync(
    join(dir, "alertmanager.yml"),
    `route: { receiver: hook, group_by: [pair], group_wait: ${groupWait}, group_interval: 5m, repeat_interval: 4h }
receivers: [{ name: hook, webhook_configs: [{ url: 'http://127.0.0.1:${exporterPort}/hook' }] }]
`,
  );
  const log = openSync(join(dir, "log"), "w");
  const start = (program: string, ...args: string[]): ChildProcess =>
    spawn(program, args, { stdio: ["ignore", log, log] });
  const programs = [
    start(
      "prometheus",
      `--config.file=${join(dir, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
    ),
    start(
      "prometheus-alertmanager",
      `--config.file=${join(dir, "alertmanager.yml")}`,
      `--storage.path=${join(dir, "alertmanager")}`,
      `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
      "--cluster.listen-address=",
    ),
  ];
  return {
    split: (index) => void (masters[index] = 2),
    receivedAt: (index) => received.get(index),
    stop: async () => {
      for (const program of programs) {
        const ended = once(program, "exit");
        if (program.exitCode === null && program.kill("SIGTERM")) await ended;
      }
      exporter.closeAllConnections();
      exporter.close();
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createProbe().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}
