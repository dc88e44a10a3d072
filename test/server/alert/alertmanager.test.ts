import { spawn, type ChildProcess, spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import { createServer as createTcp, type AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Incident } from "../../../server/detect/incident.ts";
import { change, ManualTime, MemoryStore, rig, splitBrain } from "./support.ts";
import { over } from "./world.ts";

const PROGRAM = "prometheus-alertmanager";
const isMissing = spawnSync("sh", ["-c", `command -v ${PROGRAM}`]).status !== 0;
if (isMissing) process.stderr.write(`\nSKIPPED, the real Alertmanager: apt-get install ${PROGRAM}\n\n`);

interface Told {
  readonly status: string;
  readonly groupLabels: Record<string, string>;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Record<string, string>;
    readonly endsAt: string;
  }[];
}

/** The clock of the machine, on which the real Alertmanager runs. */
const nowUs = (): number => Date.now() * 1000;

describe.skipIf(isMissing)("a real Alertmanager", () => {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-alertmanager-"));
  const told: Told[] = [];
  let sink: Server;
  let child: ChildProcess;
  let url: string;

  beforeAll(async () => {
    sink = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        told.push(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Told);
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((done) => sink.listen(0, "127.0.0.1", done));
    const hook = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
    writeFileSync(
      join(dir, "alertmanager.yml"),
      `route:\n  receiver: hook\n  group_by: [cluster]\n  group_wait: 1s\n  group_interval: 1s\n  repeat_interval: 1h\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: ${hook}\n`,
    );
    const free = createTcp().listen(0, "127.0.0.1");
    await new Promise((done) => free.once("listening", done));
    const { port } = free.address() as AddressInfo;
    await new Promise((done) => free.close(done));
    url = `http://127.0.0.1:${port}/`;
    child = spawn(
      PROGRAM,
      [
        `--config.file=${dir}/alertmanager.yml`,
        `--storage.path=${dir}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--cluster.listen-address=",
      ],
      { stdio: "ignore" },
    );
    for (;;) {
      const isReady = await fetch(`${url}-/ready`).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (isReady) break;
      await new Promise((done) => setTimeout(done, 50));
    }
  }, 40_000);

  afterAll(async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
    sink.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const alerts = async (): Promise<{ labels: Record<string, string>; endsAt: string }[]> =>
    (await fetch(`${url}api/v2/alerts`)).json() as Promise<{ labels: Record<string, string>; endsAt: string }[]>;
  const named = async (name: string) => (await alerts()).filter(({ labels }) => labels["alertname"] === name);

  test("receives incidents, groups them, hears again of what fires and that we live, and resolves what is over", async () => {
    const start = nowUs() - 5_000_000;
    const open: Incident = { ...splitBrain, start };
    const second: Incident = { ...open, id: "c".repeat(32), kind: "no-master", certainty: "suspected" };
    const known = new Map<string, Incident>([
      [open.id, open],
      [second.id, second],
    ]);
    // A minute behind, which it is made to pass below: an end that lay in the future would be none yet.
    const time = new ManualTime(nowUs() - 60_000_000);
    const { alerter, store } = rig({
      alerts: {
        mail_from_keepalived_conf: false,
        inhibit_built_in: false,
        receivers: [{ name: "am", type: "alertmanager", url, heartbeat: true }],
      },
      time,
      store: new MemoryStore(),
      incident: (id) => known.get(id),
      incidents: () => known.values(),
    });
    await alerter.start();
    await expect.poll(async () => (await named("keepwatch-heartbeat")).length, { timeout: 10_000 }).toBe(1);
    await alerter.notify(change("opened", open));
    await alerter.notify(change("opened", second));
    await expect
      .poll(() => store.outcome, { timeout: 10_000 })
      .toEqual(["opened alertmanager:am sent", "opened alertmanager:am sent"]);
    const firing = () =>
      told.find(({ alerts: list, groupLabels }) => groupLabels["cluster"] === "default" && list.length === 2);
    await expect
      .poll(firing, { timeout: 20_000 })
      .toMatchObject({ status: "firing", groupLabels: { cluster: "default" } });
    const [before] = await named("split-brain");

    // A minute later it hears again, and takes what fires for over later.
    await time.advance(60_000);
    await expect
      .poll(async () => (await named("split-brain"))[0]?.endsAt, { timeout: 10_000 })
      .not.toBe(before?.endsAt);
    expect(await named("split-brain")).toHaveLength(1);

    // More certain and no longer critical: a label changes, and still it is one alert.
    const milder: Incident = { ...second, certainty: "confirmed", severity: "warning" };
    known.set(milder.id, milder);
    await alerter.notify(change("certainty-raised", milder));
    await expect
      .poll(async () => (await named("no-master")).map(({ labels }) => labels["severity"]), { timeout: 10_000 })
      .toEqual(["warning"]);

    const ended: Incident = { ...over(open), end: nowUs() - 1_000_000 };
    known.set(ended.id, ended);
    await alerter.notify(change("resolved", ended));
    await expect.poll(async () => (await named("split-brain")).length, { timeout: 20_000 }).toBe(0);
    const resolved = () =>
      told.some(({ alerts: list }) =>
        list.some(({ status, labels }) => status === "resolved" && labels["alertname"] === "split-brain"),
      );
    await expect.poll(resolved, { timeout: 20_000 }).toBe(true);
    expect(await named("no-master")).toHaveLength(1);
    await alerter.stop();
    expect(time.waiting).toBe(0);
  }, 90_000);
});
