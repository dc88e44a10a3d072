import { statSync } from "node:fs";
import { hostname } from "node:os";
import { observeConfig } from "../conf/load.ts";
import type { ConfFiles } from "../conf/parser.ts";
import type { Clock } from "../core/time.ts";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { systemConfFiles } from "./conf-files.ts";
import type { Source, SourceContext } from "./source.ts";

export const DEFAULT_CONFIG_PATH = "/etc/keepalived/keepalived.conf";
/** Where distributions keep the options that an init script or unit hands to keepalived. */
const OPTION_FILES = ["/etc/default/keepalived", "/etc/sysconfig/keepalived"];
const POLL_MS = 2_000;

export interface ConfWatchOptions {
  readonly clock: Clock;
  /** Instead of what the options on this machine say. */
  readonly path?: string;
  readonly files?: ConfFiles;
  readonly every?: (ms: number, tick: () => void) => () => void;
}

/** The configuration keepalived would read, when it is first read and whenever its contents change. */
export function createConfWatchSource(options: ConfWatchOptions): ConfWatchSource {
  return new ConfWatchSource(options);
}

export class ConfWatchSource implements Source {
  readonly name = "config";
  private readonly options: ConfWatchOptions;
  private readonly files: ConfFiles;
  private context: SourceContext | undefined;
  private stopPolling: () => void = () => undefined;
  private told = "";
  private stamps = "";
  private paths: readonly string[] = [];
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private reads = 0;

  constructor(options: ConfWatchOptions) {
    this.options = options;
    this.files = options.files ?? systemConfFiles;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    await this.poll();
    const every = this.options.every ?? everyInterval;
    this.stopPolling = every(POLL_MS, () => void this.poll());
  }

  async stop(): Promise<void> {
    this.stopPolling();
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: this.effective().path,
      state: this.state,
      read: this.reads,
      unrecognised: 0,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  /** Looks once. What has not changed is not told again. */
  async poll(): Promise<void> {
    const { path, configId } = this.effective();
    const stamps = stampsOf([path, ...OPTION_FILES, ...this.paths]);
    if (stamps === this.stamps && !this.options.files) return;
    const { observations, paths, version } = observeConfig(path, this.files, configId, this.options.clock.epoch());
    this.paths = paths;
    this.stamps = stampsOf([path, ...OPTION_FILES, ...paths]);
    const unreadable = observations.find((seen) => seen.body.kind === "config.unreadable");
    this.state = unreadable ? "unavailable" : "running";
    this.reason = unreadable?.body.kind === "config.unreadable" ? unreadable.body.message : undefined;
    const told = `${path}\0${configId}\0${version}`;
    if (told === this.told) return;
    this.told = told;
    this.reads += 1;
    await this.context?.emit(observations);
  }

  /** `-f` and `-i` of the options on this machine, as an init script or unit hands them over. */
  private effective(): { path: string; configId: string } {
    const words = OPTION_FILES.flatMap((file) => {
      const text = this.files.read(file);
      return typeof text === "string" ? optionsIn(text) : [];
    });
    const path = this.options.path ?? optionValue(words, "f", "use-file") ?? DEFAULT_CONFIG_PATH;
    return { path, configId: optionValue(words, "i", "config-id") ?? hostname().split(".")[0] ?? "" };
  }
}

/** Words of `KEEPALIVED_OPTIONS="-D -f /etc/…"` and `DAEMON_ARGS="…"`. */
export function optionsIn(text: string): string[] {
  return [
    ...text.matchAll(/^\s*(?:export\s+)?(?:KEEPALIVED_OPTIONS|DAEMON_ARGS)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S*))/gm),
  ].flatMap(([, double, single, bare]) => (double ?? single ?? bare ?? "").split(/\s+/).filter(Boolean));
}

/** `-f PATH`, `-fPATH`, `--use-file PATH`, `--use-file=PATH`; the last one counts. */
export function optionValue(words: readonly string[], short: string, long: string): string | undefined {
  let found: string | undefined;
  for (const [i, word] of words.entries()) {
    if (word === `-${short}` || word === `--${long}`) found = words[i + 1] ?? found;
    else if (word.startsWith(`--${long}=`)) found = word.slice(long.length + 3);
    else if (word.startsWith(`-${short}`) && !word.startsWith("--")) found = word.slice(2);
  }
  return found;
}

/** A configuration file handed in by itself: its includes are read from this machine when they are there. */
export function configObservations(path: string, text: string, configId: string, ts: number): Observation[] {
  const files: ConfFiles = {
    read: (asked) => (asked === path ? text : systemConfFiles.read(asked)),
    glob: systemConfFiles.glob,
  };
  return observeConfig(path, files, configId, ts).observations;
}

function stampsOf(paths: readonly string[]): string {
  return [...new Set(paths)]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat ? `${path} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.mode}` : `${path} -`;
    })
    .join("\n");
}

function everyInterval(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms);
  return () => clearInterval(timer);
}
