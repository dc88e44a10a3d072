import { statSync } from "node:fs";
import { hostname } from "node:os";
import type { KeepalivedBuild } from "../chain/build.ts";
import type { ChainDiagnostic, StartChain } from "../chain/chain.ts";
import { describeChain } from "../chain/describe.ts";
import { optionOf } from "../chain/options.ts";
import { resolveChain } from "../chain/resolve.ts";
import type { NodeFacts } from "../conf/facts.ts";
import { type ConfReader, type ConfReading, observationsOf, readConfig, textsOf } from "../conf/load.ts";
import type { Running } from "../conf/model/types.ts";
import { createOutlines, type ReadOutline } from "../conf/outline.ts";
import type { ConfFiles } from "../conf/parser.ts";
import { NEWEST_RELEASE } from "../conf/version.ts";
import { type Clock, US_PER_SECOND } from "../core/time.ts";
import { CONFIG_TEXT_MAX_CHARS, type SourceStatus } from "../events/event.ts";
import { configRedactor } from "../conf/redacted-text.ts";
import type { Release } from "../conf/version.ts";
import type { Observation } from "../events/observation.ts";
import { systemChainFiles } from "./chain-files.ts";
import { systemConfFiles } from "./conf-files.ts";
import type { EffectiveConfigs } from "./effective-config.ts";
import { installedBuild } from "./keepalived-build.ts";
import { systemFacts } from "./node-facts.ts";
import { systemProcesses } from "./processes.ts";
import type { Source, SourceContext } from "./source.ts";

const POLL_MS = 2_000;
/**
 * How often the start chain is looked at when nothing it has read changes, microseconds: a daemon may be started in another way. That
 * reads the whole configuration, so it is seldom; whoever sees a daemon begin asks for a look at once.
 */
const CHAIN_US = 300 * US_PER_SECOND;
/** The same while something is wrong with the living processes or what they left: it may pass. From the third time on that it has not, twice as long. */
const WRONG_US = 30 * US_PER_SECOND;

export interface ConfWatchOptions {
  readonly clock: Clock;
  /** Instead of what this machine's unit, start script or living daemon says. */
  readonly path?: string;
  /** How keepalived is started (default: as this machine shows). */
  readonly resolve?: (build: KeepalivedBuild | undefined, outline: ReadOutline) => StartChain;
  /** What this machine is (default: what it shows). */
  readonly facts?: () => NodeFacts;
  readonly every?: (ms: number, tick: () => void) => () => void;
  /** Hears of what keepalived would run. */
  readonly configs?: EffectiveConfigs;
  /** Key for fingerprints of passwords, for who is handed the configuration: no observation has one. */
  readonly fingerprintKey?: string;
}

/** How keepalived is started here, and what it meets. */
interface Effective extends ConfReader {
  readonly path: string;
  readonly diagnostics: readonly ChainDiagnostic[];
}

/** The configuration keepalived would read, when it is first read and whenever its contents change. */
export function createConfWatchSource(options: ConfWatchOptions): ConfWatchSource {
  return new ConfWatchSource(options);
}

export class ConfWatchSource implements Source {
  readonly name = "config";
  private readonly options: ConfWatchOptions;
  private context: SourceContext | undefined;
  private stopPolling: () => void = () => undefined;
  private told = "";
  private handed = "";
  private shownVersion = "";
  private shownChain: string | undefined;
  private stamps = "";
  private paths: readonly string[] = [];
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private reads = 0;

  private build: KeepalivedBuild | undefined;
  private chain: StartChain | undefined;
  private chainSeenUs = 0;
  /** What was wrong with the living processes and their traces when they were last looked at: true only when it is still so. */
  private passing: ReadonlySet<string> = new Set();
  private wrongUs = WRONG_US / 2;
  /** How the configuration was read last: by whom, with what beside it, and when. */
  private asked = "";
  private readUs = Number.NEGATIVE_INFINITY;
  private reading: ConfReading | undefined;
  private readonly outline = createOutlines();

