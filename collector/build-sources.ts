import { accessSync, constants } from "node:fs";
import type { CollectorConfig } from "./config.ts";
import type { Clock } from "./core/time.ts";
import type { Observation } from "./events/observation.ts";
import { createLogReader } from "./logs/reader.ts";
import { createAddressesSource } from "./sources/addresses.ts";
import { createCaptureSource } from "./sources/capture.ts";
import { createChecksSource } from "./sources/checks.ts";
import { createConfWatchSource } from "./sources/conf-watch.ts";
import { createDumpSource } from "./sources/dump.ts";
import { EffectiveConfigs } from "./sources/effective-config.ts";
import { FileTail } from "./sources/file-tail.ts";
import { Handover, overheard } from "./sources/handover.ts";
import { JournalSource } from "./sources/journal.ts";
import { createProcessWatchSource, type ProcessNews } from "./sources/process-watch.ts";
import type { Source } from "./sources/source.ts";

/** The sources a configuration asks for. The configuration of keepalived comes first: it names what the others talk of. */
export function buildSources(config: CollectorConfig, { clock }: { clock: Clock }): Source[] {
  const sources: Source[] = [];
  const { keepalived, logs, capture, addresses, process, checks } = config;
  const configs = new EffectiveConfigs();
  if (keepalived.watch !== false)
    sources.push(
      createConfWatchSource({
        clock,
        configs,
        ...(keepalived.config === undefined ? {} : { path: keepalived.config }),
      }),
    );
  if (addresses.enabled !== false) sources.push(createAddressesSource({ clock }));
  if (capture.enabled !== false) sources.push(createCaptureSource({ clock, configs }));
  const zone = logs.zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : logs.zone;
  const logged = new Handover<readonly Observation[]>();
  const processes = new Handover<ProcessNews>();
  if (process.enabled !== false) sources.push(createProcessWatchSource({ clock, configs, logged, processes }));
  if (process.signals) sources.push(createDumpSource({ clock, processes }));
  for (const path of logs.files)
    sources.push(
      overheard(
        new FileTail({
          path,
          clock,
          createReader: (file, fingerprint) => createLogReader({ path: file, fingerprint, zone }),
        }),
        logged,
      ),
    );
  // rsyslog usually writes what the journal holds too: one of them is enough, and the file is the user's own.
  if (logs.journal === true || (logs.journal === "auto" && !logs.files.some(isReadable)))
    sources.push(overheard(new JournalSource(), logged));
  if (checks.enabled !== false)
    sources.push(
      createChecksSource({
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
      }),
    );
  return sources;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
