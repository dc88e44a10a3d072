import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";

/** How far a source has read. Kept in the spool in the same record as the events read up to it. */
export interface Position {
  /** One a stream, for example `file:/var/log/messages` or `journal`. */
  readonly key: string;
  /** Opaque to all but the source: JSON or a cursor. */
  readonly value: string;
}

export interface SourceContext {
  /** Hands over observations, with the position reached after them. Resolves when they are durable: a source awaits it before it reads on, which is the backpressure. */
  emit(observations: readonly Observation[], position?: Position): Promise<void>;
  /** The last committed position of a stream, at start. */
  position(key: string): string | undefined;
  /** One sentence for the collector's own log. */
  log(level: "info" | "warn" | "error", message: string): void;
}

/** One input of the collector. Never throws for what the operator can mend: it says so in its status and goes on trying. */
export interface Source {
  readonly name: string;
  start(context: SourceContext): Promise<void>;
  /** Stops reading, after what was read is handed over. */
  stop(): Promise<void>;
  status(): SourceStatus;
}
