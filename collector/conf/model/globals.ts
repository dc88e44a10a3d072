import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { MailSettings } from "../../events/event.ts";
import type { ConfNode } from "../parser.ts";
import { entriesOf, flag, integer, last, microseconds, readValue, valueOf, wordsOf, isMulticast } from "./read.ts";
import type { Garp, Globals } from "./types.ts";

/** Defaults of keepalived 2.2.7 (include/vrrp.h, core/global_data.c). */
const DEFAULT_DOWN_TIMER_ADVERTS = 3;
const SMTP_PORT = 25;
const SMTP_CONNECT_TIMEOUT_S = 30;
const GARP_DEFAULTS: Garp = {
  masterDelayUs: 5 * US_PER_SECOND,
  masterRepeat: 5,
  masterRefreshUs: 0,
  masterRefreshRepeat: 1,
  lowerPrioDelayUs: 5 * US_PER_SECOND,
  lowerPrioRepeat: 5,
};

/** @param nodes  the lines of all global_defs blocks. @param roots  the top level */
export function globalsOf(nodes: readonly ConfNode[], roots: readonly ConfNode[]): Globals {
  const smtpAlert = flag(nodes, "smtp_alert");
  const vrrpVersion = readValue(nodes, "vrrp_version", versionNumber);
  return {
    routerId: valueOf(nodes, "router_id")?.slice(0, 255),
    vrrpVersion,
    strict: flag(nodes, "vrrp_strict") ?? false,
    dynamicInterfaces: last(nodes, "dynamic_interfaces") !== undefined,
    defaultInterface: valueOf(nodes, "default_interface"),
    downTimerAdverts: readValue(nodes, "vrrp_down_timer_adverts", integer(1, 100)) ?? DEFAULT_DOWN_TIMER_ADVERTS,
    scriptSecurity: last(nodes, "enable_script_security") !== undefined,
    scriptUser: last(nodes, "script_user")
      ?.values.map(({ text }) => text)
      .join(" "),
    multicastGroup: {
      ipv4: readValue(nodes, "vrrp_mcast_group4", multicastGroup) ?? "224.0.0.18",
      ipv6: readValue(nodes, "vrrp_mcast_group6", multicastGroup) ?? "ff02::12",
    },
    skipCheckAdvAddr: last(nodes, "vrrp_skip_check_adv_addr") !== undefined,
    checkUnicastSource: last(nodes, "vrrp_check_unicast_src") !== undefined,
    lowerPrioNoAdvert: flag(nodes, "vrrp_lower_prio_no_advert") ?? false,
    higherPrioSendAdvert: flag(nodes, "vrrp_higher_prio_send_advert") ?? false,
    ownerIgnoresAdverts: flag(nodes, "vrrp_owner_ignore_adverts") ?? false,
    startupDelayUs: readValue(nodes, "vrrp_startup_delay", microseconds(0.001, 4294.967_295)) ?? 0,
    v3ChecksumAsV2: flag(nodes, "v3_checksum_as_v2") ?? false,
    netNamespace: valueOf(roots, "net_namespace"),
    smtpAlert: {
      vrrp: flag(nodes, "smtp_alert_vrrp") ?? smtpAlert ?? false,
      realServers: flag(nodes, "smtp_alert_checker") ?? smtpAlert ?? true,
      virtualServers: flag(nodes, "smtp_alert_checker") ?? smtpAlert ?? false,
    },
    mail: mailOf(nodes),
    garp: garpOf(nodes, "vrrp_garp_", GARP_DEFAULTS),
    checkerLogAllFailures: flag(nodes, "checker_log_all_failures") ?? false,
  };
}

export function versionNumber(text: string): 2 | 3 | undefined {
  return text === "2" ? 2 : text === "3" ? 3 : undefined;
}

/** @param prefix  of the keywords: `vrrp_garp_` in global_defs, `garp_` in an instance */
export function garpOf(nodes: readonly ConfNode[], prefix: string, defaults: Garp): Garp {
  const seconds = microseconds(0, 4294);
  const count = integer(0, 2_147_483_647);
  const masterDelayUs = readValue(nodes, `${prefix}master_delay`, seconds) ?? defaults.masterDelayUs;
  const masterRepeat = Math.max(1, readValue(nodes, `${prefix}master_repeat`, count) ?? defaults.masterRepeat);
  return {
    masterDelayUs,
    masterRepeat,
    masterRefreshUs: readValue(nodes, `${prefix}master_refresh`, seconds) ?? defaults.masterRefreshUs,
    masterRefreshRepeat: Math.max(
      1,
      readValue(nodes, `${prefix}master_refresh_repeat`, count) ?? defaults.masterRefreshRepeat,
    ),
    lowerPrioDelayUs: readValue(nodes, `${prefix}lower_prio_delay`, seconds) ?? masterDelayUs,
    lowerPrioRepeat: readValue(nodes, `${prefix}lower_prio_repeat`, count) ?? masterRepeat,
  };
}

function mailOf(nodes: readonly ConfNode[]): MailSettings | undefined {
  const to = entriesOf(nodes, "notification_email").flatMap(wordsOf);
  const from = valueOf(nodes, "notification_email_from");
  const server = last(nodes, "smtp_server");
  const host = server?.values[0]?.text;
  if (to.length === 0 && from === undefined && host === undefined) return undefined;
  return {
    to: to.slice(0, 64).map((address) => address.slice(0, 320)),
    port: integer(1, 65535)(server?.values[1]?.text ?? "") ?? SMTP_PORT,
    connectTimeoutSeconds: readValue(nodes, "smtp_connect_timeout", integer(0, 4294)) ?? SMTP_CONNECT_TIMEOUT_S,
    ...(from === undefined ? {} : { from: from.slice(0, 320) }),
    ...(host === undefined ? {} : { host: host.slice(0, 255) }),
  };
}

const multicastGroup = (text: string): string | undefined => (isMulticast(text) ? normaliseAddress(text) : undefined);
