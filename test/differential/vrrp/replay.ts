import { createShadow, step } from "../../../collector/shadow/engine.ts";
import type { ShadowEffect, ShadowInput } from "../../../collector/shadow/input.ts";
import type { MonoUs } from "../../../collector/core/time.ts";
import { inputOf, type Recording, type Transition } from "./recording.ts";

/** Gives a shadow what a node saw. @returns all that it concludes, in order */
export function replay(recording: Recording): readonly ShadowEffect[] {
  let shadow = createShadow();
  const effects: ShadowEffect[] = [];
  const tell = (input: ShadowInput, at: number): void => {
    const [next, concluded] = step(shadow, input, at as MonoUs);
    shadow = next;
    effects.push(...concluded);
  };
  for (const { at, what } of recording.evidence) {
    const input = inputOf(what, recording);
    if (input) tell(input, at);
  }
  tell({ kind: "tick" }, recording.end);
  return effects;
}

/** The changes that keepalived should write a line about. */
export function predictionsOf(recording: Recording): readonly Transition[] {
  return replay(recording).flatMap((effect) => {
    const isTold = effect.kind === "priority" || (effect.kind === "state" && effect.logged);
    return isTold ? [{ at: effect.at, instance: effect.instance, to: effect.to }] : [];
  });
}
