import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configObservations } from "../../../collector/sources/conf-watch.ts";
import { readConfig, textsOf } from "../../../collector/conf/load.ts";
import { toEvent } from "../../../collector/events/observation.ts";
import type { ConfigComparison, Event, NodeConfig, SearchPage } from "../../../server/api/types.ts";
import { batchesOf, endStray, type TestServer, testServer } from "../app/support.ts";
import { at, scenario } from "../detect/scenario.ts";

const PATH = "/etc/keepalived/keepalived.conf";
const conf = (priority: number, extra = ""): string => `vrrp_script check {
    script "/bin/true"
    weight -60
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority ${priority}
    advert_int 1
    ${extra}
    authentication {
        auth_type PASS
        auth_pass hunter22
    }
    virtual_ipaddress {
        10.99.0.100
    }
    track_script {
        check
    }
}
`;
const files = (text: string) => ({ read: () => text, glob: () => [] });
const told = (node: string, text: string, ts: number): Event[] => {
  const reading = readConfig(PATH, files(text), { configId: node });
  return [...configObservations(PATH, text, node, ts), ...textsOf(reading, ts)].map((seen) =>
    toEvent(seen, { cluster: "default", node }, ts),
  );
};

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
  const events = [
    ...told("lb1", conf(150), at(0)),
    ...told("lb1", conf(150, "nopreempt_typo"), at(5)),
    ...told("lb2", conf(100, "nopreempt"), at(1)),
    // It told of a configuration in which the instance was, and then of one without.
    ...told("lb4", conf(90), at(1)),
    ...told("lb4", "global_defs {\n}\n", at(3)),
    ...scenario("at 2 lb4 log BACKUP init"),
  ];
  for (const batch of batchesOf(events)) expect((await server.post(batch)).status).toBe(200);
});
afterAll(async () => {
  await server.end();
  await endStray();
});

describe("a node's configuration", () => {
  test("is the newest, with the text of each file and what is wrong with it", async () => {
    const config = (await server.json("/api/v1/configs?cluster=default&node=lb1")) as NodeConfig;
    expect(config).toMatchObject({ ts: at(5), unreadable: null, chain: null });
    expect(config.files.map(({ path }) => path)).toEqual([PATH]);
    expect(config.files[0]?.text).toContain("nopreempt_typo");
    expect(config.files[0]?.text).toContain("auth_pass [redacted]");
    expect(config.findings).toContainEqual(expect.objectContaining({ file: PATH, line: 10 }));
  });

  test("is answered again only when it is another one", async () => {
    const path = "/api/v1/configs?cluster=default&node=lb5";
    const tell = async (text: string, ts: number): Promise<void> => {
      for (const batch of batchesOf(told("lb5", text.replace("virtual_router_id 51", "virtual_router_id 52"), ts)))
        expect((await server.post(batch)).status).toBe(200);
    };
    const ask = (tag: string | null): Promise<Response> =>
      server.get(path, tag === null ? {} : { headers: { "if-none-match": tag } });
    await tell(conf(80), at(6));
    const first = await ask(null);
    const tag = first.headers.get("etag");
    expect([first.status, tag, first.headers.get("cache-control")]).toEqual([
      200,
      expect.stringMatching(/^"[0-9a-f]{64}"$/),
      "private, no-cache",
    ]);
    const again = await ask(tag);
    expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", tag]);
    expect((await ask('"another"')).status).toBe(200);
    await tell(conf(81), at(7));
    const changed = await ask(tag);
    expect([changed.status, ((await changed.json()) as NodeConfig).ts]).toEqual([200, at(7)]);
    expect(changed.headers.get("etag")).not.toBe(tag);
    expect(
      (await server.get("/api/v1/configs?cluster=default&node=lb1", { headers: { "if-none-match": tag ?? "" } }))
        .status,
    ).toBe(200);
  });

  test("its text is in no search, which would carry it along", async () => {
    const page = (await server.json("/api/v1/search?text=nopreempt")) as SearchPage;
    expect(page.events.map(({ kind }) => kind)).not.toContain("config.text");
  });

  test("of a node that nobody knows is a problem", async () => {
    expect((await server.get("/api/v1/configs?cluster=default&node=lb9")).status).toBe(404);
    expect((await server.get("/api/v1/configs?cluster=default")).status).toBe(400);
    expect((await server.get("/api/v1/configs/comparison?router=none")).status).toBe(404);
  });
});

test("two nodes are held against each other, and every failure has its master", async () => {
  const found = (await server.json("/api/v1/configs/comparison?router=default/ipv4/51")) as ConfigComparison;
  expect(found.members.map(({ node, line }) => [node, line])).toEqual([
    ["lb1", 5],
    ["lb2", 5],
  ]);
  // Its newest configuration has the virtual router no more.
  expect(found.untold).toEqual(["lb4"]);
  const setting = (name: string) => found.settings.find((one) => one.name === name);
  expect(setting("priority")).toMatchObject({ values: ["150", "100"], holds: true });
  expect(setting("nopreempt")).toMatchObject({ values: ["no", "yes"], holds: false });
  expect(found.findings.map(({ code }) => code)).toContain("drift_preempt");
  const masterWhen = (...failed: string[]) =>
    found.election?.lines.find((line) => line.failed.join() === failed.join())?.master;
  expect(masterWhen()).toBe("lb1");
  expect(masterWhen("node lb1")).toBe("lb2");
  // lb2 has nopreempt: it stays a backup though its priority is the higher one.
  expect(found.election?.lines.find((line) => line.failed.join().includes("check"))?.priorities).toEqual([90, 100]);
});
