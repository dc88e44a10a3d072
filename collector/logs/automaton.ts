import {
  FIRST_PIECES,
  GAPS,
  HEAD,
  HOLES,
  HOLES_MAX,
  IS_LITERAL,
  IS_OPEN,
  LEAST,
  LITERAL,
  NUMBER,
  PROGRAM,
  STEP,
  TAIL,
  TAIL_LENGTH,
  TEMPLATE_INTS,
} from "./layout.ts";
import { parseTemplate, type Piece, type Template } from "./template.ts";

/**
 * All templates as one automaton over bytes.
 *
 * A radix tree holds the text before each template's first hole; one walk down it tells which few templates a message can
 * mean. What follows the first hole is a short program of literals, numbers and gaps in one array of integers. Nothing
 * is allocated for a message: what the holes hold is left behind as offsets.
 *
 * Time is linear in the message: no template reads a byte more often than it has pieces.
 */
export interface Automaton {
  /** Byte to the column of `next` it is told by; 0 for bytes that stand in no head. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** By node and class: the node that is entered; 0, the root, for none. */
  readonly next: Uint16Array;
  /** By node: where in `text` the rest of its edge's label begins (behind the byte that chose it), and ends. */
  readonly labels: Int32Array;
  /** By node: where in `order` its templates begin and end, those told by their first letters, then the others. */
  readonly lists: Int32Array;
  /** Templates in the order in which they are tried. */
  readonly order: Int32Array;
  /** The bytes of all literals. */
  readonly text: Uint8Array;
  /** By template, TEMPLATE_INTS each. */
  readonly templates: Int32Array;
  readonly program: Int32Array;
  /** By template: 1 when it may be meant where there is no instance. */
  readonly withoutInstance: Uint8Array;
}

/** Of two templates the one that is told by its first letters is tried first, and of those the one with more letters of its own. */
const KEY_LENGTH = 4;

interface TreeNode {
  label: Uint8Array;
  readonly children: Map<number, TreeNode>;
  readonly own: number[];
  id: number;
}

/** @throws Error when a template cannot be matched without ambiguity */
export function compileAutomaton(
  sources: readonly string[],
  withoutInstance = new Uint8Array(sources.length).fill(1),
): Automaton {
  const templates = sources.map(parseTemplate);
  const text = new TextPool();
  const program: number[] = [];
  const table = new Int32Array(templates.length * TEMPLATE_INTS);
  templates.forEach((template, i) =>
    writeTemplate(template, table.subarray(i * TEMPLATE_INTS, (i + 1) * TEMPLATE_INTS), program, text),
  );
  const nodes = tree(templates.map(({ head }) => encode(head)));
  const classOf = new Uint8Array(256);
  let classes = 1;
  for (const { children } of nodes) for (const byte of children.keys()) classOf[byte] ||= classes++;
  const next = new Uint16Array(nodes.length * classes);
  const labels = new Int32Array(nodes.length * 2);
  const lists = new Int32Array(nodes.length * 4);
  const order: number[] = [];
  const byMeaning = (a: number, b: number): number => literalsOf(templates, b) - literalsOf(templates, a) || a - b;
  const fill = (node: TreeNode, keyed: readonly number[], keyless: readonly number[], parent: number): void => {
    const isKeyed = (t: number): boolean => (templates[t]?.head.length ?? 0) >= KEY_LENGTH;
    const place = (at: number, inherited: readonly number[], own: readonly number[]): readonly number[] => {
      if (own.length === 0) {
        lists.copyWithin(node.id * 4 + at, parent * 4 + at, parent * 4 + at + 2);
        return inherited;
      }
      const all = [...inherited, ...own].sort(byMeaning);
      lists.set([order.length, order.length + all.length], node.id * 4 + at);
      order.push(...all);
      return all;
    };
    const ownKeyed = place(0, keyed, node.own.filter(isKeyed));
    const ownKeyless = place(
      2,
      keyless,
      node.own.filter((t) => !isKeyed(t)),
    );
    const start = text.add(node.label);
    labels.set([start, start + node.label.length], node.id * 2);
    for (const [byte, child] of node.children) {
      next[node.id * classes + (classOf[byte] ?? 0)] = child.id;
      fill(child, ownKeyed, ownKeyless, node.id);
    }
  };
  if (nodes[0]) fill(nodes[0], [], [], 0);
  return {
    classOf,
    classes,
    next,
    labels,
    lists,
    order: Int32Array.from(order),
    text: text.bytes(),
    templates: table,
    program: Int32Array.from(program),
    withoutInstance,
  };
}

const literalsOf = (templates: readonly Template[], i: number): number => templates[i]?.literals ?? 0;

const encoder = new TextEncoder();
const encode = (text: string): Uint8Array => encoder.encode(text);

