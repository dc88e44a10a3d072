import { type NodeReading, type NodeView, viewNodes } from "./claims.ts";
import type { ClusterView, Detector, RouterView } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import type { DetectionOptions } from "./options.ts";
import { DETECTORS } from "./registry.ts";
import type { Identity, RouterIdentity } from "./routers.ts";
import type { NodeServices } from "./services.ts";

/** Runs the detectors over what is known of one stretch of time. */

export interface Scene {
  readonly cluster: string;
  readonly options: DetectionOptions;
  readonly identity: Identity;
  /** In the order of their names. */
  readonly readings: ReadonlyMap<string, NodeReading>;
  readonly horizon: number;
}

export function viewRouter(router: RouterIdentity, scene: Scene, nodes = viewNodesOf(router, scene)): RouterView {
  const { identity, horizon, options } = scene;
  return {
    router,
    nodes,
    horizon,
    options,
    isAbout: (event) =>
      "instance" in event &&
      event.instance !== undefined &&
      identity.routerOfInstance(event.node, event.instance, event.ts) === router.id,
    nodeOfAddress: (address) => identity.nodeOfAddress(address),
  };
}

const viewNodesOf = (router: RouterIdentity, { identity, readings }: Scene): readonly NodeView[] =>
  viewNodes(router, identity, readings);

export const concludeRouter = (view: RouterView): readonly IncidentDraft[] =>
  ROUTER_DETECTORS.flatMap((detector) => detector.detect(view));

export function concludeNode(
  { node, events, watchedTo, unheard }: NodeReading,
  { cluster, horizon, options }: Scene,
): readonly IncidentDraft[] {
  const view = { cluster, node, watchedTo, horizon, unheard, events, options };
  return DAEMON_DETECTORS.flatMap((detector) => detector.detect(view));
}

export function concludeCluster(scene: Scene, routers: readonly RouterView[]): readonly IncidentDraft[] {
  const { cluster, readings, horizon, options } = scene;
  const inputs = [...readings.values()];
  const view: ClusterView = { cluster, nodes: servicesOf(readings), inputs, routers, horizon, options };
  return CLUSTER_DETECTORS.flatMap((detector) => detector.detect(view));
}

export const servicesOf = (readings: Scene["readings"]): readonly NodeServices[] =>
  [...readings.values()].map(({ node, evidence, watchedTo }) => ({ node, services: evidence.services, watchedTo }));

type OfScope<S extends Detector["scope"]> = Extract<Detector, { scope: S }>;
const ROUTER_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"router"> => detector.scope === "router");
const DAEMON_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"daemon"> => detector.scope === "daemon");
const CLUSTER_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"cluster"> => detector.scope === "cluster");
