import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { drainPending, Session } from "chdb";

/**
 * ClickHouse's HTTP interface, as far as the client uses it, before the embedded engine: the same SQL as an external server
 * would run, over a real socket. A session a request, as over HTTP.
 */
export interface ClickHouseFront {
  readonly url: string;
  /** Answers everything with this until it is undefined again. */
  fault: { readonly status: number; readonly body: string } | undefined;
  close(): Promise<void>;
}

const USER = "keepwatch";
const PASSWORD = "correct horse";
const NOT_SETTINGS = new Set(["query", "query_id", "database", "session_id", "role"]);

/** @param port  0: any free one */
export async function clickHouseFront(dir: string, version?: string, port = 0): Promise<ClickHouseFront> {
  // Holds the folder open between requests.
  const keeper = new Session(dir);
  const front: ClickHouseFront = {
    url: "",
    fault: undefined,
    close: async () => {
      server.closeAllConnections();
      server.close();
      keeper.close();
      await drainPending();
    },
  };
  const server: Server = createServer((request, response) => {
    void answer(request).then(({ status, body, code }) => {
      response.writeHead(status, code === undefined ? {} : { "x-clickhouse-exception-code": code });
      response.end(body);
    });
  });

  async function answer(
    request: IncomingMessage,
  ): Promise<{ status: number; body: string | Uint8Array; code?: string }> {
    const body = await bodyOf(request);
    if (front.fault) return front.fault;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://front");
    if (pathname === "/ping") return { status: 200, body: "Ok.\n" };
    if (request.headers.authorization !== `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`)
      return failure("Code: 516. DB::Exception: keepwatch: Authentication failed. (AUTHENTICATION_FAILED)");
    const session = new Session(dir);
    try {
      for (const [name, value] of searchParams)
        if (!NOT_SETTINGS.has(name)) session.query(`SET ${name} = '${value.replace(/['\\]/g, "\\$&")}'`);
      const query = searchParams.get("query");
      const text = query === null ? body : `${query}\n${body}`;
      if (version !== undefined && text.includes("version()"))
        return { status: 200, body: `${JSON.stringify({ version })}\n` };
      return { status: 200, body: (await session.queryAsync(text)).bytes() };
    } catch (error) {
      return failure(error instanceof Error ? error.message : String(error));
    } finally {
      session.close();
    }
  }

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };
  return Object.assign(front, { url: `http://127.0.0.1:${address.port}` });
}

export const credentials = { user: USER, password: PASSWORD };

function failure(message: string): { status: number; body: string; code: string } {
  const code = /Code: (\d+)/.exec(message)?.[1] ?? "1000";
  return { status: code === "516" ? 403 : 500, body: message, code };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
