/** Names by number, told apart by their bytes: no string is made for a name that has been seen before. */
export class Interner {
  /** How many names there are; the next new one gets this number. */
  size = 0;
  private readonly limit: number;
  /** Open addressing: a name's number, or -1. */
  private readonly slots: Int32Array;
  private readonly hashes: Int32Array;
  /** Where each name's bytes end; they begin where those of the one before it end. */
  private readonly ends: Int32Array;
  private bytes = new Uint8Array(1024);

  /** @param limit  how many names are told apart: the memory is bounded, whatever a log holds */
  constructor(limit: number) {
    this.limit = limit;
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(limit * 2))).fill(-1);
    this.hashes = new Int32Array(limit);
    this.ends = new Int32Array(limit);
  }

  /** @returns the number of the name at these bytes, or -1 when it is new and there is no room for it */
  get(from: Uint8Array, start: number, end: number): number {
    const length = end - start;
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (from[i] as number), 0x01000193);
    const mask = this.slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const name = this.slots[slot] as number;
      if (name < 0) break;
      if (this.hashes[name] === hash) {
        const at = name === 0 ? 0 : (this.ends[name - 1] as number);
        if ((this.ends[name] as number) - at === length) {
          let same = 0;
          while (same < length && this.bytes[at + same] === from[start + same]) same += 1;
          if (same === length) return name;
        }
      }
      slot = (slot + 1) & mask;
    }
    return this.add(from, start, end, hash, slot);
  }

  /** The bytes of a name. */
  nameOf(name: number): Uint8Array {
    return this.bytes.subarray(name === 0 ? 0 : this.ends[name - 1], this.ends[name]);
  }

  private add(from: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    if (this.size === this.limit) return -1;
    const at = this.size === 0 ? 0 : (this.ends[this.size - 1] as number);
    if (at + end - start > this.bytes.length) {
      const larger = new Uint8Array(2 * (at + end - start));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(start, end), at);
    const name = this.size++;
    this.ends[name] = at + end - start;
    this.hashes[name] = hash;
    this.slots[slot] = name;
    return name;
  }
}
