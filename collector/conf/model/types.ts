import type { SourceLocation } from "../../core/errors.ts";
import type { Family, MailSettings } from "../../events/event.ts";
import type { Tracker } from "../election.ts";

/**
 * What keepalived will really run: its defaults filled in, what it substitutes substituted, what it drops dropped.
 * There is no field for a password. Durations are in microseconds. (keepalived 2.2.7, vrrp/vrrp.c:vrrp_complete_instance)
 */
export interface Running {
  readonly globals: Globals;
  readonly instances: readonly Instance[];
  readonly syncGroups: readonly SyncGroup[];
  readonly scripts: readonly Script[];
  readonly trackFiles: readonly TrackFile[];
  readonly trackProcesses: readonly TrackProcess[];
  readonly bfds: readonly BfdInstance[];
  readonly virtualServers: readonly VirtualServer[];
}

export interface Globals {
  readonly routerId: string | undefined;
  readonly vrrpVersion: 2 | 3 | undefined;
  readonly strict: boolean;
  readonly dynamicInterfaces: boolean;
  readonly defaultInterface: string | undefined;
  readonly downTimerAdverts: number;
  readonly scriptSecurity: boolean;
  /** The user scripts run as when none is named, `USER` or `USER GROUP`; undefined: keepalived_script when there is one, else root. */
  readonly scriptUser: string | undefined;
  readonly multicastGroup: Readonly<Record<Family, string>>;
  readonly skipCheckAdvAddr: boolean;
  readonly netNamespace: string | undefined;
  readonly smtpAlert: { readonly vrrp: boolean; readonly realServers: boolean; readonly virtualServers: boolean };
  readonly mail: MailSettings | undefined;
  readonly garp: Garp;
}

/** Gratuitous ARP and unsolicited neighbour advertisements. */
export interface Garp {
  readonly masterDelayUs: number;
  readonly masterRepeat: number;
  /** 0: never again after the two bursts. */
  readonly masterRefreshUs: number;
  readonly masterRefreshRepeat: number;
  readonly lowerPrioDelayUs: number;
  readonly lowerPrioRepeat: number;
}

export interface Instance {
  readonly name: string;
  readonly at: SourceLocation;
  readonly interface: string | undefined;
  readonly family: Family;
  readonly vrid: number | undefined;
  readonly version: 2 | 3;
  readonly strict: boolean;
  /** Base priority, before tracking; 255 is never changed by it. */
  readonly priority: number;
  /** What it wants at the start. From 2.0 on only priority 255 becomes master at once. */
  readonly startState: "MASTER" | "BACKUP";
  /** What the file says. */
  readonly configuredState: "MASTER" | "BACKUP";
  readonly nopreempt: boolean;
  readonly preemptDelayUs: number;
  readonly advertIntervalUs: number;
  readonly downTimerAdverts: number;
  readonly authentication: Authentication;
  /** Empty: multicast. */
  readonly unicastPeers: readonly UnicastPeer[];
  readonly sourceAddress: string | undefined;
  readonly multicastGroup: string | undefined;
  readonly vips: readonly Vip[];
  readonly excludedVips: readonly Vip[];
  /** false: a firewall rule drops what is sent to the VIPs, unless the priority is 255. */
  readonly accept: boolean;
  readonly vmac: Vmac | undefined;
  /** Its own interface going down is a fault. */
  readonly tracksPrimary: boolean;
  /** Those that count: found, and not dropped by the sync group. */
  readonly trackers: readonly Tracker[];
  readonly syncGroup: string | undefined;
  readonly notify: readonly Command[];
  readonly smtpAlert: boolean;
  readonly skipCheckAdvAddr: boolean;
  readonly lowerPrioNoAdvert: boolean;
  readonly garp: Garp;
}

export interface Authentication {
  readonly type: "none" | "PASS" | "AH" | "HMAC";
  /** Tells two passwords apart, and nothing else about them; only when the caller gave a key for it. */
  readonly passwordFingerprint?: string;
}

export interface UnicastPeer {
  readonly address: string;
}

export interface Vip {
  readonly address: string;
  readonly family: Family;
  readonly prefixLength: number;
  readonly interface: string | undefined;
}

export interface Vmac {
  readonly interface: string;
  readonly transmitsFromBase: boolean;
}

/** A command keepalived runs. */
export interface Command {
  /** The keyword that names it: `notify_master`, `script`, … */
  readonly event: string;
  /** The program and its arguments as execve(2) gets them. */
  readonly words: readonly string[];
  /** `USER` or `USER GROUP`, when the line names one. */
  readonly user: string | undefined;
}

export interface SyncGroup {
  readonly name: string;
  readonly at: SourceLocation;
  readonly members: readonly string[];
  readonly trackers: readonly Tracker[];
  /** Weights of trackers count (sync_group_tracking_weight, global_tracking); else they are dropped. */
  readonly countsWeights: boolean;
}

export interface Script {
  readonly name: string;
  readonly at: SourceLocation;
  readonly command: Command;
  readonly intervalUs: number;
  readonly timeoutUs: number;
  readonly rise: number;
  readonly fall: number;
  readonly weight: number;
  readonly reverse: boolean;
}

export interface TrackFile {
  readonly name: string;
  readonly at: SourceLocation;
  readonly path: string | undefined;
  readonly weight: number;
  readonly reverse: boolean;
}

export interface TrackProcess {
  readonly name: string;
  readonly at: SourceLocation;
  readonly process: string | undefined;
  readonly weight: number;
  readonly reverse: boolean;
  readonly quorum: number;
  readonly quorumMax: number | undefined;
}

export interface BfdInstance {
  readonly name: string;
  readonly at: SourceLocation;
  readonly neighbour: string | undefined;
  readonly source: string | undefined;
  readonly weight: number;
}

export interface VirtualServer {
  /** As the file names it: `10.0.0.1 80`, `fwmark 1`, `group NAME`. */
  readonly name: string;
  readonly at: SourceLocation;
  readonly kind: "address" | "fwmark" | "group";
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly family: Family | undefined;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly scheduler: string;
  readonly method: string;
  readonly delayLoopUs: number;
  readonly quorum: number;
  readonly hysteresis: number;
  readonly sorryServer: string | undefined;
  readonly haSuspend: boolean;
  readonly persistenceUs: number | undefined;
  readonly smtpAlert: boolean;
  readonly realServers: readonly RealServer[];
}

export interface RealServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly at: SourceLocation;
  readonly weight: number;
  readonly method: string;
  readonly inhibitOnFailure: boolean;
  readonly smtpAlert: boolean;
  /** Its checkers' keywords; empty: always up. */
  readonly checkers: readonly Checker[];
}

export interface Checker {
  readonly kind: string;
  readonly at: SourceLocation;
  readonly delayLoopUs: number;
  readonly retry: number;
  readonly delayBeforeRetryUs: number;
  readonly connectTimeoutUs: number;
}
