/** Something the spool had and has no more, to be told to the server as a `collector.gap`. */
export interface Loss {
  /** Names the loss, also after a restart: told twice, it is shown once. */
  readonly id: string;
  readonly reason: string;
  /** Undefined when no one can know. */
  readonly events: number | undefined;
  /** First and last event time among the lost ones, epoch microseconds. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Most different losses kept until they are told; further ones are summed up in the last. */
const LOSSES_MAX = 100;

/** What is lost and not yet told. Losses with one reason become one. */
export class Losses {
  private untold: Loss[] = [];

  list(): readonly Loss[] {
    return [...this.untold];
  }

  restore(losses: readonly Loss[]): void {
    this.untold = losses.slice(0, LOSSES_MAX);
  }

  add(loss: Loss): void {
    const full = this.untold.length >= LOSSES_MAX;
    const same = this.untold.findIndex(({ reason }) => reason === loss.reason);
    const into = same >= 0 ? same : full ? LOSSES_MAX - 1 : -1;
    const other = this.untold[into];
    if (other) this.untold[into] = merged(other, loss);
    else this.untold.push(loss);
  }

  /** Forgets what was told. A loss that has grown since stays, and is told again as it is now. */
  remove(told: readonly Loss[]): void {
    this.untold = this.untold.filter((loss) => !told.includes(loss));
  }
}

function merged(a: Loss, b: Loss): Loss {
  return {
    id: a.id,
    reason: a.reason,
    events: a.events === undefined || b.events === undefined ? (a.events ?? b.events) : a.events + b.events,
    from: chosen(Math.min, a.from, b.from),
    to: chosen(Math.max, a.to, b.to),
  };
}

function chosen(
  choose: (a: number, b: number) => number,
  a: number | undefined,
  b: number | undefined,
): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : choose(a, b);
}

/** How much the batches hold, and the stretch of event time they cover. */
export function spanOf(batches: readonly { readonly events: number; readonly body: Buffer }[]): {
  events: number;
  from: number | undefined;
  to: number | undefined;
} {
  let from: number | undefined;
  let to: number | undefined;
  for (const { body } of batches)
    for (const { ts } of eventsIn(body)) {
      if (typeof ts !== "number") continue;
      from = Math.min(from ?? ts, ts);
      to = Math.max(to ?? ts, ts);
    }
  return { events: batches.reduce((sum, { events }) => sum + events, 0), from, to };
}

export const isAboutCollector = (body: Buffer): boolean => {
  const events = eventsIn(body);
  return events.length > 0 && events.every(({ kind }) => typeof kind === "string" && kind.startsWith("collector."));
};

function eventsIn(body: Buffer): readonly { readonly ts?: unknown; readonly kind?: unknown }[] {
  try {
    const batch: unknown = JSON.parse(body.toString("utf8"));
    const events = typeof batch === "object" && batch !== null && "events" in batch ? batch.events : undefined;
    return Array.isArray(events) ? (events as { ts?: unknown; kind?: unknown }[]) : [];
  } catch {
    return [];
  }
}
