import { setTimeout as sleep } from "node:timers/promises";
import { normaliseAddress } from "../core/address.ts";
import { parseIsoUs, type Clock } from "../core/time.ts";
import type { EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type ChildEnd, type ChildHandle, type StartChild, startChild } from "./child.ts";
import type { Source, SourceContext } from "./source.ts";

const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;
/** Most addresses in one snapshot; a host with more is told so. */
const ADDRESSES_MAX = 8_192;

export interface AddressesOptions {
  readonly clock: Clock;
  readonly start?: StartChild;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
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
  private readonly stopping = new AbortController();
  private child: ChildHandle | undefined;
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private readonly counts = { read: 0, unrecognised: 0 };
  private running: Promise<void> = Promise.resolve();

  constructor(options: AddressesOptions) {
    this.clock = options.clock;
    this.startChild = options.start ?? startChild;
    this.wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined));
  }

  async start(context: SourceContext): Promise<void> {
    await new Promise<void>((resolve) => {
      this.running = this.supervise(context, resolve);
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.child?.kill("SIGTERM");
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
    for (let pause = RESTART_FIRST_MS; !this.stopping.signal.aborted; pause = Math.min(pause * 2, RESTART_MAX_MS)) {
      const from = this.clock.epoch();
      const end = await this.monitor(context, settled);
      settled();
      if (this.stopping.signal.aborted) return;
      const why =
        end.spawnError?.code === "ENOENT"
          ? "the ip program is not installed (apt-get install iproute2)"
          : `ip monitor ended with ${end.signal ?? `status ${end.code}`} ${end.said}`.trim();
      if (this.reason !== why) context.log("warn", `addresses are not watched: ${why}`);
      if (this.state === "running") {
        pause = RESTART_FIRST_MS;
        await context.emit([
          this.observe(
            { kind: "collector.gap", sourceName: this.name, reason: why, from },
            this.clock.epoch(),
            "collector",
          ),
        ]);
      }
      this.state = "unavailable";
      this.reason = why;
      await this.wait(pause, this.stopping.signal);
    }
  }

  private async monitor(context: SourceContext, settled: () => void): Promise<ChildEnd> {
    // The monitor first, the snapshot after it: a change in between is told twice, and not missed.
    const child = this.startChild("ip", ["-o", "-ts", "monitor", "address", "link"], { TZ: "UTC" });
    this.child = child;
    await this.snapshot(context);
    if (this.state === "running") settled();
    let rest = "";
    for await (const chunk of child.stdout) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      const observations = lines.flatMap((line) => this.readLine(line));
      if (observations.length > 0) await context.emit(observations);
    }
    return child.ended;
  }

  private async snapshot(context: SourceContext): Promise<void> {
    const ts = this.clock.epoch();
    const child = this.startChild("ip", ["-j", "address", "show"]);
    let text = "";
    for await (const chunk of child.stdout) text += String(chunk);
    const end = await child.ended;
    if (end.spawnError || end.code !== 0) return;
    const addresses = parseSnapshot(text);
    this.counts.read += addresses.length;
    this.state = "running";
    this.reason =
      addresses.length > ADDRESSES_MAX
        ? `only the first ${ADDRESSES_MAX} of ${addresses.length} addresses are kept`
        : undefined;
    await context.emit([this.observe({ kind: "kernel.addresses", addresses: addresses.slice(0, ADDRESSES_MAX) }, ts)]);
  }

  private readLine(line: string): Observation[] {
    const change = parseMonitorLine(line);
    if (change === undefined) return [];
    if (change === "unrecognised") {
      this.counts.unrecognised += 1;
      return [];
    }
    this.counts.read += 1;
    return [this.observe(change.body, change.ts)];
  }

  private observe(body: EventBody, ts: number, source: "kernel" | "collector" = "kernel"): Observation {
    return { source, ts, tsUncertaintyUs: 0, idParts: [body.kind, ts, JSON.stringify(body)], body };
  }
}

interface Snapshot {
  readonly ifname?: unknown;
  readonly addr_info?: unknown;
}

/** `ip -j address show`. What does not look like an address is passed over. */
export function parseSnapshot(text: string): { interface: string; address: string; prefixLength: number }[] {
  let links: unknown;
  try {
    links = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(links)) return [];
  return (links as Snapshot[]).flatMap(({ ifname, addr_info: infos }) =>
    (Array.isArray(infos) ? (infos as { local?: unknown; prefixlen?: unknown }[]) : []).flatMap(
      ({ local, prefixlen }) => {
        const address = typeof local === "string" ? normaliseAddress(local) : undefined;
        return address !== undefined && typeof ifname === "string" && typeof prefixlen === "number"
          ? [{ interface: ifname, address, prefixLength: prefixlen }]
          : [];
      },
    ),
  );
}

/**
 * One line of `ip -o -ts monitor address link` (iproute2 6.1), with TZ=UTC:
 * `[2026-11-24T10:54:20.525269] 2: eth0    inet 10.99.0.100/24 scope …`, `Deleted` in front of a removal.
 * @returns undefined for a line that tells nothing here
 */
export function parseMonitorLine(
  line: string,
):
  | { ts: number; body: EventBody<"kernel.address-added" | "kernel.address-removed" | "kernel.link"> }
  | "unrecognised"
  | undefined {
  if (line.trim() === "") return undefined;
  const head = /^\[([^\]]+)\] (Deleted )?\d+: ([^\s:@]+)(?:@\S+)?:?\s+(.*)$/s.exec(line);
  const ts = parseIsoUs(`${head?.[1] ?? ""}Z`);
  if (!head || ts === undefined) return "unrecognised";
  const [, , deleted, face = "", rest = ""] = head;
  const inet = /^inet6? ([0-9a-fA-F.:]+)(?: peer [0-9a-fA-F.:]+)?\/(\d{1,3})/.exec(rest);
  if (inet) {
    const address = normaliseAddress(inet[1] ?? "");
    if (address === undefined) return "unrecognised";
    return {
      ts,
      body: {
        kind: deleted ? "kernel.address-removed" : "kernel.address-added",
        interface: face,
        address,
        prefixLength: Number(inet[2]),
      },
    };
  }
  const flags = /^<([^>]*)>/.exec(rest)?.[1]?.split(",");
  if (flags)
    return {
      ts,
      body: {
        kind: "kernel.link",
        interface: face,
        up: !deleted && flags.includes("UP") && flags.includes("LOWER_UP"),
      },
    };
  return undefined;
}
