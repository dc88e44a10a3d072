interface Entry {
  readonly at: number;
  readonly turn: number;
  readonly work: (now: number) => void;
}

/** What is to happen when: in the order of time, and at one instant in the order in which it was asked for. */
export class Agenda {
  /** A binary heap. */
  private readonly entries: Entry[] = [];
  private turns = 0;
  /** Microseconds since the simulation began. */
  now = 0;

  /** @param at  microseconds since the simulation began; what is past already happens now */
  add(at: number, work: (now: number) => void): void {
    const { entries } = this;
    const entry = { at: Math.max(at, this.now), turn: this.turns, work };
    this.turns += 1;
    let place = entries.push(entry) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(entry, entries[above] as Entry)) break;
      entries[place] = entries[above] as Entry;
      place = above;
    }
    entries[place] = entry;
  }

  /** Does all that is due up to an instant, itself included. */
  run(until: number): void {
    for (let first = this.entries[0]; first !== undefined && first.at <= until; first = this.entries[0]) {
      this.removeFirst();
      this.now = first.at;
      first.work(first.at);
    }
    this.now = until;
  }

  private removeFirst(): void {
    const { entries } = this;
    const last = entries.pop() as Entry;
    if (entries.length === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= entries.length) break;
      if (below + 1 < entries.length && isBefore(entries[below + 1] as Entry, entries[below] as Entry)) below += 1;
      if (!isBefore(entries[below] as Entry, last)) break;
      entries[place] = entries[below] as Entry;
      place = below;
    }
    entries[place] = last;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.turn < b.turn);
