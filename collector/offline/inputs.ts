import { stat } from "node:fs/promises";
import { messageOf, OperatorError } from "../core/errors.ts";
import { fingerprintOf } from "../core/fingerprint.ts";
import { type Observation, toEvent } from "../events/observation.ts";
import type { Event } from "../events/event.ts";
import { bytesOf, type Line, linesOf, peek } from "./bytes.ts";
import { type InputKind, kindOf, nodeOfPath } from "./identify.ts";
import { nodesByProcess } from "./localhosts.ts";
import { parseRelease, type Release } from "../conf/version.ts";
import { configObservations } from "../sources/conf-watch.ts";
import { createLogReader } from "../logs/reader.ts";
import { readExportedEntry } from "../logs/journal.ts";
import { createCaptureReader } from "../pcap/observations.ts";

export interface ReadOptions {
  readonly cluster: string;
  /** IANA zone of classic syslog timestamps. */
  readonly zone: string;
  /** Year of a log's last line; without it the file's modification time says. */
  readonly year?: number;
  /** Epoch microseconds. */
  readonly now: number;
  /** With the text of configurations, for who looks at them. */
  readonly withTexts?: boolean;
}

export interface InputSummary {
  readonly path: string;
  /** The node most of it is from. */
  readonly node: string;
  readonly kind: InputKind | "unknown";
  /** Lines of a text file, packets of a capture. */
  readonly lines: number;
  readonly keepalivedLines: number;
  readonly unrecognised: number;
  /** Epoch microseconds; null when nothing of keepalived is in it. */
  readonly from: number | null;
  readonly to: number | null;
  /** Why it was not read, or not to its end. What was read before is kept. */
  readonly error?: string;
}

export interface Inputs {
  readonly inputs: readonly InputSummary[];
  /** Each event once, in no particular order. */
  readonly events: readonly Event[];
}

/** What one file gave. */
interface Yield {
  readonly kind: InputKind;
  readonly lines: number;
  readonly keepalivedLines: number;
  readonly unrecognised: number;
  readonly observations: readonly Observation[];
  /** What a configuration is at an instant to the release that reads it. */
  readonly readAt?: (ts: number, release?: Release) => readonly Observation[];
  readonly error?: string;
}

/** Reads recorded input: `[NODE=]FILE`. A file that cannot be read is told in its summary, and the others are read all the same. */
export async function readInputs(specs: readonly string[], options: ReadOptions): Promise<Inputs> {
  const read: { path: string; named: string | undefined; yield: Yield | { readonly error: string } }[] = [];
  for (const spec of specs) {
    const { node, path } = parseSpec(spec);
    const got = await readFile(path, node ?? nodeOfPath(path), options).catch((error: unknown) => ({
      error: error instanceof OperatorError ? error.toLine() : messageOf(error),
    }));
    read.push({ path, named: node, yield: got });
  }
  const events = new Map<string, Event>();
  const earliest = earliestOf(
    read.flatMap((file) =>
      "observations" in file.yield && file.yield.kind !== "config" ? file.yield.observations : [],
    ),
    options.now,
  );
  const releases = new Releases();
  for (const { path, named, yield: got } of read) {
    if (!("observations" in got)) continue;
    const nodeOf = named === undefined ? nodesIn(got.observations, nodeOfPath(path)) : () => named;
    for (const seen of got.observations) releases.see(seen, nodeOf);
  }
  const inputs = read.map(({ path, named, yield: got }): InputSummary => {
    const fallback = named ?? nodeOfPath(path);
    if (!("observations" in got))
      return {
        path,
        node: fallback,
        kind: "unknown",
        lines: 0,
        keepalivedLines: 0,
        unrecognised: 0,
        from: null,
        to: null,
        error: got.error,
      };
    const nodeOf = named === undefined ? nodesIn(got.observations, fallback) : () => named;
    // A configuration file has no time of its own: it is taken to have held since the first evidence.
    const made = (got.readAt?.(earliest, releases.of(fallback)) ?? got.observations).map((seen) =>
      toEvent(seen, { cluster: options.cluster, node: nodeOf(seen) }, seen.ts),
    );
    for (const event of made) events.set(event.id, event);
    const times = made.map((event) => event.ts);
    return {
      path,
      node: commonest(made.map((event) => event.node)) ?? fallback,
      kind: got.kind,
      lines: got.lines,
      keepalivedLines: got.keepalivedLines,
      unrecognised: got.unrecognised,
      from: times.length > 0 ? times.reduce((a, b) => Math.min(a, b)) : null,
      to: times.length > 0 ? times.reduce((a, b) => Math.max(a, b)) : null,
      ...(got.error === undefined ? {} : { error: got.error }),
    };
  });
  return { inputs, events: [...events.values()] };
}

/** Which keepalived each node ran last, as its log says when it starts. */
class Releases {
  private readonly last = new Map<string, { readonly ts: number; readonly release: Release }>();

  see(seen: Observation, nodeOf: (seen: Observation) => string): void {
    if (seen.body.kind !== "daemon.starting" || seen.body.version === undefined) return;
    const release = parseRelease(seen.body.version);
    const node = nodeOf(seen);
    if (release && seen.ts >= (this.last.get(node)?.ts ?? 0)) this.last.set(node, { ts: seen.ts, release });
  }

  /** Of a configuration whose node has no log here: the one that all others ran, when they agree. */
  of(node: string): Release | undefined {
    const own = this.last.get(node)?.release;
    if (own) return own;
    const all = new Map([...this.last.values()].map(({ release }) => [release.join("."), release]));
    return all.size === 1 ? [...all.values()][0] : undefined;
  }
}

