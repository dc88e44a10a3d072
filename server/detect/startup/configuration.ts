import { US_PER_SECOND } from "../../../collector/core/time.ts";
import { type Event, isKind } from "../../../collector/events/event.ts";
import { clock, listed } from "../describe.ts";
import type { DaemonView } from "../detector.ts";
import type { Certainty, Severity } from "../incident.ts";
import { CONFIG_SEEN_LATE_US, CONFIG_SETTLE_US, CONFIG_STALE_US } from "../options.ts";
import { type EventOf, type Finding, isParentEnd } from "./finding.ts";

/** What the configuration and the start chain say of a start: another file, an older one, an instance that is not there. */

// --- what the collector's look at the start chain says ---------------------------------------------------------------------

interface Standing {
  readonly severity: Severity;
  readonly certainty: Certainty;
  readonly look: (node: string) => string;
}

/** Faults that last for as long as each look finds them. The rest of the chain's are config-error's. */
const STANDING: Readonly<Record<string, Standing>> = {
  daemon_child_missing: {
    severity: "critical",
    certainty: "confirmed",
    look: (node) => `pgrep -a keepalived and journalctl -u keepalived on ${node}`,
  },
  daemon_twice: {
    severity: "warning",
    certainty: "confirmed",
    look: (node) => `pgrep -a keepalived on ${node}: which of the two is wanted`,
  },
  config_file_not_read: {
    severity: "warning",
    certainty: "confirmed",
    look: (node) => `-f in ps -o args -C keepalived on ${node}, and which file was edited`,
  },
};

export function standingFaults({ events, node, watchedTo }: DaemonView): Finding[] {
  const looks = [...new Set(events.filter(isLook).map(({ ts }) => ts))];
  const told = new Map<string, EventOf<"config.diagnostic">[]>();
  for (const event of events)
    if (event.kind === "config.diagnostic" && event.source === "config" && STANDING[event.code])
      told.set(event.code, [...(told.get(event.code) ?? []), event]);
  return [...told].flatMap(([code, diagnostics]) =>
    lastingOf(diagnostics, looks)
      .filter(({ first, end }) => (end ?? watchedTo) - first.ts >= CONFIG_SETTLE_US)
      .map(({ first, end }): Finding => {
        const { severity, certainty, look } = STANDING[code] as Standing;
        return {
          code,
          text: first.message.replace(/\.$/, ""),
          events: [first],
          ts: first.ts,
          look: [look(node)],
          severity,
          certainty,
          start: first.ts,
          end,
        };
      }),
  );
}

const isLook = (event: Event): boolean => isKind(event, "config.loaded", "config.unreadable");

/** From the first look that finds it to the first that does not. All that one look finds has one instant. */
function lastingOf<T extends Event>(
  diagnostics: readonly T[],
  looks: readonly number[],
): { first: T; end: number | null }[] {
  const at = new Set(diagnostics.map(({ ts }) => ts));
  const stretches: { first: T; end: number | null }[] = [];
  for (const diagnostic of diagnostics) {
    const last = stretches.at(-1);
    if (last && (last.end === null || last.end > diagnostic.ts)) continue;
    stretches.push({ first: diagnostic, end: looks.find((ts) => ts > diagnostic.ts && !at.has(ts)) ?? null });
  }
  return stretches;
}

// --- an older file ---------------------------------------------------------------------------------------------------------

/** A file was changed and nobody has had the daemon read it for longer than an operator takes between the two. */
export function staleConfigs({ events, watchedTo, node }: DaemonView): Finding[] {
  const found: { from: number; files: readonly string[]; config: Event; end: Event | null }[] = [];
  let config: EventOf<"config.loaded"> | undefined;
  let readAt: number | undefined;
  const close = (end: Event): void => {
    const last = found.at(-1);
    if (last) last.end ??= end;
  };
  for (const event of events) {
    if (isKind(event, "daemon.starting", "daemon.reloading")) {
      close(event);
      readAt = event.ts;
    } else if (event.kind === "daemon.stopping" || isParentEnd(event) || isRefusal(event)) {
      close(event);
      readAt = undefined;
    } else if (event.kind === "config.loaded") config = event;
    else continue;
    if (!config || readAt === undefined) continue;
    const changed = changedSince(config, readAt);
    const last = found.at(-1);
    if (changed.length === 0) close(event);
    else {
      const from = Math.min(...changed.map(({ changedTs }) => changedTs));
      const files = changed.map(({ path }) => path).sort();
      if (last?.end === null) found[found.length - 1] = { ...last, files, config };
      else found.push({ from, files, config, end: null });
    }
  }
  return found
    .filter(({ from, end }) => (end?.ts ?? watchedTo) - from > CONFIG_STALE_US)
    .map(({ from, files, config: seen, end }) => ({
      code: "config-not-loaded",
      text: `${listed(files.slice(0, 3))} ${files.length > 1 ? "were" : "was"} changed after the daemon had read ${files.length > 1 ? "them" : "it"}, and it still runs with what was there before`,
      events: end ? [seen, end] : [seen],
      ts: from,
      look: [`keepalived -t on ${node}, then systemctl reload keepalived; or put the file back`],
      severity: "warning",
      certainty: "confirmed",
      start: from,
      end: end?.ts ?? null,
    }));
}

