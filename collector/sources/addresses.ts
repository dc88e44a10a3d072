import { readFileSync } from "node:fs";
import { normaliseAddress } from "../core/address.ts";
import { type Clock, parseIsoUs } from "../core/time.ts";
import type { EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type ChildEnd, type ChildHandle, type StartChild, startChild } from "./child.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;
/** Most addresses in one snapshot: the contract's bound on `kernel.addresses`. What is more is told. */
const ADDRESSES_MAX = 8_192;
/** Longest line taken from `ip`, in characters. */
const LINE_MAX_CHARS = 65_536;
/** How long the monitor has to say that it listens, and how often it is asked, milliseconds. */
const LISTEN_DEADLINE_MS = 2_000;
const LISTEN_POLL_MS = 5;
/** How long `ip` has for its end before it is killed, milliseconds. */
const STOP_DEADLINE_MS = 2_000;

export interface AddressesOptions {
  readonly clock: Clock;
  readonly start?: StartChild;
  /** Resolves after so many milliseconds, or at once when the signal is raised. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Whether the process has joined a netlink group already. */
  readonly isListening?: (pid: number) => boolean;
}

/** Which addresses the kernel has on which interface: where a virtual address really is, whatever anybody says. */
export function createAddressesSource(options: AddressesOptions): Source {
  return new AddressesSource(options);
}

class AddressesSource implements Source {
  readonly name = "addresses";
  private readonly clock: Clock;
  private readonly startChild: StartChild;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly isListening: (pid: number) => boolean;
  private readonly stopping = new AbortController();
  private child: ChildHandle | undefined;
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private readonly counts = { read: 0, unrecognised: 0 };
  private known = new KernelState();
  /** Since when changes are not seen, epoch microseconds. */
  private blindSince: number | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor({ clock, start, wait, isListening }: AddressesOptions) {
    this.clock = clock;
    this.startChild = start ?? startChild;
    this.wait = wait ?? waitFor;
    this.isListening = isListening ?? joinedNetlinkGroup;
  }

