/**
 * Cuts a stream of syslog into messages. Senders frame in two ways, and some change over on one connection, so each frame is looked
 * at by itself.
 *
 *     MSG-LEN SP SYSLOG-MSG      octet counting: RFC 6587 section 3.4.1, RFC 5425 section 4.3
 *     SYSLOG-MSG LF              RFC 6587 section 3.4.2; some end with NUL, or with CR LF
 */

/** Longest message that is kept, bytes; of a longer one the rest is passed over. RFC 5425 asks for 8192. */
export const FRAME_BYTES_MAX = 64 * 1024;
/** A number with more digits in front of a message is no length. */
const LENGTH_DIGITS_MAX = 7;

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0;
const SPACE = 0x20;
const LESS_THAN = 0x3c;

export interface Frame {
  readonly bytes: Buffer;
  /** It was longer than what is kept. */
  readonly isCut: boolean;
}

export class FrameSplitter {
  private partial: Buffer = Buffer.alloc(0);
  /** Bytes of a counted message that are still to be passed over. */
  private skipping = 0;
  /** Until the end of a line that is too long. */
  private skippingLine = false;

  /** A message has begun and is not complete. */
  get isWithin(): boolean {
    return this.partial.length > 0 || this.skipping > 0 || this.skippingLine;
  }

  push(chunk: Buffer): Frame[] {
    const data = this.partial.length > 0 ? Buffer.concat([this.partial, chunk]) : chunk;
    const frames: Frame[] = [];
    let at = 0;
    for (;;) {
      at = this.skip(data, at);
      const taken = at < data.length ? this.frameAt(data, at) : undefined;
      if (!taken) break;
      frames.push(taken.frame);
      at = taken.end;
    }
    // A copy: what it is cut from may be large.
    this.partial = Buffer.from(data.subarray(at));
    return frames;
  }

  /** The sender has closed in order: a last line needs no end. A counted message that is not complete is torn. */
  end(): Frame | undefined {
    const { partial } = this;
    this.partial = Buffer.alloc(0);
    if (partial.length === 0 || countAt(partial, 0) !== undefined) return undefined;
    return { bytes: trimmed(partial), isCut: false };
  }

  /** @returns where the next frame begins */
  private skip(data: Buffer, from: number): number {
    let at = from;
    if (this.skipping > 0) {
      const over = Math.min(this.skipping, data.length - at);
      this.skipping -= over;
      at += over;
    }
    if (this.skippingLine) {
      const end = data.indexOf(LF, at);
      if (end < 0) return data.length;
      this.skippingLine = false;
      at = end + 1;
    }
    while (at < data.length && isTrailer(data[at])) at += 1;
    return at;
  }

  /** @returns undefined while there is more to come */
  private frameAt(data: Buffer, at: number): { readonly frame: Frame; readonly end: number } | undefined {
    const count = countAt(data, at);
    if (count === "more") return undefined;
    if (count) {
      const { from, length } = count;
      const end = from + Math.min(length, FRAME_BYTES_MAX);
      if (data.length < end) return undefined;
      this.skipping = from + length - end;
      return { frame: { bytes: trimmed(data.subarray(from, end)), isCut: this.skipping > 0 }, end };
    }
    const newline = data.indexOf(LF, at);
    if (newline < 0 && data.length - at <= FRAME_BYTES_MAX) return undefined;
    this.skippingLine = newline < 0;
    const whole = newline < 0 ? data.length : newline;
    const end = Math.min(whole, at + FRAME_BYTES_MAX);
    const frame = { bytes: trimmed(data.subarray(at, end)), isCut: newline < 0 || end < whole };
    return { frame, end: newline < 0 ? data.length : newline + 1 };
  }
}

/** A datagram is one message, whatever it ends with. */
export const datagram = (bytes: Buffer): Frame => ({
  bytes: trimmed(bytes.subarray(0, FRAME_BYTES_MAX)),
  isCut: bytes.length > FRAME_BYTES_MAX,
});

/** The length in front of a message, which always begins with its priority. */
function countAt(data: Buffer, at: number): { readonly from: number; readonly length: number } | "more" | undefined {
  let end = at;
  while (end < data.length && end - at <= LENGTH_DIGITS_MAX && isDigit(data[end], end === at)) end += 1;
  const digits = end - at;
  if (digits === 0 || digits > LENGTH_DIGITS_MAX) return undefined;
  if (end === data.length) return "more";
  if (data[end] !== SPACE) return undefined;
  if (end + 1 === data.length) return "more";
  if (data[end + 1] !== LESS_THAN) return undefined;
  return { from: end + 1, length: Number(data.toString("latin1", at, end)) };
}

/** No length begins with 0. */
const isDigit = (byte: number | undefined, isFirst: boolean): boolean =>
  byte !== undefined && byte >= (isFirst ? 0x31 : 0x30) && byte <= 0x39;

const isTrailer = (byte: number | undefined): boolean => byte === LF || byte === CR || byte === NUL;

function trimmed(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && isTrailer(bytes[end - 1])) end -= 1;
  return bytes.subarray(0, end);
}
