import { normaliseAddress } from "../core/address.ts";
import type { ConfiguredInstance, EventBody, Family, MailSettings } from "../events/event.ts";
import { US_PER_SECOND } from "../core/time.ts";
import type { ConfNode, ConfTree } from "./parser.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { NodeFacts } from "./facts.ts";
import { NEWEST_RELEASE, type Release } from "./version.ts";

/** What a configuration promises, and what is wrong with it. There is no field for a password. */
export interface EffectiveConfig {
  readonly instances: readonly ConfiguredInstance[];
  readonly virtualServers: readonly string[];
  readonly routerId?: string;
  readonly mail?: MailSettings;
  readonly diagnostics: readonly EventBody<"config.diagnostic">[];
}

/** Defaults of keepalived 2.2.7 (include/vrrp.h, core/global_data.c). */
const DEFAULT_PRIORITY = 100;
const OWNER_PRIORITY = 255;
const DEFAULT_DOWN_TIMER_ADVERTS = 3;
const SMTP_PORT = 25;
const SMTP_CONNECT_TIMEOUT_S = 30;

interface Globals {
  readonly version: 2 | 3 | undefined;
  readonly downTimerAdverts: number;
  readonly defaultInterface: string | undefined;
  readonly routerId: string | undefined;
  readonly mail: MailSettings | undefined;
}

export interface ModelOptions {
  /** The keepalived that will read it (default: the newest known). */
  readonly release?: Release;
  /** What is known about its node (default: nothing). */
  readonly facts?: NodeFacts;
}

/** Makes sense of a tree, with keepalived's own defaults filled in. */
export function modelOf(tree: ConfTree, { release = NEWEST_RELEASE }: ModelOptions = {}): EffectiveConfig {
  const diagnostics = new Diagnostics(tree.faults, release);
  const globals = globalsOf(blocks(tree.nodes, "global_defs"), diagnostics);
  diagnostics.checkTopLevel(tree.nodes);
  const names = new Set<string>();
  const instances: ConfiguredInstance[] = [];
  for (const block of blocks(tree.nodes, "vrrp_instance")) {
    const name = block.values[0]?.text;
    if (name === undefined)
      diagnostics.add(
        "instance_no_name",
        block.keyword.at,
        "a vrrp_instance has no name, and is skipped",
        "Give it a name",
      );
    else if (names.has(name))
      diagnostics.add(
        "instance_duplicate",
        block.keyword.at,
        `vrrp_instance ${name} is defined a second time, and this one is skipped`,
        "Give it a name of its own",
        name,
      );
    else {
      names.add(name);
      instances.push(instanceOf(block, name, globals, diagnostics));
    }
  }
  diagnostics.checkDuplicateVrids(instances);
  const virtualServers = blocks(tree.nodes, "virtual_server").map(({ values }) =>
    values
      .map(({ text }) => text)
      .join(" ")
      .slice(0, 255),
  );
  if (
    tree.unreadable === undefined &&
    instances.length === 0 &&
    virtualServers.length === 0 &&
    !["bfd_instance", "static_ipaddress", "static_routes", "static_rules"].some(
      (keyword) => blocks(tree.nodes, keyword).length > 0,
    )
  )
    diagnostics.add(
      "no_configuration",
      { file: tree.files[0]?.path ?? "", line: 1, column: 1 },
      "there is no vrrp_instance, virtual_server or other block that gives keepalived something to run",
      "Check that this is the file keepalived reads, and that no brace is missing",
    );
  return {
    instances,
    virtualServers,
    diagnostics: diagnostics.list(),
    ...(globals.routerId === undefined ? {} : { routerId: globals.routerId }),
    ...(globals.mail === undefined ? {} : { mail: globals.mail }),
  };
}

function blocks(nodes: readonly ConfNode[], keyword: string): ConfNode[] {
  return nodes.filter((node) => node.keyword.text === keyword);
}

/** The last one counts, as with keepalived. */
function last(nodes: readonly ConfNode[], keyword: string): ConfNode | undefined {
  return blocks(nodes, keyword).at(-1);
}

function valueOf(nodes: readonly ConfNode[], keyword: string): string | undefined {
  return last(nodes, keyword)?.values[0]?.text;
}

function globalsOf(defs: readonly ConfNode[], diagnostics: Diagnostics): Globals {
  const nodes = defs.flatMap(({ children }) => children ?? []);
  diagnostics.checkParameters(nodes, [
    "router_id",
    "notification_email_from",
    "smtp_server",
    "smtp_connect_timeout",
    "vrrp_version",
    "default_interface",
    "vrrp_down_timer_adverts",
  ]);
  const version = valueOf(nodes, "vrrp_version");
  return {
    version: version === "2" ? 2 : version === "3" ? 3 : undefined,
    downTimerAdverts: integer(valueOf(nodes, "vrrp_down_timer_adverts"), 1, 100) ?? DEFAULT_DOWN_TIMER_ADVERTS,
    defaultInterface: valueOf(nodes, "default_interface"),
    routerId: valueOf(nodes, "router_id")?.slice(0, 255),
    mail: mailOf(nodes),
  };
}

