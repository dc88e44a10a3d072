import { type Event, type EventOf, isKind } from "../../collector/events/event.ts";
import { duration, evidenceList, instant, lasting, listed } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import type { IncidentDraft, Severity } from "./incident.ts";
import { eventsBetween } from "./order.ts";
import { BLIND_AFTER_US, BLIND_BEATS_MISSED, BLIND_EPISODE_US, CLOCK_OFF_US } from "./options.ts";

/** What cannot be seen of a node is said, not guessed. The rules are in README.md. */
export const blindSpot: Detector = { kind: "blind-spot", scope: "daemon", detect };

type Code = "collector-silent" | "source-unavailable" | "gap" | "clock-off" | "same-name";

/** Something of a node was not seen, or not dated, from then to then. */
interface Outage {
  /** `collector`, `clock`, a source, or the log file it is about. */
  readonly component: string;
  readonly code: Code;
  readonly severity: Severity;
  readonly start: number;
  /** null: it lasts. */
  end: number | null;
  readonly text: string;
  readonly events: Event[];
}

function detect(view: DaemonView): IncidentDraft[] {
  const reader = new Reader(view.events);
  for (const event of view.events) reader.read(event);
  const outages = reader.finish(view);
  const components = [...new Set(outages.map(({ component }) => component))].sort();
  return components.flatMap((component) =>
    episodesOf(outages.filter((outage) => outage.component === component)).map((episode) => toDraft(episode, view)),
  );
}

/** Nothing has come of a node for longer than its collector, which is not known to have stopped, ever keeps quiet. */
function isSilent(
  { watchedTo, horizon, unheard }: Pick<DaemonView, "watchedTo" | "horizon" | "unheard">,
  running: EventOf<"collector.started">,
): boolean {
  const bound = Math.max(BLIND_AFTER_US, BLIND_BEATS_MISSED * (running.heartbeatUs ?? 0));
  return Math.max(horizon, unheard?.ts ?? 0) - watchedTo > bound;
}

/** What such a node has to do with: it is told as it was seen last, and that nobody knows how it is now. */
export function sayUnseen(
  drafts: readonly IncidentDraft[],
  nodes: ReadonlyMap<string, Pick<DaemonView, "events" | "watchedTo" | "unheard">>,
  horizon: number,
): readonly IncidentDraft[] {
  const lastSeen = new Map<string, string>();
  for (const [node, view] of nodes) {
    const { watchedTo, unheard, events } = view;
    if (Math.max(horizon, unheard?.ts ?? 0) - watchedTo <= BLIND_AFTER_US) continue;
    const newest = events.findLast((event) => isKind(event, "collector.started", "collector.stopped"));
    if (newest?.kind === "collector.started" && isSilent({ ...view, horizon }, newest))
      lastSeen.set(node, `${node} was last seen at ${instant(watchedTo)}`);
  }
  if (lastSeen.size === 0) return drafts;
  return drafts.map((draft) => {
    const unseen = draft.subject.nodes.flatMap((node) => lastSeen.get(node) ?? []);
    const isTold = draft.kind === "blind-spot" || draft.cause?.code === "unseen";
    if (draft.end !== null || unseen.length === 0 || isTold) return draft;
    return { ...draft, summary: `${draft.summary} What is so there now is not known: ${listed(unseen)}.` };
  });
}

/** Goes through a node's events once. */
class Reader {
  private readonly done: Outage[] = [];
  /** By component: a source that does not see, or a gap whose end is not known yet. */
  private readonly sources = new Map<string, Outage>();
  private readonly gaps = new Map<string, Outage>();
  private clock: Outage | undefined;
  /** Another host has its name. */
  private namesake: EventOf<"collector.named"> | undefined;
  private sameName: Outage | undefined;
  private running: EventOf<"collector.started"> | undefined;
  private readonly events: readonly Event[];

  constructor(events: readonly Event[]) {
    this.events = events;
  }

