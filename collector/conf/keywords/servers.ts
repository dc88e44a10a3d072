import { keyword, type Keyword } from "./keyword.ts";
import {
  granularity,
  address,
  anything,
  block,
  bool,
  boundTo,
  digest,
  domain,
  flag,
  hexBytes,
  namedBlock,
  number,
  oneOf,
  oneWord,
  shortName,
  statusCodes,
  text,
  U32_MAX,
  weight,
} from "./value.ts";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];
const METHODS = ["NAT", "DR", "TUN"];

export const VIRTUAL_SERVER_KEYWORDS: readonly Keyword[] = [
  keyword("delay_loop", "1.2.2", number(1e-6, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "60",
  }),
  keyword("lb_algo", "1.2.2", oneOf(SCHEDULERS, { missing: "fatal" }), { default: "wlc" }),
  keyword("lvs_sched", "1.2.2", oneOf(SCHEDULERS, { missing: "fatal" }), { default: "wlc" }),
  keyword("lb_kind", "1.2.2", oneOf(METHODS, { missing: "fatal" }), { default: "NAT" }),
  keyword("lvs_method", "1.2.2", oneOf(METHODS, { missing: "fatal" }), { default: "NAT (logged)" }),
  keyword("nat_mask", "1.2.2", text("told"), { until: "1.2.19" }),
  keyword("persistence_timeout", "1.2.2", number(1, 2_678_400, { missing: "allowed" }), { default: "off" }),
  keyword("persistence_granularity", "1.2.2", granularity),
  keyword("protocol", "1.2.2", oneOf(["TCP", "UDP", "SCTP"], { missing: "fatal" }), {
    default: "UDP if unset (logged)",
  }),
  keyword("ha_suspend", "1.2.2", flag, { default: "off" }),
  keyword("virtualhost", "1.2.2", text("told")),
  keyword("alpha", "1.2.2", flag, { default: "off" }),
  keyword("omega", "1.2.2", flag, { default: "off" }),
  keyword("quorum_up", "1.2.2", text("fatal")),
  keyword("quorum_down", "1.2.2", text("fatal")),
  keyword("quorum", "1.2.2", number(1, U32_MAX, { missing: "fatal" }), { default: "1" }),
  keyword("hysteresis", "1.2.2", number(0, U32_MAX, { missing: "fatal" }), { default: "0" }),
  keyword("sorry_server", "1.2.2", address("fatal")),
  keyword("real_server", "1.2.2", namedBlock, { repeats: true }),
  keyword("ops", "1.2.8", flag, { default: "off" }),
  keyword("sorry_server_inhibit", "1.2.13", flag, { default: "off" }),
  keyword("ip_family", "1.2.20", oneOf(["inet", "inet6"], { missing: "fatal" }), { default: "from address" }),
  keyword("persistence_engine", "1.2.20", shortName(15, "fatal")),
  keyword("hashed", "1.3.0", flag, { default: "off" }),
  keyword("flag-1", "1.3.0", flag, { default: "off" }),
  keyword("flag-2", "1.3.0", flag, { default: "off" }),
  keyword("flag-3", "1.3.0", flag, { default: "off" }),
  keyword("sh-port", "1.3.0", flag, { default: "off" }),
  keyword("sh-fallback", "1.3.0", flag, { default: "off" }),
  keyword("sorry_server_lvs_method", "1.3.6", oneOf(METHODS, { missing: "told" }), { default: "VS's" }),
  keyword("retry", "1.3.7", number(1, U32_MAX, { missing: "fatal" }), { default: "per checker" }),
  keyword("delay_before_retry", "1.3.7", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "per checker",
  }),
  keyword("warmup", "1.3.7", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "delay_loop",
  }),
  keyword("inhibit_on_failure", "1.3.7", flag, { default: "off" }),
  keyword("weight", "1.3.7", number(1, 2_147_483_647, { missing: "fatal" }), { default: "1" }),
  keyword("smtp_alert", "2.0.0", bool, { default: "off" }),
  keyword("connect_timeout", "2.0.13", number(1e-6, 4294.967295, { missing: "fatal", decimals: 6 }), { default: "5" }),
  keyword("mh-port", "2.0.20", flag, { default: "off" }),
  keyword("mh-fallback", "2.0.20", flag, { default: "off" }),
  keyword("snmp_name", "2.2.3", oneWord("told")),
];

