/** One request of the laboratory's client, as it ended. */
export interface Answer {
  /** Epoch microseconds. */
  readonly sentTs: number;
  readonly endedTs: number;
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  /** Why there was none. */
  readonly error?: string;
  /** Who answered: the node that took the request, the backend behind it, and a digest of the page. */
  readonly node?: string;
  readonly backend?: string;
  readonly page?: string;
}

/** What a client of the virtual address saw over a stretch of time. */
export interface ClientView {
  readonly requests: number;
  readonly failed: number;
  /** From the first request that failed to the next that did not (or to the end), microseconds; the longest of them. */
  readonly longestOutageUs: number;
  /** How often each error, most frequent first. */
  readonly errors: readonly (readonly [error: string, count: number])[];
  /** `node/backend` of the answers just before the stretch, and of those at its end. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Different pages seen. */
  readonly pages: number;
}

/** Answers this long before the stretch, or before its end, tell who answered. */
const LOOK_US = 1_000_000;

/** What is known of the requests sent in [from, to). */
export function viewOf(answers: readonly Answer[], from: number, to: number): ClientView {
  const sorted = [...answers].sort((a, b) => a.sentTs - b.sentTs);
  const inside = sorted.filter(({ sentTs }) => sentTs >= from && sentTs < to);
  const failures = inside.filter((answer) => !isGood(answer));
  const errors = new Map<string, number>();
  for (const answer of failures) {
    const what = answer.error ?? `status ${answer.status}`;
    errors.set(what, (errors.get(what) ?? 0) + 1);
  }
  return {
    requests: inside.length,
    failed: failures.length,
    longestOutageUs: longestOutage(inside, to),
    errors: [...errors].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)),
    before: answerers(sorted.filter(({ sentTs }) => sentTs >= from - LOOK_US && sentTs < from)),
    after: answerers(inside.filter(({ sentTs }) => sentTs >= to - LOOK_US)),
    pages: new Set(inside.filter(isGood).map(({ page }) => page)).size,
  };
}

/** One line for people. */
export function describeView(view: ClientView): string {
  const { requests, failed, longestOutageUs, errors, before, after, pages } = view;
  const outage = failed === 0 ? "" : `, longest outage ${Math.round(longestOutageUs / 1000)} ms`;
  const why = errors.length === 0 ? "" : ` (${errors.map(([error, count]) => `${count} × ${error}`).join(", ")})`;
  const who = (names: readonly string[]): string => (names.length === 0 ? "nobody" : names.join(", "));
  return `${failed} of ${requests} requests failed${outage}${why}; answered before by ${who(before)}, after by ${who(after)}${pages > 1 ? `; ${pages} different pages` : ""}`;
}

const isGood = ({ status }: Answer): boolean => status !== null && status < 400;

function longestOutage(sorted: readonly Answer[], to: number): number {
  let longest = 0;
  let since: number | undefined;
  for (const answer of sorted) {
    if (!isGood(answer)) since ??= answer.sentTs;
    else if (since !== undefined) {
      longest = Math.max(longest, answer.sentTs - since);
      since = undefined;
    }
  }
  return since === undefined ? longest : Math.max(longest, to - since);
}

function answerers(answers: readonly Answer[]): string[] {
  const names = answers.filter(isGood).map(({ node, backend }) => `${node ?? "?"}/${backend ?? "itself"}`);
  return [...new Set(names)].sort();
}
