import type { IncidentDraft } from "./incident.ts";

/** What changed since people were last told: what was concluded and taken back in between, or the other way round, is no change. */
export class Changes {
  readonly gone = new Set<IncidentDraft>();
  readonly fresh = new Set<IncidentDraft>();
  /** Of which something is new. */
  readonly routers = new Set<string>();

  conclude(drafts: readonly IncidentDraft[]): void {
    for (const draft of drafts) if (!this.gone.delete(draft)) this.fresh.add(draft);
  }

  takeBack(drafts: readonly IncidentDraft[]): void {
    for (const draft of drafts) if (!this.fresh.delete(draft)) this.gone.add(draft);
  }
}