export const REAL_SERVER_KEYWORDS: readonly Keyword[] = [
  keyword("weight", "1.2.2", number(0, 2_147_483_647, { missing: "fatal" }), { default: "VS weight" }),
  keyword("uthreshold", "1.2.2", number(0, U32_MAX, { missing: "fatal" }), { default: "0" }),
  keyword("lthreshold", "1.2.2", number(0, U32_MAX, { missing: "fatal" }), { default: "0" }),
  keyword("inhibit_on_failure", "1.2.2", bool, { default: "VS" }),
  keyword("notify_up", "1.2.2", text("fatal")),
  keyword("notify_down", "1.2.2", text("fatal")),
  keyword("MISC_CHECK", "1.2.2", block, { repeats: true }),
  keyword("SMTP_CHECK", "1.2.2", block, { repeats: true }),
  keyword("TCP_CHECK", "1.2.2", block, { repeats: true }),
  keyword("HTTP_GET", "1.2.2", block, { repeats: true }),
  keyword("SSL_GET", "1.2.2", block, { repeats: true }),
  keyword("DNS_CHECK", "1.3.0", block, { repeats: true }),
  keyword("lvs_method", "1.3.6", oneOf(METHODS, { missing: "fatal" }), { default: "VS's" }),
  keyword("virtualhost", "1.3.6", text("told")),
  keyword("alpha", "1.3.7", bool, { default: "VS" }),
  keyword("retry", "1.3.7", number(1, U32_MAX, { missing: "fatal" }), { default: "VS" }),
  keyword("delay_before_retry", "1.3.7", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "VS",
  }),
  keyword("warmup", "1.3.7", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), { default: "VS" }),
  keyword("delay_loop", "1.3.7", number(1e-6, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "VS",
  }),
  keyword("smtp_alert", "2.0.0", bool, { default: "on" }),
  keyword("BFD_CHECK", "2.0.0", block, { repeats: true }),
  keyword("connect_timeout", "2.0.13", number(1e-6, 4294.967295, { missing: "fatal", decimals: 6 }), { default: "VS" }),
  keyword("PING_CHECK", "2.1.0", block, { repeats: true }),
  keyword("UDP_CHECK", "2.1.0", block, { repeats: true }),
  keyword("FILE_CHECK", "2.1.0", block, { repeats: true }),
  keyword("snmp_name", "2.2.3", oneWord("told")),
];

/** What all checkers that open a connection have in common. */
const CONNECTION: readonly Keyword[] = [
  keyword("connect_ip", "1.2.2", address("fatal"), { default: "the real server's address" }),
  keyword("connect_port", "1.2.2", number(1, 65_535, { missing: "fatal" }), { default: "the real server's port" }),
  keyword("bindto", "1.2.2", address("fatal")),
  keyword("bind_port", "1.2.13", number(1, 65_535, { missing: "fatal" })),
  keyword("bind_if", "1.3.7", boundTo),
  keyword("connect_timeout", "1.2.2", number(0.000001, 4294.967295, { missing: "fatal", decimals: 6 }), {
    default: "5",
  }),
  keyword("fwmark", "1.2.13", number(0, U32_MAX, { missing: "fatal" }), { default: "0" }),
];

/** What all checkers that run by a schedule have in common. */
const SCHEDULE: readonly Keyword[] = [
  keyword("alpha", "1.3.7", bool, { default: "the real server's" }),
  keyword("delay_loop", "1.3.7", number(0.000001, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "the real server's",
  }),
  keyword("retry", "1.2.20", number(0, U32_MAX, { missing: "fatal" }), { default: "1 (MISC_CHECK 0, DNS_CHECK 3)" }),
  keyword("delay_before_retry", "1.2.20", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "1 (HTTP_GET and SSL_GET 3, DNS_CHECK delay_loop)",
  }),
  keyword("warmup", "1.2.13", number(0, Number.MAX_SAFE_INTEGER, { missing: "fatal", decimals: 6 }), {
    default: "delay_loop",
  }),
  keyword("log_all_failures", "2.0.11", bool, { default: "the global setting" }),
];

