import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SHARED_SCHEMAS } from "../../../server/api/schemas.ts";
import type { EventPage, Incident, NodeSummary, Problem, RouterSummary, Timeline } from "../../../server/api/types.ts";
import { endStray, postAll, SPLIT_BRAIN, type TestServer, testServer } from "../app/support.ts";
import { at, scenario } from "../detect/scenario.ts";

let server: TestServer;
let router: RouterSummary;
beforeAll(async () => {
  server = await testServer();
  await postAll(server);
  [router] = (await server.json("/api/v1/routers")) as [RouterSummary];
});
afterAll(async () => {
  await server.end();
  await endStray();
});

const incidents = async (): Promise<Incident[]> => (await server.json("/api/v1/incidents")) as Incident[];
const path = (name: string, query: Readonly<Record<string, string | number>>): string =>
  `/api/v1/${name}?${new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString()}`;
const timeline = async (from: number, to: number): Promise<Timeline> =>
  (await server.json(path("timeline", { router: router.id, from: at(from), to: at(to) }))) as Timeline;

describe("the API answers", () => {
  test("virtual routers with who is master now", () => {
    expect(router).toMatchObject({
      cluster: "default",
      family: "ipv4",
      vrid: 51,
      vips: ["10.99.0.100"],
      masters: ["lb1", "lb2"],
    });
    expect(router.openIncidents).toHaveLength(1);
  });

  test("a timeline: a lane a node, the incidents that reach into it, adverts in buckets", async () => {
    const { lanes, incidents: found, adverts, from, to } = await timeline(0, 30);
    expect([from, to]).toEqual([at(0), at(30)]);
    expect(lanes.map(({ node }) => node)).toEqual(["lb1", "lb2"]);
    expect(found.map(({ kind }) => kind)).toEqual(["split-brain"]);
    expect(adverts.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(adverts.map(({ node, sender }) => `${node} heard ${sender}`)).toContain("lb2 heard 10.99.0.11");
    expect(Math.max(...adverts.map(({ maxGapUs }) => maxGapUs ?? 0))).toBe(1_000_000);
  });

  test("a stretch of a timeline: only bars and incidents that reach into it, with their own ends", async () => {
    const { lanes, incidents: found, adverts } = await timeline(10, 15);
    expect(found).toEqual([]);
    expect(adverts).toEqual([]);
    const masters = lanes.flatMap(({ bars }) => bars).filter(({ state }) => state === "MASTER");
    expect(masters.length).toBeGreaterThan(0);
    for (const { from, to } of masters) {
      expect(from).toBeLessThanOrEqual(at(15));
      expect(to ?? at(15)).toBeGreaterThanOrEqual(at(10));
      expect(from).toBeLessThan(at(10));
    }
  });

  test("services, of which this cluster has none", async () => {
    expect(await server.json("/api/v1/services")).toEqual([]);
  });

  test("one incident by its id, and the events that are its evidence", async () => {
    const [incident] = (await incidents()) as [Incident];
    expect(await server.json(`/api/v1/incidents/${incident.id}`)).toEqual(incident);
    const ids = incident.evidence.map(({ eventId }) => eventId);
    const page = (await server.json(path("events", { ids: ids.join(",") }))) as EventPage;
    expect(page.events.map(({ id }) => id).sort()).toEqual([...new Set(ids)].sort());
  });

  test("events by node, kind and time, oldest first, and says when there are more", async () => {
    const query = { node: "lb2", kinds: "vrrp.state,wire.master-seen", from: at(0), to: at(30) };
    const all = (await server.json(path("events", query))) as EventPage;
    expect(all.truncated).toBe(false);
    expect(all.events.map(({ kind, ts }) => [kind, ts])).toEqual(
      scenario(SPLIT_BRAIN)
        .filter(({ node, kind }) => node === "lb2" && ["vrrp.state", "wire.master-seen"].includes(kind))
        .map(({ kind, ts }) => [kind, ts])
        .sort(([, a], [, b]) => Number(a) - Number(b)),
    );
    const some = (await server.json(path("events", { ...query, limit: 2 }))) as EventPage;
    expect([some.truncated, some.events]).toEqual([true, all.events.slice(0, 2)]);
  });

  test("raw adverts as they came, but for their ids", async () => {
    const page = (await server.json(path("adverts", { router: router.id, from: at(0), to: at(30) }))) as EventPage;
    const withoutIds = (events: EventPage["events"]) => events.map((event) => ({ ...event, id: "" }));
    expect(withoutIds(page.events)).toEqual(
      withoutIds(scenario(SPLIT_BRAIN).filter(({ kind }) => kind === "wire.advert")),
    );
    expect(new Set(page.events.map(({ id }) => id)).size).toBe(page.events.length);
    const some = (await server.json(
      path("adverts", { router: router.id, from: at(0), to: at(30), limit: 1 }),
    )) as EventPage;
    expect([some.truncated, some.events]).toEqual([true, page.events.slice(0, 1)]);
  });

  test("nodes and when they were last seen", async () => {
    const nodes = (await server.json("/api/v1/nodes")) as NodeSummary[];
    expect(nodes.map(({ node, lastSeenTs }) => [node, lastSeenTs])).toEqual([
      ["lb1", at(30)],
      ["lb2", at(30)],
    ]);
  });

  test("that it lives and is ready, until the store is gone", async () => {
    expect((await server.get("/healthz")).status).toBe(200);
    expect((await server.get("/readyz")).status).toBe(200);
    const isReady = server.store.isReady.bind(server.store);
    server.store.isReady = async () => false;
    expect((await server.get("/readyz")).status).toBe(503);
    server.store.isReady = isReady;
  });
});

describe("the API refuses, with a problem document,", () => {
  const ask = async (asked: string): Promise<{ response: Response; problem: Problem }> => {
    const response = await server.get(asked);
    return { response, problem: (await response.json()) as Problem };
  };
  test.each([
    ["a router that is not there", "/api/v1/timeline?router=none&from=0&to=1", 404, /no virtual router is called none/],
    ["an incident that is not there", `/api/v1/incidents/${"0".repeat(32)}`, 404, /no incident/],
    ["an id that is none", "/api/v1/incidents/x';--", 400, /id/],
    ["a query without its range", "/api/v1/timeline?router=x", 400, /from/],
    ["an unknown field", "/api/v1/events?nodes=lb1", 400, /additional/i],
    ["a limit out of range", "/api/v1/events?limit=10001", 400, /limit/],
    ["an instant that is none", "/api/v1/events?from=yesterday", 400, /from/],
    ["an instant no store can hold", "/api/v1/events?from=1e300", 400, /from/],
    ["a field that comes twice", "/api/v1/events?node=a&node=b", 400, /node/],
    ["a place to go on that is none", "/api/v1/search?after=yesterday", 400, /after/],
    ["a severity that is none", "/api/v1/search?severity=bad", 400, /severity/],
    ["ids that are none", "/api/v1/events?ids=1,2", 400, /ids/],
    ["a path that is not there", "/api/v1/nothing", 404, /nothing at GET/],
  ])("%s", async (_name, asked, status, detail) => {
    const { response, problem } = await ask(asked);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({ type: "about:blank", status });
    expect(problem.detail).toMatch(detail);
  });

  test("a range that ends before it begins, or is too long", async () => {
    const of = (from: number, to: number) => ask(path("timeline", { router: router.id, from, to }));
    expect((await of(at(5), at(1))).problem.detail).toMatch(/later/);
    expect((await of(0, at(0))).problem.detail).toMatch(/400 days/);
  });

  test("and never with a stack: a fault of ours is a sentence, and the log says why", async () => {
    const events = server.store.events.bind(server.store);
    server.store.events = () => Promise.reject(new Error("Code: 60. DB::Exception: password=hunter2"));
    const { response, problem } = await ask("/api/v1/events");
    server.store.events = events;
    expect([response.status, problem.detail]).toEqual([500, "the server could not answer; its log says why"]);
    expect(server.logged.at(-1)).toMatchObject({ level: "error", message: "a request failed" });
  });
});

interface Described {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

describe("the description", () => {
  let described: Described;
  beforeAll(async () => {
    described = (await server.json("/api/v1/openapi.json")) as Described;
  });

  test("is OpenAPI 3.1 and lists every route with its answer and its problems", () => {
    expect(described.openapi).toBe("3.1.0");
    expect(Object.keys(described.paths).sort()).toEqual([
      "/api/v1/adverts",
      "/api/v1/adverts/packet",
      "/api/v1/configs",
      "/api/v1/configs/comparison",
      "/api/v1/deliveries",
      "/api/v1/deliveries/{id}/replay",
      "/api/v1/events",
      "/api/v1/incidents",
      "/api/v1/incidents/{id}",
      "/api/v1/incidents/{id}/context",
      "/api/v1/ingest",
      "/api/v1/listeners",
      "/api/v1/live",
      "/api/v1/nodes",
      "/api/v1/openapi.json",
      "/api/v1/routers",
      "/api/v1/search",
      "/api/v1/services",
      "/api/v1/silences",
      "/api/v1/silences/{id}",
      "/api/v1/sql",
      "/api/v1/store",
      "/api/v1/store/backups",
      "/api/v1/timeline",
      "/healthz",
      "/metrics",
      "/readyz",
      "/v1/logs",
    ]);
    expect(described.paths["/api/v1/timeline"]?.["get"]?.responses["default"]?.content).toHaveProperty([
      "application/problem+json",
    ]);
  });

  test("refers only to what it has", () => {
    const refs = [...JSON.stringify(described).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref]) => ref ?? "");
    const names = new Set(Object.keys(described.components.schemas).map((name) => `#/components/schemas/${name}`));
    expect(refs.length).toBeGreaterThan(10);
    expect(refs.filter((ref) => !names.has(ref))).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["RouterSummary", () => server.json("/api/v1/routers")],
    ["NodeSummary", () => server.json("/api/v1/nodes")],
    ["Incident", incidents],
    [
      "IncidentContext",
      async () => Promise.all((await incidents()).map(({ id }) => server.json(`/api/v1/incidents/${id}/context`))),
    ],
    ["Event", async () => ((await server.json("/api/v1/events")) as EventPage).events],
    ["SearchPage", async () => [await server.json("/api/v1/search?limit=3")]],
    ["Lane", async () => (await timeline(0, 30)).lanes],
    ["AdvertBucket", async () => (await timeline(0, 30)).adverts],
    ["Timeline", async () => [await timeline(0, 30)]],
    ["Problem", async () => [await (await server.get("/api/v1/none")).json()]],
  ])("is what %s really looks like", async (name, answer) => {
    // In a validator of its own, names are looked up without OpenAPI's path.
    const local = (schema: unknown): TSchema =>
      JSON.parse(JSON.stringify(schema).replaceAll(/"\$ref":"(\w+)#"/g, '"$ref":"$1"')) as TSchema;
    const context = Object.fromEntries(
      Object.entries(SHARED_SCHEMAS).map(([key, schema]) => [key, { $id: key, ...local(schema) }]),
    );
    const validator = Compile(context, { $ref: name });
    const rows = (await answer()) as unknown[];
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(validator.Errors(row)).toEqual([]);
    expect(validator.Check({ nonsense: true })).toBe(false);
  });
});
