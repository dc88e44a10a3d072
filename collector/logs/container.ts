/**
 * What a container's runtime writes around each line of a container's output.
 *
 *     {"log":"Sat Nov 22 16:22:10 2025: …\n","stream":"stderr","time":"2025-11-22T16:22:10.123456789Z"}   docker, json-file
 *     2025-11-22T16:22:10.123456789Z stderr F Sat Nov 22 16:22:10 2025: …            CRI: containerd, CRI-O, podman
 *     keepalived-1  | Sat Nov 22 16:22:10 2025: …                                     docker compose logs
 *     [pod/kp-7x2/keepalived] Sat Nov 22 16:22:10 2025: …                             kubectl logs --prefix
 *
 * `docker logs -t` and `kubectl logs --timestamps` put a timestamp only in front; that one is an envelope like any other.
 */
export interface ContainerLine {
  /** What the program wrote; of a line in pieces, this piece. */
  readonly text: string;
  /** ISO 8601 with a zone, by the runtime's clock; undefined when the runtime does not say. */
  readonly stamp: string | undefined;
  readonly stream: string;
  /** The line goes on in the next piece of the same stream. */
  readonly partial: boolean;
}

/** Longest line of docker's that is taken apart as JSON, in characters: docker cuts at 16 KiB, and an escape is six. */
export const CONTAINER_LINE_MAX_CHARS = 128 * 1024;

const DOCKER = '{"log":"';
const CRI =
  /^(?<stamp>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})) (?<stream>stdout|stderr) (?<tag>[FP])(?::\S{0,64})? (?<text>.*)$/s;
/** Compose pads the names of its containers to one width. */
const COMPOSE = /^[\w.-]{1,128} {1,128}\| (?<text>.*)$/s;

/** The names of a pod and a container have at most 253 and 63 characters. */
const POD = /^\[pod\/[^\s\]]{1,320}\] (?<text>.*)$/s;

/** Takes off what a container's runtime put around a line. @returns undefined when none did */
export function takeContainer(line: string): ContainerLine | undefined {
  const first = line.charCodeAt(0);
  if (first === 0x7b) return line.startsWith(DOCKER) ? fromDocker(line) : undefined;
  if (isDigit(first)) {
    const groups = CRI.exec(line)?.groups;
    return (
      groups && {
        text: groups["text"] ?? "",
        stamp: groups["stamp"],
        stream: groups["stream"] ?? "",
        partial: groups["tag"] === "P",
      }
    );
  }
  const text =
    first === 0x5b
      ? POD.exec(line)?.groups?.["text"]
      : isCompose(line)
        ? COMPOSE.exec(line)?.groups?.["text"]
        : undefined;
  return text === undefined ? undefined : { text, stamp: undefined, stream: "", partial: false };
}

function fromDocker(line: string): ContainerLine {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const { log, time, stream } = entry;
    if (typeof log === "string")
      return {
        text: log.replace(/\r?\n$/, ""),
        stamp: typeof time === "string" ? time : undefined,
        stream: typeof stream === "string" ? stream : "",
        partial: !log.endsWith("\n"),
      };
  } catch {
    // Torn by a full disk or a power cut: what can be read of it is read, and nothing is waited for.
  }
  return { text: line.slice(DOCKER.length), stamp: undefined, stream: "", partial: false };
}

const isDigit = (code: number | undefined): boolean => code !== undefined && code >= 0x30 && code <= 0x39;

/** How far into a line compose's bar is looked for: no name of a container is longer. */
const BAR_MAX = 128;

function isCompose(line: Uint8Array | string): boolean {
  return afterBar(line) !== undefined;
}

/** Where the text behind compose's bar begins. A line of syslog is told by its third blank and is not looked through. */
function afterBar(line: Uint8Array | string): number | undefined {
  const at = (i: number): number | undefined => (typeof line === "string" ? line.charCodeAt(i) : line[i]);
  if (at(3) === 0x20) return undefined;
  for (let i = 1; i < BAR_MAX; i++) {
    const code = at(i);
    if (code === undefined || Number.isNaN(code) || code === 0x3a || code === 0x5b) return undefined;
    if (code === 0x7c) return at(i - 1) === 0x20 && at(i + 1) === 0x20 ? i + 2 : undefined;
  }
  return undefined;
}

/**
 * Where the text begins that a container's runtime put something around, as far as that can be told cheaply: asked of
 * every line of every log. 0 for a line without.
 */
export function containerTextAt(line: Uint8Array | string): number {
  const at = (i: number): number | undefined => (typeof line === "string" ? line.charCodeAt(i) : line[i]);
  const first = at(0);
  if (first === 0x7b) return at(2) === 0x6c && at(6) === 0x3a ? DOCKER.length : 0;
  if (first === 0x5b) return at(1) === 0x70 && at(4) === 0x2f ? behindPod(at) : 0;
  if (!isDigit(first)) return afterBar(line) ?? 0;
  if (at(10) !== 0x54) return 0;
  // 2025-11-22T16:22:10Z at least, with nanoseconds and a zone at most.
  let blank = 19;
  while (blank < 36 && at(blank) !== 0x20) blank += 1;
  if (at(blank) !== 0x20) return 0;
  const isCri = at(blank + 1) === 0x73 && at(blank + 2) === 0x74 && at(blank + 3) === 0x64 && at(blank + 7) === 0x20;
  // ` stderr F `; containerd may put more tags behind the first, with colons.
  return isCri ? blank + 10 : blank + 1;
}

/** Where the text begins behind `[pod/…] `; 0 when there is none. */
function behindPod(at: (i: number) => number | undefined): number {
  for (let i = 5; i < 330; i++) {
    const code = at(i);
    if (code === undefined || Number.isNaN(code) || code === 0x20) return 0;
    if (code === 0x5d) return at(i + 1) === 0x20 ? i + 2 : 0;
  }
  return 0;
}
