import type { SourceLocation } from "../core/errors.ts";

/** How a word came into the configuration, when it was not simply written in the main file. Innermost step first. */
export interface Origin {
  readonly kind: "include" | "definition" | "sequence";
  /** The included file, or the name of the definition or of the sequence's variable. */
  readonly name: string;
  /** The include line, the place where the definition is used, or the `~SEQ`/`~LST`. */
  readonly at: SourceLocation;
  /** How that place itself came in. */
  readonly from: Origin | undefined;
}

/** A stretch of text that was written in one place. */
interface Piece {
  /** Offset in the text. */
  readonly start: number;
  readonly at: SourceLocation;
  readonly origin: Origin | undefined;
  /** A value nobody wrote (a built-in): every character of it has the place where it is used. */
  readonly isPoint: boolean;
  /** Not known before keepalived runs: `${_RANDOM}`, or an environment nobody described. */
  readonly isUnknown: boolean;
}

/** A line on its way through the expansion: its text, and where each part of it was written. */
export interface Fragment {
  readonly text: string;
  /** By offset; the first one is at 0. */
  readonly pieces: readonly Piece[];
}

/** A line as it stands in a file. */
export function written(text: string, at: SourceLocation, origin: Origin | undefined): Fragment {
  return { text, pieces: [{ start: 0, at, origin, isPoint: false, isUnknown: false }] };
}

/** A text that stands nowhere, put in at a place. */
export function generated(text: string, at: SourceLocation, isUnknown: boolean): Fragment {
  return { text, pieces: [{ start: 0, at, origin: undefined, isPoint: true, isUnknown }] };
}

function pieceAt({ pieces }: Fragment, offset: number): Piece | undefined {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return pieces[low];
}

const NOWHERE: SourceLocation = { file: "", line: 1, column: 1 };

export function locate(fragment: Fragment, offset: number): SourceLocation {
  const piece = pieceAt(fragment, offset);
  if (!piece) return NOWHERE;
  const { at, start, isPoint } = piece;
  if (isPoint || offset === start) return at;
  return { file: at.file, line: at.line, column: at.column + offset - start };
}

export function originAt(fragment: Fragment, offset: number): Origin | undefined {
  return pieceAt(fragment, offset)?.origin;
}

/** The origin of a stretch: of its first part that was put in, or else of the line. */
export function originOf(fragment: Fragment, from: number, to: number): Origin | undefined {
  if (fragment.pieces.length === 1) return fragment.pieces[0]?.origin;
  for (let offset = from; offset < to; ) {
    const piece = pieceAt(fragment, offset);
    if (!piece) break;
    if (piece.origin !== undefined && piece.origin.kind !== "include") return piece.origin;
    offset = nextStart(fragment, offset);
  }
  return originAt(fragment, from);
}

export function isUnknown(fragment: Fragment, from: number, to: number): boolean {
  if (fragment.pieces.length === 1) return fragment.pieces[0]?.isUnknown ?? false;
  for (let offset = from; offset < to; offset = nextStart(fragment, offset))
    if (pieceAt(fragment, offset)?.isUnknown) return true;
  return false;
}

function nextStart({ pieces, text }: Fragment, offset: number): number {
  for (const { start } of pieces) if (start > offset) return start;
  return text.length;
}

export function slice(fragment: Fragment, from: number, to = fragment.text.length): Fragment {
  if (from === 0 && to === fragment.text.length) return fragment;
  const text = fragment.text.slice(from, to);
  const pieces: Piece[] = [];
  const first = pieceAt(fragment, from);
  if (first) pieces.push({ ...first, start: 0, at: locate(fragment, from) });
  for (const piece of fragment.pieces)
    if (piece.start > from && piece.start < to) pieces.push({ ...piece, start: piece.start - from });
  return { text, pieces };
}

export function join(parts: readonly Fragment[]): Fragment {
  let text = "";
  const pieces: Piece[] = [];
  for (const part of parts) {
    if (part.text === "") continue;
    for (const piece of part.pieces) pieces.push(text === "" ? piece : { ...piece, start: piece.start + text.length });
    text += part.text;
  }
  if (pieces.length === 0) return parts[0] === undefined ? { text, pieces } : { text, pieces: parts[0].pieces };
  return { text, pieces };
}

/** The same text, come in by another way. */
export function through(fragment: Fragment, origin: Origin): Fragment {
  return { text: fragment.text, pieces: fragment.pieces.map((piece) => ({ ...piece, origin })) };
}

/**
 * Bytes as text: UTF-8, and each byte that is none as a lone surrogate (U+DC80 to U+DCFF, as Python's surrogateescape), so
 * that no byte is lost and a column still counts characters.
 */
export function decodeBytes(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return decodeBroken(bytes);
  }
}

// Lone surrogates themselves (ED A0 80 …) are refused by the decoder, byte by byte, so the two cannot be mixed up.
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeBroken(bytes: Uint8Array): string {
  const parts: string[] = [];
  let valid = 0;
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length > 0) i += length;
    else {
      if (valid < i) parts.push(STRICT.decode(bytes.subarray(valid, i)));
      parts.push(String.fromCharCode(0xdc00 + (bytes[i] ?? 0)));
      i += 1;
      valid = i;
    }
  }
  if (valid < bytes.length) parts.push(STRICT.decode(bytes.subarray(valid)));
  return parts.join("");
}

/** Length of the well-formed UTF-8 sequence at `i` (Unicode table 3-7), 0 when there is none. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] ?? 0;
  if (lead < 0x80) return 1;
  const tail = (n: number, low = 0x80, high = 0xbf): boolean => {
    const byte = bytes[i + n] ?? 0;
    return byte >= low && byte <= high;
  };
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef)
    return tail(1, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf) && tail(2) ? 3 : 0;
  if (lead >= 0xf0 && lead <= 0xf4)
    return tail(1, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

/** The bytes that `decodeBytes` read. */
export function encodeBytes(text: string): Uint8Array {
  // Without an escaped byte the platform's own encoder does it.
  if (!/[\udc80-\udcff]/.test(text)) return ENCODER.encode(text);
  const parts: Uint8Array[] = [];
  let from = 0;
  let total = 0;
  const push = (part: Uint8Array): void => {
    parts.push(part);
    total += part.length;
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdbff) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next <= 0xdfff) i += 1;
      continue;
    }
    if (code < 0xdc80 || code > 0xdcff) continue;
    if (from < i) push(ENCODER.encode(text.slice(from, i)));
    push(Uint8Array.of(code - 0xdc00));
    from = i + 1;
  }
  if (from < text.length) push(ENCODER.encode(text.slice(from)));
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const ENCODER = new TextEncoder();

/** Bytes of a text that `decodeBytes` made. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80 || (code >= 0xdc80 && code <= 0xdcff && !isPair(text, i))) continue;
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function isPair(text: string, i: number): boolean {
  const before = text.charCodeAt(i - 1);
  return before >= 0xd800 && before <= 0xdbff;
}
