import type { Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";
import type { VrrpState } from "../events/vocabulary.ts";
import type { Decoded } from "../vrrp/advert.ts";
import type { RejectionReason } from "./validate.ts";

/**
 * What one node can see, in the order in which it saw it: all that the shadow engine is told. Nothing here comes from
 * what keepalived says about its own states: those are what the shadow is compared with.
 *
 * What is known of links, addresses, files and processes outlives the daemon, so it may be told before `started`, and
 * should: what nobody told is taken as well.
 */
export type ShadowInput =
  /** Time has come to an instant; nothing else happened. */
  | { readonly kind: "tick" }
  /** The VRRP process begins, with this configuration, in this release of keepalived. Also after it died. */
  | { readonly kind: "started"; readonly config: Running; readonly release: Release }
  /** SIGHUP was taken. An instance is the same one when family, VRID and interface are: its name may change. */
  | { readonly kind: "reloaded"; readonly config: Running }
  /** An orderly end: masters send priority 0. */
  | { readonly kind: "stopping" }
  /** The VRRP process is gone, in whatever way. */
  | { readonly kind: "gone" }
  /** SIGSTOP, a debugger, a paused machine: the process lives and does nothing. */
  | { readonly kind: "frozen" }
  | { readonly kind: "thawed" }
  /** IFF_UP and IFF_RUNNING together, as keepalived takes them. An interface that is deleted is down. */
  | { readonly kind: "link"; readonly interface: string; readonly up: boolean }
  /** All addresses of an interface in the kernel's order, the primary one first; also when it has none. */
  | { readonly kind: "addresses"; readonly interface: string; readonly addresses: readonly string[] }
  | {
      readonly kind: "address";
      readonly interface: string;
      /** Without prefix length; IPv6 in RFC 5952 form. */
      readonly address: string;
      readonly present: boolean;
    }
  /** An advert captured on this node; `outgoing`: sent by it. */
  | { readonly kind: "advert"; readonly interface: string; readonly outgoing: boolean; readonly advert: Decoded }
  /** A result of a run of a tracked script, not yet counted by rise and fall. */
  | { readonly kind: "script"; readonly name: string; readonly outcome: "success" | "failure" | "timeout" }
  /** The number in a tracked file; a missing or unreadable one is 0. */
  | { readonly kind: "file"; readonly name: string; readonly value: number }
  /** How many processes of a tracked name live. */
  | { readonly kind: "process"; readonly name: string; readonly count: number }
  /** A BFD session, which begins down with the daemon. */
  | { readonly kind: "bfd"; readonly name: string; readonly up: boolean }
  /**
   * What was so when the watching began: the daemon ran before, and what it had met till then is not known. Told once an
   * instance, behind `started` (and behind the links, addresses, files and scripts that are known) and before its first
   * prediction. The instance is in this state without an effect `state`, as if it had entered it at this instant: a
   * backup waits its whole down time from here.
   */
  | {
      readonly kind: "seed";
      readonly instance: string;
      readonly state: "BACKUP" | "MASTER";
      /** Effective priority, where its own adverts told it; else what configuration and trackers make of it. */
      readonly priority?: number;
    };

/** Why an instance changes its state. Stable: people filter by them. */
export type StateCause =
  /** The daemon begins, or a reload brings the instance. */
  | "start"
  /** Nothing acceptable was heard for the master-down time. */
  | "master-down"
  /** The priority is 255: it does not wait. */
  | "owner"
  /** The last master announced its end. */
  | "priority-zero"
  /** A master heard a better one. */
  | "outranked"
  /** Somebody else took a virtual address away from its interface. */
  | "vip-removed"
  | "fault"
  | "fault-over"
  /** Another member of its sync group did so. */
  | "sync-group"
  | "reload"
  | "stop"
  | "died";

/** What the shadow concludes from an input. */
export type ShadowEffect =
  /** keepalived should enter this state now. */
  | {
      readonly kind: "state";
      readonly instance: string;
      readonly from: VrrpState;
      readonly to: VrrpState;
      readonly cause: StateCause;
      /** Whether keepalived writes a line about it. Not for an end, nor for a script that has failed since the start. */
      readonly logged: boolean;
      readonly at: MonoUs;
    }
  | {
      readonly kind: "priority";
      readonly instance: string;
      readonly from: number;
      readonly to: number;
      readonly at: MonoUs;
    }
  /** keepalived should refuse this advert. */
  | {
      readonly kind: "rejected";
      readonly instance: string;
      readonly peer: string;
      readonly reason: RejectionReason;
      readonly at: MonoUs;
    }
  /** A backup heard its master again after some adverts were missing. */
  | {
      readonly kind: "near-miss";
      readonly instance: string;
      readonly peer: string;
      /** Adverts that were due and did not come. */
      readonly missed: number;
      /** How much of the master-down time was used, 0 to 1. */
      readonly marginUsed: number;
      readonly at: MonoUs;
    };
