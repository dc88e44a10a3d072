import type { NodeSummary, SourceStatus } from "../../server/api/types.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration } from "../time.ts";
import { type NodeWatch, watchOf } from "../watch.ts";
import { Link, useScene } from "./shared.tsx";

/** A clock this near to the reference counts as right, as for the detectors; microseconds. */
const CLOCK_RIGHT_US = 5_000;

/** The order of trouble. */
const ORDER: readonly NodeWatch[] = ["silent", "blind", "partial", "watched"];

export function NodeList() {
  const { nodes, now } = useScene();
  const { overview } = words();
  if (nodes.length === 0) return <p class="muted">{overview.noCollector}</p>;
  const order = (node: NodeSummary): number => ORDER.indexOf(watchOf(node, now));
  return (
    <ul class="nodes">
      {[...nodes]
        .sort((a, b) => order(a) - order(b))
        .map((node) => (
          <Node key={`${node.cluster}/${node.node}`} node={node} />
        ))}
    </ul>
  );
}

/** What its collector reads, and what it cannot read and why, which is shown without being asked for. */
function Node({ node }: { readonly node: NodeSummary }) {
  const { now, zone } = useScene();
  const { overview } = words();
  const watch = watchOf(node, now);
  const running = node.sources.filter(({ state }) => state === "running");
  const lost = node.sources.filter(({ state }) => state !== "running");
  return (
    <li data-node={node.node} data-watch={watch}>
      <div class="node-line">
        <Link to={{ page: "node", cluster: node.cluster, node: node.node }}>
          <strong>{node.node}</strong>
        </Link>{" "}
        {watch === "silent" ? (
          <span class="state unknown">
            {node.stoppedTs === null
              ? overview.silentFor(formatDuration(now - node.lastSeenTs), formatDateTime(node.lastSeenTs, zone))
              : overview.stopped(formatDateTime(node.stoppedTs, zone))}
          </span>
        ) : (
          <span class={`state ${watch === "watched" ? "good" : "suspected"}`}>{overview.watch[watch]}</span>
        )}{" "}
        <NodeClock node={node} />
      </div>
      {lost.length > 0 && (
        <ul class="sources lost" aria-label={overview.cannotRead(node.node)}>
          {lost.map((source) => (
            <li key={source.name + source.detail}>{describe(source)}</li>
          ))}
        </ul>
      )}
      {running.length > 0 && (
        <details>
          <summary class="muted">{overview.reads([...new Set(running.map(({ name }) => name))].join(", "))}</summary>
          <ul class="sources">
            {running.map((source) => (
              <li key={source.name + source.detail}>{describe(source)}</li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function NodeClock({ node: { clock } }: { readonly node: NodeSummary }) {
  const text = words().overview.clock;
  if (!clock) return <span class="muted">{text.unknown}</span>;
  const { offsetUs, boundUs, reference } = clock;
  const bound = formatDuration(boundUs);
  const isRight = Math.abs(offsetUs) <= Math.max(boundUs, CLOCK_RIGHT_US);
  const by = formatDuration(Math.abs(offsetUs));
  return (
    <span class={isRight ? "muted" : "state suspected"}>
      {isRight
        ? text.right(formatDuration(Math.abs(offsetUs) + boundUs))
        : offsetUs > 0
          ? text.slow(by, bound)
          : text.fast(by, bound)}
      {reference === null ? "" : text.against(reference)}
    </span>
  );
}

function describe({ name, detail, state, reason, read, unrecognised }: SourceStatus): string {
  const { overview } = words();
  if (state === "running")
    return overview.read(name, detail, read) + (unrecognised > 0 ? overview.notRecognised(unrecognised) : "");
  return overview.notRead(name, detail, reason ?? state);
}