  async start(context: SourceContext): Promise<void> {
    await new Promise<void>((resolve) => {
      this.running = this.supervise(context, resolve);
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const ended = new AbortController();
    const gone = this.child?.ended.finally(() => ended.abort());
    this.child?.kill("SIGTERM");
    if (gone) {
      await this.wait(STOP_DEADLINE_MS, ended.signal);
      if (!ended.signal.aborted) this.child?.kill("SIGKILL");
    }
    await this.running;
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "the kernel's addresses and links",
      state: this.state,
      ...this.counts,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  private async supervise(context: SourceContext, settled: () => void): Promise<void> {
    let pause = RESTART_FIRST_MS;
    while (!this.stopping.signal.aborted) {
      const startedAt = this.clock.mono();
      const why = await this.monitor(context, settled);
      if (this.stopping.signal.aborted) break;
      if (this.reason !== why) context.log("warn", `addresses are not watched: ${why}`);
      if (this.state === "running") {
        this.blindSince = this.clock.epoch();
        await context.emit([this.gap({ reason: `the watch ended: ${why}`, from: this.blindSince })]);
      }
      this.state = "unavailable";
      this.reason = why;
      settled();
      if (this.clock.mono() - startedAt > RESTART_MAX_MS * 1_000) pause = RESTART_FIRST_MS;
      await this.wait(pause, this.stopping.signal);
      pause = Math.min(pause * 2, RESTART_MAX_MS);
    }
    settled();
  }

  /** Runs one `ip monitor` to its end. @returns why it ended */
  private async monitor(context: SourceContext, settled: () => void): Promise<string> {
    // The kernel had more to tell than `ip` could read: some changes are lost for good, and a new snapshot is due.
    let overrun = false;
    const child = this.startChild("ip", ["-o", "-ts", "monitor", "address", "link"], { TZ: "UTC" }, (text) => {
      if (!/netlink receive error/i.test(text)) return;
      overrun = true;
      child.kill("SIGTERM");
    });
    this.child = child;
    const ended = new AbortController();
    void child.ended.then(() => ended.abort());
    // The monitor first, the snapshot after it: a change in between is told twice, and not missed.
    await this.listening(child, ended.signal);
    const fault = ended.signal.aborted ? undefined : await this.snapshot(context);
    if (fault !== undefined) child.kill("SIGTERM");
    else if (!ended.signal.aborted) settled();
    let rest = "";
    for await (const chunk of child.stdout) {
      const lines = (rest + String(chunk)).split("\n");
      rest = (lines.pop() ?? "").slice(0, LINE_MAX_CHARS);
      const observations = lines.flatMap((line) => this.readLine(line));
      if (observations.length > 0 && fault === undefined) await context.emit(observations);
    }
    return fault ?? explain(await child.ended, overrun);
  }

  private async listening({ pid }: ChildHandle, ended: AbortSignal): Promise<void> {
    const deadline = this.clock.mono() + LISTEN_DEADLINE_MS * 1_000;
    while (pid !== undefined && !ended.aborted && !this.isListening(pid) && this.clock.mono() < deadline)
      await this.wait(LISTEN_POLL_MS, ended);
  }

  /** @returns why there is none */
  private async snapshot(context: SourceContext): Promise<string | undefined> {
    const ts = this.clock.epoch();
    const child = this.startChild("ip", ["-j", "address", "show"]);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(Buffer.from(chunk as Buffer));
    const end = await child.ended;
    if (end.spawnError || end.code !== 0) return explain(end, false);
    const snapshot = parseSnapshot(Buffer.concat(chunks).toString("utf8"));
    if (!snapshot) return "`ip -j address show` does not print JSON (iproute2 4.13 or newer is needed)";
    const { addresses } = snapshot;
    this.counts.read += addresses.length;
    this.state = "running";
    this.reason =
      addresses.length > ADDRESSES_MAX
        ? `only the first ${ADDRESSES_MAX} of ${addresses.length} addresses are told`
        : undefined;
    const changedLinks = this.known.replace(snapshot, ts);
    const missed =
      this.blindSince === undefined
        ? []
        : [this.gap({ reason: "addresses were not watched", from: this.blindSince, to: ts })];
    this.blindSince = undefined;
    const told = { kind: "kernel.addresses", addresses: addresses.slice(0, ADDRESSES_MAX) } as const;
    await context.emit([...missed, kernel(told, ts, []), ...changedLinks.map((body) => kernelChange(body, ts))]);
    return undefined;
  }

  private readLine(line: string): Observation[] {
    const change = parseMonitorLine(line);
    if (change === undefined) return [];
    if (change === "unrecognised") {
      this.counts.unrecognised += 1;
      return [];
    }
    this.counts.read += 1;
    return this.known.isNews(change) ? [kernelChange(change.body, change.ts)] : [];
  }

  private gap(fields: Omit<EventBody<"collector.gap">, "kind" | "sourceName">): Observation {
    const ts = this.clock.epoch();
    const reason = fields.reason.slice(0, 1_024);
    return {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["addresses gap", ts, reason],
      body: { kind: "collector.gap", sourceName: this.name, ...fields, reason },
    };
  }
}

type ChangeBody = EventBody<"kernel.address-added" | "kernel.address-removed" | "kernel.link">;

/** One change, and when `ip` printed it. */
interface Change {
  readonly ts: number;
  readonly body: ChangeBody;
}

interface Snapshot {
  readonly addresses: readonly {
    readonly interface: string;
    readonly address: string;
    readonly prefixLength: number;
  }[];
  /** Interfaces but loopback, and whether each is up. */
  readonly links: ReadonlyMap<string, boolean>;
}

/** What the kernel is known to have, so that what it only says again (a renewed IPv6 lifetime, a statistic) is not news. */
class KernelState {
  private addresses = new Set<string>();
  private links = new Map<string, boolean>();
  private snapshotTs = Number.NEGATIVE_INFINITY;
  private isFirst = true;

  /** @returns links that changed since the snapshot before */
  replace({ addresses, links }: Snapshot, ts: number): EventBody<"kernel.link">[] {
    const before = this.links;
    this.addresses = new Set(addresses.map(addressKey));
    this.links = new Map(links);
    this.snapshotTs = ts;
    const changed = [...links].filter(([nic, up]) => before.get(nic) !== up);
    const gone = [...before].filter(([nic, up]) => up && !links.has(nic)).map(([nic]) => [nic, false] as const);
    const news = this.isFirst ? [] : [...changed, ...gone];
    this.isFirst = false;
    return news.map(([nic, up]) => ({ kind: "kernel.link", interface: nic, up }));
  }

  isNews({ ts, body }: Change): boolean {
    // What happened before the snapshot is news although the snapshot has it: it says when.
    const early = ts < this.snapshotTs;
    if (body.kind === "kernel.link") {
      const changed = this.links.get(body.interface) !== body.up;
      this.links.set(body.interface, body.up);
      return changed || early;
    }
    const key = addressKey(body);
    if (body.kind === "kernel.address-removed") {
      this.addresses.delete(key);
      return true;
    }
    const isNew = !this.addresses.has(key);
    this.addresses.add(key);
    return isNew || early;
  }
}

const addressKey = (at: { interface: string; address: string; prefixLength: number }): string =>
  `${at.interface} ${at.address}/${at.prefixLength}`;

function kernel(body: EventBody, ts: number, place: readonly (string | number | boolean)[]): Observation {
  return { source: "kernel", ts, tsUncertaintyUs: 0, idParts: ["kernel", ts, body.kind, ...place.map(String)], body };
}

function kernelChange(body: ChangeBody, ts: number): Observation {
  const place = body.kind === "kernel.link" ? [body.up] : [body.address, body.prefixLength];
  return kernel(body, ts, [body.interface, ...place]);
}

function explain({ spawnError, code, signal, said }: ChildEnd, overrun: boolean): string {
  if (spawnError?.code === "ENOENT") return "the ip program is not installed (apt-get install iproute2)";
  if (spawnError) return `ip cannot be run: ${spawnError.message}`;
  if (overrun) return "the kernel had more changes to tell than ip could read";
  return `ip ended with ${signal ?? `status ${code}`} ${said}`.trim();
}

/** Whether a process is bound to a netlink group: `ip monitor` says nothing itself when it begins to listen. */
function joinedNetlinkGroup(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/net/netlink`, "utf8")
      .split("\n")
      .some((line) => {
        const [, , port, groups = "0"] = line.trim().split(/\s+/);
        return Number(port) === pid && Number.parseInt(groups, 16) > 0;
      });
  } catch {
    // Without /proc nobody can tell; the deadline decides.
    return false;
  }
}

interface LinkJson {
  readonly ifname?: unknown;
  readonly flags?: unknown;
  readonly addr_info?: unknown;
}

/** `ip -j address show`. What does not look like an address is passed over. @returns undefined when it is not JSON */
export function parseSnapshot(text: string): Snapshot | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(json)) return undefined;
  const addresses: Snapshot["addresses"][number][] = [];
  const links = new Map<string, boolean>();
  for (const { ifname, flags, addr_info: infos } of json.filter(isObject) as LinkJson[]) {
    if (typeof ifname !== "string" || ifname.length > 255) continue;
    if (Array.isArray(flags) && !flags.includes("LOOPBACK")) links.set(ifname, isUp(flags));
    for (const { local, prefixlen } of (Array.isArray(infos) ? infos.filter(isObject) : []) as {
      local?: unknown;
      prefixlen?: unknown;
    }[]) {
      const address = typeof local === "string" ? normaliseAddress(local) : undefined;
      if (address !== undefined && typeof prefixlen === "number" && isPrefixLength(prefixlen))
        addresses.push({ interface: ifname, address, prefixLength: prefixlen });
    }
  }
  return { addresses, links };
}

/**
 * One line of `ip -o -ts monitor address link` (iproute2 6.1), with TZ=UTC:
 *
 *     [2026-11-24T12:10:06.100917] 3: v0    inet 10.1.0.1/24 scope global v0\       valid_lft forever …
 *     [2026-11-24T12:10:08.612260] Deleted 3: v0    inet 10.1.0.100/32 scope global v0:1\ …
 *     [2026-11-24T12:10:08.613763] 3: v0@v1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue …
 *
 * @returns undefined for a line that tells nothing here
 */
export function parseMonitorLine(line: string): Change | "unrecognised" | undefined {
  if (line.trim() === "") return undefined;
  const head = /^\[([^\]]+)\] (Deleted )?\d+: ([^\s:@]+)(?:@[^\s:]+)?:?\s+(.*)$/s.exec(line);
  const ts = parseIsoUs(`${head?.[1] ?? ""}Z`);
  if (!head || ts === undefined) return "unrecognised";
  const [, , deleted, nic = "", rest = ""] = head;
  if (nic.length > 255) return "unrecognised";
  const body = rest.startsWith("<") ? linkChange(nic, rest, deleted !== undefined) : addressChange(nic, rest, deleted);
  return body && (body === "unrecognised" ? body : { ts, body });
}

function addressChange(nic: string, rest: string, deleted: string | undefined): ChangeBody | "unrecognised" {
  const [, text = "", length] = /^inet6? ([0-9a-fA-F.:]+)(?: peer [0-9a-fA-F.:]+)?\/(\d{1,3})\s/.exec(rest) ?? [];
  const address = normaliseAddress(text);
  const prefixLength = Number(length);
  if (address === undefined || !isPrefixLength(prefixLength)) return "unrecognised";
  const kind = deleted === undefined ? "kernel.address-added" : "kernel.address-removed";
  return { kind, interface: nic, address, prefixLength };
}

function linkChange(nic: string, rest: string, deleted: boolean): ChangeBody | "unrecognised" | undefined {
  const flags = /^<([^>]*)>/.exec(rest)?.[1]?.split(",");
  if (!flags) return "unrecognised";
  if (flags.includes("LOOPBACK")) return undefined;
  // A bridge tells of its ports in the same words, but has no queueing discipline to name: "Deleted" there means that
  // the interface left the bridge, not that it is gone.
  if (!/ qdisc /.test(rest)) return undefined;
  return { kind: "kernel.link", interface: nic, up: !deleted && isUp(flags) };
}

/** Administratively up and running, as keepalived judges it (IFF_UP and IFF_RUNNING): `ip` shows the lack of the latter. */
const isUp = (flags: readonly unknown[]): boolean => flags.includes("UP") && !flags.includes("NO-CARRIER");
const isPrefixLength = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 128;
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
