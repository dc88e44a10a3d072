import type {
  Delivery,
  EventPage,
  Incident,
  LiveMessage,
  NodeSummary,
  Problem,
  RouterSummary,
  Timeline,
} from "../server/api/types.ts";
import type { Range } from "./range.ts";

/** The server's answer was an error, or there was none. The message is for the reader. */
export class ApiError extends Error {
  override readonly name = "ApiError";
}

async function get<T>(
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  signal?: AbortSignal,
): Promise<T> {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  let response: Response;
  try {
    response = await fetch(`/api/v1/${path}${params.size > 0 ? `?${params}` : ""}`, {
      headers: { accept: "application/json" },
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The server cannot be reached.");
  }
  if (response.ok) return (await response.json()) as T;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  throw new ApiError(problem ? `${problem.title}: ${problem.detail}` : `The server answered ${response.status}.`);
}

export const api = {
  routers: () => get<readonly RouterSummary[]>("routers"),
  nodes: () => get<readonly NodeSummary[]>("nodes"),
  incidents: () => get<readonly Incident[]>("incidents"),
  incident: (id: string) => get<Incident>(`incidents/${encodeURIComponent(id)}`),
  timeline: (router: string, { from, to }: Range, signal?: AbortSignal) =>
    get<Timeline>("timeline", { router, from, to }, signal),
  events: (ids: readonly string[]) =>
    ids.length === 0
      ? Promise.resolve<EventPage>({ events: [], truncated: false })
      : get<EventPage>("events", { ids: ids.slice(0, 100).join(",") }),
  adverts: (router: string, { from, to }: Range, limit: number) =>
    get<EventPage>("adverts", { router, from, to, limit }),
  deliveries: (incidentId: string) => get<readonly Delivery[]>("deliveries", { incidentId }),
};

/** Follows what changes. @returns how to stop */
export function follow(
  onMessage: (message: LiveMessage) => void,
  onConnected: (connected: boolean) => void,
): () => void {
  const source = new EventSource("/api/v1/live");
  source.onopen = () => onConnected(true);
  source.onerror = () => onConnected(false);
  source.onmessage = ({ data }: MessageEvent<string>) => onMessage(JSON.parse(data) as LiveMessage);
  return () => source.close();
}