  read(event: Event): void {
    switch (event.kind) {
      case "collector.started":
        this.running = event;
        this.closeAll(event.ts);
        this.openSameName(event);
        for (const source of event.sources)
          if (source.state === "unavailable" && !isSpare(source, event.sources)) this.openSource(event, source, "info");
        break;
      case "collector.stopped":
        this.running = undefined;
        this.closeAll(event.ts);
        this.closeSameName(event);
        break;
      case "collector.source":
        this.close(this.sources, componentOf(event), event);
        if (event.state === "unavailable") this.openSource(event, event, "warning");
        break;
      case "collector.gap":
        this.readGap(event);
        break;
      case "collector.clock":
        this.readClock(event);
        break;
      case "collector.named":
        this.namesake = event.calls === event.node ? undefined : event;
        if (!this.namesake) this.closeSameName(event);
        else this.openSameName(event);
        break;
      default:
    }
  }

  finish(view: DaemonView): Outage[] {
    const { watchedTo, unheard } = view;
    if (this.running && isSilent(view, this.running))
      this.done.push({
        component: "collector",
        code: "collector-silent",
        severity: "warning",
        start: watchedTo,
        end: null,
        text: "nothing is heard of its collector",
        events: [this.running, ...(unheard ? [unheard] : [])],
      });
    const open = [
      ...this.sources.values(),
      ...this.gaps.values(),
      ...(this.clock ? [this.clock] : []),
      ...(this.sameName ? [this.sameName] : []),
    ];
    // A source that comes again soon was started anew: nobody has to know.
    return [...this.done, ...open].filter(
      ({ code, start, end }) => code !== "source-unavailable" || (end ?? watchedTo) - start > BLIND_AFTER_US,
    );
  }

  private openSource(event: Event, source: Named & { readonly reason?: string }, severity: Severity): void {
    const component = componentOf(source);
    this.sources.set(component, {
      component,
      code: "source-unavailable",
      severity,
      start: event.ts,
      end: null,
      text: source.reason ?? "it does not say why",
      events: [event],
    });
  }

  private readGap(event: EventOf<"collector.gap">): void {
    const { sourceName, reason, lost, from, to } = event;
    this.close(this.gaps, sourceName, event);
    const length = from === undefined || to === undefined ? 0 : Math.max(0, to - from);
    if (length > 0 && this.isStep(event.ts, length)) return;
    const isOpen = from !== undefined && to === undefined;
    const outage: Outage = {
      component: sourceName,
      code: sourceName === "collector" ? "collector-silent" : "gap",
      severity: length > BLIND_AFTER_US || sourceName === "spool" ? "warning" : "info",
      start: event.ts - length,
      end: isOpen ? null : event.ts,
      text: lost === undefined ? reason : `${reason} (${lost} lost)`,
      events: [event],
    };
    if (isOpen) this.gaps.set(sourceName, outage);
    else this.done.push(outage);
  }

  /** The clock was set by as much about then, and nothing went unseen meanwhile. */
  private isStep(at: number, length: number): boolean {
    return eventsBetween(this.events, at - SAME_STEP_US, at + SAME_STEP_US).some(
      (event) =>
        event.kind === "collector.clock" &&
        event.steppedUs !== undefined &&
        Math.abs(Math.abs(event.steppedUs) - length) <= SAME_STEP_US,
    );
  }

  private readClock(event: EventOf<"collector.clock">): void {
    const { offsetUs, boundUs = 0 } = event;
    if (offsetUs === undefined) return;
    if (Math.abs(offsetUs) - boundUs <= CLOCK_OFF_US) {
      if (this.clock) this.done.push({ ...this.clock, end: event.ts, events: [...this.clock.events, event] });
      this.clock = undefined;
    } else if (this.clock) this.clock.events.push(event);
    else
      this.clock = {
        component: "clock",
        code: "clock-off",
        severity: "warning",
        start: event.ts,
        end: null,
        text: `its clock is ${duration(Math.abs(offsetUs))} ${offsetUs > 0 ? "behind" : "ahead of"} ${event.reference === undefined ? "the server's" : `that of ${event.reference}`}`,
        events: [event],
      };
  }

  private openSameName({ ts }: Event): void {
    const { namesake } = this;
    if (!namesake) return;
    this.sameName ??= {
      component: "name",
      code: "same-name",
      severity: "warning",
      start: ts,
      end: null,
      text: `two hosts call themselves ${namesake.calls}${namesake.address === undefined ? "" : `, of which this is the one at ${namesake.address}`}: set node = to a name of its own in the collector's configuration on at least one of them, and restart it`,
      events: [namesake],
    };
  }

