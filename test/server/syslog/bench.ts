import { setTimeout as sleep } from "node:timers/promises";
import type { Batch } from "../../../collector/events/batch.ts";
import type { Event } from "../../../collector/events/event.ts";
import { systemClock } from "../../../collector/core/system-clock.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { Intake } from "../../../server/intake/intake.ts";
import { SyslogListeners } from "../../../server/syslog/listeners.ts";
import type { ListenerState } from "../../../server/api/types.ts";

export interface Bench {
  readonly listeners: SyslogListeners;
  readonly intake: Intake;
  /** Each event once, however often it came. */
  readonly stored: Map<string, Event>;
  readonly logged: string[];
  /** Nodes of the batches that the store did not take. */
  readonly inVain: string[];
  store: (batch: Batch) => Promise<{ readonly duplicate: boolean }>;
  state(name: string): ListenerState;
  port(name: string): number;
  end(): Promise<void>;
}

/** The listeners on real sockets, with a store that a test can stall. */
export async function benchOf(toml: string): Promise<Bench> {
  const { syslog, nodes } = parseServerConfig(toml, "test.toml");
  const stored = new Map<string, Event>();
  const logged: string[] = [];
  const inVain: string[] = [];
  const log = (level: string, message: string, fields?: object): void =>
    void logged.push(`${level}: ${message} ${JSON.stringify(fields ?? {})}`);
  const intake: Intake = new Intake({
    store: { insertBatch: (batch) => bench.store(batch) },
    log,
    onStored: () => undefined,
    onStoreFailure: ({ node }) => void inVain.push(node),
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  });
  const listeners = await SyslogListeners.open(syslog, nodes, { clock: systemClock, log, intake });
  const bench: Bench = {
    listeners,
    intake,
    stored,
    logged,
    inVain,
    store: async ({ events }) => {
      for (const event of events) stored.set(event.id, event);
      return { duplicate: false };
    },
    state: (name) => listeners.states().find((state) => state.name === name) as ListenerState,
    port: (name) => Number(bench.state(name).address.split(":").at(-1)),
    end: async () => {
      await listeners.close();
      await intake.close();
    },
  };
  return bench;
}