/** `NODE=FILE` or `FILE`. A path with an equals sign needs a node or `./` in front. */
export function parseSpec(spec: string): { node: string | undefined; path: string } {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,254})=(.+)$/s.exec(spec);
  return match ? { node: match[1], path: match[2] ?? "" } : { node: undefined, path: spec };
}

/** The node of each line of a file: the host it names; several that are all `localhost` are numbered behind the file's name. */
function nodesIn(observations: readonly Observation[], fallback: string): (seen: Observation) => string {
  const nameless = observations.filter((seen) => hostOf(seen) === undefined && seen.source === "log");
  const numbers = nodesByProcess(nameless);
  const isOne = numbers.every((number) => number === 0);
  const numbered = new Map(nameless.map((seen, i) => [seen, numbers[i]]));
  return (seen) => {
    const number = numbered.get(seen);
    return hostOf(seen) ?? (isOne || number === undefined ? fallback : `${fallback}-${number + 1}`);
  };
}

/** A host that calls itself `localhost` has told us nothing. */
function hostOf({ host }: Observation): string | undefined {
  return host === undefined || host === "" || /^localhost(\.|$)/.test(host) ? undefined : host;
}

async function readFile(path: string, node: string, options: ReadOptions): Promise<Yield> {
  const chunks = bytesOf(path);
  const { head, all } = await peek(chunks);
  const kind = kindOf(path.replace(/\.(gz|xz|bz2|zst)$/, ""), head);
  if (typeof kind === "object") throw new OperatorError("INPUT_KIND", `${path} was not read: ${kind.refused}`);
  if (kind === "pcap") return readCapture(path, all);
  if (kind === "config") return readConfig(path, node, all, options);
  if (kind === "journal") return readJournal(all);
  return readLog(path, head, all, await referenceOf(path, options), options.zone);
}

/** The instant at or before which a log's last line was written. */
async function referenceOf(path: string, { year, now }: ReadOptions): Promise<number> {
  if (year !== undefined) return Date.UTC(year + 1, 0, 1) * 1000 - 1;
  const { mtimeMs } = await stat(path);
  return Math.min(Math.round(mtimeMs * 1000), now);
}

async function readLog(
  path: string,
  head: Uint8Array,
  all: AsyncIterable<Uint8Array>,
  reference: number,
  zone: string,
): Promise<Yield> {
  // A file shorter than one line has no fingerprint yet; here it is all there will be.
  const fingerprint = fingerprintOf(head) ?? fingerprintOf(Buffer.concat([head, Buffer.from("\n")])) ?? "";
  const reader = createLogReader({ path, fingerprint, zone });
  const observations: Observation[] = [];
  const error = await eachLine(all, (line) => {
    const seen = reader.read(line.bytes, { offset: line.offset, lineNumber: line.lineNumber }, reference);
    if (seen) observations.push(seen);
  });
  const { lines, keepalivedLines, unrecognised } = reader.counts();
  return { kind: "log", lines, keepalivedLines, unrecognised, observations, ...(error === undefined ? {} : { error }) };
}

async function readJournal(all: AsyncIterable<Uint8Array>): Promise<Yield> {
  const observations: Observation[] = [];
  let lines = 0;
  const faults: string[] = [];
  const damaged = await eachLine(all, (line) => {
    lines += 1;
    const seen = readExportedEntry(Buffer.from(line.bytes).toString("utf8"));
    if (seen === undefined) return;
    if ("fault" in seen) faults.push(`line ${line.lineNumber}: ${seen.fault}`);
    else observations.push(seen);
  });
  const error =
    damaged ??
    (faults.length > 0
      ? `${faults.length} of ${lines} lines are no journal entries and were passed over; the first is ${faults[0]}`
      : undefined);
  const unrecognised = observations.filter((seen) => seen.body.kind === "log.unrecognised").length;
  return {
    kind: "journal",
    lines,
    keepalivedLines: observations.length,
    unrecognised,
    observations,
    ...(error === undefined ? {} : { error }),
  };
}

/** Hands over line by line; what came before damage is kept. @returns what is damaged. */
async function eachLine(all: AsyncIterable<Uint8Array>, onLine: (line: Line) => void): Promise<string | undefined> {
  try {
    for await (const line of linesOf(all)) onLine(line);
    return undefined;
  } catch (error) {
    return error instanceof OperatorError ? error.toLine() : messageOf(error);
  }
}

async function readConfig(
  path: string,
  node: string,
  all: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<Yield> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of all) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const readAt = (ts: number, release?: Release): Observation[] =>
    configObservations(path, bytes.toString("utf8"), node, ts, { release, withTexts: options.withTexts ?? false });
  const observations = readAt(options.now);
  return {
    kind: "config",
    readAt,
    lines: bytes.toString("latin1").split("\n").length,
    keepalivedLines: 0,
    unrecognised: 0,
    observations,
  };
}

function earliestOf(observations: readonly Observation[], fallback: number): number {
  return observations.reduce((earliest, { ts }) => Math.min(earliest, ts), fallback);
}

function commonest(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

async function readCapture(path: string, all: AsyncIterable<Uint8Array>): Promise<Yield> {
  const reader = createCaptureReader({ path });
  const observations: Observation[] = [];
  let error: string | undefined;
  try {
    for await (const chunk of all) observations.push(...reader.push(chunk));
  } catch (cause) {
    error = cause instanceof OperatorError ? cause.toLine() : messageOf(cause);
  }
  const ended = reader.end();
  observations.push(...ended.observations);
  error ??= ended.fault;
  const { packets, adverts, malformed } = reader.counts();
  return {
    kind: "pcap",
    lines: packets,
    keepalivedLines: adverts,
    unrecognised: malformed,
    observations,
    ...(error === undefined ? {} : { error }),
  };
}