  private closeSameName(event: Event): void {
    if (this.sameName) this.done.push({ ...this.sameName, end: event.ts, events: [...this.sameName.events, event] });
    this.sameName = undefined;
  }

  private close(open: Map<string, Outage>, component: string, event: Event): void {
    const outage = open.get(component);
    if (!outage) return;
    open.delete(component);
    this.done.push({ ...outage, end: event.ts, events: [...outage.events, event] });
  }

  private closeAll(ts: number): void {
    for (const outage of [...this.sources.values(), ...this.gaps.values()]) this.done.push({ ...outage, end: ts });
    this.sources.clear();
    this.gaps.clear();
  }
}

interface Named {
  readonly name: string;
  readonly detail: string;
}

/** One way to keepalived's lines is enough: the files of other distributions, or the journal, need not be there. */
const isSpare = ({ name }: Named, sources: readonly (Named & { readonly state: string })[]): boolean =>
  isLog(name) && sources.some((other) => isLog(other.name) && other.state === "running");
const isLog = (name: string): boolean => name === "log" || name === "journal";

/** Of logs there may be several, and what they read is what they are. */
const componentOf = ({ name, detail }: Named): string => (name === "log" ? detail : name);

/** A gap is told within this of the step it is about, and is as long to within as much. */
const SAME_STEP_US = 5_000_000;

const EPISODIC: ReadonlySet<Code> = new Set<Code>(["gap", "same-name"]);

/** Gaps that follow each other are one incident; of what lasts, only what goes on at once: in between it was seen. */
function episodesOf(outages: readonly Outage[]): Outage[][] {
  const episodes: Outage[][] = [];
  let reach = Number.NEGATIVE_INFINITY;
  for (const outage of [...outages].sort((a, b) => a.start - b.start || (a.end ?? Infinity) - (b.end ?? Infinity))) {
    if (outage.start - reach > (EPISODIC.has(outage.code) ? BLIND_EPISODE_US : SAME_STEP_US)) episodes.push([]);
    episodes.at(-1)?.push(outage);
    reach = Math.max(reach, outage.end ?? Number.POSITIVE_INFINITY);
  }
  return episodes;
}

function toDraft(episode: readonly Outage[], { cluster, node }: DaemonView): IncidentDraft {
  const start = (episode[0] as Outage).start;
  const last = episode.reduce((newest, outage) =>
    (outage.end ?? Infinity) >= (newest.end ?? Infinity) ? outage : newest,
  );
  const end = last.end;
  return {
    kind: "blind-spot",
    certainty: "confirmed",
    severity: episode.some(({ severity }) => severity === "warning") ? "warning" : "info",
    cluster,
    subject: { component: last.component, nodes: [node] },
    start,
    end,
    cause: { code: last.code, text: last.text },
    summary: summaryOf(last, { start, end, count: episode.length }, node),
    evidence: evidenceList(episode.flatMap(({ events }) => events)),
  };
}

function summaryOf(
  { code, component, text }: Outage,
  { start, end, count }: { readonly start: number; readonly end: number | null; readonly count: number },
  node: string,
): string {
  const when = lasting(start, end);
  switch (code) {
    case "collector-silent":
      return end === null
        ? `What happens on ${node} cannot be seen ${when}: ${text}.`
        : `What happened on ${node} could not be seen ${when}: ${text}.`;
    case "clock-off":
      return `The clock of ${node} ${end === null ? "is" : "was"} off ${when}: ${text}. Its events are put at the right time.`;
    case "same-name":
      return `What is told as ${node} ${end === null ? "is" : "was"} of a second host of one name ${when}: ${text}.`;
    case "source-unavailable":
      return `${component} of ${node} ${end === null ? "cannot be read" : "could not be read"} ${when}: ${text}.`;
    default:
      return `Part of what happened on ${node} was not seen (${component}${count > 1 ? `, ${count} times` : ""}), ${end === null ? when : `first at ${instant(start)}`}: ${text}.`;
  }
}