  constructor(options: ConfWatchOptions) {
    this.options = options;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    this.build = installedBuild();
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
      detail: this.options.path ?? this.chain?.configuration.path ?? "",
      state: this.state,
      read: this.reads,
      unrecognised: 0,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  /** Looks at once, and at how the daemon is started too: it was, just now. */
  refresh(): Promise<void> {
    this.chainSeenUs = Number.NEGATIVE_INFINITY;
    this.readUs = Number.NEGATIVE_INFINITY;
    return this.poll();
  }

  /** Looks once. What has not changed is not told again. */
  async poll(): Promise<void> {
    const now = this.options.clock.epoch();
    const pauseUs = this.passing.size > 0 ? Math.min(Math.max(this.wrongUs, WRONG_US), CHAIN_US) : CHAIN_US;
    const isStale = this.chain === undefined || Math.abs(now - this.chainSeenUs) >= pauseUs;
    const isSame = stampsOf(this.paths) === this.stamps;
    if (!isStale && isSame) return;
    const { path, diagnostics, ...reader } = this.effective(now);
    const asked = JSON.stringify([path, reader.configId, reader.allConfig, this.chain?.argv, diagnostics]);
    const isAsBefore = isSame && asked === this.asked && this.isOfChainAlone(now);
    if (isAsBefore && this.wrongUs >= WRONG_US) {
      this.wrongUs *= 2;
      return;
    }
    const known = isAsBefore ? this.reading : undefined;
    if (!known) this.readUs = now;
    this.asked = asked;
    const reading = known ?? readConfig(path, systemConfFiles, reader);
    const { paths, version, running } = reading;
    const observations = observationsOf(reading, now);
    const seen = this.lasting([...observations, ...diagnostics.map((found) => observationOf(found, now))]);
    // For the second look at what may pass.
    this.reading = this.passing.size > 0 && !known ? reading : undefined;
    if (running) this.hand(path, version, running, now);
    this.paths = [path, ...LAUNCHER_FILES, ...paths];
    this.stamps = stampsOf(this.paths);
    const unreadable = observations.find(({ body }) => body.kind === "config.unreadable");
    this.state = unreadable ? "unavailable" : "running";
    this.reason = unreadable?.body.kind === "config.unreadable" ? unreadable.body.message : undefined;
    // Faults come and go without a change of the files: an interface or a script that is missing, and then there.
    const told = JSON.stringify([
      path,
      reader.configId,
      version,
      ...seen.map(({ body }) => (body.kind === "config.diagnostic" ? body : body.kind)),
    ]);
    const isTold = told === this.told;
    const shown = this.shown(reading, now);
    if (isTold && shown.length === 0) return;
    this.told = told;
    if (!isTold) this.reads += 1;
    await this.context?.emit([...(isTold ? [] : seen.map(withFileTimes)), ...shown]);
  }

  /** What people look at, when it is new: the text of the files, and how they come to be read. */
  private shown(reading: ConfReading, now: number): Observation[] {
    const { version, body } = reading;
    const isNew = body.kind === "config.loaded" && version !== this.shownVersion;
    const texts = isNew ? textsOf(reading, now) : [];
    this.shownVersion = version;
    const chain = this.chain?.configuration.path === reading.path ? this.chain : undefined;
    const link = chain && chainObservation(chain, reading, now);
    const key = JSON.stringify(link?.body);
    if (!link || key === this.shownChain) return texts;
    this.shownChain = key;
    return [link, ...texts];
  }

  /** To the sources that work by it: when the files change, or the release or the command line that reads them. */
  private hand(path: string, version: string, running: Running, readTs: number): void {
    const release = this.build?.release ?? NEWEST_RELEASE;
    const chain = path === this.chain?.configuration.path ? this.chain : undefined;
    const key = JSON.stringify([path, version, release, chain?.argv.map(({ text }) => text)]);
    if (key === this.handed) return;
    this.handed = key;
    this.options.configs?.publish({ path, version, running, release, chain, readTs });
  }

  /** What the unit, the start script or the living daemon says; a file of another place is read as it stands. */
  private effective(now: number): Effective {
    const chain = (this.options.resolve ?? resolveHere)(this.build, this.outline);
    this.chain = chain;
    this.chainSeenUs = now;
    const configId = chain.configId.id ?? hostname().split(".")[0] ?? "";
    const release = this.build ? { release: this.build.release } : {};
    const { path, fingerprintKey } = this.options;
    const key = fingerprintKey === undefined ? {} : { fingerprintKey };
    if (path !== undefined && path !== chain.configuration.path)
      return { path, configId, diagnostics: [], ...release, ...key };
    return {
      ...key,
      path: chain.configuration.path,
      configId,
      allConfig: optionOf(chain.options, "all-config") !== undefined,
      facts: (this.options.facts ?? systemFacts)(),
      diagnostics: chain.diagnostics,
      ...release,
    };
  }

  /** Whether what is wrong still is shows the chain: the whole configuration is not read again for that. */
  private isOfChainAlone(now: number): boolean {
    const isOfChain = ![...this.passing].some((code) => code.startsWith("firewall_left_"));
    return isOfChain && Math.abs(now - this.readUs) < CHAIN_US;
  }

  /**
   * A look at processes in the middle of a restart finds half of them, and between an edit and its reload the kernel still
   * has what the old configuration asked for: what is wrong with either counts when it is seen twice.
   */
  private lasting(observations: readonly Observation[]): Observation[] {
    const passing = new Set(observations.flatMap(passingCodeOf));
    const before = this.passing;
    this.passing = passing;
    const isSame = passing.size === before.size && [...passing].every((code) => before.has(code));
    this.wrongUs = isSame ? this.wrongUs * 2 : WRONG_US / 2;
    return observations.filter((one) => passingCodeOf(one).every((code) => before.has(code)));
  }
}

const passingCodeOf = ({ body }: Observation): string[] =>
  body.kind === "config.diagnostic" && PASSING.test(body.code) ? [body.code] : [];

function resolveHere(build: KeepalivedBuild | undefined, outline: ReadOutline): StartChain {
  return resolveChain(systemChainFiles(), {
    hostname: hostname(),
    processes: systemProcesses(),
    isLive: true,
    outline,
    ...(build ? { build } : {}),
  });
}

/** Codes of what is wrong with living processes, and with what they have set in the kernel. */
const PASSING = /^(?:daemon|pid_file|config_newer|firewall_left)_/;
/** Files that decide how keepalived is started, beside the configuration: a change of one is seen at once. */
const LAUNCHER_FILES = [
  "/etc/default/keepalived",
  "/etc/sysconfig/keepalived",
  "/etc/systemd/system/keepalived.service",
  "/etc/systemd/system/keepalived.service.d",
];

/** When each of the files was last written: a daemon that was started before runs with an older one. */
function withFileTimes(seen: Observation): Observation {
  if (seen.body.kind !== "config.loaded") return seen;
  const files = seen.body.files.map((file) => {
    const stat = statSync(file.path, { throwIfNoEntry: false });
    return stat ? { ...file, changedTs: Math.round(stat.mtimeMs * 1_000) } : file;
  });
  return { ...seen, body: { ...seen.body, files } };
}

function chainObservation(chain: StartChain, reading: ConfReading, ts: number): Observation {
  const { other } = configRedactor(reading.tree, CONFIG_TEXT_MAX_CHARS);
  const steps = describeChain(chain).steps.slice(0, 256);
  return {
    source: "config",
    ts,
    tsUncertaintyUs: 0,
    idParts: ["start chain", ts],
    body: {
      kind: "config.chain",
      steps: steps.map(({ step, text, at }) => ({
        step,
        text: other(text).slice(0, 4096),
        ...(at ? { file: at.file.slice(0, 4096), line: at.line } : {}),
      })),
      files: reading.paths.slice(0, 1024).map((path) => path.slice(0, 4096)),
      release: chain.release.join("."),
    },
  };
}

function observationOf({ code, severity, message, fix, at }: ChainDiagnostic, ts: number): Observation {
  return {
    source: "config",
    ts,
    tsUncertaintyUs: 0,
    idParts: ["chain", code, message, ts],
    ...(at ? { at: `${at.file}:${at.line}`.slice(0, 4352) } : {}),
    body: {
      kind: "config.diagnostic",
      code,
      severity,
      message: message.slice(0, 1024),
      fix: fix.slice(0, 1024),
      ...(at ? { file: at.file.slice(0, 4096), line: at.line, column: at.column } : {}),
    },
  };
}

/**
 * A configuration file handed in by itself: its includes are read from this machine when they are there.
 * @param withTexts  with the files as they may be shown
 */
export function configObservations(
  path: string,
  text: string,
  configId: string,
  ts: number,
  { release, withTexts = false }: { readonly release?: Release | undefined; readonly withTexts?: boolean } = {},
): Observation[] {
  const files: ConfFiles = {
    read: (asked) => (asked === path ? text : systemConfFiles.read(asked)),
    glob: systemConfFiles.glob,
  };
  const reading = readConfig(path, files, { configId, ...(release === undefined ? {} : { release }) });
  return [...observationsOf(reading, ts), ...(withTexts ? textsOf(reading, ts) : [])];
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
