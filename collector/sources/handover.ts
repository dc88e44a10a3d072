import { messageOf } from "../core/errors.ts";
import type { Observation } from "../events/observation.ts";
import type { Source } from "./source.ts";

/**
 * What one source of a collector knows and others need, within one process: the newest value is kept for those who come
 * later, and every further one is told at once. A listener that throws is told no less, and keeps nobody from hearing.
 */
export class Handover<T> {
  private newest: T | undefined;
  private readonly listeners = new Set<(value: T) => void>();
  private readonly failed: (why: string) => void;

  constructor(failed: (why: string) => void = () => undefined) {
    this.failed = failed;
  }

  current(): T | undefined {
    return this.newest;
  }

  publish(value: T): void {
    this.newest = value;
    for (const listener of this.listeners) this.tell(listener, value);
  }

  /** The listener hears the newest value, when there is one, before this returns. @returns ends it */
  subscribe(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    if (this.newest !== undefined) this.tell(listener, this.newest);
    return () => this.listeners.delete(listener);
  }

  private tell(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.failed(messageOf(error));
    }
  }
}

/** The same source, whose observations others hear too: before they are durable, so that a slow disk makes nobody late. */
export function overheard(source: Source, heard: Handover<readonly Observation[]>): Source {
  return {
    name: source.name,
    start: (context) =>
      source.start({
        ...context,
        position: (key) => context.position(key),
        log: (level, message) => context.log(level, message),
        emit: (observations, position) => {
          heard.publish(observations);
          return context.emit(observations, position);
        },
      }),
    stop: () => source.stop(),
    status: () => source.status(),
  };
}
