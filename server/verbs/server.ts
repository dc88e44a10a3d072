import { createLog } from "../../collector/core/log.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { startServer } from "../app.ts";
import { loadServerConfig } from "../config.ts";
import { untilSignal, webRoot } from "./process.ts";

/** `keepwatch server`: runs until SIGTERM or SIGINT. */
export async function serverVerb(options: { config?: string; checkConfig?: boolean }): Promise<void> {
  const config = await loadServerConfig(options.config);
  if (options.checkConfig) {
    process.stdout.write(`${options.config ?? "the built-in configuration"}: no fault found\n`);
    return;
  }
  const ended = untilSignal();
  const server = await startServer(config, { clock: systemClock, log: createLog(), webRoot: webRoot() });
  process.stdout.write(`keepwatch server: timeline at ${server.url}\n`);
  await ended;
  await server.close();
}
