import { randomBytes } from "node:crypto";
import { accessSync, constants } from "node:fs";
import type { CollectorConfig } from "./config.ts";
import type { Clock } from "./core/time.ts";
import type { Observation } from "./events/observation.ts";
import { createAddressesSource } from "./sources/addresses.ts";
import { createCaptureSource } from "./sources/capture.ts";
import { createChecksSource } from "./sources/checks.ts";
import { createConfWatchSource } from "./sources/conf-watch.ts";
import { createDumpSource } from "./sources/dump.ts";
import { EffectiveConfigs } from "./sources/effective-config.ts";
import { Handover, overheard } from "./sources/handover.ts";
import { createProcessWatchSource, type ProcessNews } from "./sources/process-watch.ts";
import { createShadowSource } from "./sources/shadow.ts";
import type { Source } from "./sources/source.ts";
import type { HeardAdvert } from "./vrrp/senders.ts";

/** The sources a configuration asks for. The configuration of keepalived comes first: it names what the others talk of. */
export async function buildSources(
  config: CollectorConfig,
  { clock, configs = new EffectiveConfigs() }: { clock: Clock; configs?: EffectiveConfigs },
): Promise<Source[]> {
  const { keepalived, logs, capture, addresses, process, checks, shadow } = config;
  const processes = new Handover<ProcessNews>();
  const heard = new Handover<HeardAdvert>();
  const [logged, addressed, captured, processed, checked] = [
    observed(),
    observed(),
    observed(),
    observed(),
    observed(),
  ];
  // Passwords of adverts and of the configuration are compared in memory, by a key that nobody else ever has.
  const fingerprintKey = randomBytes(32).toString("hex");
  const path = keepalived.config === undefined ? {} : { path: keepalived.config };
  const confWatch = createConfWatchSource({ clock, configs, fingerprintKey, ...path });
  const addressSource = createAddressesSource({ clock });
  const captureSource = createCaptureSource({
    clock,
    configs,
    fingerprintKey,
    heard: (advert) => heard.publish(advert),
  });
  const processSource = createProcessWatchSource({ clock, configs, logged, processes });
  const logSources = await logSourcesOf(logs, clock);
  const checksSource = createChecksSource({
    clock,
    node: config.node,
    configs,
    logged,
    settings: {
      probe: checks.probe,
      nodes: checks.nodes,
      probesPerLoop: checks.probes_per_loop,
      concurrentMax: checks.concurrent_max,
      scripts: checks.scripts,
      tlsMin: checks.tls_min,
    },
  });
  const shadowSource = createShadowSource({
    clock,
    configs,
    processes,
    logged,
    addressed,
    captured,
    processed,
    checked,
    heard,
    sight: () => ({
      wire: isRunning(captureSource),
      kernel: isRunning(addressSource),
      process: isRunning(processSource),
    }),
    refresh: () => void (keepalived.watch === false ? undefined : confWatch.refresh()),
  });
  return [
    ...(keepalived.watch === false ? [] : [confWatch]),
    // Before those it hears: the first of what they say counts too.
    ...(shadow.enabled === false ? [] : [shadowSource]),
    ...(addresses.enabled === false ? [] : [overheard(addressSource, addressed)]),
    ...(capture.enabled === false ? [] : [overheard(captureSource, captured)]),
    ...(process.enabled === false ? [] : [overheard(processSource, processed)]),
    ...(process.signals ? [createDumpSource({ clock, processes })] : []),
    ...logSources.map((source) => overheard(source, logged)),
    ...(checks.enabled === false ? [] : [overheard(checksSource, checked)]),
  ];
}

/** The grammars of the log are large: they are loaded when there is one to be read. */
async function logSourcesOf({ files, journal, zone }: CollectorConfig["logs"], clock: Clock): Promise<Source[]> {
  // rsyslog usually writes what the journal holds too: one of them is enough, and the file is the user's own.
  const wantsJournal = journal === true || (journal === "auto" && !files.some(isReadable));
  const sources: Source[] = [];
  if (files.length > 0) {
    const { createLogReader } = await import("./logs/reader.ts");
    const { FileTail } = await import("./sources/file-tail.ts");
    const own = zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone;
    for (const path of files)
      sources.push(
        new FileTail({
          path,
          clock,
          createReader: (name, fingerprint) => createLogReader({ path: name, fingerprint, zone: own }),
        }),
      );
  }
  if (wantsJournal) sources.push(new (await import("./sources/journal.ts")).JournalSource());
  return sources;
}

const observed = (): Handover<readonly Observation[]> => new Handover();
const isRunning = (source: Source): boolean => source.status().state === "running";

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
