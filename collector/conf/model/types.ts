import type { SourceLocation } from "../../core/errors.ts";
import type { Family, MailSettings } from "../../events/event.ts";
import type { Tracker } from "../election.ts";
import type { VirtualServer } from "./server-types.ts";

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
  /** The code of the fault that ends the VRRP process when it reads this, at a start as at a reload; undefined: none is known. */
  readonly fatal: string | undefined;
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
  readonly checkUnicastSource: boolean;
  readonly lowerPrioNoAdvert: boolean;
  readonly higherPrioSendAdvert: boolean;
  /** 2.3.3 and newer. */
  readonly ownerIgnoresAdverts: boolean;
  /** Timers of backups begin so much later than the daemon. */
  readonly startupDelayUs: number;
  /** 2.2.8 and newer: version 3 over IPv4 without the pseudo header. */
  readonly v3ChecksumAsV2: boolean;
  readonly netNamespace: string | undefined;
  readonly smtpAlert: { readonly vrrp: boolean; readonly realServers: boolean; readonly virtualServers: boolean };
  readonly mail: MailSettings | undefined;
  readonly garp: Garp;
  /** Every failure of a checker is logged, not only the one that takes the server out. */
  readonly checkerLogAllFailures: boolean;
}

/** Gratuitous ARP, and its counterpart of IPv6. */
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
  /** Adverts of others than the peers are refused, and those from too far or too near. */
  readonly checkUnicastSource: boolean;
  /** A unicast instance without peers is a fault, instead of a multicast one. */
  readonly faultWithoutPeers: boolean;
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
  readonly higherPrioSendAdvert: boolean;
  readonly ownerIgnoresAdverts: boolean;
  /** 2.2.8 and newer: a master that finds itself late becomes backup. */
  readonly timerExpiredBackup: boolean;
  /** Which checksum of version 3 over unicast it sends and takes: `auto` learns the one of up to 1.3.6 when the right one fails. */
  readonly oldUnicastChecksum: "auto" | "always" | "never";
  readonly v3ChecksumAsV2: boolean;
  readonly garp: Garp;
}

export interface Authentication {
  readonly type: "none" | "PASS" | "AH" | "HMAC";
  /** Tells two passwords apart, and nothing else about them; only when the caller gave a key for it. */
  readonly passwordFingerprint?: string;
  /** auth_hmac's time_window: adverts signed longer ago, or later, are refused. Microseconds. */
  readonly hmacWindowUs?: number;
}

export interface UnicastPeer {
  readonly address: string;
  /** TTL or hop limit that its adverts may have; looked at with checkUnicastSource only. */
  readonly minTtl: number;
  readonly maxTtl: number;
}

export interface Vip {
  readonly address: string;
  readonly family: Family;
  readonly prefixLength: number;
  readonly interface: string | undefined;
}

export interface Vmac {
  readonly interface: string;
  readonly kind: "macvlan" | "ipvlan";
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
  /** It counts as failed until it has run. */
  readonly initFail: boolean;
}

export interface TrackFile {
  readonly name: string;
  readonly at: SourceLocation;
  readonly path: string | undefined;
  readonly weight: number;
  readonly reverse: boolean;
  /** What keepalived writes into a file that does not exist; `overwrite`: into any. */
  readonly init: { readonly value: number; readonly overwrite: boolean } | undefined;
}

export interface TrackProcess {
  readonly name: string;
  readonly at: SourceLocation;
  readonly process: string | undefined;
  readonly weight: number;
  readonly reverse: boolean;
  readonly quorum: number;
  readonly quorumMax: number | undefined;
  /** How long a change of the count must last before it counts: of processes that begin, and that end. */
  readonly startDelayUs: number;
  readonly endDelayUs: number;
}

export interface BfdInstance {
  readonly name: string;
  readonly at: SourceLocation;
  readonly neighbour: string | undefined;
  readonly source: string | undefined;
  readonly weight: number;
}

export type { VirtualServer } from "./server-types.ts";
