import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event, SearchPage } from "../../../server/api/types.ts";
import { batchesOf, endStray, type TestServer, testServer } from "../app/support.ts";
import { at, scenario } from "../detect/scenario.ts";

const HEAD = scenario(`
  at 0 lb1 config
  at 1 lb1 log MASTER
  at 1 lb2 log BACKUP
  at 20 lb2 log MASTER
  watch lb1 lb2 to 22`);
const line = (i: number, ts: number, raw: string): Event => ({
  id: i.toString(16).padStart(32, "0"),
  cluster: "default",
  node: "lb1",
  source: "log",
  kind: "log.unrecognised",
  ts,
  tsUncertaintyUs: 0,
  observedTs: ts,
  raw,
});
const LINES = [
  line(1, at(30), 'says "quoted" and 100% \\ and 日本'),
  // Several of one instant: a page ends among them.
  ...Array.from({ length: 7 }, (_, i) => line(10 + i, at(40), "of one instant")),
];

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
  for (const batch of batchesOf([...HEAD, ...LINES])) expect((await server.post(batch)).status).toBe(200);
});
afterAll(async () => {
  await server.end();
  await endStray();
});
const search = async (query: Readonly<Record<string, string | number>>): Promise<SearchPage> =>
  (await server.json(
    `/api/v1/search?${new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString()}`,
  )) as SearchPage;
const ids = ({ events }: SearchPage): string[] => events.map(({ id }) => id);

describe("a search", () => {
  test("finds text in capitals or not, and what JSON writes otherwise", async () => {
    expect((await search({ text: "entering master" })).events.map(({ node }) => node)).toEqual(["lb2", "lb1"]);
    for (const text of ['"quoted"', "100% \\", "日本", "SAYS"])
      expect(ids(await search({ text })), text).toEqual([LINES[0]?.id]);
    expect(ids(await search({ text: "%" }))).toEqual([LINES[0]?.id]);
    expect(ids(await search({ text: "nothing-like-it" }))).toEqual([]);
  });

  test("by node, the beginning of the kind, and time", async () => {
    const { events } = await search({ node: "lb2", kind: "vrrp.", from: at(0), to: at(19) });
    expect(events.map(({ kind, ts }) => [kind, ts])).toEqual([["vrrp.state", at(1)]]);
  });

  test("goes on page by page, newest first, each event once, also within one instant", async () => {
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page: SearchPage = await search({ limit: 3, ...(after === null ? {} : { after }) });
      expect(page.events.length).toBeLessThanOrEqual(3);
      seen.push(...ids(page));
      after = page.next;
    } while (after !== null);
    const all = await search({ limit: 1000 });
    expect(all.next).toBeNull();
    expect(seen).toEqual(ids(all));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe([...HEAD, ...LINES].filter(({ kind }) => kind !== "wire.advert").length);
  });
});
