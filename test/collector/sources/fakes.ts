import { PassThrough } from "node:stream";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { EventBody, EventKind } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import type { ChildEnd, ChildHandle, StartChild } from "../../../collector/sources/child.ts";
import type { SourceContext } from "../../../collector/sources/source.ts";

/** Two clocks that stand still until told to move, and waits that end when they have. */
export class ManualTime implements Clock {
  private epochUs: number;
  private monoUs = 5_000_000;
  private waits: { readonly due: number; readonly resolve: () => void }[] = [];

  constructor(epochUs: number) {
    this.epochUs = epochUs;
  }

  mono = (): MonoUs => this.monoUs as MonoUs;
  epoch = (): EpochUs => this.epochUs as EpochUs;

  wait = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done);
      this.waits.push({ due: this.monoUs + ms * 1_000, resolve: done });
    });

  /** Somebody sets the wall clock. */
  set(byUs: number): void {
    this.epochUs += byUs;
  }

  /** Time passes while this process does not run: all that became due is due at once. */
  async sleep(ms: number): Promise<void> {
    this.epochUs += ms * 1_000;
    this.monoUs += ms * 1_000;
    const due = this.waits.filter((wait) => wait.due <= this.monoUs);
    this.waits = this.waits.filter((wait) => wait.due > this.monoUs);
    for (const { resolve } of due) resolve();
    await settle();
  }

  /** Time passes in small steps. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) await this.sleep(Math.min(left, stepMs));
  }
}

/** Lets everything happen that can happen without time passing. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeChild implements ChildHandle {
  readonly pid = 4_711;
  readonly stdout = new PassThrough();
  readonly signals: NodeJS.Signals[] = [];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ended: Promise<ChildEnd>;
  /** Whether SIGTERM ends it. */
  obedient = true;
  private readonly onStderr: ((text: string) => void) | undefined;
  private finish: (end: ChildEnd) => void = () => undefined;

  constructor(...[command, args, env = {}, onStderr]: Parameters<StartChild>) {
    this.command = [command, ...args];
    this.env = env;
    this.onStderr = onStderr;
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  say(text: string): void {
    this.onStderr?.(text);
  }

  end(end: Partial<ChildEnd> = {}): void {
    this.stdout.end();
    this.finish({ code: 0, signal: null, said: "", ...end });
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (signal === "SIGKILL" || (signal === "SIGTERM" && this.obedient)) this.end({ code: null, signal });
  }
}

/** Keeps what was handed over; `blocked` is a disk that does not answer. */
export class Spooled implements SourceContext {
  readonly batches: (readonly Observation[])[] = [];
  readonly logged: string[] = [];
  private refusal: string | undefined;
  private release: (() => void) | undefined;
  private blocked: Promise<void> | undefined;
  private readonly watchers = new Set<() => void>();

  block(): void {
    this.blocked = new Promise((resolve) => (this.release = resolve));
  }
  refuse(why: string | undefined): void {
    this.refusal = why;
  }
  unblock(): void {
    this.blocked = undefined;
    this.release?.();
  }

  emit = async (observations: readonly Observation[]): Promise<void> => {
    await this.blocked;
    if (this.refusal !== undefined) throw new Error(this.refusal);
    this.batches.push(observations);
    for (const check of this.watchers) check();
  };
  position = (): undefined => undefined;
  log = (level: string, message: string): void => void this.logged.push(`${level}: ${message}`);

  get all(): readonly Observation[] {
    return this.batches.flat();
  }

  of<K extends EventKind>(...kinds: readonly K[]): (Observation & { readonly body: EventBody<K> })[] {
    const wanted: readonly string[] = kinds;
    return this.all.filter((seen): seen is Observation & { readonly body: EventBody<K> } =>
      wanted.includes(seen.body.kind),
    );
  }

  /** Waits until it is there, with a bound: for what real programs do in their own time. */
  until<T>(what: string, find: (spooled: Spooled) => T | undefined, timeoutMs = 15_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = find(this);
        if (found === undefined) return;
        clearTimeout(timer);
        this.watchers.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.watchers.delete(check);
        const seen = this.all.map(({ body }) => JSON.stringify(body)).join("\n");
        reject(new Error(`waited ${timeoutMs} ms in vain for ${what}; there is\n${seen}`));
      }, timeoutMs);
      this.watchers.add(check);
      check();
    });
  }
}
