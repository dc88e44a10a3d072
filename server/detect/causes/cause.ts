import type { Event } from "../../../collector/events/event.ts";

/** One thing that the evidence shows to have been wrong, and that explains an incident. */
export interface Cause {
  /** Stable, kebab-case. */
  readonly code: string;
  /** Words that follow a colon. */
  readonly text: string;
  /** What shows it. */
  readonly events: readonly Event[];
  /** When it was so, epoch microseconds: of two alike the nearest to the incident's begin comes first. */
  readonly ts: number;
  /** What a person should look at: a command or a file and line, with the node. */
  readonly look: readonly string[];
}

/** The first is the cause; the others are told with it. */
export interface Explanation {
  readonly cause: Cause;
  readonly others: readonly Cause[];
}

/** Pieces of evidence of one cause and node that are told: some, not hundreds. */
export const EVENTS_SHOWN = 6;

/** One way of finding causes. Its place in a table says how specific it is: what comes first explains more. */
export type Finder<Scene> = (scene: Scene) => readonly Cause[];

/** Asks all finders in turn; within one the nearest to `start` comes first. Never depends on the order of arrival. */
export function explain<Scene>(
  finders: readonly Finder<Scene>[],
  scene: Scene,
  start: number,
): Explanation | undefined {
  const found: Cause[] = [];
  for (const find of finders) {
    const codes = new Set(found.map(({ code }) => code));
    // What a more specific finder has found already says more.
    const causes = find(scene).filter(({ code }) => !codes.has(code));
    found.push(...[...causes].sort((a, b) => compareCauses(a, b, start)));
  }
  const [cause, ...others] = found;
  return cause && { cause, others };
}

export const unknown = (text: string, ts: number, others: readonly Cause[] = []): Explanation => ({
  cause: { code: "unknown", text, events: [], ts, look: [] },
  others,
});

function compareCauses(a: Cause, b: Cause, start: number): number {
  const [p, q] = [Math.abs(a.ts - start), Math.abs(b.ts - start)];
  if (p !== q) return p - q;
  return a.code !== b.code ? byText(a.code, b.code) : byText(a.text, b.text);
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** All that shows a cause and the others beside it, some of each node. */
export function evidenceOfCauses({ cause, others }: Explanation): Event[] {
  return [cause, ...others].flatMap(({ events }) => shown(events));
}

function shown(events: readonly Event[]): Event[] {
  const counts = new Map<string, number>();
  return events.filter(({ node }) => {
    const count = (counts.get(node) ?? 0) + 1;
    counts.set(node, count);
    return count <= EVENTS_SHOWN;
  });
}
