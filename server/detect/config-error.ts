import { isKind, type DiagnosticSeverity, type Event } from "../../collector/events/event.ts";
import { evidenceList, lasting } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import { startsOfSecondDaemons } from "./evidence.ts";
import type { Certainty, IncidentDraft, Severity } from "./incident.ts";
import { type GradedState, type Stretch, stretchesOf } from "./stretches.ts";
import { CONFIG_SEEN_LATE_US, CONFIG_SETTLE_US, EVIDENCE_MAX, SAME_BOOT_US } from "./options.ts";

/**
 * A file of the configuration has faults: by the collector's reading of it, and by what keepalived says when it reads it. One
 * incident a file for as long as its worst fault is equally bad. The rules are in README.md.
 */
export const configError: Detector = { kind: "config-error", scope: "daemon", detect };

type Diagnostic = Extract<Event, { kind: "config.diagnostic" }>;
type Unreadable = Extract<Event, { kind: "config.unreadable" }>;
/** As `keepwatch lint` calls it. */
const UNREADABLE = "main_file_unreadable";
type Grade = Exclude<DiagnosticSeverity, "hint">;
/** Worst first. */
const GRADES: readonly Grade[] = ["fatal", "instance-lost", "degraded"];
/** Whether keepalived runs at all is startup-failure's to wake somebody for. */
const SEVERITY: Readonly<Record<Grade, Severity>> = { fatal: "warning", "instance-lost": "warning", degraded: "info" };

/** What the collector found in the files at one look. */
interface Reading {
  readonly ts: number;
  /** Main file first. Empty: they could not be read. */
  readonly files: readonly string[];
  readonly faults: Diagnostic[];
  /** A file was changed after the daemon was started. */
  readonly newerThanDaemon: boolean;
}

/** One time keepalived read its configuration: at a start or a reload. */
interface Load {
  readonly event: Event;
  readonly faults: Diagnostic[];
  /** It runs with what it read. */
  works: boolean;
}

/** What is known from an instant on. */
interface Moment {
  readonly ts: number;
  readonly onDisk: Reading | null;
  /** What the daemon has read of that; null: nothing known, or no daemon runs. */
  readonly inForce: Reading | null;
  readonly load: Load | null;
  readonly runs: boolean;
}

function detect(view: DaemonView): IncidentDraft[] {
  const moments = momentsOf(view.events);
  const files = new Map<string, State[]>();
  for (const moment of moments) {
    const byFile = faultsByFile(moment);
    for (const [file, faults] of byFile) {
      const states = files.get(file) ?? [];
      files.set(file, states);
      states.push({ ts: moment.ts, moment, faults });
    }
    for (const [file, states] of files)
      if (!byFile.has(file) && states.at(-1)?.faults.length !== 0) states.push({ ts: moment.ts, moment, faults: [] });
  }
  return [...files].flatMap(([file, states]) =>
    stretchesOf(states.map(gradedOf), view.watchedTo).map((stretch) => toDraft(stretch, file, view)),
  );
}

// --- what is known when ----------------------------------------------------------------------------------------------------

function momentsOf(events: readonly Event[]): Moment[] {
  const readings = readingsOf(events);
  const rejected = startsOfSecondDaemons(events);
  const moments: Moment[] = [];
  let now: Moment = { ts: 0, onDisk: null, inForce: null, load: null, runs: true };
  /** What was in force before a reload that may be refused. */
  let before = now;
  let collectorStarted = Number.NEGATIVE_INFINITY;
  const next = (ts: number, change: Partial<Moment>): void => {
    now = { ...now, ...change, ts };
    moments.push(now);
  };
  for (const event of events) {
    const reading = event.source === "config" ? readings.get(event.ts) : undefined;
    if (reading && reading !== now.onDisk) next(event.ts, afterReading(now, reading, collectorStarted));
    else if (event.kind === "collector.started") collectorStarted = event.ts;
    else if (isKind(event, "daemon.starting", "daemon.reloading") && !rejected.has(event)) {
      before = now;
      next(event.ts, { inForce: now.onDisk, load: { event, faults: [], works: false }, runs: true });
    } else if (isKind(event, "config.diagnostic") && event.source === "log") now.load?.faults.push(event);
    else if (isKind(event, "daemon.ready", "vrrp.state") && now.load) now.load.works = true;
    else if (
      event.kind === "daemon.error" &&
      event.code === "reload-refused" &&
      now.load?.event.kind === "daemon.reloading"
    )
      next(event.ts, { inForce: before.inForce, load: before.load });
    else if (event.kind === "daemon.stopped" && event.daemon === "parent" && now.runs)
      next(event.ts, { runs: false, inForce: null });
  }
  return moments;
}

