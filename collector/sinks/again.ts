import { gunzipSync } from "node:zlib";
import type { Log } from "../core/log.ts";
import { type Loss, spanOf } from "./losses.ts";
import { SERIES, type SentBatches, type SentFile, type Series } from "./sent.ts";
import type { Again, SpoolState } from "./state.ts";

/** What was acknowledged by another store, to be sent once more. */
export interface BatchAgain {
  readonly file: SentFile;
  /** The request's body, compressed. */
  readonly body: Buffer;
}

/** What became of it. */
export type Outcome =
  /** How many of its events the store did not have. */
  { readonly accepted: number } | { readonly refused: string };

/**
 * Which store acknowledges, and what another one than before has to be given again. A server that was restored from a backup does
 * not have what was acknowledged since; how much that is only it can tell, so all that is kept is sent, and it takes what it lacks.
 */
export class Redelivery {
  readonly sent: SentBatches;
  private readonly log: Log;
  private readonly lose: (loss: Loss) => void;
  private incarnation: string | undefined;
  private again: Again | undefined;

  constructor(sent: SentBatches, options: { readonly log: Log; readonly lose: (loss: Loss) => void }) {
    this.sent = sent;
    this.log = options.log;
    this.lose = options.lose;
  }

  /** @param acknowledged  the last batch that was */
  restore({ incarnation, again, gone }: SpoolState, acknowledged: number): void {
    this.incarnation = incarnation;
    this.again = again;
    this.sent.restoreGone(gone ?? { events: acknowledged, adverts: acknowledged });
  }

  state(): Pick<SpoolState, "incarnation" | "again" | "gone"> {
    return {
      ...(this.incarnation === undefined ? {} : { incarnation: this.incarnation }),
      ...(this.again === undefined ? {} : { again: this.again }),
      gone: { ...this.sent.goneUpTo() },
    };
  }

  /** The same as before, or none was known before: a server of an earlier release does not say. */
  isKnown(incarnation: string): boolean {
    return incarnation === this.incarnation;
  }

  /** @returns whether another one was known: then all that was acknowledged up to now is to be sent again */
  isServedBy(incarnation: string, acknowledged: number): boolean {
    const before = this.incarnation;
    this.incarnation = incarnation;
    if (before === undefined) return false;
    this.again = { upTo: acknowledged, done: { events: 0, adverts: 0 }, sent: 0, missing: 0 };
    this.log("warn", "the server has another store than before; what it was sent before is sent again", {
      before,
      now: incarnation,
    });
    return true;
  }

  isDue(): boolean {
    return this.again !== undefined;
  }

  /** Events before raw adverts: from them is concluded. */
  next(): SentFile | undefined {
    const { again } = this;
    if (!again) return undefined;
    for (const series of SERIES) {
      const file = this.sent.after(series, again.done[series]);
      if (file && file.first <= again.upTo) return file;
    }
    return undefined;
  }

  /** @param body  of the file, as it was sent */
  settle({ file, body }: BatchAgain, outcome: Outcome): void {
    const { again } = this;
    if (!again || again.done[file.series] >= file.last) return;
    if ("refused" in outcome) {
      this.log("error", "what was acknowledged before could not be sent again", { why: outcome.refused });
      this.lose({
        id: `again refused ${this.incarnation} ${file.first}`,
        reason: `what the server's store lost could not be sent again: ${outcome.refused}`,
        ...spanOfFile(file, body),
      });
    } else if (again.done[file.series] === 0 && outcome.accepted === file.events) {
      // It had nothing of the oldest that is kept: what was before that may be missing as well.
      const to = spanOfFile(file, body).from;
      if (this.sent.goneUpTo()[file.series] > 0) this.tellGone(file.series, to);
    }
    this.again = {
      ...again,
      done: { ...again.done, [file.series]: file.last },
      sent: again.sent + file.events,
      missing: again.missing + ("accepted" in outcome ? outcome.accepted : 0),
    };
  }

  /** All is sent. @param now  epoch microseconds */
  finish(now: number): void {
    const { again } = this;
    if (!again) return;
    if (again.done.events === 0 && this.sent.goneUpTo().events > 0) this.tellGone("events", now);
    this.log("info", "all that is kept was sent again", { events: again.sent, missing: again.missing });
    this.again = undefined;
  }

  private tellGone(series: Series, to: number | undefined): void {
    const what = series === "adverts" ? "raw adverts" : "events";
    this.lose({
      id: `gone ${this.incarnation} ${series}`,
      reason: `the server's store was replaced or restored from a backup; ${what} that it had been sent and that are kept here no more may be missing there, up to when this says`,
      events: undefined,
      from: undefined,
      to,
    });
  }
}

function spanOfFile({ events }: SentFile, body: Buffer): Pick<Loss, "events" | "from" | "to"> {
  try {
    return spanOf([{ events, body: gunzipSync(body) }]);
  } catch {
    return { events, from: undefined, to: undefined };
  }
}
