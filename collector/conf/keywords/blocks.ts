import { GLOBAL_KEYWORDS } from "./global.ts";
import type { Keyword } from "./keyword.ts";
import { keyword } from "./keyword.ts";
import {
  CHECKER_KEYWORDS,
  HOST_KEYWORDS,
  REAL_SERVER_KEYWORDS,
  URL_KEYWORDS,
  VIRTUAL_SERVER_KEYWORDS,
} from "./servers.ts";
import { block } from "./value.ts";
import {
  AUTHENTICATION_KEYWORDS,
  BFD_KEYWORDS,
  GARP_GROUP_KEYWORDS,
  HMAC_KEYWORDS,
  INSTANCE_KEYWORDS,
  SCRIPT_KEYWORDS,
  SSL_KEYWORDS,
  SYNC_GROUP_KEYWORDS,
  TOP_LEVEL_KEYWORDS,
  TRACK_FILE_KEYWORDS,
  TRACK_PROCESS_KEYWORDS,
} from "./vrrp.ts";

/** Keywords by the keyword that opens their block; "" is the top level. Blocks that are lists have none. */
const KEYWORDS: Readonly<Record<string, readonly Keyword[]>> = {
  "": TOP_LEVEL_KEYWORDS,
  global_defs: GLOBAL_KEYWORDS,
  vrrp_instance: INSTANCE_KEYWORDS,
  authentication: AUTHENTICATION_KEYWORDS,
  auth_hmac: HMAC_KEYWORDS,
  vrrp_sync_group: SYNC_GROUP_KEYWORDS,
  vrrp_script: SCRIPT_KEYWORDS,
  vrrp_track_file: TRACK_FILE_KEYWORDS,
  track_file: TRACK_FILE_KEYWORDS,
  vrrp_track_process: TRACK_PROCESS_KEYWORDS,
  track_group: [keyword("group", "2.0.3", block)],
  garp_group: GARP_GROUP_KEYWORDS,
  bfd_instance: BFD_KEYWORDS,
  SSL: SSL_KEYWORDS,
  virtual_server: VIRTUAL_SERVER_KEYWORDS,
  real_server: REAL_SERVER_KEYWORDS,
  ...CHECKER_KEYWORDS,
  url: URL_KEYWORDS,
  host: HOST_KEYWORDS,
};

const BY_BLOCK: ReadonlyMap<string, ReadonlyMap<string, Keyword>> = new Map(
  Object.entries(KEYWORDS).map(([outer, rows]) => [outer, new Map(rows.map((row) => [row.name, row]))]),
);

/** @returns undefined for a block whose contents are no keywords */
export function keywordsOf(outer: string): ReadonlyMap<string, Keyword> | undefined {
  return BY_BLOCK.get(outer);
}

/** The blocks that know a keyword, "" for the top level. */
export function blocksWith(name: string): string[] {
  return [...BY_BLOCK].filter(([, rows]) => rows.has(name)).map(([outer]) => outer);
}