/** All that one look found has the same instant. */
function readingsOf(events: readonly Event[]): ReadonlyMap<number, Reading> {
  const found = new Map<number, Diagnostic[]>();
  const looks: Extract<Event, { kind: "config.loaded" | "config.unreadable" }>[] = [];
  for (const event of events) {
    if (event.source !== "config") continue;
    if (isKind(event, "config.loaded", "config.unreadable")) looks.push(event);
    else if (isKind(event, "config.diagnostic")) {
      const list = found.get(event.ts) ?? [];
      list.push(event);
      found.set(event.ts, list);
    }
  }
  return new Map(
    looks.map((look) => {
      const all = [...(found.get(look.ts) ?? []), ...(look.kind === "config.unreadable" ? unreadable(look) : [])];
      return [
        look.ts,
        {
          ts: look.ts,
          files: look.kind === "config.loaded" ? look.files.map(({ path }) => path) : [],
          faults: all.filter(({ code }) => !OF_PROCESSES.test(code)),
          newerThanDaemon: all.some(({ code }) => code === "config_newer_than_daemon"),
        },
      ];
    }),
  );
}

/** What keeps the collector from reading a file, and not keepalived. */
const OURS_ALONE = /^no permission to read | is larger than \d+ bytes$/;

/** keepalived does not start without its main file. */
function unreadable({ path, message, ...look }: Unreadable): Diagnostic[] {
  if (OURS_ALONE.test(message)) return [];
  return [{ ...look, kind: "config.diagnostic", severity: "fatal", code: UNREADABLE, message, file: path }];
}

/** Codes of what is wrong with living processes: not with what is written. */
const OF_PROCESSES = /^(?:daemon|pid_file)_/;

/**
 * A daemon runs with what was there when it last read. A file that changes under it waits; but a change is seen up to a look
 * later, and what a collector finds when it begins was mostly there before.
 */
function afterReading(now: Moment, reading: Reading, collectorStarted: number): Partial<Moment> {
  // Without a daemon nothing is in force, and what the last one complained of is settled by whatever is written next.
  if (!now.runs) return { onDisk: reading, inForce: null, load: null };
  // Who runs has read something.
  if (reading.files.length === 0) return { onDisk: reading };
  const loadedAt = now.load?.event.ts;
  const found = Math.abs(reading.ts - collectorStarted) <= SAME_BOOT_US;
  const isLoaded =
    loadedAt === undefined || (found && loadedAt < reading.ts)
      ? !reading.newerThanDaemon || now.load?.event.kind === "daemon.reloading"
      : reading.ts - loadedAt <= CONFIG_SEEN_LATE_US;
  return { onDisk: reading, ...(isLoaded ? { inForce: reading } : {}) };
}

// --- faults ----------------------------------------------------------------------------------------------------------------

interface Fault {
  readonly event: Diagnostic;
  readonly grade: Grade;
  /** The daemon has read it. */
  readonly inForce: boolean;
}

const placeOf = ({ file, line, code, instance }: Diagnostic): string =>
  line === undefined ? [file, code, instance].join("\0") : [file, line].join("\0");
const sameFault = ({ code, message, ...event }: Diagnostic): string =>
  [code, message, placeOf({ code, message, ...event })].join("\0");

