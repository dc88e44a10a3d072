import type { EpochUs, MonoUs } from "../core/time.ts";
import type { Daemon, ProcessState, Source, VrrpState } from "../events/vocabulary.ts";

/** One thing that was seen, as evidence: by whom, when, and in words. */
export interface Witness {
  readonly source: Source;
  /** Epoch microseconds: for people. */
  readonly ts: EpochUs;
  readonly text: string;
  /** `file:line` or `file@byte`, of a log line. */
  readonly at?: string;
}

/** Something that holds since an instant, and who saw it begin. */
export interface Seen<T> {
  readonly value: T;
  readonly since: MonoUs;
  readonly by: Witness;
}

/** One instance, as far as the verdict needs its configuration. */
export interface Subject {
  readonly instance: string;
  readonly vips: readonly string[];
  /** It owns its addresses (priority 255): they may be there without keepalived. */
  readonly owner: boolean;
  readonly advertIntervalUs: number;
  /** How long it waits for adverts before it takes over. */
  readonly masterDownUs: number;
  /** What others hear of it may come this late or be this uncertain, beyond what all sources have. */
  readonly uncertaintyUs: number;
}

/** What was seen of one instance. undefined: nothing was, or it is not known. */
export interface Observed {
  /** What the shadow says it should be; undefined while the shadow cannot say. */
  readonly expected: Seen<VrrpState> | undefined;
  /** The newest state line of the VRRP process that lives. */
  readonly logged: Seen<VrrpState> | undefined;
  /** Its newest own advert with a priority above 0, and since when such adverts come without a pause. */
  readonly ownAdvert: Seen<true> | undefined;
  readonly ownSince: MonoUs | undefined;
  /** The newest advert of somebody else with a priority above 0. */
  readonly peerAdvert: Seen<{ readonly peer: string; readonly priority: number }> | undefined;
  /** Its log says that it heard nothing for its master-down time. */
  readonly timeout: Seen<true> | undefined;
  /** Its log says that it refused an advert. */
  readonly rejection: Seen<string> | undefined;
}

export const NOTHING_OBSERVED: Observed = {
  expected: undefined,
  logged: undefined,
  ownAdvert: undefined,
  ownSince: undefined,
  peerAdvert: undefined,
  timeout: undefined,
  rejection: undefined,
};

/** What is known of one of keepalived's processes. */
export interface ObservedProcess {
  readonly daemon: Daemon;
  readonly pid: number;
  readonly state: Seen<ProcessState | "gone">;
  /** It went because it was told to. */
  readonly orderly: boolean;
}

/** Which sources see at all: what they do not tell is knowledge only while they do. */
export interface Sight {
  /** Since when; undefined: not now. */
  readonly wire: MonoUs | undefined;
  readonly kernel: boolean;
  readonly process: boolean;
}

export const BLIND: Sight = { wire: undefined, kernel: false, process: false };