/** From 2.3 on keepalived refuses a reload of a faulty file, and goes on with what it has. */
export function refusedReloads({ events, node }: DaemonView): Finding[] {
  const found: { refused: EventOf<"daemon.error">; faults: Event[]; end: Event | null }[] = [];
  let faults: Event[] = [];
  for (const event of events) {
    if (event.kind === "config.diagnostic" && event.source === "log") faults.push(event);
    else if (isRefusal(event) && isKind(event, "daemon.error")) {
      // Refused again: still the same.
      if (found.at(-1)?.end !== null) found.push({ refused: event, faults, end: null });
    } else if (isKind(event, "daemon.starting", "daemon.stopping", "daemon.ready") || isParentEnd(event)) {
      const last = found.at(-1);
      if (last) last.end ??= event;
    } else if (event.kind === "daemon.reloading") faults = [];
  }
  return found.map(({ refused, faults: why, end }) => {
    const [first] = why;
    const fault = first && isKind(first, "config.diagnostic") ? `: ${first.message.replace(/\.$/, "")}` : "";
    return {
      code: "reload-refused",
      text: `the reload at ${clock(refused.ts)} was refused, and the daemon goes on with the configuration it had${fault}`,
      events: [...why, refused, ...(end ? [end] : [])],
      ts: refused.ts,
      look: [`keepalived -t on ${node}`],
      severity: "warning",
      certainty: "confirmed",
      start: refused.ts,
      end: end?.ts ?? null,
    };
  });
}

const isRefusal = (event: Event): boolean => event.kind === "daemon.error" && event.code === RELOAD_REFUSED;

const RELOAD_REFUSED = "reload-refused";

/** A daemon reads its files a moment after it says that it starts, and says so to the second. */
const READ_SLACK_US = 2 * US_PER_SECOND;

function changedSince({ files }: EventOf<"config.loaded">, readAt: number): { path: string; changedTs: number }[] {
  return files.flatMap(({ path, changedTs }) =>
    changedTs !== undefined && changedTs > readAt + READ_SLACK_US ? [{ path, changedTs }] : [],
  );
}

// --- instances ---------------------------------------------------------------------------------------------------------------

/** An instance of the configuration that was read never enters a state, while others of the same start do. */
export function missingInstances({ events, watchedTo, node, options }: DaemonView): Finding[] {
  const found: Finding[] = [];
  let config: EventOf<"config.loaded"> | undefined;
  let start: EventOf<"daemon.starting"> | undefined;
  let states = new Map<string, Event>();
  const judge = (now: number): void => {
    if (!start || !config || states.size === 0 || now - start.ts <= options.startDeadlineUs) return;
    const begin = start;
    for (const { instance, file, line } of config.instances)
      if (!states.has(instance))
        found.push({
          code: "instance-missing",
          text: `vrrp_instance ${instance} (${file} line ${line}) has entered no state since the start at ${clock(begin.ts)}`,
          events: [begin, config],
          ts: begin.ts,
          look: [`what the log of ${node} says of ${instance} after ${clock(begin.ts)}`],
          severity: "warning",
          certainty: "suspected",
          start: begin.ts,
          end: null,
          instance,
        });
  };
  for (const event of events) {
    if (event.kind === "config.loaded") {
      // What was edited since is another file than the one that was read.
      if (start && !isOf(event, start)) {
        judge(event.ts);
        endAll(found, event.ts);
        start = undefined;
      }
      config = event;
    } else if (event.kind === "daemon.starting") {
      judge(event.ts);
      endAll(found, event.ts);
      [start, states] = [event, new Map()];
    } else if (isKind(event, "daemon.stopping", "daemon.reloading") || isParentEnd(event)) {
      judge(event.ts);
      endAll(found, event.ts);
      start = undefined;
    } else if (event.kind === "vrrp.state") {
      if (start && event.ts - start.ts > options.startDeadlineUs && !states.has(event.instance)) {
        judge(event.ts);
        endAll(found, event.ts, event.instance);
      }
      states.set(event.instance, event);
    }
  }
  judge(watchedTo);
  return unique(found);
}

/** It is what the start read. Where the files' times are not known, what is seen long after the start is none. */
function isOf(config: EventOf<"config.loaded">, start: EventOf<"daemon.starting">): boolean {
  if (config.files.length > 0 && config.files.every(({ changedTs }) => changedTs !== undefined))
    return changedSince(config, start.ts).length === 0;
  return config.ts <= start.ts + CONFIG_SEEN_LATE_US;
}

function endAll(found: Finding[], ts: number, instance?: string): void {
  for (const [index, one] of found.entries())
    if (one.end === null && (instance === undefined || one.instance === instance)) found[index] = { ...one, end: ts };
}

/** What is judged twice is told once: as it was judged first. */
function unique(found: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const one of found) {
    const key = `${one.instance ?? ""} ${one.start}`;
    if (!seen.has(key)) seen.set(key, one);
  }
  return [...seen.values()];
}
