/** What the API answers; the web imports these types and nothing else of the server. All instants are epoch microseconds. */
import type { DiagnosticSeverity, Event, EventOf, SourceStatus } from "../../collector/events/event.ts";
import type { ComparedConfigs } from "../detect/compare-configs.ts";
import type { NodeClock } from "../detect/collector-news.ts";
import type { Incident } from "../detect/incident.ts";
import type { RouterNow } from "../detect/summary.ts";
import type { MARKS } from "./marks.ts";
import type { PacketPart } from "../../collector/vrrp/packet-parts.ts";
import type { IncidentContext } from "../report/context.ts";
import type { Lane, ServiceLane, VirtualRouter } from "../detect/view.ts";

export type { Event, EventKind, EventOf, SourceStatus } from "../../collector/events/event.ts";
export type { DivergenceCode } from "../../collector/events/vocabulary.ts";
export type { Certainty, Evidence, Incident, IncidentKind, Severity } from "../detect/incident.ts";
export type { ComparedSetting, ElectionLine } from "../detect/compare-configs.ts";
export type { Redundancy, RouterMember } from "../detect/redundancy.ts";
export type { PacketPart, PartName } from "../../collector/vrrp/packet-parts.ts";
export type { ServiceSummary, ServiceWord } from "../detect/summary.ts";
export type { ContextEvent, IncidentContext } from "../report/context.ts";
export type { Bar, BarState, Lane, ServiceLane, VirtualRouter } from "../detect/view.ts";

/** GET /api/v1/routers */
export interface RouterSummary extends VirtualRouter, RouterNow {
  readonly firstEventTs: number;
  readonly lastEventTs: number;
}

/** GET /api/v1/incidents/:id.json */
export interface IncidentDocument {
  readonly incident: Incident;
  readonly context: IncidentContext;
  readonly deliveries: readonly Delivery[];
}

/** GET /api/v1/timeline?router&from&to */
export interface Timeline {
  readonly router: VirtualRouter;
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly Lane[];
  /** Virtual and real servers behind it, where checkers tell of any. */
  readonly services: readonly ServiceLane[];
  readonly incidents: readonly Incident[];
  /** Adverts a bucket and sender, for the chart under the lanes. */
  readonly adverts: readonly AdvertBucket[];
  /** Every advert, where there are few enough to be told apart. */
  readonly ticks: readonly AdvertTick[];
  readonly markers: readonly Marker[];
}

export interface AdvertTick {
  /** The node whose collector captured it, by whose clock `ts` is. */
  readonly node: string;
  readonly sender: string;
  readonly ts: number;
  readonly priority: number;
  readonly outgoing: boolean;
}

export interface Marker {
  readonly node: string;
  readonly mark: (typeof MARKS)[number];
  readonly ts: number;
  readonly eventId: string;
  readonly text: string;
}

export interface AdvertBucket {
  /** The node whose collector captured them. */
  readonly node: string;
  /** Source address of the adverts. */
  readonly sender: string;
  readonly ts: number;
  readonly count: number;
  /** Longest time between two adverts of this sender that ends in the bucket, microseconds; null for a first advert. */
  readonly maxGapUs: number | null;
}

/** GET /api/v1/nodes */
export interface NodeSummary {
  readonly cluster: string;
  readonly node: string;
  readonly lastSeenTs: number;
  readonly sources: readonly SourceStatus[];
  /** The collector's, and since when it runs; null when it has not said so. */
  readonly version: string | null;
  readonly startedTs: number | null;
  /** The node's own, as its collector says: `Europe/Berlin`. */
  readonly timeZone: string | null;
  /** It was stopped in order, and has not begun again. */
  readonly stoppedTs: number | null;
  /** null when nobody has compared it. */
  readonly clock: NodeClock | null;
}

/** GET /api/v1/configs?cluster&node */
export interface NodeConfig {
  readonly cluster: string;
  readonly node: string;
  /** When it was last looked at with another outcome; null: its collector has told of none. */
  readonly ts: number | null;
  readonly unreadable: { readonly path: string; readonly message: string } | null;
  /** null: its collector does not tell. */
  readonly chain: {
    readonly ts: number;
    readonly steps: readonly ChainLink[];
    /** Every file that keepalived reads, the main one first. */
    readonly files: readonly string[];
    /** The keepalived that reads them. */
    readonly release: string;
  } | null;
  readonly files: readonly ConfigFile[];
  readonly findings: readonly ConfigFinding[];
  /** There are not more of them. */
  readonly areAllFindings: boolean;
}

/** GET /api/v1/configs/comparison?router */
export interface ConfigComparison extends ComparedConfigs {
  /** Nodes of the virtual router whose configuration is not known. */
  readonly untold: readonly string[];
}

export type ChainLink = EventOf<"config.chain">["steps"][number];

export interface ConfigFile {
  readonly path: string;
  readonly sha256: string;
  readonly changedTs: number | null;
  /** Without secrets; null: not told, or not kept any more. */
  readonly text: string | null;
  /** There is more of it. */
  readonly truncated: boolean;
}

export interface ConfigFinding {
  readonly code: string;
  readonly severity: DiagnosticSeverity;
  readonly message: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly fix: string | null;
}