/** Worst first, each once: what the collector and keepalived say of one line is one fault. */
function faultsByFile({ onDisk, inForce, load, runs }: Moment): ReadonlyMap<string, readonly Fault[]> {
  const read = new Map((inForce?.faults ?? []).map((event) => [sameFault(event), event]));
  const own = [
    ...[...read.values()].map((event) => ({ event, inForce: true })),
    ...(onDisk === inForce ? [] : (onDisk?.faults ?? []))
      .filter((event) => !read.has(sameFault(event)))
      .map((event) => ({ event, inForce: false })),
  ];
  const places = new Set(own.map(({ event }) => placeOf(event)));
  const logged = new Map((load?.faults ?? []).map((event) => [sameFault(event), event]));
  const all = [
    ...own,
    ...[...logged.values()].filter((event) => !places.has(placeOf(event))).map((event) => ({ event, inForce: runs })),
  ];
  const mainFile = onDisk?.files[0] ?? "";
  const byFile = new Map<string, Fault[]>();
  for (const { event, inForce: isInForce } of all) {
    const { severity } = event;
    if (severity === "hint") continue;
    const file = event.file ?? mainFile;
    const faults = byFile.get(file) ?? [];
    faults.push({ event, grade: severity, inForce: isInForce });
    byFile.set(file, faults);
  }
  for (const faults of byFile.values())
    faults.sort(
      (a, b) =>
        GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade) ||
        Number(b.inForce) - Number(a.inForce) ||
        (a.event.line ?? 0) - (b.event.line ?? 0) ||
        (a.event.id < b.event.id ? -1 : 1),
    );
  return byFile;
}

// --- incidents -------------------------------------------------------------------------------------------------------------

/** One file from an instant on. */
interface State {
  readonly ts: number;
  readonly moment: Moment;
  readonly faults: readonly Fault[];
}

/** Editors write a file in two goes, and between a reload and its complaints lies a moment without any. */
const gradedOf = (state: State): GradedState<Grade, State> => ({
  ts: state.ts,
  grade: state.faults[0]?.grade,
  settleUs: CONFIG_SETTLE_US,
  value: state,
});

/** Faults told in words; the others are counted. */
const TOLD_MAX = 3;

function toDraft({ start, end, values: states }: Stretch<Grade, State>, file: string, view: DaemonView): IncidentDraft {
  const { faults, moment } = states.at(-1) as State;
  const worst = faults[0] as Fault;
  const told = faults.slice(0, TOLD_MAX).map(({ event }) => textOf(event));
  const more = faults.length > told.length ? `; and ${faults.length - told.length} more` : "";
  const first = `${told[0]}${faults.length > 1 ? ` (and ${faults.length - 1} more)` : ""}`;
  const instances = new Set(faults.map(({ event }) => event.instance));
  const [instance] = instances;
  const { certainty, effect } = effectOf(worst, moment);
  const shown = [...new Set(states.flatMap((state) => state.faults))]
    .sort((a, b) => GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade))
    .slice(0, EVIDENCE_MAX - 1);
  return {
    kind: "config-error",
    certainty,
    severity: SEVERITY[worst.grade],
    cluster: view.cluster,
    subject: {
      ...(instances.size === 1 && instance !== undefined ? { instance } : {}),
      ...(file === "" ? {} : { component: file }),
      nodes: [view.node],
    },
    start,
    end,
    cause: { code: worst.event.code, text: `${told.join("; ")}${more}` },
    summary: `${file === "" ? "The configuration" : file} on ${view.node} ${end === null ? "is" : "was"} at fault ${lasting(start, end)}: ${first}; ${effect}.`,
    evidence: evidenceList([
      ...(worst.inForce && moment.load ? [moment.load.event] : []),
      ...shown.map(({ event }) => event),
    ]),
  };
}

/** keepalived's own prefix says the place once more. */
function textOf({ line, message }: Diagnostic): string {
  const words = message.replace(/^\((?:[^()]*: )?Line \d+\) /, "");
  return line === undefined ? words : `line ${line}: ${words}`;
}

const READ: Readonly<Record<Grade, string>> = {
  fatal: "keepalived does not run with it",
  "instance-lost": "keepalived runs without that instance or server",
  degraded: "keepalived uses it otherwise than it is written",
};
const WAITING: Readonly<Record<Grade, string>> = {
  fatal: "will fail",
  "instance-lost": "will leave that instance or server out",
  degraded: "will use it otherwise than it is written",
};

function effectOf({ grade, inForce, event }: Fault, { runs, load }: Moment): { certainty: Certainty; effect: string } {
  if (!runs) return { certainty: "confirmed", effect: `keepalived does not run, and its next start ${WAITING[grade]}` };
  if (!inForce)
    return {
      certainty: "confirmed",
      effect: `keepalived has not read it yet, and its next reload or start ${WAITING[grade]}`,
    };
  // Who runs with a file that should keep it from running shows that the reading of the file is wrong, or was another file's.
  if (grade === "fatal" && event.source === "config" && load?.works === true)
    return { certainty: "suspected", effect: "keepalived should not run with it, and does" };
  return { certainty: "confirmed", effect: READ[grade] };
}
