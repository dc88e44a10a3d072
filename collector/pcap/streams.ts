import { formatAddress } from "../core/address.ts";
import type { Family } from "../events/event.ts";

/** Most streams told apart; adverts of further ones are only counted. */
export const STREAMS_MAX = 65_536;
const SLOTS = STREAMS_MAX * 2;
const SLOT_BITS_OFF = 32 - Math.log2(SLOTS);
/** 32-bit words of a key: where it was captured, what it is, and two addresses. */
const WORDS = 10;
const IPV6 = 0x100;
const OUTGOING = 0x200;
/** Interface index of a link type that tells none. */
export const NO_PLACE = 0;

/** Adverts of one source to one destination for one VRID, as captured on one interface in one direction. */
export interface Stream {
  /** `if2`, `eth0`, `eth0.10`; `?` when nothing tells. */
  readonly interface: string;
  readonly outgoing: boolean;
  readonly family: Family;
  readonly vrid: number;
  readonly source: string;
  readonly destination: string;
}

export const packed = (vrid: number, family: Family, outgoing: boolean): number =>
  vrid | (family === "ipv6" ? IPV6 : 0) | (outgoing ? OUTGOING : 0);

/** Numbers streams by the bytes of their addresses, so that no string is made of an advert. */
export class StreamTable {
  /** Streams so far. */
  count = 0;
  /** Adverts of streams that were too many. */
  refused = 0;
  /** Of each stream its sender: one source address on one virtual router, whatever it sends to. */
  readonly senderOf = new Int32Array(STREAMS_MAX);
  /** Of each sender its virtual router: one VRID of one family on one interface. */
  readonly routerOf = new Int32Array(STREAMS_MAX);
  /** Of each sender the first of its streams. */
  readonly streamOfSender: number[] = [];
  routers = 0;
  /** Stream + 1; 0 is free. */
  private readonly slots = new Int32Array(SLOTS);
  private readonly words = new Int32Array(STREAMS_MAX * WORDS);
  /** The key that is looked for. */
  private readonly key = new Int32Array(WORDS);
  private readonly numbers = new Map<string, number>();
  private readonly places: string[] = [];

  /**
   * @param place  interface index, or what `placeOf` gave for a name
   * @param what  VRID, family and direction, `packed`
   * @param source,destination  the addresses' words in the byte order of `bytes`
   * @returns -1 when there are too many
   */
  ipv4(place: number, what: number, source: number, destination: number): number {
    const { slots, words } = this;
    let slot = hash(source ^ Math.imul(destination, 0x9e3779b1), what ^ (place << 10));
    for (;;) {
      const stream = (slots[slot] as number) - 1;
      const at = stream * WORDS;
      // Before it is needed, so that the first collision is nothing new to the compiler.
      const next = (slot + 1) & (SLOTS - 1);
      if (stream < 0) {
        this.key.fill(0).set([place, what, source, destination]);
        return this.add(slot);
      }
      if (words[at] === place && words[at + 1] === what && words[at + 2] === source && words[at + 3] === destination)
        return stream;
      slot = next;
    }
  }

  /** The same for IPv6: the addresses stand behind one another at `at`, as in its header. */
  ipv6(place: number, what: number, view: DataView, at: number): number {
    const { slots, words, key } = this;
    key[0] = place;
    key[1] = what;
    for (let word = 0; word < 8; word++) key[word + 2] = view.getInt32(at + word * 4, true);
    const addresses = (key[4] as number) ^ Math.imul((key[5] as number) ^ Math.imul(key[9] as number, 31), 0x9e3779b1);
    let slot = hash(addresses ^ (key[3] as number), what ^ (place << 10));
    for (;;) {
      const stream = (slots[slot] as number) - 1;
      const from = stream * WORDS;
      const next = (slot + 1) & (SLOTS - 1);
      if (stream < 0) return this.add(slot);
      let same = 0;
      while (same < WORDS && words[from + same] === key[same]) same++;
      if (same === WORDS) return stream;
      slot = next;
    }
  }

  /** A number for an interface that is known by name; never an index. */
  placeOf(name: string): number {
    const known = this.places.indexOf(name);
    return -(known < 0 ? this.places.push(name) : known + 1);
  }

  of(stream: number): Stream {
    const [place = 0, what = 0] = this.words.subarray(stream * WORDS, stream * WORDS + 2);
    const family = what & IPV6 ? "ipv6" : "ipv4";
    const bytes = new Uint8Array(this.words.slice(stream * WORDS + 2, (stream + 1) * WORDS).buffer);
    const length = family === "ipv4" ? 4 : 16;
    return {
      interface: place < 0 ? (this.places[-place - 1] ?? "?") : place === NO_PLACE ? "?" : `if${place}`,
      outgoing: (what & OUTGOING) !== 0,
      family,
      vrid: what & 0xff,
      source: formatAddress(bytes.subarray(0, length)),
      destination: formatAddress(bytes.subarray(length, 2 * length)),
    };
  }

  private add(slot: number): number {
    if (this.count === STREAMS_MAX) {
      this.refused += 1;
      return -1;
    }
    const stream = this.count++;
    this.slots[slot] = stream + 1;
    this.words.set(this.key, stream * WORDS);
    const { interface: nic, family, vrid, source } = this.of(stream);
    const router = this.number(`${nic} ${family} ${vrid}`, () => this.routers++);
    const sender = this.number(`${router} ${source}`, () => this.streamOfSender.push(stream) - 1);
    this.senderOf[stream] = sender;
    this.routerOf[sender] = router;
    return stream;
  }

  private number(name: string, next: () => number): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const fresh = next();
    this.numbers.set(name, fresh);
    return fresh;
  }
}

const hash = (addresses: number, what: number): number =>
  Math.imul(addresses ^ Math.imul(what, 0x85ebca6b), 0xc2b2ae35) >>> SLOT_BITS_OFF;
