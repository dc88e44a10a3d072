/** How often the same came before, of the newest that are remembered: a message that comes twice has no number of its own. */
export class Occurrences {
  private readonly seen = new Map<string, number>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** @returns how often it came before */
  count(content: string): number {
    const before = this.seen.get(content) ?? 0;
    this.seen.delete(content);
    this.seen.set(content, before + 1);
    if (this.seen.size > this.max) this.seen.delete(this.seen.keys().next().value as string);
    return before;
  }
}
