import { runCollector } from "./app.ts";
import { loadCollectorConfig, shownConfig } from "./config.ts";
import { createLog } from "./core/log.ts";
import { systemClock } from "./core/system-clock.ts";
import type { SourceStatus } from "./events/event.ts";

/** How long an orderly end may take before the process is ended all the same, milliseconds. */
const STOP_MAX_MS = 5_000;

/** The verb `keepwatch collector`. Signals are read here and nowhere else. */
export async function collectorVerb(options: { config?: string; checkConfig?: boolean }): Promise<void> {
  const config = await loadCollectorConfig(options.config);
  if (options.checkConfig) {
    process.stdout.write(
      `${options.config ?? "the built-in configuration"}: no fault found\n${JSON.stringify(shownConfig(config), null, 2)}\n`,
    );
    return;
  }
  // From the first moment: a signal during the start ends it in order as well.
  const ended = new Promise<void>((resolve) =>
    process.once("SIGTERM", () => resolve()).once("SIGINT", () => resolve()),
  );
  const collector = await runCollector(config, { clock: systemClock, log: createLog() });
  process.stdout.write(`keepwatch collector of ${config.node}, cluster ${config.cluster}, to ${config.server.url}\n`);
  for (const line of describeSources(collector.status())) process.stdout.write(`  ${line}\n`);
  await ended;
  setTimeout(() => process.exit(1), STOP_MAX_MS).unref();
  await collector.stop();
}

/** What is read, and what cannot be read and why: one sentence a source. */
export function describeSources(statuses: readonly SourceStatus[]): string[] {
  const reads = statuses
    .filter(({ state }) => state === "running")
    .map(({ name, detail }) => `reads ${name}: ${detail}`);
  const cannot = statuses
    .filter(({ state }) => state !== "running")
    .map(({ name, detail, reason }) => `cannot read ${name} (${detail}): ${reason ?? "it does not say why"}`);
  return [...reads, ...cannot];
}
