import { request } from "node:http";
import { createServer, connect, type Server } from "node:net";
import { once } from "node:events";
import type { Event, EventKind, EventPage, Incident, RouterSummary } from "../api/types.ts";
import { OperatorError } from "../../collector/core/errors.ts";

/** More than a scenario makes of any kinds it asks for. */
const EVENTS_MAX = 1_000;

/** Asks the laboratory's server over its socket file: it lives in a network namespace of its own. */
export class ServerClient {
  private readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  incidents(): Promise<readonly Incident[]> {
    return this.get<readonly Incident[]>("/api/v1/incidents");
  }

  routers(): Promise<readonly RouterSummary[]> {
    return this.get<readonly RouterSummary[]>("/api/v1/routers");
  }

  /** All events of some kinds since an instant, epoch microseconds. */
  async events(kinds: readonly EventKind[], from: number): Promise<readonly Event[]> {
    const query = new URLSearchParams({ kinds: kinds.join(), from: String(from), limit: String(EVENTS_MAX) });
    return (await this.get<EventPage>(`/api/v1/events?${query}`)).events;
  }

  async isReady(): Promise<boolean> {
    return this.get("/readyz").then(
      () => true,
      () => false,
    );
  }

  private get<T>(path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const req = request({ socketPath: this.socketPath, path, timeout: 5_000 }, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          if (res.statusCode !== 200)
            return reject(new OperatorError("LAB_SERVER", `${path} answered ${res.statusCode}: ${text.slice(0, 300)}`));
          try {
            resolve(JSON.parse(text) as T);
          } catch (cause) {
            reject(new OperatorError("LAB_SERVER", `${path} did not answer JSON`, { cause }));
          }
        });
      });
      req.on("timeout", () => req.destroy(new Error(`${path} did not answer within 5 s`)));
      req.on("error", reject);
      req.end();
    });
  }
}

/** Opens a loopback port that leads to the server's socket file, so that a browser can see the timeline. */
export async function openDoor(socketPath: string): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((outside) => {
    const inside = connect(socketPath);
    const end = (): void => {
      outside.destroy();
      inside.destroy();
    };
    outside.on("error", end).on("close", end).pipe(inside);
    inside.on("error", end).on("close", end).pipe(outside);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