function mailOf(nodes: readonly ConfNode[]): MailSettings | undefined {
  const to = blocks(nodes, "notification_email").flatMap(({ children }) => entries(children).flat());
  const from = valueOf(nodes, "notification_email_from");
  const server = last(nodes, "smtp_server");
  const host = server?.values[0]?.text;
  if (to.length === 0 && from === undefined && host === undefined) return undefined;
  return {
    to: to.slice(0, 64).map((address) => address.slice(0, 320)),
    port: integer(server?.values[1]?.text, 1, 65535) ?? SMTP_PORT,
    connectTimeoutSeconds: integer(valueOf(nodes, "smtp_connect_timeout"), 0, 4294) ?? SMTP_CONNECT_TIMEOUT_S,
    ...(from === undefined ? {} : { from: from.slice(0, 320) }),
    ...(host === undefined ? {} : { host: host.slice(0, 255) }),
  };
}

function instanceOf(block: ConfNode, name: string, globals: Globals, diagnostics: Diagnostics): ConfiguredInstance {
  const nodes = block.children ?? [];
  diagnostics.checkInstance(block, name);
  const vips = blocks(nodes, "virtual_ipaddress").flatMap(({ children }) =>
    entries(children).flatMap(([word]) => vipOf(word)),
  );
  const family = familyOf(nodes, vips);
  const version = versionOf(valueOf(nodes, "version"), globals.version, family);
  const startsMaster = valueOf(nodes, "state") === "MASTER";
  const priority = integer(valueOf(nodes, "priority"), 1, 255) ?? (startsMaster ? OWNER_PRIORITY : DEFAULT_PRIORITY);
  if (startsMaster && last(nodes, "priority") === undefined)
    diagnostics.add(
      "state_master_without_priority",
      last(nodes, "state")?.keyword.at ?? block.keyword.at,
      `vrrp_instance ${name} has state MASTER and no priority: it runs with priority 255, as the owner of the address`,
      "Set a priority from 1 to 254",
      name,
    );
  const face = valueOf(nodes, "interface") ?? globals.defaultInterface;
  if (face === undefined)
    diagnostics.add(
      "unknown_interface",
      block.keyword.at,
      `vrrp_instance ${name} names no interface`,
      "Add an interface line",
      name,
    );
  const vrid = integer(valueOf(nodes, "virtual_router_id"), 1, 255);
  const source = valueOf(nodes, "mcast_src_ip") ?? valueOf(nodes, "unicast_src_ip");
  const sourceAddress = source === undefined ? undefined : normaliseAddress(source);
  return {
    instance: name.slice(0, 255),
    file: block.keyword.at.file.slice(0, 4096),
    line: block.keyword.at.line,
    family,
    priority,
    advertIntervalUs: intervalOf(valueOf(nodes, "advert_int"), version),
    downTimerAdverts: integer(valueOf(nodes, "down_timer_adverts"), 1, 100) ?? globals.downTimerAdverts,
    version,
    vips: vips.filter((address) => address.includes(":") === (family === "ipv6")).slice(0, 512),
    startState: startsMaster ? "MASTER" : "BACKUP",
    nopreempt: last(nodes, "nopreempt") !== undefined,
    unicastPeers: blocks(nodes, "unicast_peer")
      .flatMap(({ children }) => entries(children).flatMap(([word]) => normaliseAddress(word ?? "") ?? []))
      .slice(0, 512),
    ...(vrid === undefined ? {} : { vrid }),
    ...(face === undefined ? {} : { interface: face.slice(0, 255) }),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
  };
}

/** Lines of a list block, word by word. */
function entries(children: readonly ConfNode[] | undefined): string[][] {
  return (children ?? []).map(({ keyword, values }) => [keyword.text, ...values.map(({ text }) => text)]);
}

function vipOf(word: string | undefined): string[] {
  const address = normaliseAddress((word ?? "").split("/")[0] ?? "");
  return address === undefined ? [] : [address];
}

/** The first address decides, as with keepalived; 1.x's `native_ipv6` when there is none. */
function familyOf(nodes: readonly ConfNode[], vips: readonly string[]): Family {
  if (vips[0] !== undefined) return vips[0].includes(":") ? "ipv6" : "ipv4";
  return last(nodes, "native_ipv6") ? "ipv6" : "ipv4";
}

function versionOf(own: string | undefined, global: 2 | 3 | undefined, family: Family): 2 | 3 {
  if (own === "2") return 2;
  if (own === "3") return 3;
  return global ?? (family === "ipv6" ? 3 : 2);
}

/** Version 2 has whole seconds on the wire, version 3 hundredths. */
function intervalOf(text: string | undefined, version: 2 | 3): number {
  const seconds = text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : 1;
  const us = version === 2 ? Math.round(seconds) * US_PER_SECOND : Math.round(seconds * 100) * 10_000;
  return us >= 1 && us <= 255 * US_PER_SECOND ? us : US_PER_SECOND;
}

function integer(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
