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

/**
 * What a process does, as far as its kernel says: `running` also when it sleeps; `frozen` by SIGSTOP or a debugger; `blocked` when
 * it waits for a disk or a driver for so long that it is news; `zombie` when it has ended and its parent has not noticed.
 */
export const PROCESS_STATES = ["running", "frozen", "blocked", "zombie"] as const;
export type ProcessState = (typeof PROCESS_STATES)[number];

/** What keepalived should do and what it does, and how the two differ. The page for people is ../shadow/README.md. */
export const DIVERGENCES = [
  "unexpected-master",
  "adverts-rejected",
  "socket-not-read",
  "silent-master",
  "not-master",
  "fault",
  "frozen",
  "zombie-vip",
  "daemon-absent",
  "service-kept",
  "service-removed",
] as const;
export type DivergenceCode = (typeof DIVERGENCES)[number];

/** Links of the way from the start command to the configuration and the log. */
export const CHAIN_STEPS = [
  "unit",
  "script",
  "environment",
  "command",
  "configuration",
  "subsystems",
  "log",
  "daemon",
] as const;

/** States of a BFD session: RFC 5880 section 6.2. */
export const BFD_STATES = ["AdminDown", "Down", "Init", "Up"] as const;

/** keepalived's health checkers. `service` where the line does not say which. */
export const CHECKERS = ["TCP", "HTTP", "SSL", "MISC", "SMTP", "DNS", "PING", "UDP", "BFD", "FILE", "service"] as const;
export type Checker = (typeof CHECKERS)[number];

/** What keepalived does about a configuration fault: DESIGN section 3. */
export const DIAGNOSTIC_SEVERITIES = ["fatal", "instance-lost", "degraded", "hint"] as const;
export type DiagnosticSeverity = (typeof DIAGNOSTIC_SEVERITIES)[number];
