import type { Agenda } from "./agenda.ts";
import type { PathSpec } from "./model.ts";
import type { Random } from "./random.ts";

/** The segments between nodes: one path from each node to each other, in each direction, for all interfaces. */
export class Network<Frame> {
  private readonly agenda: Agenda;
  private readonly random: Random;
  private readonly base: PathSpec;
  private readonly changed = new Map<string, Partial<PathSpec>>();
  private readonly groups = new Map<string, number>();
  private readonly receivers = new Map<string, (frame: Frame) => void>();

  constructor(agenda: Agenda, random: Random, base: PathSpec) {
    this.agenda = agenda;
    this.random = random;
    this.base = base;
  }

  attach(node: string, receive: (frame: Frame) => void): void {
    this.receivers.set(node, receive);
  }

  /** To everybody else. */
  send(from: string, frame: Frame): void {
    for (const [to, receive] of this.receivers) {
      if (to === from || this.groups.get(from) !== this.groups.get(to)) continue;
      const path = { ...this.base, ...this.changed.get(pathKey(from, to)) };
      const copies = this.random.chance(path.duplicates) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const isLost = this.random.chance(path.loss);
        const delayUs = path.delayUs + this.random.between(0, path.jitterUs);
        if (!isLost) this.agenda.add(this.agenda.now + delayUs, () => receive(frame));
      }
    }
  }

  /** Nodes of different groups hear nothing of each other; those that are not named stay together. */
  partition(groups: readonly (readonly string[])[]): void {
    this.groups.clear();
    for (const [at, group] of groups.entries()) for (const node of group) this.groups.set(node, at);
  }

  setPath(from: string, to: string, path: Partial<PathSpec>): void {
    const key = pathKey(from, to);
    this.changed.set(key, { ...this.changed.get(key), ...path });
  }

  heal(): void {
    this.groups.clear();
    this.changed.clear();
  }
}

const pathKey = (from: string, to: string): string => `${from}>${to}`;
