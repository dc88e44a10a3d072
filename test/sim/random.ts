import { seededRandom } from "../bench/generate.ts";

/** A seeded source of chance. Two of different salts share nothing, so that one part's draws do not move another's. */
export class Random {
  private readonly next: () => number;

  constructor(seed: number, salt: string) {
    let mixed = Math.imul(seed + 1, 0x9e3779b1);
    for (let i = 0; i < salt.length; i++) mixed = Math.imul(mixed ^ salt.charCodeAt(i), 0x85ebca6b) ^ (mixed >>> 15);
    this.next = seededRandom(mixed);
  }

  /** In [0, 1). */
  share(): number {
    return this.next();
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.between(0, values.length - 1)] as T;
  }
}