/** GET /api/v1/events?ids=… or ?node&from&to&limit, GET /api/v1/adverts?router&from&to&limit */
export interface EventPage {
  readonly events: readonly Event[];
  /** More matched than `limit`. */
  readonly truncated: boolean;
}

/** GET /api/v1/adverts/packet?router&node&sender&ts */
export interface AdvertPacket {
  readonly advert: Event;
  /** The IP packet as hex digits, made again of what is kept; null when its addresses are none. Never a password's bytes. */
  readonly bytes: string | null;
  /** Every byte's field, in order. */
  readonly parts: readonly PacketPart[];
  /** What was in the packet and is left out: an authentication header, the trailer of auth_hmac. */
  readonly leftOut: readonly ("ah" | "hmac")[];
}

/** GET /api/v1/search: newest first. */
export interface SearchPage {
  readonly events: readonly Event[];
  /** `after` of the next page; null when there is none. */
  readonly next: string | null;
}

/** GET /api/v1/live: server-sent events. `data` is one of these as JSON. */
export type LiveMessage =
  | { readonly type: "timeline"; readonly routers: readonly string[]; readonly ts: number }
  | { readonly type: "incident"; readonly incident: Incident }
  | { readonly type: "nodes" }
  | { readonly type: "silences" };

/** GET /api/v1/deliveries */
export interface Delivery {
  readonly id: string;
  readonly incidentId: string;
  readonly revision: number;
  readonly event: "opened" | "certainty-raised" | "resolved" | "reminder";
  readonly receiver: string;
  readonly target: string;
  /** `inhibited`, `silenced` and `planned` are recorded and not sent, for as long as what holds them back is there; `old` for good. */
  readonly status: "pending" | "sent" | "failed" | "inhibited" | "silenced" | "planned" | "old";
  readonly attempts: number;
  readonly createdTs: number;
  readonly nextAttemptTs: number;
  /** Why it was not sent, or what went less than well. */
  readonly lastError: string | null;
  /** Id of the incident or silence that holds it back. */
  readonly by?: string;
  /** What it is told together with others by: those of one group go in one message. */
  readonly group?: string;
  /** The message that it went with, once that is fixed: the same in each attempt. */
  readonly batch?: string;
  /** The delivery that somebody had sent again by hand. */
  readonly replayOf?: string;
}

/** GET /api/v1/silences */
export interface Silence {
  /** 32 hex digits. */
  readonly id: string;
  /** All must fit; see the alerts' page for the labels. */
  readonly matchers: readonly {
    readonly label: string;
    readonly operator: string;
    readonly value: string;
  }[];
  readonly createdTs: number;
  readonly startsTs: number;
  readonly endsTs: number;
  readonly author: string;
  readonly reason: string;
}

/** POST /api/v1/silences, once it is known who asks. */
export interface SilenceDraft {
  readonly matchers: Silence["matchers"];
  /** Now, when it is left out. */
  readonly startsTs?: number;
  readonly endsTs: number;
  readonly author: string;
  readonly reason: string;
}

/** GET /api/v1/listeners: where others than collectors forward to. */
export interface ListenerState {
  /** `syslog-udp`, `syslog-tcp`, `syslog-tls`, `otlp-http`. */
  readonly name: string;
  /** host:port */
  readonly address: string;
  readonly connections?: number;
  /** Messages that came, and of those the ones of keepalived that were handed to the store. */
  readonly received: number;
  readonly kept: number;
  /** Messages that were longer than what is read of one. */
  readonly cut: number;
  /** Messages and connections that were not taken, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** When the newest message came. */
  readonly lastTs?: number;
}

/** GET /api/v1/store */
export interface StoreInfo {
  readonly kind: "embedded" | "external";
  readonly engineVersion: string;
  readonly schemaVersion: number;
  /** Which store this is: one more, and another id, with every backup that was restored. */
  readonly incarnation: { readonly number: number; readonly id: string };
  /** Those that have something. Rows that are there twice until the next merge count twice; bytes are of all replicas. */
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly bytes: number }[];
}

/** POST /api/v1/store/backups */
export interface StoreBackup {
  readonly path: string;
  readonly bytes: number;
}

/** GET /api/v1/sql */
export interface SqlInfo {
  readonly enabled: boolean;
  /** Who answers; null while it is switched off. */
  readonly store: "embedded" | "external" | null;
  /** Asked for with POST. */
  readonly needsToken: boolean;
  /** Of one question: rows and bytes of its answer, how long it may take, and how many rows may be read for it. */
  readonly limits: {
    readonly rows: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly rowsRead: number;
  };
}

/** POST /api/v1/sql. Values are text as ClickHouse writes them; null is NULL. */
export interface SqlTable {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Of WITH TOTALS. */
  readonly totals: readonly (string | null)[] | null;
  /** There are more rows. */
  readonly truncated: boolean;
  readonly elapsedUs: number;
  readonly rowsRead: number;
}

/** RFC 9457: every error answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** What was wrong where, for a refused body. */
  readonly faults?: readonly { readonly at: string; readonly message: string }[];
}
