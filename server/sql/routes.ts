import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ServerConfig } from "../config.ts";
import { tokenReader } from "../tokens.ts";
import { QUESTION_CHARS_MAX } from "./gate.ts";
import { SqlFault, type SqlReader } from "./reader.ts";

/** ClickHouse's HTTP interface, as far as it reads: what Grafana's data source and other clients speak. Its address is `/clickhouse`. */
export const SQL_PATH = "/clickhouse";

const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^JSON.*EachRow|^NDJSON/, "application/x-ndjson; charset=UTF-8"],
  [/^JSON/, "application/json; charset=UTF-8"],
  [/^CSV/, "text/csv; charset=UTF-8"],
  [/^(Tab|TSV)/, "text/tab-separated-values; charset=UTF-8"],
  [/^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Protobuf|BSON|Npy)/, "application/octet-stream"],
];
/** Of the engine's formats those that write elsewhere, or need a file. */
const FORMATS_REFUSED = /^(Template|CapnProto|Protobuf|SQLInsert|HiveText|MySQL|PostgreSQL|ODBC)/i;

/** Parameters that clients send and that change nothing of what may be done here. */
const HARMLESS =
  /^(query|query_id|database|default_format|user|password|compress|decompress|enable_http_compression|http_zlib_compression_level|wait_end_of_query|send_progress_in_http_headers|http_headers_progress_interval_ms|cancel_http_readonly_queries_on_client_close|client_protocol_version|default_table_engine|http_write_exception_in_output_format|param_[A-Za-z_]\w{0,99})$/;
/** Bounds that clients ask for of their own accord. The server's hold all the same. */
const BOUNDS: ReadonlySet<string> = new Set(["max_execution_time", "max_result_rows", "max_result_bytes"]);
const FIXED: Readonly<Record<string, string>> = { readonly: "1", max_threads: "1", result_overflow_mode: "throw" };

const STATUS: Readonly<Record<number, number>> = {
  516: 401,
  164: 403,
  497: 403,
  60: 404,
  46: 404,
  81: 404,
  202: 503,
  210: 503,
};

export function sqlRoutes(
  app: FastifyInstance,
  { reader, config, database }: { reader: SqlReader; config: Pick<ServerConfig, "api">; database: string },
): void {
  const known = tokenReader(config.api.tokens);
  const mayAsk = (request: FastifyRequest): boolean =>
    config.api.tokens.length === 0 || tokensOf(request).some((token) => known(`Bearer ${token}`).length > 0);

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "string", bodyLimit: 4 * QUESTION_CHARS_MAX }, (_request, body, done) =>
      done(null, body),
    );
    const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const query = queryOf(request);
      const id = /^[\w.-]{1,100}$/.test(query.query_id ?? "") ? query.query_id : randomUUID();
      void reply.header("x-clickhouse-query-id", id).header("x-clickhouse-server-display-name", "keepwatch");
      void reply.header("x-clickhouse-timezone", "UTC");
      try {
        if (!mayAsk(request))
          throw new SqlFault(
            516,
            "a token that api.tokens of this server lists is needed: as Bearer, or as the password",
          );
        const fault = faultOfParameters(query, database);
        if (fault !== undefined) throw new SqlFault(164, fault);
        const body = typeof request.body === "string" ? request.body : "";
        const text = [query.query ?? "", body].filter((part) => part !== "").join("\n");
        const params: Record<string, string> = {};
        for (const [name, value] of Object.entries(query))
          if (name.startsWith("param_")) params[name.slice("param_".length)] = value;
        const wanted = header(request, "x-clickhouse-format") ?? query.default_format ?? "TabSeparated";
        if (!/^[A-Za-z0-9]+$/.test(wanted)) throw new SqlFault(73, "the format is not known");
        if (FORMATS_REFUSED.test(wanted) || /\bFORMAT\s+(Template|CapnProto|Protobuf\w*)\s*;?\s*$/i.test(text))
          throw new SqlFault(73, "this format is not taken here");
        const { bytes, format } = await reader.ask(text, { params, format: wanted });
        const type = TYPES.find(([pattern]) => pattern.test(format))?.[1] ?? "text/plain; charset=UTF-8";
        return await reply.header("x-clickhouse-format", format).type(type).send(bytes);
      } catch (error) {
        if (!(error instanceof SqlFault)) throw error;
        return reply
          .code(STATUS[error.code] ?? 400)
          .headers({
            "x-clickhouse-exception-code": String(error.code),
            ...(error.code === 516 ? { "www-authenticate": 'Basic realm="keepwatch"' } : {}),
          })
          .type("text/plain; charset=UTF-8")
          .send(`Code: ${error.code}. DB::Exception: ${error.message}. (${NAMES[error.code] ?? "QUERY_FAILED"})\n`);
      }
    };
    const schema = { summary: "ClickHouse's HTTP interface, for reading: SELECT over the store's tables" };
    for (const url of [SQL_PATH, `${SQL_PATH}/`])
      scope.route({ method: ["GET", "POST"], url, schema, handler: answer });
    scope.get(`${SQL_PATH}/ping`, { schema: { summary: "It answers" } }, (_request, reply) =>
      reply.type("text/plain").send("Ok.\n"),
    );
  });
}

const NAMES: Readonly<Record<number, string>> = {
  62: "SYNTAX_ERROR",
  73: "UNKNOWN_FORMAT",
  164: "READONLY",
  202: "TOO_MANY_SIMULTANEOUS_QUERIES",
  210: "NETWORK_ERROR",
  497: "ACCESS_DENIED",
  516: "AUTHENTICATION_FAILED",
};

function faultOfParameters(query: Readonly<Record<string, string>>, database: string): string | undefined {
  for (const [name, value] of Object.entries(query)) {
    if (name === "database" && value !== "" && value !== database && value !== "default")
      return `there is no database ${JSON.stringify(value.slice(0, 100))} here`;
    if (HARMLESS.test(name) || value === FIXED[name]) continue;
    if (BOUNDS.has(name) && /^\d{1,12}$/.test(value)) continue;
    return `the setting ${JSON.stringify(name.slice(0, 100))} cannot be changed here`;
  }
  return undefined;
}

const header = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** Each parameter once: of a repeated one the last counts. */
const queryOf = (request: FastifyRequest): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(request.url.split("?")[1] ?? ""));

/** As ClickHouse's clients send a password; never in the address, which is logged by proxies. */
function tokensOf(request: FastifyRequest): string[] {
  const { authorization = "" } = request.headers;
  const bearer = /^Bearer (\S+)$/i.exec(authorization)?.[1];
  const basic = /^Basic (\S+)$/i.exec(authorization)?.[1];
  const password =
    basic === undefined
      ? undefined
      : Buffer.from(basic, "base64")
          .toString("utf8")
          .replace(/^[^:]*:/, "");
  return [bearer, password, header(request, "x-clickhouse-key")].filter((token) => token !== undefined);
}
