import type { Claim, NodeView } from "../claims.ts";
import { clock, day, duration, instant, listed } from "../describe.ts";
import { END_WORDS, endOfMastership } from "../ends.ts";
import { STORY_MAX_CHARS } from "../incident.ts";
import type { Explanation } from "./cause.ts";

/** One paragraph: what happened, why, what else was so, and what to look at. */

/** Other causes and things to look at in one story. */
const OTHERS_MAX = 3;
const LOOKS_MAX = 4;
/** Masterships told one by one. */
const CLAIMS_MAX = 5;

/** @param happened  sentences without their full stop, in order of time */
export function storyOf(happened: readonly string[], { cause, others }: Explanation): string {
  const why = cause.code === "unknown" ? `Cause not known: ${cause.text}` : `Cause: ${cause.text}`;
  const also = others.slice(0, OTHERS_MAX).map(({ text }) => text);
  const looks = [...new Set([cause, ...others.slice(0, OTHERS_MAX)].flatMap(({ look }) => look))].slice(0, LOOKS_MAX);
  const parts = [
    ...happened,
    why,
    ...(also.length > 0 ? [`Besides: ${also.join("; ")}`] : []),
    ...(looks.length > 0 ? [`What to look at: ${looks.join("; ")}`] : []),
  ];
  return bounded(parts);
}

/** The longest part gives way first: a story that ends in the middle of what to do helps nobody. */
function bounded(parts: readonly string[]): string {
  const shorter = parts.map((part) => cut(part, Math.floor(STORY_MAX_CHARS / 2)));
  const whole = (list: readonly string[]): string => list.map((part) => `${part}.`).join(" ");
  const room = STORY_MAX_CHARS - whole(shorter.slice(-1)).length - 1;
  const text = whole(shorter);
  return text.length <= STORY_MAX_CHARS
    ? text
    : `${cut(whole(shorter.slice(0, -1)), room)} ${whole(shorter.slice(-1))}`;
}

function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${text.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/**
 * Who was master when, as far as it concerns the stretch from `start` to `end`.
 * @param router  what people know it by
 */
export function masterships(
  router: string,
  claims: readonly Claim[],
  start: number,
  nodes: readonly NodeView[],
): string[] {
  const ordered = [...claims].sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  const told = ordered.slice(0, CLAIMS_MAX).map((claim) =>
    mastership(
      claim,
      start,
      nodes.find(({ node }) => node === claim.node),
    ),
  );
  const more = ordered.length > CLAIMS_MAX ? [`and ${ordered.length - CLAIMS_MAX} more masterships`] : [];
  return [`${router}, ${day(start)}: ${listed([...told, ...more])}`];
}

function mastership({ node, start, end }: Claim, around: number, view: NodeView | undefined): string {
  const at = (ts: number): string => (day(ts) === day(around) ? clock(ts) : instant(ts));
  const how = end === null || !view ? undefined : endOfMastership(view.events, end, view.lane.instance);
  const ended = how === undefined ? "" : `, then ${END_WORDS[how]}`;
  return end === null
    ? `${node} is master since ${at(start)}`
    : `${node} was master from ${at(start)} to ${at(end)} (${duration(end - start)}${ended})`;
}
