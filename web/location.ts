import type { Range } from "./range.ts";

/** What the address shows: exactly what is seen, so that it can be handed on. */
export interface Place {
  readonly router: string | null;
  /** null: following live. */
  readonly range: Range | null;
  readonly incident: string | null;
}

export function readPlace(search: string): Place {
  const params = new URLSearchParams(search);
  const from = instant(params.get("from"));
  const to = instant(params.get("to"));
  return {
    router: params.get("router"),
    range: from !== null && to !== null && from < to ? { from, to } : null,
    incident: /^[0-9a-f]{32}$/.test(params.get("incident") ?? "") ? params.get("incident") : null,
  };
}

export function writePlace({ router, range, incident }: Place): string {
  const params = new URLSearchParams();
  if (router !== null) params.set("router", router);
  if (range) {
    params.set("from", String(range.from));
    params.set("to", String(range.to));
  }
  if (incident !== null) params.set("incident", incident);
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

function instant(text: string | null): number | null {
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const us = Number(text);
  return Number.isSafeInteger(us) ? us : null;
}
