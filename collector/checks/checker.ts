import type { Checker } from "../conf/model/server-types.ts";
import { compareReleases, type Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";

/**
 * One checker as keepalived runs it: when it probes, what a result does to its count of retries, and when its server goes up
 * or down by it. Pure: time is an argument, and what is to be done comes out as effects. (keepalived 2.2.7, check/check_*.c)
 */
export interface CheckerState {
  readonly phase: "waiting" | "probing" | "suspended";
  /** When it probes next; meaningless in the other phases. */
  readonly dueAt: MonoUs;
  readonly probeStartedAt: MonoUs;
  readonly up: boolean;
  /** It has had a verdict. Until then one failure is enough. */
  readonly hasRun: boolean;
  /** Failures in a row, as far as they are counted. */
  readonly retries: number;
  /** Which of its targets is next: of an HTTP_GET its url, of an SMTP_CHECK its host. */
  readonly target: number;
  /** Targets that have passed in a row: all of them make a success. */
  readonly passed: number;
}

export type ProbeResult =
  | { readonly kind: "success" }
  /** `reason`: short code: timeout, connect, status, digest, … */
  | { readonly kind: "failure"; readonly reason: string }
  /** Nothing can be said of the server: the probe could not be made here. */
  | { readonly kind: "unable"; readonly why: string };

export type CheckerInput =
  | { readonly kind: "tick" }
  | { readonly kind: "result"; readonly result: ProbeResult }
  | { readonly kind: "suspend" }
  /** @param fraction in [0, 1): of warmup, after which the first probe comes */
  | { readonly kind: "resume"; readonly fraction: number };

export type CheckerEffect =
  | { readonly kind: "probe"; readonly target: number; readonly isUp: boolean }
  /** The verdict of a result. `down`: the retries are used up; `retries`: how many there were, when there were. */
  | {
      readonly kind: "result";
      readonly outcome: "success" | "failure" | "down";
      readonly reason?: string;
      readonly retries?: number;
    }
  /** From here on it holds its server for well, or for ill; also the first verdict, when it is what was assumed before. */
  | { readonly kind: "state"; readonly up: boolean; readonly changed: boolean; readonly reason?: string };

export type CheckerSettings = Pick<
  Checker,
  "delayLoopUs" | "warmupUs" | "retry" | "delayBeforeRetryUs" | "alpha" | "check"
>;

type Step = readonly [CheckerState, readonly CheckerEffect[]];

/** Up to this release a wrong status or digest takes a server down at once, whatever the retries. */
const NO_RETRY_UNTIL: Release = [1, 2, 13];

/** @param fraction in [0, 1): of warmup, after which the first probe comes */
export function startChecker(checker: CheckerSettings, now: MonoUs, fraction: number): CheckerState {
  return {
    phase: "waiting",
    dueAt: (now + Math.floor(checker.warmupUs * fraction)) as MonoUs,
    probeStartedAt: now,
    up: !checker.alpha,
    hasRun: false,
    retries: 0,
    target: 0,
    passed: 0,
  };
}

export function targetsOf({ check }: Pick<Checker, "check">): number {
  return check.kind === "http" ? check.urls.length : check.kind === "smtp" ? check.hosts.length : 1;
}

export function step(
  checker: CheckerSettings,
  state: CheckerState,
  input: CheckerInput,
  now: MonoUs,
  release: Release,
): Step {
  switch (input.kind) {
    case "tick":
      return state.phase === "waiting" && now >= state.dueAt
        ? [
            { ...state, phase: "probing", probeStartedAt: now },
            [{ kind: "probe", target: state.target, isUp: state.up && state.hasRun }],
          ]
        : [state, []];
    case "suspend":
      return [{ ...state, phase: "suspended" }, []];
    case "resume":
      return state.phase === "suspended"
        ? [{ ...startChecker(checker, now, input.fraction), up: state.up, hasRun: state.hasRun }, []]
        : [state, []];
    case "result":
      if (state.phase !== "probing") return [state, []];
      if (input.result.kind === "success") return succeed(checker, state, now);
      if (input.result.kind === "failure") return fail(checker, state, input.result.reason, now, release);
      return [wait(checker, state, checker.delayLoopUs, now), []];
  }
}

function succeed(checker: CheckerSettings, state: CheckerState, now: MonoUs): Step {
  const passed = state.passed + 1;
  const targets = targetsOf(checker);
  const isNews = !state.up || !state.hasRun;
  if (passed < targets) {
    const { check } = checker;
    // One url a delay_loop; the hosts of an SMTP_CHECK one behind the other.
    const isHurried = check.kind === "smtp" || (check.kind === "http" && check.fastRecovery && isNews);
    const next = { ...state, passed, retries: 0, target: (state.target + 1) % targets };
    return [wait(checker, next, isHurried ? 0 : checker.delayLoopUs, now), [{ kind: "result", outcome: "success" }]];
  }
  const next = { ...state, up: true, hasRun: true, passed: 0, retries: 0, target: 0 };
  const effects: CheckerEffect[] = [{ kind: "result", outcome: "success" }];
  if (isNews) effects.push({ kind: "state", up: true, changed: !state.up });
  return [wait(checker, next, checker.delayLoopUs, now), effects];
}

function fail(checker: CheckerSettings, state: CheckerState, reason: string, now: MonoUs, release: Release): Step {
  if (state.up || !state.hasRun) {
    const isFinal =
      // At the start the retries count as used up, until a first target has passed.
      (!state.hasRun && state.passed === 0) ||
      state.retries >= checker.retry ||
      ((reason === "status" || reason === "digest") && compareReleases(release, NO_RETRY_UNTIL) <= 0);
    if (!isFinal)
      return [
        wait(checker, { ...state, retries: state.retries + 1 }, checker.delayBeforeRetryUs, now),
        [{ kind: "result", outcome: "failure", reason }],
      ];
    return [
      wait(
        checker,
        { ...state, up: false, hasRun: true, retries: 0, passed: 0, target: restartAt(checker, state) },
        downDelayUs(checker),
        now,
      ),
      [
        { kind: "result", outcome: "down", reason, ...(state.retries > 0 ? { retries: state.retries } : {}) },
        { kind: "state", up: false, changed: state.up, reason },
      ],
    ];
  }
  const again = failWhileDown(checker, state);
  return [
    wait(
      checker,
      { ...state, passed: 0, target: restartAt(checker, state), retries: again.retries },
      again.delayUs,
      now,
    ),
    [{ kind: "result", outcome: "failure", reason }],
  ];
}

/** The url that failed is the first to be tried again; the hosts of an SMTP_CHECK begin anew. */
const restartAt = ({ check }: CheckerSettings, { target }: CheckerState): number =>
  check.kind === "http" ? target : 0;

const downDelayUs = ({ check, delayLoopUs, delayBeforeRetryUs }: CheckerSettings): number =>
  check.kind === "http" ? Math.max(delayLoopUs, delayBeforeRetryUs) : delayLoopUs;

/** TCP_CHECK and SMTP_CHECK go on counting retries while their server is down; the others wait for the next loop. */
function failWhileDown(checker: CheckerSettings, { retries }: CheckerState): { retries: number; delayUs: number } {
  const { check, retry, delayBeforeRetryUs } = checker;
  const counts = check.kind === "tcp" || check.kind === "smtp";
  return counts && retries < retry
    ? { retries: retries + 1, delayUs: delayBeforeRetryUs }
    : { retries: 0, delayUs: downDelayUs(checker) };
}

/** A MISC_CHECK's next run is counted from the start of the one before. */
function wait({ check }: CheckerSettings, state: CheckerState, delayUs: number, now: MonoUs): CheckerState {
  const from = check.kind === "misc" ? state.probeStartedAt : now;
  return { ...state, phase: "waiting", dueAt: Math.max(now, from + delayUs) as MonoUs };
}