/** Literals one behind the other, each once. */
class TextPool {
  private readonly parts: Uint8Array[] = [];
  private readonly known = new Map<string, number>();
  private length = 0;

  literal(text: string): { at: number; length: number } {
    const bytes = encode(text);
    const at = this.known.get(text) ?? this.add(bytes);
    this.known.set(text, at);
    return { at, length: bytes.length };
  }

  add(bytes: Uint8Array): number {
    const at = this.length;
    this.parts.push(bytes);
    this.length += bytes.length;
    return at;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** What must not be taken for what a hole holds without a look at the whole line. */
const TELLING = /Line |password|auth_pass/i;

function writeTemplate({ chunks, gaps }: Template, row: Int32Array, program: number[], text: TextPool): void {
  let holes = 0;
  let least = 0;
  const write = (piece: Piece): void => {
    if ("literal" in piece) {
      const { at, length } = text.literal(piece.literal);
      program.push(LITERAL, at, length);
      least += length;
    } else {
      program.push(NUMBER, holes++, 0);
      least += 1;
    }
  };
  const [[first, ...pieces] = [], ...others] = chunks;
  if (first && "literal" in first) row[HEAD] = least = encode(first.literal).length;
  else if (first) pieces.unshift(first);
  row[PROGRAM] = program.length;
  row[GAPS] = gaps.length;
  row[FIRST_PIECES] = pieces.length;
  pieces.forEach(write);
  others.forEach((chunk, i) => {
    const { name, atLeast = 0 } = gaps[i] ?? {};
    program.push(atLeast, name === undefined ? -1 : holes++, chunk.length);
    least += atLeast;
    chunk.forEach(write);
  });
  const last = chunks.at(-1)?.at(-1);
  if (last && "literal" in last && (chunks.length > 1 || pieces.length > 0)) {
    const { at, length } = text.literal(last.literal);
    row.set([at, length], TAIL);
  }
  row[LEAST] = least;
  row[HOLES] = holes;
  row[IS_LITERAL] = holes === 0 && gaps.length === 0 ? 1 : 0;
  row[IS_OPEN] =
    gaps.length > 0 || chunks.flat().some((piece) => "literal" in piece && TELLING.test(piece.literal)) ? 1 : 0;
  if (holes > HOLES_MAX) throw new Error(`a template has ${holes} holes, of which there may be ${HOLES_MAX}`);
}

/** @returns the nodes of the radix tree of all heads, the root first; each knows which heads end at it */
function tree(heads: readonly Uint8Array[]): TreeNode[] {
  const nodes: TreeNode[] = [];
  const grow = (members: readonly number[], from: number, depth: number): TreeNode => {
    const node: TreeNode = { label: new Uint8Array(0), children: new Map(), own: [], id: nodes.length };
    nodes.push(node);
    // As far as all members agree, it is one edge.
    const [some = 0] = members;
    const head = heads[some] ?? new Uint8Array(0);
    let end = depth;
    while (end < head.length && members.every((i) => heads[i]?.[end] === head[end])) end += 1;
    node.label = head.subarray(from, end);
    const groups = new Map<number, number[]>();
    for (const i of members) {
      const byte = heads[i]?.[end];
      if (byte === undefined) node.own.push(i);
      else if (groups.get(byte)?.push(i) === undefined) groups.set(byte, [i]);
    }
    for (const [byte, group] of groups) node.children.set(byte, grow(group, end + 1, end + 1));
    return node;
  };
  grow([...heads.keys()], 0, 0);
  return nodes;
}

/** Matches messages against all templates, one at a time: what it found stands in it until the next message. */
export class Matcher {
  /** Where each hole's text begins and ends in the bytes that were read, in the order of the template's names. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** What the number holes hold. */
  readonly numbers: Float64Array;
  readonly automaton: Automaton;

  constructor(automaton: Automaton) {
    this.automaton = automaton;
    this.starts = new Int32Array(HOLES_MAX);
    this.ends = new Int32Array(HOLES_MAX);
    this.numbers = new Float64Array(HOLES_MAX);
  }

  /**
   * @param hasInstance  whether the name of an instance stands before it
   * @returns the template that is meant by the bytes from `from` to `end`, or -1
   */
  match(bytes: Uint8Array, from: number, end: number, hasInstance: boolean): number {
    const node = this.reach(bytes, from, end);
    if (node < 0) return -1;
    const { lists, order, withoutInstance } = this.automaton;
    for (let list = node * 4; list < node * 4 + 4; list += 2) {
      const last = lists[list + 1] as number;
      for (let i = lists[list] as number; i < last; i++) {
        const template = order[i] as number;
        if ((hasInstance || withoutInstance[template] !== 0) && this.fits(template, bytes, from, end)) return template;
      }
    }
    return -1;
  }

  /** All templates that fit, the one that is meant first. */
  all(bytes: Uint8Array, from: number, end: number, hasInstance: boolean): number[] {
    const node = this.reach(bytes, from, end);
    const { lists, order, withoutInstance } = this.automaton;
    return [node * 4, node * 4 + 2]
      .flatMap((list) => (node < 0 ? [] : [...order.subarray(lists[list], lists[list + 1])]))
      .filter((template) => (hasInstance || withoutInstance[template] !== 0) && this.fits(template, bytes, from, end));
  }

  /** @returns the deepest node of the heads' tree that the text reaches, or -1 */
  private reach(bytes: Uint8Array, from: number, end: number): number {
    const { labels, text, next, classOf, classes } = this.automaton;
    let reached = -1;
    let node = 0;
    let at = from;
    for (;;) {
      let label = labels[node * 2] as number;
      const labelEnd = labels[node * 2 + 1] as number;
      while (label < labelEnd && at < end && bytes[at] === text[label]) {
        label += 1;
        at += 1;
      }
      if (label < labelEnd) return reached;
      reached = node;
      if (at >= end) return reached;
      node = next[node * classes + (classOf[bytes[at] as number] as number)] as number;
      if (node === 0) return reached;
      at += 1;
    }
  }

  /** Whether the template, whose head is known to stand there, fits all of the text. */
  private fits(template: number, bytes: Uint8Array, from: number, end: number): boolean {
    const { templates, text, program } = this.automaton;
    const row = template * TEMPLATE_INTS;
    const least = templates[row + LEAST] as number;
    if (templates[row + IS_LITERAL] !== 0) return end - from === least;
    if (end - from < least) return false;
    const tail = templates[row + TAIL] as number;
    const tailLength = templates[row + TAIL_LENGTH] as number;
    for (let i = 1; i <= tailLength; i++) if (bytes[end - i] !== text[tail + tailLength - i]) return false;
    let pc = templates[row + PROGRAM] as number;
    const firstPieces = templates[row + FIRST_PIECES] as number;
    let at = this.pieces(pc, firstPieces, bytes, from + (templates[row + HEAD] as number), end);
    pc += firstPieces * STEP;
    for (let gaps = templates[row + GAPS] as number; gaps > 0 && at >= 0; gaps--) {
      const pieces = program[pc + 2] as number;
      at = this.gap(pc, gaps === 1, bytes, at, end);
      pc += STEP + pieces * STEP;
    }
    return at === end;
  }

  /** A gap and the chunk behind it, at the first place where that stands. @returns where the chunk ends, or -1 */
  private gap(pc: number, last: boolean, bytes: Uint8Array, from: number, end: number): number {
    const { program, text } = this.automaton;
    const hole = program[pc + 1] as number;
    const pieces = program[pc + 2] as number;
    const first = from + (program[pc] as number);
    if (pieces === 0) return first <= end ? this.hold(hole, from, end, end) : -1;
    const literal = program[pc + 4] as number;
    const length = program[pc + 5] as number;
    const lastStart = end - length;
    // The literal at the end is known to stand there.
    if (last && pieces === 1) return lastStart >= first ? this.hold(hole, from, lastStart, end) : -1;
    const letter = text[literal] as number;
    for (let start = first; start <= lastStart; start++) {
      if (bytes[start] !== letter) continue;
      let same = 1;
      while (same < length && bytes[start + same] === text[literal + same]) same += 1;
      if (same < length) continue;
      const at = this.pieces(pc + STEP * 2, pieces - 1, bytes, start + length, end);
      if (at >= 0 && (!last || at === end)) return this.hold(hole, from, start, at);
    }
    return -1;
  }

  private hold(hole: number, start: number, end: number, at: number): number {
    if (hole >= 0) {
      this.starts[hole] = start;
      this.ends[hole] = end;
    }
    return at;
  }

  /** Literals and numbers that stand together. @returns where they end, or -1 */
  private pieces(from: number, count: number, bytes: Uint8Array, start: number, end: number): number {
    const { program, text } = this.automaton;
    let at = start;
    for (let pc = from; pc < from + count * STEP; pc += STEP) {
      const operand = program[pc + 1] as number;
      if (program[pc] === LITERAL) {
        const length = program[pc + 2] as number;
        if (at + length > end) return -1;
        for (let i = 0; i < length; i++) if (bytes[at + i] !== text[operand + i]) return -1;
        at += length;
      } else {
        const numberStart = at;
        if (at < end && bytes[at] === MINUS) at += 1;
        const digits = at;
        let value = 0;
        for (; at < end; at++) {
          const digit = (bytes[at] as number) - ZERO;
          if (digit < 0 || digit > 9) break;
          value = value * 10 + digit;
        }
        if (at === digits) return -1;
        this.starts[operand] = numberStart;
        this.ends[operand] = at;
        this.numbers[operand] = digits > numberStart ? -value : value;
      }
    }
    return at;
  }
}

const MINUS = 0x2d;
const ZERO = 0x30;
