import type { StartChain } from "../chain/chain.ts";
import type { Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import { Handover } from "./handover.ts";

/**
 * What keepalived would run on this node, told by conf-watch whenever it changes. While the configuration cannot be read
 * nothing new is told: a daemon that runs keeps what it has read, too.
 */
export interface EffectiveConfig {
  /** The file at the root of it. */
  readonly path: string;
  /** Changes when a file of the configuration does. */
  readonly version: string;
  readonly running: Running;
  /** Of the keepalived that is installed; the newest known where none is. */
  readonly release: Release;
  /** How it is started; undefined for a file that the node's own start chain does not name. */
  readonly chain: StartChain | undefined;
  /** When it was read, epoch microseconds. */
  readonly readTs: number;
}

export class EffectiveConfigs extends Handover<EffectiveConfig> {}
