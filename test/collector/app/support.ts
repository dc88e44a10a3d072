import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { Batch } from "../../../collector/events/batch.ts";
import type { Event, SourceStatus } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Source, SourceContext } from "../../../collector/sources/source.ts";

/** A clock that goes on by itself only as far as it is told to. */
export class ManualClock implements Clock {
  now = 1_772_700_000_000_000;
  epoch = (): EpochUs => this.now as EpochUs;
  mono = (): MonoUs => this.now as MonoUs;
}

/** A server that takes every batch, and keeps what it was sent. */
export class Receiver {
  readonly batches: Batch[] = [];
  status = 200;
  private readonly server: Server;
  private readonly arrivals = new Set<() => void>();

  private constructor(server: Server) {
    this.server = server;
  }

  static async open(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on("request", (req, res) => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => {
        const raw = Buffer.concat(chunks);
        const text = (req.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw).toString();
        if (receiver.status === 200) receiver.batches.push(JSON.parse(text) as Batch);
        res.writeHead(receiver.status).end(JSON.stringify({ accepted: 1, duplicate: false, serverTs: 1 }));
        for (const arrived of receiver.arrivals) arrived();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  events(): readonly Event[] {
    return this.batches.flatMap(({ events }) => events);
  }

  /** Waits until such an event has come, as long as the test may take. */
  async got(wanted: (event: Event) => boolean): Promise<Event> {
    for (;;) {
      const found = this.events().find(wanted);
      if (found) return found;
      await new Promise<void>((resolve) => {
        const arrived = (): void => {
          this.arrivals.delete(arrived);
          resolve();
        };
        this.arrivals.add(arrived);
      });
    }
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** A source that says what a test tells it to. */
export class FakeSource implements Source {
  readonly name: string;
  context: SourceContext | undefined;
  state: SourceStatus["state"] = "stopped";
  /** Handed over by `stop`, as a file tail does with its last lines. */
  lastWords: readonly Observation[] = [];
  onStart: () => Promise<void> = async () => undefined;
  onStop: () => Promise<void> = async () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    await this.onStart();
    this.state = "running";
  }

  async stop(): Promise<void> {
    await this.onStop();
    this.state = "stopped";
    if (this.lastWords.length > 0) await this.context?.emit(this.lastWords);
  }

  status = (): SourceStatus => ({ name: this.name, detail: "a test", state: this.state, read: 0, unrecognised: 0 });

  emit(observations: readonly Observation[], position?: string): Promise<void> {
    if (!this.context) throw new Error("not started");
    return this.context.emit(observations, position === undefined ? undefined : { key: this.name, value: position });
  }
}

/** The log says that instance number `n` became master. */
export const master = (n: number, ts = 1_772_700_000_000_000): Observation => ({
  source: "log",
  ts,
  tsUncertaintyUs: 1_000_000,
  idParts: ["fingerprint", n],
  body: { kind: "vrrp.state", instance: `VI_${n}`, state: "MASTER" },
});

export const advert = (n: number): Observation => ({
  source: "wire",
  ts: 1_772_700_000_000_000 + n,
  tsUncertaintyUs: 0,
  idParts: ["advert", n],
  body: {
    kind: "wire.advert",
    interface: "eth0",
    family: "ipv4",
    vrid: 51,
    peer: "10.99.0.11",
    outgoing: false,
    destination: "224.0.0.18",
    priority: 150,
    advertIntervalUs: 1_000_000,
    vips: ["10.99.0.100"],
    version: 2,
    ttl: 255,
    authType: "pass",
    checksum: "ok",
  },
});

/** Waits of up to 100 ms are over at once; longer ones when the test says so, or their signal does. */
export class Waits {
  private readonly pending = new Map<() => void, number>();

  wait = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      if (ms <= 100) return void setImmediate(resolve);
      const over = (): void => {
        this.pending.delete(over);
        signal.removeEventListener("abort", over);
        resolve();
      };
      this.pending.set(over, ms);
      signal.addEventListener("abort", over);
    });

  /** Ends all waits under way. @returns how long they were, milliseconds */
  expire(): number[] {
    const all = [...this.pending];
    for (const [over] of all) over();
    return all.map(([, ms]) => ms);
  }
}

/** Lets all that is ready to run, run: until the condition holds. */
export async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
