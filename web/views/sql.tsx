import { useEffect, useRef, useState } from "preact/hooks";
import type { SqlInfo, SqlTable } from "../../server/api/types.ts";
import { api, ApiError } from "../api.ts";
import { hrefOf, type Place, type SqlPlace } from "../location.ts";
import { SQL_EXAMPLES, type SqlExample } from "../sql-examples.ts";
import { words } from "../text/language.ts";
import { formatDuration } from "../time.ts";
import { held } from "../token.ts";
import { SearchKinds } from "./search.tsx";
import { Link, sentenceOf, useAsked } from "./shared.tsx";
import { TokenField } from "./token-field.tsx";

/** Longest address that servers and proxies take for sure, characters. */
const ADDRESS_CHARS_MAX = 4_000;
const MIB = 1024 * 1024;

/** What it came to. */
type Outcome =
  | { readonly table: SqlTable }
  | { readonly trouble: string; readonly at: { readonly line: number; readonly column: number } | null };

/** The store by SQL, for those who want it. */
export function SqlPage({ place, onPlace }: { readonly place: SqlPlace; readonly onPlace: (place: Place) => void }) {
  const { sql: text, shell } = words();
  const info = useAsked(() => api.sqlInfo(), []);
  return (
    <section class="card sql" aria-labelledby="sql-title">
      <h2 id="sql-title">{text.title}</h2>
      <SearchKinds current="sql" />
      {info.trouble !== null && (
        <p class="trouble" role="alert">
          {info.trouble}
        </p>
      )}
      {!info.value && info.trouble === null && <p class="muted">{shell.asking}</p>}
      {info.value && !info.value.enabled && <SwitchedOff />}
      {info.value?.enabled && <Asking place={place} info={info.value} onPlace={onPlace} />}
    </section>
  );
}

function SwitchedOff() {
  const { sql: text } = words();
  return (
    <div role="status">
      <p>{text.off}</p>
      <code class="sample">{"[sql]\nenabled = true"}</code>
      <p>{text.offTokens}</p>
      <code class="sample">{'[[api.tokens]]\nname = "grafana"\nsha256 = "…"  # printf %s TOKEN | sha256sum'}</code>
    </div>
  );
}

function Asking({
  place,
  info,
  onPlace,
}: {
  readonly place: SqlPlace;
  readonly info: SqlInfo;
  readonly onPlace: (place: Place) => void;
}) {
  const { sql: text, shell } = words();
  const [draft, setDraft] = useState(place.query ?? SQL_EXAMPLES.kinds);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [needsToken, setNeedsToken] = useState(held.token !== "");
  const area = useRef<HTMLTextAreaElement>(null);
  /** Counts the questions: only the answer to the last one is shown. */
  const last = useRef(0);

  const run = async (query: string): Promise<void> => {
    if (query.trim() === "") return;
    const own = ++last.current;
    setBusy(true);
    let found: Outcome;
    try {
      found = { table: await api.askSql(query, held.token) };
    } catch (error) {
      found = { trouble: sentenceOf(error), at: placeOf(error) };
      if (error instanceof ApiError && error.status === 401 && own === last.current) setNeedsToken(true);
    }
    if (own !== last.current) return;
    setOutcome(found);
    setBusy(false);
  };
  // A link brings its question along, and so does a step back.
  useEffect(() => {
    if (place.query === null) return;
    setDraft(place.query);
    void run(place.query);
  }, [place]);
  useEffect(() => () => void (last.current += 1), []);

  const address = hrefOf({ page: "sql", query: draft });
  const isTooLong = address.length > ADDRESS_CHARS_MAX;
  const submit = (): void => {
    onPlace({ page: "sql", query: isTooLong ? null : draft });
    void run(draft);
  };
  const show = ({ line, column }: { readonly line: number; readonly column: number }): void => {
    const lines = draft.split("\n");
    const at = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0) + column - 1;
    area.current?.focus();
    area.current?.setSelectionRange(at, Math.min(at + 1, draft.length));
  };
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <label for="sql-query">{text.query}</label>
        <textarea
          id="sql-query"
          ref={area}
          rows={8}
          spellcheck={false}
          autocomplete="off"
          aria-describedby="sql-limits"
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            submit();
          }}
        />
        <p id="sql-limits" class="muted">
          {text.limits(info.limits.rows, info.limits.seconds, info.limits.bytes / MIB, info.limits.rowsRead)}{" "}
          {info.store === "external" ? text.external : text.embedded} {isTooLong && text.noLink}
        </p>
        <div class="filter">
          <button type="submit" aria-keyshortcuts="Control+Enter Meta+Enter">
            {text.run}
          </button>
          {needsToken && <TokenField />}
          <span>{text.examples}</span>
          {(Object.keys(SQL_EXAMPLES) as SqlExample[]).map((name) => (
            <Link key={name} to={{ page: "sql", query: SQL_EXAMPLES[name] }}>
              {text.example[name]}
            </Link>
          ))}
        </div>
      </form>
      <p class="muted" role="status">
        {isBusy ? shell.asking : outcome && "table" in outcome && summaryOf(outcome.table)}
      </p>
      {!isBusy && outcome && "trouble" in outcome && (
        <p class="trouble" role="alert">
          {outcome.trouble}{" "}
          {outcome.at && (
            <button type="button" onClick={() => outcome.at && show(outcome.at)}>
              {text.show(outcome.at.line, outcome.at.column)}
            </button>
          )}
        </p>
      )}
      {!isBusy && outcome && "table" in outcome && <Result table={outcome.table} />}
    </>
  );
}

function placeOf(error: unknown): { readonly line: number; readonly column: number } | null {
  const [at] = error instanceof ApiError ? error.faults : [];
  const [, line, column] = /^sql:(\d+):(\d+)$/.exec(at?.at ?? "") ?? [];
  return line === undefined || column === undefined ? null : { line: Number(line), column: Number(column) };
}

function summaryOf({ rows, truncated, elapsedUs, rowsRead }: SqlTable): string {
  const { sql: text } = words();
  return `${truncated ? text.cut(rows.length) : text.rows(rows.length)} ${text.cost(formatDuration(elapsedUs), rowsRead)}`;
}

function Result({ table: { columns, rows, totals } }: { readonly table: SqlTable }) {
  const { sql: text } = words();
  if (columns.length === 0) return null;
  const cells = (row: readonly (string | null)[]) =>
    row.map((value, i) => (
      // Columns may have one name twice.
      <td key={i} class={isNumber(columns[i]?.type) ? "number" : ""}>
        {value === null ? <span class="muted">NULL</span> : value}
      </td>
    ));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={text.result}>
      <table class="result">
        <caption class="out-of-sight">{text.result}</caption>
        <thead>
          <tr>
            {columns.map(({ name, type }, i) => (
              <th key={i} scope="col">
                {name} <span class="muted">{type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>{cells(row)}</tr>
          ))}
        </tbody>
        {totals && (
          <tfoot>
            <tr aria-label={text.totals}>{cells(totals)}</tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}

const isNumber = (type = ""): boolean => /^(Nullable\()?(U?Int|Float|Decimal)/.test(type);
