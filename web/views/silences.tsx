import { useRef, useState } from "preact/hooks";
import type { Incident, NodeSummary, RouterSummary, SilenceDraft } from "../../server/api/types.ts";
import { api, ApiError, serverNowUs } from "../api.ts";
import { words } from "../text/language.ts";
import { formatDateTime } from "../time.ts";
import { held } from "../token.ts";
import { sentenceOf, useAsked, useScene } from "./shared.tsx";
import { TokenField } from "./token-field.tsx";

/** What may be silenced, in the reader's words. */
export interface Scope {
  readonly name: string;
  readonly matchers: SilenceDraft["matchers"];
}

const HOUR_US = 3_600_000_000;
/** For how long, hours. */
const DURATIONS: readonly number[] = [1, 4, 12, 24, 72, 168];
const DAY_HOURS = 24;
/** The list is asked for again this often, microseconds. */
const LOOK_US = 15_000_000;

const is = (label: string, value: string) => ({ label, operator: "=", value });

/** From what is most like the incident to what is around it. */
export function scopesOf({ kind, cluster, subject }: Incident): readonly Scope[] {
  const { silences } = words();
  const { router, nodes } = subject;
  const place = [
    is("cluster", cluster),
    ...(router === undefined ? nodes.map((node) => is("node", node)) : [is("router", router)]),
  ];
  return [
    { name: silences.kindOf(kind, router ?? nodes.join(", ")), matchers: [is("kind", kind), ...place] },
    ...(router === undefined ? [] : [{ name: silences.everythingOf(router), matchers: place }]),
    ...nodes.map((node) => ({
      name: silences.everythingOf(silences.nodeOf(node, cluster)),
      matchers: [is("cluster", cluster), is("node", node)],
    })),
  ];
}

function allScopes(routers: readonly RouterSummary[], nodes: readonly NodeSummary[]): readonly Scope[] {
  const { silences } = words();
  return [
    ...routers.map(({ id, cluster }) => ({
      name: silences.routerOf(id),
      matchers: [is("cluster", cluster), is("router", id)],
    })),
    ...nodes.map(({ cluster, node }) => ({
      name: silences.nodeOf(node, cluster),
      matchers: [is("cluster", cluster), is("node", node)],
    })),
  ];
}

/** A form behind a word, so that nobody silences anything by accident. */
export function SilenceForm({ scopes, onDone }: { scopes: readonly Scope[]; onDone?: () => void }) {
  const { silences: text } = words();
  const details = useRef<HTMLDetailsElement>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [needsToken, setNeedsToken] = useState(held.token !== "");
  const [busy, setBusy] = useState(false);
  const [isDone, setDone] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string): string => {
      const value = data.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    held.token = field("token");
    setBusy(true);
    try {
      await api.addSilence(
        {
          matchers: scopes[Number(field("scope"))]?.matchers ?? [],
          endsTs: serverNowUs() + Number(field("hours")) * HOUR_US,
          author: field("author"),
          reason: field("reason"),
        },
        held.token,
      );
      setTrouble(null);
      setDone(true);
      if (details.current) details.current.open = false;
      onDone?.();
    } catch (error) {
      setTrouble(sentenceOf(error));
      if (error instanceof ApiError && error.status === 401) setNeedsToken(true);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {isDone && <p role="status">{text.done}</p>}
      <details class="silence" ref={details}>
        <summary>{text.open}</summary>
        <form onSubmit={(event) => void submit(event)}>
          <label>
            {text.what}
            <select name="scope">
              {scopes.map(({ name }, index) => (
                <option key={name} value={index}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label>
            {text.duration}
            <select name="hours">
              {DURATIONS.map((hours) => (
                <option key={hours} value={hours}>
                  {hours < DAY_HOURS ? text.hours(hours) : text.days(hours / DAY_HOURS)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {text.author}
            <input name="author" required maxLength={100} autocomplete="name" />
          </label>
          <label>
            {text.reason}
            <input name="reason" required maxLength={500} />
          </label>
          {needsToken && (
            <label>
              {text.token}
              <input name="token" type="password" value={held.token} required autocomplete="off" />
            </label>
          )}
          <button type="submit" disabled={busy}>
            {text.silence}
          </button>
          {trouble !== null && <p role="alert">{trouble}</p>}
        </form>
      </details>
    </>
  );
}

/** What is silenced now and will be, by whom and why, each with a way to end it. */
export function Silences() {
  const { routers, nodes, zone, now } = useScene();
  const { silences: text } = words();
  const [changes, setChanges] = useState(0);
  const asked = useAsked(() => api.silences(), [changes, Math.floor(now / LOOK_US)]);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [needsToken, setNeedsToken] = useState(false);
  const onChange = (): void => setChanges((count) => count + 1);
  const left = (asked.value ?? []).filter(({ endsTs }) => endsTs > now);
  const scopes = allScopes(routers ?? [], nodes);
  const end = async (id: string): Promise<void> => {
    try {
      await api.endSilence(id, held.token);
      setTrouble(null);
      onChange();
    } catch (error) {
      setTrouble(sentenceOf(error));
      if (error instanceof ApiError && error.status === 401) setNeedsToken(true);
    }
  };
  return (
    <section class="card" aria-labelledby="silences-title">
      <h2 id="silences-title">{text.title}</h2>
      {asked.trouble !== null && <p role="alert">{asked.trouble}</p>}
      {asked.value && left.length === 0 && <p class="muted">{text.none}</p>}
      <ul class="silences">
        {left.map(({ id, matchers, startsTs, endsTs, author, reason }) => (
          <li key={id}>
            <strong>{matchers.map(({ label, operator, value }) => `${label} ${operator} ${value}`).join(", ")}</strong>{" "}
            <span class="muted">
              {startsTs > now && text.from(formatDateTime(startsTs, zone))}
              {text.until(formatDateTime(endsTs, zone), author)}
            </span>{" "}
            {reason}{" "}
            <button type="button" aria-label={text.endOf(author, reason)} onClick={() => void end(id)}>
              {text.end}
            </button>
          </li>
        ))}
      </ul>
      {needsToken && <TokenField />}
      {trouble !== null && <p role="alert">{trouble}</p>}
      {scopes.length > 0 && <SilenceForm scopes={scopes} onDone={onChange} />}
    </section>
  );
}
