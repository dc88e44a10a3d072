import type { Bar, Event, EventKind, EventOf } from "../../server/api/types.ts";
import { api } from "../api.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration, type Zone } from "../time.ts";
import { Before, causeOf, EventItem, EvidenceList } from "./event-item.tsx";
import { useAsked, useScene } from "./shared.tsx";

/** What the shadow concludes besides states. */
const CONCLUSIONS: readonly EventKind[] = [
  "shadow.following",
  "shadow.priority",
  "shadow.advert-rejected",
  "shadow.near-miss",
  "shadow.divergence",
];
const CONCLUSIONS_MAX = 1_000;
/** A difference is told once it has lasted, and dated back: what belongs to a bar may begin this much before it, microseconds. */
const SLACK_US = 1_000_000;
/** Of other instances most may be, on a node with hundreds. */
const FOLLOWING_MAX = 1_000;

/** What it is told, beside adverts. */
const INPUTS: readonly EventKind[] = [
  "kernel.link",
  "kernel.address-added",
  "kernel.address-removed",
  "process.started",
  "process.gone",
  "process.state",
  "script.result",
  "track.process",
  "track.file",
  "track.bfd",
  "daemon.starting",
  "daemon.stopping",
  "daemon.reloading",
  "config.loaded",
  "shadow.priority",
];

type ShadowState = EventOf<"shadow.state">;

/** Why the shadow expects what a bar of its lane says, what else it made of that time, and where keepalived did otherwise. */
export function Reasoning({
  node,
  cluster,
  bar,
  told,
  zone,
}: {
  readonly node: string;
  readonly cluster: string | undefined;
  readonly bar: Bar;
  /** The events that opened and closed the bar. */
  readonly told: readonly Event[];
  readonly zone: Zone;
}) {
  const { now } = useScene();
  const to = bar.to ?? now;
  const whose = cluster === undefined ? { node } : { node, cluster };
  const { value, trouble } = useAsked(
    () =>
      api.eventsOf(
        whose,
        CONCLUSIONS,
        { from: Math.max(0, Math.floor(bar.from - SLACK_US)), to: Math.ceil(to) },
        CONCLUSIONS_MAX,
      ),
    [node, cluster, bar.from, bar.to],
  );
  const begun = told.filter((event): event is ShadowState => event.kind === "shadow.state" && event.ts <= bar.from);
  const opening = begun.at(-1);
  const text = words().shadow;
  if (!opening) return null;
  const isOurs = (event: Event): boolean =>
    !("instance" in event) || event.instance === undefined || event.instance === opening.instance;
  const conclusions = value?.events.filter(isOurs) ?? [];
  const differences = conclusions.filter((event) => event.kind === "shadow.divergence");
  const others = conclusions.filter(({ kind, ts }) => kind !== "shadow.divergence" && ts > opening.ts);
  return (
    <section class="reasoning" aria-labelledby="reasoning-title">
      <h3 id="reasoning-title">{text.title}</h3>
      <p>
        <strong>{text.expects(opening.instance, opening.state, formatDateTime(opening.ts, zone))}</strong>{" "}
        {causeOf(opening.cause)} {opening.previousState !== undefined && text.was(opening.previousState)}
      </p>
      <Following node={node} cluster={cluster} opening={opening} zone={zone} />
      <p class="muted">{text.what}</p>
      {trouble && <p role="alert">{trouble}</p>}
      {value && (
        <>
          <h3>{text.differs}</h3>
          {differences.length === 0 && <p>{text.agrees}</p>}
          {runsOf(differences).map(({ begin, end }) => (
            <Divergence key={begin.id} begin={begin} end={end} zone={zone} />
          ))}
          {others.length > 0 && (
            <>
              <h3>{text.meanwhile}</h3>
              <ol class="evidence">
                {others.map((event) => (
                  <EventItem key={event.id} event={event} zone={zone} />
                ))}
              </ol>
            </>
          )}
        </>
      )}
      <Before
        node={node}
        cluster={cluster}
        kinds={INPUTS}
        at={opening.ts}
        title={text.saw(node)}
        none={text.sawNothing}
        zone={zone}
      />
    </section>
  );
}

/** Since when the shadow follows the instance, or why not: only then it says anything at all. */
function Following({
  node,
  cluster,
  opening,
  zone,
}: {
  readonly node: string;
  readonly cluster: string | undefined;
  readonly opening: ShadowState;
  readonly zone: Zone;
}) {
  const { value } = useAsked(
    () => api.newest(node, "shadow.following", Math.ceil(opening.ts) + 1, FOLLOWING_MAX, cluster),
    [node, cluster, opening.id],
  );
  const text = words().shadow;
  if (!value) return null;
  const last = value.events.find(
    (event): event is EventOf<"shadow.following"> =>
      event.kind === "shadow.following" && (event.instance === undefined || event.instance === opening.instance),
  );
  if (!last) return <p class="muted">{text.notTold}</p>;
  const when = formatDateTime(last.ts, zone);
  return <p>{last.following ? text.watching(when) : `${text.notWatching(when)} ${last.reason ?? ""}`}</p>;
}

type Told = EventOf<"shadow.divergence">;

/** Each begin, with the end that belongs to it. */
function runsOf(events: readonly Told[]): readonly { readonly begin: Told; readonly end: Told | null }[] {
  const same = (a: Told, b: Told): boolean => a.code === b.code && a.instance === b.instance && a.daemon === b.daemon;
  return events
    .filter(({ phase }) => phase === "begin")
    .map((begin) => ({
      begin,
      end: events.find((event) => event.phase === "end" && event.ts >= begin.ts && same(event, begin)) ?? null,
    }));
}

/** What should have been and what was, and the evidence of both sides as the collector gathered it. */
function Divergence({ begin, end, zone }: { readonly begin: Told; readonly end: Told | null; readonly zone: Zone }) {
  const text = words().shadow;
  const { code, expected, observed, message, reason, toleranceUs, evidence } = begin;
  return (
    <section class="divergence">
      <h4>
        {text.codes[code]} <span class="muted">{code}</span>
      </h4>
      <p>{message}</p>
      <dl>
        <dt>{text.should}</dt>
        <dd>{expected}</dd>
        <dt>{text.is}</dt>
        <dd>{observed}</dd>
        {reason !== undefined && (
          <>
            <dt>{text.reason}</dt>
            <dd>{text.refusals[reason] ?? reason}</dd>
          </>
        )}
        <dt>{words().incident.when}</dt>
        <dd>
          {text.begun(formatDateTime(begin.ts, zone), formatDuration(toleranceUs))},{" "}
          {end ? text.over(formatDateTime(end.ts, zone)) : text.lasting}
        </dd>
      </dl>
      <h5>{text.bySides}</h5>
      <EvidenceList
        evidence={evidence.map(({ source, ts, text: said, at }) => ({
          eventId: begin.id,
          node: begin.node,
          source,
          ts,
          ...(at === undefined ? {} : { line: at }),
          text: said,
        }))}
        zone={zone}
      />
    </section>
  );
}
