import type { SourceLocation } from "../core/errors.ts";
import type { EventBody } from "../events/event.ts";
import { codeOf, severityOf } from "./codes/registry.ts";
import { INSTANCE_KEYWORDS, TOP_LEVEL_KEYWORDS } from "./keywords.ts";
import type { ConfFault, ConfNode } from "./parser.ts";
import type { Release } from "./version.ts";

/** Keywords of a vrrp_instance that need a value: without it the daemon ends. */
const NEED_VALUE = [
  "state",
  "interface",
  "virtual_router_id",
  "priority",
  "advert_int",
  "mcast_src_ip",
  "unicast_src_ip",
  "version",
  "preempt_delay",
  "garp_master_delay",
];

const NEED_VALUE_GLOBALLY = [
  "router_id",
  "notification_email_from",
  "smtp_server",
  "smtp_connect_timeout",
  "vrrp_version",
  "default_interface",
  "vrrp_down_timer_adverts",
];

/** Collects what is wrong, each with its place and what to do. */
export class Diagnostics {
  private readonly found: EventBody<"config.diagnostic">[] = [];

  private readonly release: Release;

  constructor(faults: readonly ConfFault[], release: Release) {
    this.release = release;
    for (const { code, at, message, fix } of faults) this.add(code, at, message, fix);
  }

  /**
   * @param fix  what to do here, when the code's own advice can be said more exactly
   * @throws Error when the code has no row in codes/
   */
  add(code: string, at: SourceLocation, message: string, fix: string = codeOf(code).fix, instance?: string): void {
    this.found.push({
      kind: "config.diagnostic",
      code,
      severity: severityOf(code, this.release),
      message: message.slice(0, 1024),
      line: at.line,
      column: at.column,
      fix: fix.slice(0, 1024),
      ...(at.file === "" ? {} : { file: at.file.slice(0, 4096) }),
      ...(instance === undefined ? {} : { instance: instance.slice(0, 255) }),
    });
  }

  list(): readonly EventBody<"config.diagnostic">[] {
    return this.found;
  }

  checkTopLevel(nodes: readonly ConfNode[]): void {
    for (const { keyword } of nodes) {
      if (keyword.text === "" || TOP_LEVEL_KEYWORDS.has(keyword.text)) continue;
      this.add(
        "unknown_keyword",
        keyword.at,
        `${shown(keyword.text)} is no keyword at the top level, and is ignored`,
        "Check its spelling, and that no brace before it is missing or too many",
      );
    }
  }

  checkInstance(block: ConfNode, name: string): void {
    const nodes = block.children ?? [];
    this.checkParameters(nodes, NEED_VALUE, name);
    for (const { keyword } of nodes) {
      if (keyword.text === "" || INSTANCE_KEYWORDS.has(keyword.text)) continue;
      this.add(
        "unknown_keyword",
        keyword.at,
        `${shown(keyword.text)} is no keyword of a vrrp_instance, and is ignored: the default applies`,
        "Check its spelling: keywords are case sensitive",
        name,
      );
    }
    this.checkVrid(block, nodes, name);
  }

  /** A keyword without its value ends the daemon. */
  checkParameters(nodes: readonly ConfNode[], keywords: readonly string[], instance?: string): void {
    for (const { keyword, values } of nodes)
      if (values.length === 0 && keywords.includes(keyword.text))
        this.add(
          "missing_parameter",
          keyword.at,
          `${keyword.text} has no value: keepalived ends when it reads this line`,
          "Give it a value, or remove the line",
          instance,
        );
  }

  checkGlobals(nodes: readonly ConfNode[]): void {
    this.checkParameters(nodes, NEED_VALUE_GLOBALLY);
  }

  private checkVrid(block: ConfNode, nodes: readonly ConfNode[], name: string): void {
    const lines = nodes.filter(({ keyword }) => keyword.text === "virtual_router_id");
    if (lines.length === 0)
      this.add(
        "no_vrid",
        block.keyword.at,
        `vrrp_instance ${name} has no virtual_router_id`,
        "Add one, from 1 to 255, the same on all nodes",
        name,
      );
    for (const { keyword, values } of lines) {
      const text = values[0]?.text;
      if (text === undefined || (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 255)) continue;
      this.add(
        "vrid_invalid",
        keyword.at,
        `virtual_router_id ${shown(text)} is not a number from 1 to 255`,
        "Give a number from 1 to 255, the same on all nodes",
        name,
      );
    }
  }
}

/** A word of the file as it may be shown: an unknown keyword may be a password whose line was broken. */
function shown(text: string): string {
  return /^[A-Za-z0-9_.-]{1,40}$/.test(text) ? text : "a word that is none of keepalived's";
}
