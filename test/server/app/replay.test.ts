import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Delivery } from "../../../server/api/types.ts";
import { webhookTable } from "../alert/support.ts";
import { endStray, postAll, type TestServer, testServer } from "./support.ts";

let sink: Server | undefined;
afterEach(async () => {
  await endStray();
  sink?.closeAllConnections();
  sink?.close();
});

const deliveries = async (server: TestServer, query: string, wanted: number): Promise<Delivery[]> => {
  for (;;) {
    const rows = (await server.json(`/api/v1/deliveries?${query}`)) as Delivery[];
    if (rows.length >= wanted) return rows;
    await new Promise((done) => setTimeout(done, 20));
  }
};
const replay = (server: TestServer, id: string, init: RequestInit = {}): Promise<Response> =>
  server.get(`/api/v1/deliveries/${id}/replay`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
    ...init,
  });

test("a delivery that failed is sent again by hand, under an id of its own, and both are in the log", async () => {
  const ids: string[] = [];
  let status = 404;
  sink = createServer((request, response) => {
    request.resume().on("end", () => {
      ids.push(String(request.headers["webhook-id"]));
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => sink?.listen(0, "127.0.0.1", done));
  const hook = webhookTable("ops", `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`, {
    kinds: ["split-brain"],
  });
  const server = await testServer({ overrides: { alerts: { mail_from_keepalived_conf: false, webhooks: [hook] } } });
  await postAll(server);
  const [failed] = await deliveries(server, "status=failed", 1);
  status = 204;
  const answer = await replay(server, failed?.id ?? "");
  expect(answer.status).toBe(201);
  const again = (await answer.json()) as Delivery;
  expect(again).toMatchObject({
    status: "pending",
    replayOf: failed?.id,
    event: failed?.event,
    receiver: "webhook:ops",
  });
  expect(await deliveries(server, "status=sent", 1)).toMatchObject([{ id: again.id, attempts: 1 }]);
  expect(ids).toEqual([failed?.id, again.id]);
  const log = await deliveries(server, "newestFirst=true", 2);
  expect(log.map(({ id }) => id)).toEqual([again.id, failed?.id]);

  const missing = await replay(server, "none");
  expect([missing.status, missing.headers.get("content-type")]).toEqual([404, expect.stringContaining("problem+json")]);
  const form = await replay(server, failed?.id ?? "", { headers: { "content-type": "text/plain" } });
  expect(form.status).toBeGreaterThanOrEqual(400);
  expect(ids).toHaveLength(2);
  await server.end();
});

test("sending again needs a token where there are any", async () => {
  const server = await testServer({ toml: `[[api.tokens]]\nname = "Robin"\nsha256 = "${"0".repeat(64)}"` });
  expect((await replay(server, "none")).status).toBe(401);
  await server.end();
});
