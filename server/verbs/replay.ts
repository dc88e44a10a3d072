import { readFile } from "node:fs/promises";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { type EpochUs, formatEpochUs } from "../../collector/core/time.ts";
import { isZone, ZONE_WANTED } from "../../collector/logs/zone.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { type PushOptions, pushImport, pushReplay, spanOf } from "../replay/push.ts";

export interface ReplayVerbOptions {
  readonly to: string;
  readonly tokenFile?: string;
  readonly cluster: string;
  readonly tz?: string;
  readonly year?: number;
  /** Recorded seconds in one second. */
  readonly speed: number;
  readonly asRecorded?: boolean;
}

/** `keepwatch replay`: exit status 0, 2 when an input cannot be read or the server takes nothing. */
export async function replayVerb(paths: readonly string[], options: ReplayVerbOptions): Promise<void> {
  const { cluster, year, speed } = options;
  const url = serverUrl(options.to);
  const zone = options.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!isZone(zone)) throw new OperatorError("USAGE", `--tz ${zone} is not a time zone`, { remedy: ZONE_WANTED });
  const token = await tokenIn(options.tokenFile);
  const { events, inputs } = await readInputs(paths, {
    cluster,
    zone,
    now: systemClock.epoch(),
    ...(year === undefined ? {} : { year }),
  });
  for (const { path, kind, node, lines, keepalivedLines, error } of inputs) {
    if (error === undefined) print(`${path}: ${kind} of ${node}, ${lines} records, ${keepalivedLines} of keepalived`);
    else process.stderr.write(`keepwatch: ${path}: ${error}\n`);
  }
  const { from, to } = spanOf(events);
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort()).once("SIGTERM", () => abort.abort());
  const counts = { sent: 0, taken: 0 };
  const push: PushOptions = {
    url,
    ...(token === undefined ? {} : { token }),
    signal: abort.signal,
    onBatch: (batch, { accepted }) => {
      counts.sent += batch.events.length;
      counts.taken += accepted;
    },
    onTrouble: (why) => process.stderr.write(`keepwatch: ${why}; trying again\n`),
  };
  const span = `${formatEpochUs(from as EpochUs)} to ${formatEpochUs(to as EpochUs)}`;
  if (options.asRecorded) {
    print(`${events.length} events of ${span} go to ${url}, as they are`);
    await pushImport(events, push);
  } else {
    print(
      `${events.length} events of ${span} go to ${url} as if they happened now; it takes ${seconds((to - from) / speed)}`,
    );
    await pushReplay(events, { ...push, speed, pastUs: 0 });
  }
  print(`${counts.sent} sent, heartbeats among them; the server had ${counts.sent - counts.taken} of them before`);
  if (inputs.some(({ error }) => error !== undefined)) process.exitCode = 2;
}

function serverUrl(text: string): string {
  if (/^(https?:\/\/|unix:\/)/.test(text) && (text.startsWith("unix:") || URL.canParse(text))) return text;
  throw new OperatorError("USAGE", `--to ${text} is not a server's address`, {
    remedy: "Give http://host:port, https://host:port, or unix:/path/to/socket",
  });
}

async function tokenIn(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new OperatorError("TOKEN_UNREADABLE", `--token-file ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const seconds = (us: number): string => {
  const whole = Math.ceil(us / 1e6);
  return whole < 120 ? `${whole} s` : whole < 7200 ? `${Math.ceil(whole / 60)} min` : `${Math.ceil(whole / 3600)} h`;
};

const print = (line: string): void => void process.stdout.write(`${line}\n`);
