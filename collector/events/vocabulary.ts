/** The words of the event contract that are needed without its schemas: a log is read without loading a validator. */

/** Where an observation comes from. DESIGN vocabulary: `wire` is captured adverts, `kernel` is netlink. */
export const SOURCES = ["log", "wire", "kernel", "dump", "config", "check", "shadow", "process", "collector"] as const;
export type Source = (typeof SOURCES)[number];

/** States of a vrrp_instance, as keepalived names them. */
export const STATES = ["INIT", "BACKUP", "MASTER", "FAULT"] as const;
export type VrrpState = (typeof STATES)[number];

export const FAMILIES = ["ipv4", "ipv6"] as const;
export type Family = (typeof FAMILIES)[number];

/** keepalived's processes: the parent, and the children by what they do. */
export const DAEMONS = ["parent", "vrrp", "checker", "bfd"] as const;
export type Daemon = (typeof DAEMONS)[number];

/** States of a BFD session: RFC 5880 section 6.2. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;

/** keepalived's health checkers. `service` where the line does not say which. */
export const CHECKERS = ["TCP", "HTTP", "SSL", "MISC", "SMTP", "DNS", "PING", "UDP", "BFD", "service"] as const;
export type Checker = (typeof CHECKERS)[number];

/** What keepalived does about a configuration fault: DESIGN section 3. */
export const DIAGNOSTIC_SEVERITIES = ["fatal", "instance-lost", "degraded", "hint"] as const;
export type DiagnosticSeverity = (typeof DIAGNOSTIC_SEVERITIES)[number];
