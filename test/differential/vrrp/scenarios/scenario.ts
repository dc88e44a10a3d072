import type { Stage } from "../stage.ts";
import { SCRIPT_PATH } from "../station.ts";

/** Something that happens to nodes with keepalived, played with the real daemon. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Part of `npm test`; the others are only run by `npm run differential -- vrrp`. */
  readonly isShort?: true;
  /** One a node: `lb1`, `lb2`, … */
  readonly configs: readonly string[];
  /** What happens. The keepalived of no node runs yet; when it returns, each is watched a little longer. */
  play(stage: Stage): Promise<void>;
}

export const VIP = "10.99.0.100";
export const VIP6 = "fe80::99:100";

export interface InstanceText {
  readonly name?: string;
  readonly wire?: "eth0" | "eth1";
  readonly state?: "MASTER" | "BACKUP";
  readonly vrid?: number;
  readonly priority?: number;
  /** Version 3 at 0.3 s, unless it is said otherwise: so that a scenario takes seconds. */
  readonly version?: 2 | 3;
  readonly interval?: number;
  readonly vips?: readonly string[];
  readonly lines?: readonly string[];
}

/** The classic: version 2, an advert a second. */
export const CLASSIC = { version: 2, interval: 1 } as const;
/** Version 2 with a password, as every tutorial has it. */
export const password = (word: string): string => block("authentication", ["auth_type PASS", `auth_pass ${word}`]);

export function instance({
  name = "VI_1",
  wire = "eth0",
  state = "BACKUP",
  vrid = 51,
  priority,
  version = 3,
  interval = 0.3,
  vips = [VIP],
  lines = [],
}: InstanceText = {}): string {
  return block(`vrrp_instance ${name}`, [
    `version ${version}`,
    `state ${state}`,
    `interface ${wire}`,
    `virtual_router_id ${vrid}`,
    ...(priority === undefined ? [] : [`priority ${priority}`]),
    `advert_int ${interval}`,
    ...lines,
    block("virtual_ipaddress", vips),
  ]);
}

/** A script that answers what the scenario says: `Station.answer`. */
export function script(name: string, lines: readonly string[] = []): string {
  return block(`vrrp_script ${name}`, [`script "${SCRIPT_PATH} ${name}"`, ...lines]);
}

export const trackFile = (name: string): string => block(`track_file ${name}`, [`file /etc/keepalived/${name}`]);

export const track = (what: "script" | "interface" | "file" | "process" | "bfd", ...lines: readonly string[]): string =>
  block(`track_${what}`, lines);

export function config(blocks: readonly string[], globals: readonly string[] = []): string {
  return `${[block("global_defs", ["script_user root", ...globals]), ...blocks].join("\n")}\n`;
}

/** A pair that differs in its priority alone: lb1 has the higher one. */
export const pair = (text: InstanceText = {}): readonly [string, string] => [
  config([instance({ priority: 150, ...text })]),
  config([instance({ priority: 100, ...text })]),
];

export function block(head: string, lines: readonly string[]): string {
  return `${head} {\n${lines.map((line) => `    ${line.replaceAll("\n", "\n    ")}\n`).join("")}}`;
}
