import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { runCollector } from "../../collector/app.ts";
import { loadCollectorConfig } from "../../collector/config.ts";
import { createLog } from "../../collector/core/log.ts";
import { OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { describeSources } from "../../collector/main.ts";
import { startServer } from "../app.ts";
import { loadServerConfig, type ServerConfig } from "../config.ts";
import { pushReplay, spanOf } from "../replay/push.ts";
import { demoRecording, untilSignal, webRoot } from "./process.ts";

const DEFAULT_PORT = 8080;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** `keepwatch up`: server and collector in one, or with `--demo` the server and a recorded incident. */
export async function upVerb(options: { demo?: boolean; port?: number; data: string }): Promise<void> {
  if (options.demo) await demo(options.port);
  else await watchThisMachine(resolve(options.data), options.port);
}

async function watchThisMachine(data: string, port: number | undefined): Promise<void> {
  // From the first moment: a signal during the start ends it in order as well.
  const ended = untilSignal();
  await mkdir(data, { recursive: true, mode: 0o700 });
  const log = createLog();
  const server = await listen(port, (listenPort) =>
    loadServerConfig(undefined, { listen: { port: listenPort }, storage: { path: join(data, "store") } }),
  );
  const collectorConfig = await loadCollectorConfig(undefined, {
    server: { url: server.url },
    spool: { dir: join(data, "spool") },
  });
  const collector = await runCollector(collectorConfig, { clock: systemClock, log });
  const statuses = collector.status();
  print(`\nkeepwatch is up. Timeline: ${server.url}\n`);
  for (const line of describeSources(statuses)) print(`  ${line}`);
  // The addresses of a machine without keepalived tell nothing, and a capture may run without hearing anything.
  const watching = statuses.some(({ name, state }) => state === "running" && name === "config");
  if (!watching)
    print(
      "\nThere is no keepalived configuration on this machine, so there may be nothing to watch. To see keepwatch at work on a recorded split-brain: npm start -- --demo",
    );
  print("\nCtrl-C ends it.");
  await ended;
  await collector.stop();
  await server.close();
}

/** Replays the bundled recording from a store of its own, which is removed at the end. */
async function demo(port: number | undefined): Promise<void> {
  const ended = untilSignal();
  const data = await mkdtemp(join(tmpdir(), "keepwatch-demo-"));
  try {
    const server = await listen(port, (listenPort) =>
      loadServerConfig(undefined, {
        listen: { port: listenPort },
        storage: { path: join(data, "store") },
        alerts: { mail_from_keepalived_conf: false },
      }),
    );
    // Relative, as a person would name the files: the paths are shown as evidence.
    const root = relative(process.cwd(), demoRecording()) || ".";
    const files = await recordedFiles(root);
    // The lab's nodes ran in UTC.
    const { events, inputs } = await readInputs(files, {
      cluster: "demo",
      zone: "UTC",
      now: systemClock.epoch(),
      withTexts: true,
    });
    const broken = inputs.find((input) => input.error !== undefined);
    if (broken)
      throw new OperatorError("DEMO_RECORDING", `the bundled recording is damaged: ${broken.path}: ${broken.error}`);
    print(
      `\nkeepwatch is up with a recorded incident: two real keepalived nodes, lb1 and lb2, whose link is cut. Timeline: ${server.url}\n`,
    );
    for (const { path, kind, node, lines } of inputs)
      print(`  ${path.slice(root.length + 1)}: ${kind} of ${node}, ${lines} records`);
    print("\nReplaying as if live; the two nodes are both master after a few seconds. Ctrl-C ends it.\n");
    const abort = new AbortController();
    const { from, to } = spanOf(events);
    const replay = pushReplay(events, {
      url: server.url,
      signal: abort.signal,
      speed: 1,
      pastUs: (to - from) / 4,
      onBatch: () => undefined,
      onTrouble: (why) => process.stderr.write(`keepwatch: ${why}\n`),
    });
    void replay.then(
      () => print("The recording is at its end; the timeline stays open. Ctrl-C ends it."),
      (error: unknown) => log(error),
    );
    await ended;
    abort.abort();
    await replay.catch(() => undefined);
    await server.close();
  } finally {
    await rm(data, { recursive: true, force: true });
  }
  function log(error: unknown): void {
    if (error instanceof OperatorError && error.code !== "REPLAY_ABORTED")
      process.stderr.write(`keepwatch: ${error.toLine()}\n`);
  }
}

async function recordedFiles(root: string): Promise<string[]> {
  const nodes = await readdir(root, { withFileTypes: true });
  const files = await Promise.all(
    nodes
      .filter((n) => n.isDirectory())
      .map(async (n) => (await readdir(join(root, n.name))).map((f) => `${n.name}=${join(root, n.name, f)}`)),
  );
  return files.flat().sort();
}

/** On the port that was asked for, or on 8080, or when that is taken on a free one. */
async function listen(
  port: number | undefined,
  configFor: (port: number) => Promise<ServerConfig>,
): ReturnType<typeof startServer> {
  const deps = { clock: systemClock, log: createLog(), webRoot: webRoot() };
  try {
    return await startServer(await configFor(port ?? DEFAULT_PORT), deps);
  } catch (error) {
    const taken = error instanceof OperatorError && error.code === "LISTEN_IN_USE";
    if (!taken || port !== undefined) throw error;
    print(`port ${DEFAULT_PORT} is taken: using a free one`);
    return await startServer(await configFor(0), deps);
  }
}
