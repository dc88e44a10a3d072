import type { Recording, Transition } from "./recording.ts";
import { predictionsOf } from "./replay.ts";

/** How far a prediction may be off, microseconds. The log's own resolution, a microsecond, is in it. */
export const TOLERANCE_US = 150_000;
/** A prediction of the same that is farther off is another one. Microseconds. */
const SAME_US = 1_000_000;

/** A change that came, or that should have come, or both. */
export interface Match {
  readonly instance: string;
  readonly real: Transition | undefined;
  readonly predicted: Transition | undefined;
  readonly isRight: boolean;
}

export interface NodeVerdict {
  readonly scenario: string;
  readonly node: string;
  /** In order of time. */
  readonly matches: readonly Match[];
}

/** Holds what the shadow of a node predicts against what its keepalived did. */
export function judge(recording: Recording): NodeVerdict {
  const real = changesOf(recording);
  const predicted = predictionsOf(recording);
  const instances = [...new Set([...real, ...predicted].map(({ instance }) => instance))];
  const matches = instances.flatMap((instance) =>
    (["string", "number"] as const).flatMap((type) => {
      const isOf = (one: Transition): boolean => one.instance === instance && typeof one.to === type;
      return matched(real.filter(isOf), predicted.filter(isOf), recording.end);
    }),
  );
  return { scenario: recording.scenario, node: recording.node, matches: matches.sort((a, b) => timeOf(a) - timeOf(b)) };
}

/** Both in order, states and priorities each for themselves: what is passed over is not met again. */
function matched(real: readonly Transition[], predicted: readonly Transition[], end: number): Match[] {
  const matches: Match[] = [];
  let [r, p] = [0, 0];
  for (;;) {
    const [was, said] = [real[r], predicted[p]];
    if (!was && !said) return matches;
    const instance = (was ?? said)?.instance ?? "";
    if (was && said && was.to === said.to && Math.abs(said.at - was.at) <= SAME_US) {
      matches.push({ instance, real: was, predicted: said, isRight: Math.abs(said.at - was.at) <= TOLERANCE_US });
      [r, p] = [r + 1, p + 1];
    } else if (was && (!said || was.at <= said.at)) {
      matches.push({ instance, real: was, predicted: undefined, isRight: isCutOff(was, end) });
      r += 1;
    } else if (said) {
      matches.push({ instance, real: undefined, predicted: said, isRight: isCutOff(said, end) });
      p += 1;
    }
  }
}

/** The other of the two may have come when nobody looked any more. */
const isCutOff = ({ at }: Transition, end: number): boolean => at > end - TOLERANCE_US;

/** keepalived writes two lines about some faults, the reason and the state, and one again at a reload: no change. */
function changesOf({ real, evidence }: Recording): readonly Transition[] {
  const starts = evidence.filter(({ what }) => what.kind === "started");
  const last = new Map<string, Transition>();
  return real.filter((one) => {
    if (typeof one.to === "number") return true;
    const before = last.get(one.instance);
    last.set(one.instance, one);
    const isSame = before?.to === "FAULT" && one.to === "FAULT";
    return !isSame || starts.some(({ at }) => at > before.at && at <= one.at);
  });
}

export const timeOf = ({ real, predicted }: Match): number => real?.at ?? predicted?.at ?? 0;

/** Prediction minus reality, microseconds. */
export const offsetOf = ({ real, predicted }: Match): number | undefined => real && predicted && predicted.at - real.at;

export const isRight = ({ matches }: NodeVerdict): boolean => matches.every((match) => match.isRight);
