import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { tokenReader } from "../tokens.ts";
import { LIMITS, SqlFault, type SqlReader } from "../sql/reader.ts";
import { ProblemError } from "./problems.ts";
import { Answers, SqlBody } from "./schemas.ts";
import type { SilenceDeps } from "./silences.ts";
import type { SqlInfo, SqlTable } from "./types.ts";

export interface SqlDeps {
  readonly config: SilenceDeps["config"];
  /** undefined: it is switched off. */
  readonly reader: Pick<SqlReader, "ask" | "kind"> | undefined;
}

/** Bounds of one answer to a person: as much as a page can show. */
const ROWS_MAX = 1_000;
const BYTES_MAX = 16 * 1024 * 1024;

const SETTINGS = {
  max_result_bytes: BYTES_MAX,
  // As the engine writes them: JSON's numbers are not that exact.
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_64bit_floats: 1,
  output_format_json_quote_decimals: 1,
  output_format_json_quote_denormals: 1,
} as const;

/** ClickHouse's codes that are no fault of the question: many wait, the server stops. */
const NOT_NOW: ReadonlySet<number> = new Set([202, 210]);
/** READONLY and ACCESS_DENIED. */
const NOT_ALLOWED: ReadonlySet<number> = new Set([164, 497]);

interface Json {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly (readonly unknown[])[];
  readonly totals?: readonly unknown[];
  readonly statistics?: { readonly elapsed: number; readonly rows_read: number };
}

/** SQL for the web's page, behind the same gate and with the same tokens as ClickHouse's interface. */
export function sqlPageRoutes(app: FastifyInstance, { config, reader }: SqlDeps): void {
  const known = tokenReader(config.api.tokens);
  const needsToken = config.api.tokens.length > 0;
  const checkAsker = async ({ headers }: FastifyRequest): Promise<void> => {
    if (needsToken && known(headers.authorization).length === 0)
      throw new ProblemError(401, "a token that api.tokens of this server lists is needed: Authorization: Bearer …", {
        headers: { "www-authenticate": "Bearer" },
      });
  };

  app.get(
    "/api/v1/sql",
    { schema: { summary: "Whether SQL is taken, of whom, and how much", response: Answers.sqlInfo } },
    (): SqlInfo => ({
      enabled: reader !== undefined,
      store: reader?.kind ?? null,
      needsToken,
      limits: { rows: ROWS_MAX, bytes: BYTES_MAX, seconds: LIMITS.seconds, rowsRead: LIMITS.rowsRead },
    }),
  );
  // A body is asked for, since a form of another site cannot send JSON.
  app.post<{ Body: Static<typeof SqlBody> }>(
    "/api/v1/sql",
    {
      schema: {
        summary: "One SELECT over the store's tables, for people: the first rows of its answer",
        body: SqlBody,
        response: Answers.sqlTable,
      },
      onRequest: checkAsker,
    },
    async ({ body }): Promise<SqlTable> => {
      if (!reader)
        throw new ProblemError(
          404,
          "SQL is switched off: set enabled = true under [sql] of this server's configuration",
        );
      try {
        const { bytes } = await reader.ask(body.sql, {
          format: "JSONCompact",
          isFormatFixed: true,
          settings: SETTINGS,
          rowsWanted: ROWS_MAX + 1,
        });
        return tableOf(JSON.parse(bytes.toString("utf8")) as Json);
      } catch (error) {
        if (!(error instanceof SqlFault)) throw error;
        const { code, message, at } = error;
        const status = NOT_NOW.has(code) ? 503 : NOT_ALLOWED.has(code) ? 403 : 400;
        const faults = at ? [{ at: `sql:${at.line}:${at.column}`, message }] : [];
        throw new ProblemError(status, message, { faults });
      }
    },
  );
}

function tableOf({ meta, data, totals, statistics }: Json): SqlTable {
  return {
    columns: meta.map(({ name, type }) => ({ name, type })),
    rows: data.slice(0, ROWS_MAX).map((row) => row.map(cellOf)),
    totals: totals?.map(cellOf) ?? null,
    truncated: data.length > ROWS_MAX,
    elapsedUs: Math.round((statistics?.elapsed ?? 0) * 1e6),
    rowsRead: statistics?.rows_read ?? 0,
  };
}

/** As text: null stays null; arrays, tuples and maps are JSON. */
function cellOf(value: unknown): string | null {
  if (value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
