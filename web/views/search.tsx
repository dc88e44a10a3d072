import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Event } from "../../server/api/types.ts";
import { api } from "../api.ts";
import { hrefOf, NO_QUERY, type SearchQuery } from "../location.ts";
import { words } from "../text/language.ts";
import { formatZone, inputOf, instantOf } from "../time.ts";
import { EventItem } from "./event-item.tsx";
import { Link, sentenceOf, useScene } from "./shared.tsx";

/** What kinds begin with. */
const KINDS = [
  "bfd.",
  "check.",
  "collector.",
  "config.",
  "daemon.",
  "dump.",
  "kernel.",
  "log.",
  "process.",
  "script.",
  "shadow.",
  "track.",
  "vrrp.",
  "wire.",
];
const SEVERITIES = ["fatal", "instance-lost", "degraded", "hint"];
/** What an event has beside what is shown of it anyway. */
const SHOWN: ReadonlySet<string> = new Set(["id", "raw", "at", "node", "source", "ts", "observedTs"]);

interface Found {
  readonly events: readonly Event[];
  readonly next: string | null;
}

/** The two ways to look for something. */
export function SearchKinds({ current }: { readonly current: "search" | "sql" }) {
  const { search: text } = words();
  return (
    <nav aria-label={text.ways}>
      <Link to={{ page: "search", query: NO_QUERY }} current={current === "search"}>
        {text.events}
      </Link>
      <Link to={{ page: "sql", query: null }} current={current === "sql"}>
        SQL
      </Link>
    </nav>
  );
}

/** All events by what they say, newest first. */
export function SearchPage({ query }: { readonly query: SearchQuery }) {
  const [found, setFound] = useState<Found | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const { shell, search: text } = words();
  const ask = async (after: string | null): Promise<void> => {
    setAsking(true);
    try {
      const page = await api.search(query, after);
      setFound((before) => ({
        events: after === null ? page.events : [...(before?.events ?? []), ...page.events],
        next: page.next,
      }));
      setTrouble(null);
    } catch (error) {
      setTrouble(sentenceOf(error));
    }
    setAsking(false);
  };
  useEffect(() => {
    setFound(null);
    void ask(null);
  }, [hrefOf({ page: "search", query })]);
  return (
    <section class="card" aria-labelledby="search-title">
      <h2 id="search-title">{text.title}</h2>
      <SearchKinds current="search" />
      <Form query={query} />
      {trouble && (
        <p class="trouble" role="alert">
          {trouble}{" "}
          <button type="button" onClick={() => void ask(null)}>
            {shell.tryAgain}
          </button>
        </p>
      )}
      <p class="muted" role="status">
        {isAsking ? shell.asking : found && text.found(found.events.length, found.next !== null)}
      </p>
      <ol class="evidence found">
        {found?.events.map((event) => (
          <Row key={event.id} event={event} />
        ))}
      </ol>
      {found?.next && (
        <button type="button" disabled={isAsking} onClick={() => void ask(found.next)}>
          {text.older}
        </button>
      )}
    </section>
  );
}

function Row({ event }: { readonly event: Event }) {
  const { zone } = useScene();
  const fields = Object.entries(event).filter(([name]) => !SHOWN.has(name));
  return (
    <EventItem event={event} zone={zone} withDate>
      <details>
        <summary class="muted">{event.kind}</summary>
        <dl class="fields">
          {fields.map(([name, value]) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
            </Fragment>
          ))}
        </dl>
      </details>
    </EventItem>
  );
}

function Form({ query }: { readonly query: SearchQuery }) {
  const { nodes, zone, go } = useScene();
  const [draft, setDraft] = useState(query);
  useEffect(() => setDraft(query), [hrefOf({ page: "search", query })]);
  const { search: text } = words();
  const set = (change: Partial<SearchQuery>): void => setDraft((before) => ({ ...before, ...change }));
  const given = (value: string): string | null => (value.trim() === "" ? null : value.trim());
  const time = (label: string, name: "from" | "to") => (
    <label>
      {label}{" "}
      <input
        type="datetime-local"
        step="1"
        value={draft[name] === null ? "" : inputOf(draft[name], zone)}
        onChange={(event) => set({ [name]: instantOf(event.currentTarget.value, zone) })}
      />
    </label>
  );
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        go({ page: "search", query: draft });
      }}
    >
      <label class="wide">
        {text.text}{" "}
        <input
          type="search"
          value={draft.text ?? ""}
          placeholder={text.hint}
          onInput={(event) => set({ text: given(event.currentTarget.value) })}
        />
      </label>
      <label>
        {text.node}{" "}
        <select value={draft.node ?? ""} onChange={(event) => set({ node: given(event.currentTarget.value) })}>
          <option value="">{text.any}</option>
          {[...new Set([...nodes.map(({ node }) => node), ...(draft.node === null ? [] : [draft.node])])].map(
            (node) => (
              <option key={node} value={node}>
                {node}
              </option>
            ),
          )}
        </select>
      </label>
      <label>
        {text.kind}{" "}
        <input
          type="search"
          list="kinds"
          value={draft.kind ?? ""}
          placeholder="vrrp.state"
          onInput={(event) => set({ kind: given(event.currentTarget.value) })}
        />
        <datalist id="kinds">
          {KINDS.map((kind) => (
            <option key={kind} value={kind} />
          ))}
        </datalist>
      </label>
      <label>
        {text.severity}{" "}
        <select value={draft.severity ?? ""} onChange={(event) => set({ severity: given(event.currentTarget.value) })}>
          <option value="">{text.any}</option>
          {SEVERITIES.map((severity) => (
            <option key={severity} value={severity}>
              {severity}
            </option>
          ))}
        </select>
      </label>
      {time(text.from, "from")}
      {time(text.to, "to")}
      <span class="muted">{formatZone(draft.to ?? draft.from ?? Date.now() * 1000, zone)}</span>
      <button type="submit">{text.go}</button>
      <button type="button" onClick={() => go({ page: "search", query: NO_QUERY })}>
        {text.clear}
      </button>
    </form>
  );
}