const NETWORK: readonly Keyword[] = [...CONNECTION, ...SCHEDULE];

const HTTP_KEYWORDS: readonly Keyword[] = [
  ...NETWORK,
  keyword("url", "1.2.2", block, { repeats: true }),
  keyword("virtualhost", "1.3.6", text("told")),
  keyword("http_protocol", "2.0.17", oneOf(["1.0", "1.0C", "1.0c", "1.1"], { missing: "told" }), { default: "1.0" }),
  keyword("enable_sni", "1.4.3", bool, { default: "off" }),
  keyword("fast_recovery", "2.0.17", bool, { default: "off" }),
  keyword("nb_get_retry", "1.2.2", number(0, U32_MAX, { missing: "fatal" }), { deprecated: "retry" }),
  keyword("tls_compliant", "2.2.8", flag),
];

export const URL_KEYWORDS: readonly Keyword[] = [
  keyword("path", "1.2.2", text("fatal"), { default: "/" }),
  keyword("digest", "1.2.2", digest),
  keyword("status_code", "1.2.2", statusCodes, { default: "200-299" }),
  keyword("virtualhost", "1.3.6", text("told")),
  keyword("regex", "2.0.7", text("told")),
  keyword("regex_no_match", "2.0.7", flag),
  keyword("regex_options", "2.0.7", text("told")),
  keyword("regex_min_offset", "2.0.7", anything),
  keyword("regex_max_offset", "2.0.7", anything),
  keyword("regex_stack", "2.0.7", anything),
  keyword("tls_compliant", "2.2.8", flag),
];

const DNS_TYPES = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"];

/** By the keyword that opens the checker's block. */
export const CHECKER_KEYWORDS: Readonly<Record<string, readonly Keyword[]>> = {
  TCP_CHECK: NETWORK,
  PING_CHECK: NETWORK,
  HTTP_GET: HTTP_KEYWORDS,
  SSL_GET: HTTP_KEYWORDS,
  SMTP_CHECK: [
    ...NETWORK,
    keyword("helo_name", "1.2.2", text("told"), { default: "smtpchecker.keepalived.org" }),
    keyword("host", "1.2.2", block, { repeats: true, deprecated: "the same keywords in SMTP_CHECK itself" }),
  ],
  DNS_CHECK: [
    ...NETWORK,
    keyword("type", "1.3.0", oneOf(DNS_TYPES, { missing: "fatal" }), { default: "SOA" }),
    keyword("name", "1.3.0", domain("fatal"), { default: ".", firstCounts: true }),
  ],
  UDP_CHECK: [
    ...NETWORK,
    keyword("payload", "2.2.0", hexBytes("told"), { default: "empty" }),
    keyword("require_reply", "2.1.0", hexBytes("allowed"), { default: "off" }),
    keyword("min_reply_length", "2.2.0", number(0, 65_535, { missing: "fatal" }), { default: "0" }),
    keyword("max_reply_length", "2.2.0", number(0, 65_535, { missing: "fatal" }), { default: "255" }),
  ],
  MISC_CHECK: [
    ...SCHEDULE,
    keyword("misc_path", "1.2.2", text("allowed")),
    keyword("misc_timeout", "1.2.2", number(0, 4294, { missing: "fatal" }), {
      default: "the virtual server's delay_loop",
    }),
    keyword("misc_dynamic", "1.2.2", flag),
    keyword("user", "1.3.0", text("fatal"), { default: "script_user" }),
  ],
  FILE_CHECK: [
    keyword("track_file", "2.1.0", text("fatal")),
    keyword("weight", "2.1.0", weight(2_147_483_647, "told"), { default: "the file's" }),
  ],
  BFD_CHECK: [keyword("name", "2.0.0", text("fatal")), keyword("alpha", "1.3.7", bool)],
};

export const HOST_KEYWORDS: readonly Keyword[] = CONNECTION;
