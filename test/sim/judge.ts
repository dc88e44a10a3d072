import { US_PER_MS } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { createDetectionEngine, detectAll } from "../../server/detect/engine.ts";
import type { Incident, IncidentDraft } from "../../server/detect/incident.ts";
import type { Run } from "./simulate.ts";
import { simulate } from "./simulate.ts";
import type { Scenario } from "./model.ts";
import { type Interval, overlaps } from "./truth/intervals.ts";
import { TRUTHS } from "./truth/registry.ts";
import type { TrueIncident } from "./truth/truth.ts";

/** The live engine gets what came in so long at once. */
const STEP_US = 500 * US_PER_MS;

/** An incident as the detectors told it, on the simulation's axis of time. */
export interface Report extends Interval {
  readonly kind: string;
  readonly certainty: string;
  readonly severity: string;
  readonly vrid: number | undefined;
  readonly nodes: readonly string[];
  readonly open: boolean;
  readonly cause: string | undefined;
  readonly summary: string;
}

/** When an incident was told for the first time, or as what it then was. */
interface Telling {
  readonly at: number;
  readonly change: string;
  readonly report: Report;
}

/** A difference between what was so and what was told. */
export interface Fault {
  readonly kind: string;
  readonly what: "missed" | "wrong" | "wrong-suspected" | "boundary" | "cause" | "not-converged" | "failed";
  readonly text: string;
}

/** What became of the incidents of one kind in one run. */
export interface KindScore {
  readonly kind: string;
  /** Those that must be found, and those of them that were. */
  readonly must: number;
  readonly found: number;
  readonly right: number;
  readonly wrong: number;
  readonly suspectedRight: number;
  readonly suspectedWrong: number;
  /** Those of one known cause, confirmed, and those of them of which it was told. */
  readonly caused: number;
  readonly explained: number;
  /** Microseconds, of starts and ends of what was found. */
  readonly boundaryErrors: readonly number[];
  readonly beyondSlack: number;
  /** Microseconds from the true start to the first telling. */
  readonly latencies: readonly number[];
  /** Told as confirmed while it went on, and withdrawn later. */
  readonly takenBack: number;
  readonly wrongCritical: number;
}

export interface Verdict {
  readonly run: Run;
  readonly truths: ReadonlyMap<string, readonly TrueIncident[]>;
  readonly reports: readonly Report[];
  readonly tellings: readonly Telling[];
  readonly scores: readonly KindScore[];
  readonly faults: readonly Fault[];
}

/** Runs a scenario, has the detectors look at it at once and as it happens, and compares. */
export function judge(scenario: Scenario): Verdict {
  const run = simulate(scenario);
  const whole = detectAll(run.arrivals.flatMap(({ events }) => events));
  const vrids = new Map(whole.routers.map(({ id, vrid }) => [id, vrid ?? undefined] as const));
  const reportOf = (incident: IncidentDraft): Report => ({
    kind: incident.kind,
    certainty: incident.certainty,
    severity: incident.severity,
    vrid:
      incident.subject.router === undefined
        ? undefined
        : (vrids.get(incident.subject.router) ?? vridIn(incident.subject.router)),
    nodes: incident.subject.nodes,
    from: incident.start - run.zero,
    to: incident.end === null ? scenario.until : incident.end - run.zero,
    open: incident.end === null,
    cause: incident.cause?.code,
    summary: incident.summary,
  });
  const live = liveOf(run, reportOf);
  const reports = whole.incidents.filter(isJudged).map(reportOf);
  const truths = new Map(TRUTHS.map((truth) => [truth.kind, truth.of(run)] as const));
  const faults: Fault[] = [];
  const difference = differenceOf(live.incidents, whole.incidents);
  if (difference !== undefined) faults.push({ kind: "convergence", what: "not-converged", text: difference });
  const kinds = [...new Set([...truths.keys(), ...reports.map(({ kind }) => kind)])];
  const scores = kinds.map((kind) =>
    scoreOf(
      kind,
      truths.get(kind),
      {
        run,
        reports: reports.filter((one) => one.kind === kind),
        tellings: live.tellings.filter(({ report }) => report.kind === kind),
      },
      faults,
    ),
  );
  return { run, truths, reports, tellings: live.tellings, scores, faults };
}

