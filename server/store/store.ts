import type { Batch } from "../../collector/events/batch.ts";
import type { Event, EventKind } from "../../collector/events/event.ts";
import type { AdvertBucket, Delivery, Silence, StoreBackup, StoreInfo } from "../api/types.ts";
import type { Checkpoint } from "../detect/checkpoint.ts";
import type { Incident } from "../detect/incident.ts";

export interface EventQuery {
  readonly ids?: readonly string[];
  readonly cluster?: string;
  readonly node?: string;
  readonly kinds?: readonly string[];
  readonly from?: number;
  readonly to?: number;
  /** It is anywhere in the event, in capitals or not. */
  readonly text?: string;
  /** What the kind begins with. */
  readonly kindPrefix?: string;
  /** Of a diagnostic. */
  readonly severity?: string;
  /** The newest first, and of those only what comes after this one. */
  readonly newestFirst?: { readonly after?: { readonly ts: number; readonly id: string } };
  /** 1..10000 */
  readonly limit: number;
}

export interface AdvertQuery {
  readonly cluster: string;
  readonly family: string;
  readonly vrid: number;
  readonly from: number;
  readonly to: number;
}

export interface DeliveryQuery {
  readonly id?: string;
  readonly status?: Delivery["status"];
  readonly incidentId?: string;
  /** Newest first, instead of in the order in which they were recorded. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

export interface StoredCheckpoint extends Checkpoint {
  /** Of the detectors, and how they were configured: to others it says nothing. */
  readonly sign: string;
  /** It knows of all that is stored with this number or a lower one. */
  readonly arrived: number;
}

/**
 * `recalled`: the events that checkpoints know of and that are still needed, of these kinds. `since`: those that no checkpoint knows of, of all
 * kinds, and all of other clusters.
 */
export interface DetectionPart {
  readonly which: "recalled" | "since";
  readonly checkpoints: readonly StoredCheckpoint[];
  readonly kinds: ReadonlySet<EventKind>;
}

/** What a backup may be called: it is a folder in `storage.backup_path`. */
export const BACKUP_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";

/** The store works, but not for this request: asked again, it fails again. */
export class StoreRefusal extends Error {
  override readonly name = "StoreRefusal";
}

/** All the server keeps. SQL stays behind it; the same code serves the embedded and an external ClickHouse. */
export interface Store {
  /** Which store this is: another one after a backup was restored, when what was acknowledged before need not be in it. */
  readonly incarnation: string;
  /**
   * Durable when it resolves. A batch that was stored before changes nothing and answers `duplicate`, if this process stored it.
   * @throws {StoreRefusal} when it has a value that cannot be stored; anything else that is thrown may pass
   */
  insertBatch(batch: Batch): Promise<{ readonly duplicate: boolean }>;
  /**
   * The same for a batch of which some may have been stored before, by whom ever: only what is not there is stored, and told.
   * `duplicate`: this process has stored it.
   */
  insertResent(batch: Batch): Promise<{ readonly stored: readonly Event[]; readonly duplicate: boolean }>;
  /** All events but raw adverts, or some of them, page by page in order of event time: what detection is rebuilt from. */
  detectionEvents(part?: DetectionPart): AsyncIterable<readonly Event[]>;
  /** How many inserts are done, also those before this start: what is stored from now on has a higher number. */
  arrived(): number;
  saveCheckpoints(checkpoints: readonly StoredCheckpoint[]): Promise<void>;
  /** The newest of each cluster. @throws also when one cannot be read */
  checkpoints(): Promise<readonly StoredCheckpoint[]>;
  dropCheckpoints(): Promise<void>;
  events(query: EventQuery): Promise<readonly Event[]>;
  /** The newest event of this kind of each of these nodes, as far as they have one; never more than one of a node is held. */
  newestOfEach(cluster: string, nodes: readonly string[], kind: EventKind): Promise<readonly Event[]>;
  /** Raw adverts (kind wire.advert), oldest first. */
  adverts(query: AdvertQuery & { readonly limit: number }): Promise<readonly Event[]>;
  /** At most about `buckets` buckets a sender. */
  advertBuckets(query: AdvertQuery & { readonly buckets: number }): Promise<readonly AdvertBucket[]>;
  saveIncidents(incidents: readonly Incident[]): Promise<void>;
  /** Newest revision of each. */
  incidents(): Promise<readonly Incident[]>;
  saveDelivery(delivery: Delivery): Promise<void>;
  deliveries(query: DeliveryQuery): Promise<readonly Delivery[]>;
  /** @param revision  a higher one replaces a lower one */
  saveSilence(silence: Silence, revision: number): Promise<void>;
  /** All that were ever asked for. */
  silences(): Promise<readonly Silence[]>;
  info(): Promise<StoreInfo>;
  /**
   * While it is in use.
   * @throws OperatorError when there is one of that name, it cannot be written, or the store is external
   */
  backUp(name: string): Promise<StoreBackup>;
  /** It answers now. */
  isReady(): Promise<boolean>;
  /** Requests that failed since the start. */
  errors(): { readonly read: number; readonly write: number };
  close(): Promise<void>;
}
