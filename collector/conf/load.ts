import { createHash } from "node:crypto";
import type { Observation } from "../events/observation.ts";
import { type ModelOptions, modelOf } from "./model.ts";
import type { Running } from "./model/types.ts";
import { type ConfFiles, type ConfTree, parseConf } from "./parser.ts";
import { encodeBytes } from "./text.ts";

/** Who reads the configuration, as far as it is known. */
export interface ConfReader extends Pick<ModelOptions, "release" | "facts" | "fingerprintKey"> {
  /** What `@id` lines are compared with. */
  readonly configId: string;
  /** `-e`, `--all-config`. */
  readonly allConfig?: boolean;
}

export interface ObservedConfig {
  readonly observations: Observation[];
  readonly paths: readonly string[];
  readonly version: string;
  /** What keepalived will run; undefined when the file cannot be read. */
  readonly running?: Running;
}

/**
 * A node's configuration as observations: `config.loaded`, a `config.diagnostic` for each fault, or `config.unreadable`.
 * @param ts  epoch microseconds: when it was read
 */
export function observeConfig(
  path: string,
  files: ConfFiles,
  { configId, allConfig = false, ...options }: ConfReader,
  ts: number,
): ObservedConfig {
  const release = options.release === undefined ? {} : { release: options.release };
  const tree = parseConf(path, files, configId, { allConfig, ...release });
  const version = versionOf(tree);
  const paths = tree.files.map((file) => file.path);
  if (tree.unreadable !== undefined) {
    const body = { kind: "config.unreadable", path, message: tree.unreadable.slice(0, 1024) } as const;
    return {
      observations: [
        { source: "config", ts, tsUncertaintyUs: 0, idParts: ["unreadable", path, tree.unreadable, ts], body },
      ],
      paths,
      version,
    };
  }
  const { instances, virtualServers, routerId, mail, running, diagnostics } = modelOf(tree, options);
  const common = { source: "config", ts, tsUncertaintyUs: 0 } as const;
  const loaded: Observation = {
    ...common,
    idParts: ["loaded", version, ts],
    at: path.slice(0, 4352),
    body: {
      kind: "config.loaded",
      files: tree.files.slice(0, 1024).map((file) => ({ path: file.path.slice(0, 4096), sha256: sha256(file.text) })),
      instances: instances.slice(0, 4096).map((instance) => ({ ...instance })),
      virtualServers: virtualServers.slice(0, 4096),
      ...(routerId === undefined ? {} : { routerId }),
      ...(mail === undefined ? {} : { mail }),
    },
  };
  const faults = diagnostics.map(
    (body): Observation => ({
      ...common,
      idParts: ["diagnostic", version, ts, body.code, body.file ?? "", body.line ?? 0, body.column ?? 0],
      at: `${body.file ?? path}:${body.line ?? 1}`,
      body,
    }),
  );
  return { observations: [loaded, ...faults], paths, version, running };
}

/** Changes when any file of the configuration does. */
function versionOf(tree: ConfTree): string {
  return sha256(JSON.stringify([tree.unreadable ?? "", ...tree.files.map(({ path, text }) => [path, sha256(text)])]));
}

const sha256 = (text: string): string => createHash("sha256").update(encodeBytes(text)).digest("hex");
