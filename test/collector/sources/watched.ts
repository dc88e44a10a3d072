import { statSync } from "node:fs";
import type { StartChain } from "../../../collector/chain/chain.ts";
import { observeConfig } from "../../../collector/conf/load.ts";
import type { Release } from "../../../collector/conf/version.ts";
import { systemClock } from "../../../collector/core/system-clock.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";
import { createAddressesSource } from "../../../collector/sources/addresses.ts";
import { createCaptureSource } from "../../../collector/sources/capture.ts";
import { systemConfFiles } from "../../../collector/sources/conf-files.ts";
import { EffectiveConfigs } from "../../../collector/sources/effective-config.ts";
import { FileTail } from "../../../collector/sources/file-tail.ts";
import { Handover, overheard } from "../../../collector/sources/handover.ts";
import { createProcessWatchSource, type ProcessNews } from "../../../collector/sources/process-watch.ts";
import { createShadowSource } from "../../../collector/sources/shadow.ts";
import type { Source } from "../../../collector/sources/source.ts";
import type { HeardAdvert } from "../../../collector/vrrp/senders.ts";
import { Spooled } from "./fakes.ts";
import type { RealKeepalived } from "./keepalived.ts";

const KEY = "one run's";
const RELEASE: Release = [2, 2, 7];

/** The collector's sources around one real keepalived in its namespace; only how it is started is told, not found. */
export class Watched {
  readonly spooled = new Spooled();
  private readonly keepalived: RealKeepalived;
  readonly configs = new EffectiveConfigs();
  readonly sources: readonly Source[];
  private version = "";

  constructor(keepalived: RealKeepalived) {
    this.keepalived = keepalived;
    const clock = systemClock;
    const { namespace, logPath } = keepalived;
    const heard = new Handover<HeardAdvert>();
    const [logged, addressed, captured, processed, checked] = Array.from(
      { length: 5 },
      () => new Handover<readonly Observation[]>(),
    ) as [Seen, Seen, Seen, Seen, Seen];
    const processes = new Handover<ProcessNews>();
    const { configs } = this;
    const capture = createCaptureSource({
      clock,
      start: namespace.start,
      interfaceName: namespace.interfaceName,
      heard: (advert) => heard.publish(advert),
      fingerprintKey: KEY,
    });
    const addresses = createAddressesSource({ clock, start: namespace.start });
    const process = createProcessWatchSource({ clock, configs, logged, processes, hasSystemd: () => false });
    const log = new FileTail({
      path: logPath,
      clock,
      createReader: (path, fingerprint) => createLogReader({ path, fingerprint, zone: "UTC" }),
    });
    const isRunning = (source: Source): boolean => source.status().state === "running";
    const shadow = createShadowSource({
      clock,
      configs,
      processes,
      logged,
      addressed,
      captured,
      processed,
      checked,
      heard,
      sight: () => ({ wire: isRunning(capture), kernel: isRunning(addresses), process: isRunning(process) }),
      refresh: () => this.publish(),
      linkIsUp: (name) => namespace.ip("-o", "link", "show", "dev", name).includes("LOWER_UP"),
    });
    this.sources = [
      shadow,
      overheard(addresses, addressed),
      overheard(capture, captured),
      overheard(log, logged),
      overheard(process, processed),
    ];
  }

  async start(): Promise<void> {
    this.publish();
    for (const source of this.sources) await source.start(this.spooled);
  }

  async stop(): Promise<void> {
    for (const source of this.sources.toReversed()) await source.stop();
  }

  /** What conf-watch does on a machine where keepalived is started in the usual way. */
  publish(): void {
    const { configPath, namespace, pidFiles } = this.keepalived;
    const now = systemClock.epoch();
    const reader = { configId: "lb", release: RELEASE, fingerprintKey: KEY };
    const { running, version } = observeConfig(configPath, systemConfFiles, reader, now);
    const stamp = `${version} ${statSync(configPath).mtimeMs}`;
    if (!running || stamp === this.version) return;
    this.version = stamp;
    const chain = {
      namespace: namespace.name,
      pidFiles,
      subsystems: [{ name: "vrrp", runs: true }],
      launcher: { kind: "none" },
      configuration: { path: configPath, files: [configPath] },
      options: { uses: [], faults: [] },
    } as unknown as StartChain;
    this.configs.publish({ path: configPath, version: stamp, running, release: RELEASE, chain, readTs: now });
  }
}

type Seen = Handover<readonly Observation[]>;