/** The truth is of whole routers: what flaps on one node alone is told beside it. */
const isJudged = ({ kind, subject }: IncidentDraft): boolean => kind !== "flapping" || subject.instance === undefined;

/** Of a router that a later look no longer knows: its id ends in the VRID. */
const vridIn = (id: string): number | undefined => Number(/\/(\d+)(?:[^\d].*)?$/.exec(id)?.[1]) || undefined;

// --- as it happens ---------------------------------------------------------------------------------------------------------

function liveOf(
  run: Run,
  reportOf: (incident: IncidentDraft) => Report,
): { incidents: readonly Incident[]; tellings: Telling[] } {
  const engine = createDetectionEngine();
  const tellings: Telling[] = [];
  const { arrivals } = run;
  let waiting: Event[] = [];
  let waited = false;
  for (let next = 0; next < arrivals.length; ) {
    const at = Math.ceil(((arrivals[next]?.at ?? 0) + 1) / STEP_US) * STEP_US;
    for (let arrival = arrivals[next]; arrival !== undefined && arrival.at < at; arrival = arrivals[++next])
      waiting.push(...arrival.events);
    // Nothing is concluded from adverts alone but that time goes by: they may come with the next step.
    if (!waited && next < arrivals.length && waiting.every(({ kind }) => kind === "wire.advert")) {
      waited = true;
      continue;
    }
    for (const { type, incident } of engine.add(waiting).changes)
      if (isJudged(incident)) tellings.push({ at, change: type, report: reportOf(incident) });
    waiting = [];
    waited = false;
  }
  return { incidents: engine.incidents(), tellings };
}

/** What people see must not depend on the order of arrival: ids and revisions may. */
function differenceOf(live: readonly Incident[], whole: readonly IncidentDraft[]): string | undefined {
  const texts = (incidents: readonly IncidentDraft[]): string[] =>
    incidents
      .map((incident) =>
        JSON.stringify({ ...incident, id: undefined, revision: undefined, status: undefined, revisions: undefined }),
      )
      .sort();
  const [a, b] = [texts(live), texts(whole)];
  const onlyLive = a.filter((text) => !b.includes(text));
  const onlyWhole = b.filter((text) => !a.includes(text));
  if (onlyLive.length + onlyWhole.length === 0) return undefined;
  return `live only: ${onlyLive.join(" ").slice(0, 600) || "nothing"}; at once only: ${onlyWhole.join(" ").slice(0, 600) || "nothing"}`;
}

// --- against the truth -----------------------------------------------------------------------------------------------------

interface Told {
  readonly run: Run;
  readonly reports: readonly Report[];
  readonly tellings: readonly Telling[];
}

