import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Incident, NodeSummary, RouterSummary, ServiceSummary } from "../../server/api/types.ts";
import { ApiError } from "../api.ts";
import { hrefOf, type Place } from "../location.ts";
import { words } from "../text/language.ts";
import type { Zone } from "../time.ts";

/** What all pages see. */
export interface Scene {
  /** null: not known yet. */
  readonly routers: readonly RouterSummary[] | null;
  readonly nodes: readonly NodeSummary[];
  readonly incidents: readonly Incident[];
  readonly services: readonly ServiceSummary[];
  readonly zone: Zone;
  /** By the server's clock; epoch microseconds. */
  readonly now: number;
  readonly go: (place: Place) => void;
}

export const SceneContext = createContext<Scene | null>(null);

export function useScene(): Scene {
  const scene = useContext(SceneContext);
  if (!scene) throw new Error("a view stands outside the page");
  return scene;
}

/** A real link, followed without loading the page again. */
export function Link({
  to,
  class: className,
  current,
  children,
}: {
  readonly to: Place;
  readonly class?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}) {
  const { go } = useScene();
  return (
    <a
      href={hrefOf(to)}
      class={className}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        // With a key held, or another button, the browser opens a window of its own.
        if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

export interface Asked<T> {
  readonly value: T | null;
  readonly trouble: string | null;
}

/** Asks once, and again when what it depends on changes; what was there stays until the answer comes. */
export function useAsked<T>(ask: () => Promise<T>, on: readonly unknown[]): Asked<T> {
  const [state, setState] = useState<Asked<T>>({ value: null, trouble: null });
  useEffect(() => {
    let isWanted = true;
    ask().then(
      (value) => isWanted && setState({ value, trouble: null }),
      (error: unknown) =>
        isWanted &&
        setState(({ value }) => ({ value, trouble: error instanceof Error ? error.message : String(error) })),
    );
    return () => {
      isWanted = false;
    };
  }, on);
  return state;
}

/** An open one is loud; one that was a fact and critical stays visible when it is over. */
export function toneOf({ status, certainty, severity }: Incident): string {
  if (status === "open") return certainty === "confirmed" && severity === "critical" ? "bad" : "suspected";
  return certainty === "confirmed" && severity === "critical" ? "was-bad" : "ended";
}

/** The kind, and whether it is only suspected. */
export function KindBadge({ incident }: { readonly incident: Incident }) {
  return (
    <span class={`state ${toneOf(incident)}`}>
      {incident.kind}
      {incident.certainty === "suspected" ? ` (${words().certainty.suspected})` : ""}
    </span>
  );
}

/** What went wrong, for the reader. */
export function sentenceOf(error: unknown): string {
  return error instanceof ApiError ? error.message : words().shell.stumbled(String(error));
}
