import { createHash } from "node:crypto";
import { CONFIG_TEXT_MAX_CHARS, type EventBody } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type ModelOptions, modelOf } from "./model.ts";
import type { Running } from "./model/types.ts";
import { type ConfFiles, type ConfTree, parseConf } from "./parser.ts";
import { configRedactor } from "./redacted-text.ts";
import { configuredServices } from "./server-summary.ts";
import { encodeBytes } from "./text.ts";

/** Files whose text is told; the others are named. */
const TEXTS_MAX = 64;

/** Who reads the configuration, as far as it is known. */
export interface ConfReader extends Pick<ModelOptions, "release" | "facts" | "fingerprintKey"> {
  /** What `@id` lines are compared with. */
  readonly configId: string;
  /** `-e`, `--all-config`. */
  readonly allConfig?: boolean;
}

/** A configuration as it was read, whenever that was. */
export interface ConfReading {
  readonly path: string;
  readonly paths: readonly string[];
  readonly version: string;
  /** What keepalived will run; undefined when the file cannot be read. */
  readonly running?: Running;
  readonly body: EventBody<"config.loaded" | "config.unreadable">;
  readonly faults: readonly EventBody<"config.diagnostic">[];
  readonly tree: Pick<ConfTree, "files" | "nodes">;
}

export interface ObservedConfig extends Pick<ConfReading, "paths" | "version" | "running"> {
  readonly observations: Observation[];
}

/**
 * A node's configuration as observations: `config.loaded`, a `config.diagnostic` for each fault, or `config.unreadable`.
 * @param ts  epoch microseconds: when it was read
 */
export function observeConfig(path: string, files: ConfFiles, reader: ConfReader, ts: number): ObservedConfig {
  const reading = readConfig(path, files, reader);
  return { ...reading, observations: observationsOf(reading, ts) };
}

export function readConfig(
  path: string,
  files: ConfFiles,
  { configId, allConfig = false, ...options }: ConfReader,
): ConfReading {
  const release = options.release === undefined ? {} : { release: options.release };
  const tree = parseConf(path, files, configId, { allConfig, ...release });
  const known = { path, paths: tree.files.map((file) => file.path), version: versionOf(tree), tree };
  if (tree.unreadable !== undefined) {
    const body = { kind: "config.unreadable", path, message: tree.unreadable.slice(0, 1024) } as const;
    return { ...known, body, faults: [] };
  }
  const { instances, virtualServers, routerId, mail, running, diagnostics } = modelOf(tree, options);
  const services = configuredServices(running.virtualServers);
  const body: EventBody<"config.loaded"> = {
    kind: "config.loaded",
    files: tree.files.slice(0, 1024).map((file) => ({ path: file.path.slice(0, 4096), sha256: sha256(file.text) })),
    instances: instances.slice(0, 4096).map((instance) => ({ ...instance })),
    virtualServers: virtualServers.slice(0, 4096),
    ...(services === undefined ? {} : { services }),
    ...(routerId === undefined ? {} : { routerId }),
    ...(mail === undefined ? {} : { mail }),
  };
  return { ...known, running, body, faults: diagnostics };
}

/** @param ts  epoch microseconds: when it was read, or was found to be as it was */
export function observationsOf({ path, version, body, faults }: ConfReading, ts: number): Observation[] {
  const common = { source: "config", ts, tsUncertaintyUs: 0 } as const;
  if (body.kind === "config.unreadable") return [{ ...common, idParts: ["unreadable", path, body.message, ts], body }];
  return [
    { ...common, idParts: ["loaded", version, ts], at: path.slice(0, 4352), body },
    ...faults.map(
      (fault): Observation => ({
        ...common,
        idParts: ["diagnostic", version, ts, fault.code, fault.file ?? "", fault.line ?? 0, fault.column ?? 0],
        at: `${fault.file ?? path}:${fault.line ?? 1}`,
        body: fault,
      }),
    ),
  ];
}

/**
 * The files as they may be shown.
 * @param ts  epoch microseconds: when they were read
 */
export function textsOf({ tree, version }: ConfReading, ts: number): Observation[] {
  const { file } = configRedactor(tree, CONFIG_TEXT_MAX_CHARS);
  return tree.files.slice(0, TEXTS_MAX).map(({ path, text }, i) => {
    const redacted = file(path);
    const isCut = text.length > CONFIG_TEXT_MAX_CHARS || redacted.length > CONFIG_TEXT_MAX_CHARS;
    return {
      source: "config",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["text", version, i, ts],
      at: path.slice(0, 4096),
      body: {
        kind: "config.text",
        path: path.slice(0, 4096),
        sha256: sha256(text),
        text: redacted.slice(0, CONFIG_TEXT_MAX_CHARS),
        ...(isCut ? { truncated: true } : {}),
      },
    };
  });
}

/** Changes when any file of the configuration does. */
function versionOf(tree: ConfTree): string {
  return sha256(JSON.stringify([tree.unreadable ?? "", ...tree.files.map(({ path, text }) => [path, sha256(text)])]));
}

const sha256 = (text: string): string => createHash("sha256").update(encodeBytes(text)).digest("hex");
