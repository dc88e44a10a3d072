import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { drainPending, Session } from "chdb";
import { asFile } from "../../../server/store/memory-file.ts";

/**
 * ClickHouse's HTTP interface, as far as the client uses it, before the embedded engine: the same SQL as an external server
 * would run, over a real socket. A session a request, as over HTTP.
 */
export interface ClickHouseFront {
  readonly url: string;
  /** Answers everything with this until it is undefined again. */
  fault: { readonly status: number; readonly body: string } | undefined;
  /** Inserts are run, and nobody hears of it. */
  losesAnswers: boolean;
  /** Waited for before an insert is run. */
  insertsAfter: Promise<void> | undefined;
  close(): Promise<void>;
}

const USER = "keepwatch";
/** May read only, by ClickHouse's own setting. */
export const READER = "reader";
const PASSWORD = "correct horse";
const NOT_SETTINGS = new Set([
  "query",
  "query_id",
  "database",
  "session_id",
  "role",
  "wait_end_of_query",
  "default_format",
]);

/**
 * @param port  0: any free one
 * @param tls  with a certificate: over HTTPS
 */
export async function clickHouseFront(
  dir: string,
  version?: string,
  port = 0,
  tls?: { readonly key: Buffer; readonly cert: Buffer },
): Promise<ClickHouseFront> {
  // Holds the folder open between requests.
  const keeper = new Session(dir);
  const front: ClickHouseFront = {
    url: "",
    fault: undefined,
    insertsAfter: undefined,
    losesAnswers: false,
    close: async () => {
      server.closeAllConnections();
      server.close();
      keeper.close();
      await drainPending();
    },
  };
  const onRequest: RequestListener = (request, response) => {
    void answer(request).then(({ status, body, code }) => {
      if (front.losesAnswers && request.url?.includes("INSERT")) return request.socket.destroy();
      response.writeHead(status, code === undefined ? {} : { "x-clickhouse-exception-code": code });
      response.end(body);
    });
  };
  const server: Server = tls ? createSecureServer(tls, onRequest) : createServer(onRequest);

  async function answer(
    request: IncomingMessage,
  ): Promise<{ status: number; body: string | Uint8Array; code?: string }> {
    const body = await bodyOf(request);
    if (front.fault) return front.fault;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://front");
    if (pathname === "/ping") return { status: 200, body: "Ok.\n" };
    const basic = (user: string): string => `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString("base64")}`;
    // The client tells who it is in headers of ClickHouse's own where it was given certificates.
    const { authorization, "x-clickhouse-user": named, "x-clickhouse-key": key } = request.headers;
    const who = [USER, READER].find((user) => authorization === basic(user) || (named === user && key === PASSWORD));
    if (who === undefined)
      return failure("Code: 516. DB::Exception: keepwatch: Authentication failed. (AUTHENTICATION_FAILED)");
    const session = new Session(dir);
    try {
      const database = searchParams.get("database");
      if (database !== null) session.query(`USE ${database}`);
      for (const [name, value] of searchParams)
        if (!NOT_SETTINGS.has(name)) session.query(`SET ${name} = '${value.replace(/['\\]/g, "\\$&")}'`);
      const query = searchParams.get("query");
      if (query?.startsWith("INSERT")) await front.insertsAfter;
      if (who === READER) session.query("SET readonly = 1");
      if (query?.endsWith(" FORMAT Native")) {
        const insert = (path: string): string => query.replace("FORMAT", `FROM INFILE '${path}' FORMAT`);
        return { status: 200, body: (await asFile(body, dir, (path) => session.queryAsync(insert(path)))).bytes() };
      }
      const text = [...(query === null ? [] : [query]), body.toString()].join("\n");
      if (version !== undefined && text.includes("version()"))
        return { status: 200, body: `${JSON.stringify({ version })}\n` };
      const format = searchParams.get("default_format");
      return { status: 200, body: (await session.queryAsync(text, format === null ? {} : { format })).bytes() };
    } catch (error) {
      return failure(error instanceof Error ? error.message : String(error));
    } finally {
      session.close();
    }
  }

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };
  return Object.assign(front, { url: `${tls ? "https" : "http"}://127.0.0.1:${address.port}` });
}

export const credentials = { user: USER, password: PASSWORD };

function failure(message: string): { status: number; body: string; code: string } {
  const code = /Code: (\d+)/.exec(message)?.[1] ?? "1000";
  return { status: code === "516" ? 403 : 500, body: message, code };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
