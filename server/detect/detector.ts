import type { Event, EventOf } from "../../collector/events/event.ts";
import type { Claim, NodeInput, NodeView } from "./claims.ts";
import type { IncidentDraft, IncidentKind } from "./incident.ts";
import type { DetectionOptions } from "./options.ts";
import type { RouterIdentity } from "./routers.ts";
import type { NodeServices } from "./services.ts";

/** All that is known of one virtual router. */
export interface RouterView {
  readonly router: RouterIdentity;
  readonly nodes: readonly NodeView[];
  /** Newest event of any node of the cluster; epoch microseconds. */
  readonly horizon: number;
  readonly options: DetectionOptions;
  /** The event speaks of this router's instance on its node. */
  isAbout(event: Event): boolean;
  /** The node a sender address belongs to. */
  nodeOfAddress(address: string): string;
}

/** All that is known of one node's daemon. */
export interface DaemonView {
  readonly cluster: string;
  readonly node: string;
  readonly watchedTo: number;
  /** Newest event of any node of the cluster; epoch microseconds. */
  readonly horizon: number;
  /** The server's newest word that it hears nothing of the node's collector. */
  readonly unheard: EventOf<"collector.unheard"> | null;
  readonly events: readonly Event[];
  readonly options: DetectionOptions;
}

/** What all nodes of a cluster see, of the services behind it and of each other. */
export interface ClusterView {
  readonly cluster: string;
  readonly nodes: readonly NodeServices[];
  /** All that each node's own evidence says, before virtual routers are known. */
  readonly inputs: readonly NodeInput[];
  readonly routers: readonly RouterView[];
  /** Newest event of any node of the cluster; epoch microseconds. */
  readonly horizon: number;
  readonly options: DetectionOptions;
}

/** One rule: a pure function from what is known of a router, of a node's daemon, or of a whole cluster, to incidents. */
export type Detector =
  | { readonly kind: IncidentKind; readonly scope: "router"; detect(view: RouterView): readonly IncidentDraft[] }
  | { readonly kind: IncidentKind; readonly scope: "daemon"; detect(view: DaemonView): readonly IncidentDraft[] }
  | { readonly kind: IncidentKind; readonly scope: "cluster"; detect(view: ClusterView): readonly IncidentDraft[] };

export const endOf = (claim: Claim): number => claim.end ?? Number.MAX_SAFE_INTEGER;
