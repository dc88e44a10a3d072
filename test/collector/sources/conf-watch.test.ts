import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StartChain } from "../../../collector/chain/chain.ts";
import { resolveChain } from "../../../collector/chain/resolve.ts";
import type { EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { EventBody } from "../../../collector/events/event.ts";
import { type ConfWatchSource, createConfWatchSource } from "../../../collector/sources/conf-watch.ts";
import { type EffectiveConfig, EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import type { SourceContext } from "../../../collector/sources/source.ts";

let dir: string;
let path: string;
let told: EventBody[];
let now = 1_795_000_000_000_000;
const clock = { mono: () => now as MonoUs, epoch: () => now as EpochUs };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-conf-watch-"));
  path = join(dir, "keepalived.conf");
  told = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function watch(): Promise<ConfWatchSource> {
  const source = createConfWatchSource({ clock, path, every: () => () => undefined });
  await source.start(context());
  return source;
}

const context = (): SourceContext => ({
  emit: async (observations) => {
    told.push(...observations.map(({ body }) => body));
  },
  position: () => undefined,
  log: () => undefined,
});

/** Writes with a time of its own, as two edits within one tick of the clock would not have. */
function write(file: string, text: string): void {
  now += 1_000_000;
  writeFileSync(file, text);
  utimesSync(file, now / 1e6, now / 1e6);
}

const instance = (priority: number): string =>
  `vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority ${priority}\n virtual_ipaddress {\n  10.99.0.100\n }\n}\n`;
const priorities = (): (number | undefined)[] =>
  told.flatMap((body) => (body.kind === "config.loaded" ? [body.instances[0]?.priority] : []));

describe("the watch over the configuration", () => {
  test("tells it when it is first read and when its contents change, and not when it is only touched", async () => {
    write(path, instance(150));
    const source = await watch();
    await source.poll();
    write(path, instance(150));
    await source.poll();
    write(path, instance(100));
    await source.poll();
    expect(priorities()).toEqual([150, 100]);
    expect(source.status()).toMatchObject({ state: "running", detail: path });
  });

  test("tells the text of the files without secrets when their contents are new, and only then", async () => {
    write(path, `${instance(150)}# auth_pass hunter22\n`);
    const source = await watch();
    await source.poll();
    write(path, instance(100));
    await source.poll();
    const texts = told.flatMap((body) => (body.kind === "config.text" ? [body] : []));
    expect(texts.map(({ text }) => text)).toEqual([`${instance(150)}# auth_pass [redacted]\n`, instance(100)]);
    const loaded = told.flatMap((body) => (body.kind === "config.loaded" ? body.files : []));
    expect(texts.map(({ path: of, sha256 }) => [of, sha256])).toEqual(loaded.map((file) => [file.path, file.sha256]));
  });

  test("sees a change of an included file, and a new one that a pattern matches", async () => {
    mkdirSync(join(dir, "conf.d"));
    write(path, "include conf.d/*.conf\n");
    write(join(dir, "conf.d/a.conf"), instance(150));
    const source = await watch();
    write(join(dir, "conf.d/a.conf"), instance(90));
    await source.poll();
    expect(priorities()).toEqual([150, 90]);
  });

  test("says that there is none, and reads it when there is", async () => {
    const source = await watch();
    expect(told.map(({ kind }) => kind)).toEqual(["config.unreadable"]);
    expect(source.status()).toMatchObject({ state: "unavailable", reason: expect.stringContaining("does not exist") });
    write(path, instance(150));
    await source.poll();
    expect(priorities()).toEqual([150]);
  });

  test("says that keepalived ignores a file with an execute bit", async () => {
    write(path, instance(150));
    chmodSync(path, 0o755);
    const source = await watch();
    expect(source.status().reason).toMatch(/execute bit.*chmod a-x/);
  });

  test("hands over what keepalived would run, again when the files change, and keeps it while they cannot be read", async () => {
    const configs = new EffectiveConfigs();
    const heard: EffectiveConfig[] = [];
    configs.subscribe((config) => heard.push(config));
    write(path, instance(150));
    const source = createConfWatchSource({ clock, path, configs, every: () => () => undefined });
    await source.start(context());
    write(path, instance(150));
    await source.poll();
    rmSync(path);
    await source.poll();
    expect(heard).toHaveLength(1);
    write(path, instance(100));
    await source.poll();
    expect(heard.map(({ running }) => running.instances[0]?.priority)).toEqual([150, 100]);
    expect(configs.current()).toMatchObject({ path, chain: undefined, readTs: now });
  });

  test("tells each fault with its place", async () => {
    write(path, instance(150).replace("virtual_router_id 51", "virtual_router_id"));
    await watch();
    const place = { file: path, line: 3, instance: "VI_1" };
    const fatal = told.filter((body) => body.kind === "config.diagnostic" && body.severity === "fatal");
    expect(fatal).toEqual([
      expect.objectContaining({ code: "missing_parameter", ...place }),
      expect.objectContaining({ code: "no_vrid", ...place }),
    ]);
  });

  test("tells what is wrong with the start, and with living processes only when it is seen twice", async () => {
    write(path, instance(150));
    const found = (code: string) => ({ code, severity: "degraded", message: code, fix: "-" }) as const;
    let diagnostics = [found("log_nowhere"), found("daemon_child_missing")];
    const chain = () =>
      ({
        ...resolveChain(
          { read: () => ({ unreadable: "-" }), stat: () => undefined, readlink: () => undefined, list: () => [] },
          {},
        ),
        configuration: { path, why: "option", files: [path] },
        diagnostics,
      }) as StartChain;
    const source = createConfWatchSource({ clock, resolve: chain, every: () => () => undefined });
    await source.start(context());
    const codes = () =>
      told
        .flatMap((body) => (body.kind === "config.diagnostic" ? [body.code] : []))
        .filter((code) => /^(log_nowhere|daemon)/.test(code));
    expect(codes()).toEqual(["log_nowhere"]);
    await source.poll();
    expect(codes()).toEqual(["log_nowhere"]);
    now += 31_000_000;
    await source.poll();
    expect(codes()).toEqual(["log_nowhere", "log_nowhere", "daemon_child_missing"]);
    diagnostics = [];
    now += 31_000_000;
    await source.poll();
    expect(told.filter(({ kind }) => kind === "config.loaded")).toHaveLength(3);
  });

  test("looks for the end of what stays wrong less and less often, but not less often than for anything else", async () => {
    write(path, instance(150));
    let looks = 0;
    const resolve = (): StartChain => {
      looks += 1;
      const tree = {
        read: () => ({ unreadable: "-" }),
        stat: () => undefined,
        readlink: () => undefined,
        list: () => [],
      };
      const wrong = { code: "daemon_child_missing", severity: "degraded", message: "-", fix: "-" } as const;
      return { ...resolveChain(tree, {}), configuration: { path, why: "option", files: [path] }, diagnostics: [wrong] };
    };
    const source = createConfWatchSource({ clock, resolve, every: () => () => undefined });
    await source.start(context());
    const at: number[] = [];
    for (let seconds = 1; seconds <= 1_200; seconds += 1) {
      now += 1_000_000;
      const before = looks;
      await source.poll();
      if (looks > before) at.push(seconds);
    }
    expect(at).toEqual([30, 60, 120, 240, 480, 780, 1_080]);
  });

  test("tells again when a fault is gone although the files are as they were", async () => {
    const folder = join(dir, "run");
    write(
      path,
      `vrrp_track_file load {\n file "${folder}/load"\n}\n${instance(150).replace(" priority", " track_file {\n load\n }\n priority")}`,
    );
    const chain = () =>
      ({
        ...resolveChain(
          { read: () => ({ unreadable: "-" }), stat: () => undefined, readlink: () => undefined, list: () => [] },
          {},
        ),
        configuration: { path, why: "option", files: [path] },
        diagnostics: [],
      }) as StartChain;
    const source = createConfWatchSource({ clock, resolve: chain, every: () => () => undefined });
    await source.start(context());
    const ofFolder = () =>
      told.flatMap((body) =>
        body.kind === "config.diagnostic" && body.code === "track_file_no_folder" ? [body.code] : [],
      );
    const before = ofFolder();
    expect(before).not.toEqual([]);
    mkdirSync(folder);
    now += 301_000_000;
    told.length = 0;
    await source.poll();
    expect(told.filter(({ kind }) => kind === "config.loaded")).toHaveLength(1);
    expect(ofFolder()).toEqual([]);
  });
});