function scoreOf(
  kind: string,
  truths: readonly TrueIncident[] | undefined,
  { run, reports, tellings }: Told,
  faults: Fault[],
): KindScore {
  const isRight = (report: Report): boolean => truths === undefined || truths.some((truth) => meets(report, truth));
  const [confirmed, suspected] = [true, false].map((is) =>
    reports.filter(({ certainty }) => (certainty === "confirmed") === is),
  ) as [Report[], Report[]];
  const wrong = confirmed.filter((report) => !isRight(report));
  const suspectedWrong = suspected.filter((report) => !isRight(report));
  for (const report of wrong) faults.push({ kind, what: "wrong", text: textOf(report) });
  for (const report of suspectedWrong) faults.push({ kind, what: "wrong-suspected", text: textOf(report) });
  const must = truths?.filter((truth) => truth.must) ?? [];
  const boundaryErrors: number[] = [];
  const latencies: number[] = [];
  let beyondSlack = 0;
  let found = 0;
  let caused = 0;
  let explained = 0;
  for (const truth of must) {
    const report = bestOf(
      reports.filter((one) => meets(one, truth)),
      truth,
    );
    if (!report) {
      faults.push({
        kind,
        what: "missed",
        text: `${kind} ${truth.vrid === undefined ? `on ${truth.node}` : `of VRID ${truth.vrid}`} from ${seconds(truth.from)} to ${seconds(truth.to)} s`,
      });
      continue;
    }
    found += 1;
    if (truth.cause !== undefined && report.certainty === "confirmed") {
      caused += 1;
      if (report.cause === truth.cause) explained += 1;
      else faults.push({ kind, what: "cause", text: `it comes of ${truth.cause}: ${textOf(report)}` });
    }
    const errors = [
      { errorUs: Math.abs(report.from - truth.from), slackUs: truth.startSlackUs, which: "start" },
      ...(report.open || truth.open
        ? []
        : [{ errorUs: Math.abs(report.to - truth.to), slackUs: truth.endSlackUs, which: "end" }]),
    ];
    for (const { errorUs, slackUs, which } of errors) {
      boundaryErrors.push(errorUs);
      if (errorUs <= slackUs) continue;
      beyondSlack += 1;
      faults.push({
        kind,
        what: "boundary",
        text: `${which} is ${seconds(errorUs)} s off, and may be ${seconds(slackUs)} s: true ${seconds(truth.from)}–${seconds(truth.to)}, ${textOf(report)}`,
      });
    }
    if (report.open !== truth.open && Math.min(report.to, truth.to) < run.scenario.until - OPEN_MARGIN_US) {
      beyondSlack += 1;
      faults.push({
        kind,
        what: "boundary",
        text: `it ${truth.open ? "goes on" : "is over"}, and is told as ${report.open ? "open" : "over"}: true ${seconds(truth.from)}–${seconds(truth.to)}, ${textOf(report)}`,
      });
    }
    const first = tellings.find(({ report: told, change }) => change !== "withdrawn" && meets(told, truth));
    if (first) latencies.push(first.at - truth.from);
  }
  return {
    kind,
    must: must.length,
    found,
    caused,
    explained,
    right: confirmed.length - wrong.length,
    wrong: wrong.length,
    suspectedRight: suspected.length - suspectedWrong.length,
    suspectedWrong: suspectedWrong.length,
    boundaryErrors,
    beyondSlack,
    latencies,
    takenBack: tellings.filter(({ change, report }) => change === "withdrawn" && report.certainty === "confirmed")
      .length,
    wrongCritical: [...wrong, ...suspectedWrong].filter(({ severity }) => severity === "critical").length,
  };
}

/** An end so near to the simulation's is not seen in time. */
const OPEN_MARGIN_US = 5_000_000;

function meets(report: Report, truth: TrueIncident): boolean {
  if (truth.vrid !== undefined && report.vrid !== truth.vrid) return false;
  if (truth.node !== undefined && !report.nodes.includes(truth.node)) return false;
  const slackUs = Math.max(truth.startSlackUs, truth.endSlackUs);
  return overlaps(truth, { from: report.from - slackUs, to: Math.max(report.to, report.from + 1) + slackUs });
}

/** The one that is off the least. */
function bestOf(reports: readonly Report[], truth: TrueIncident): Report | undefined {
  const off = (report: Report): number => Math.abs(report.from - truth.from) + Math.abs(report.to - truth.to);
  return [...reports].sort((a, b) => off(a) - off(b))[0];
}

export const seconds = (us: number): string => (us / 1_000_000).toFixed(3);

export const textOf = ({ kind, certainty, severity, vrid, from, to, open, cause }: Report): string =>
  `${kind} ${certainty} ${severity}${vrid === undefined ? "" : ` of VRID ${vrid}`} ${seconds(from)}–${open ? "open" : seconds(to)} s${cause === undefined ? "" : ` (${cause})`}`;
