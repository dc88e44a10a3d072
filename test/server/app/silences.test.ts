import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { Delivery, Problem, Silence } from "../../../server/api/types.ts";
import { webhookTable } from "../alert/support.ts";
import { endStray, NOW, postAll, type TestServer, testServer } from "./support.ts";

afterEach(endStray);

const HOUR = 3_600_000_000;
const body = {
  matchers: [{ label: "node", operator: "=~", value: "lb[12]" }],
  endsTs: NOW + HOUR,
  author: "Kim",
  reason: "known",
};
const ask = (
  server: TestServer,
  method: string,
  path: string,
  json?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> =>
  server.get(path, {
    method,
    headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(json === undefined ? {} : { body: typeof json === "string" ? json : JSON.stringify(json) }),
  });
const problem = async (response: Response): Promise<Problem> => {
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  return (await response.json()) as Problem;
};
const hash = (token: string): string => createHash("sha256").update(token).digest("hex");

describe("silences of a whole server", () => {
  test("are made, listed, obeyed, and ended", async () => {
    const hook = webhookTable("ops", "http://127.0.0.1:9/");
    const server = await testServer({ overrides: { alerts: { mail_from_keepalived_conf: false, webhooks: [hook] } } });
    const made = await ask(server, "POST", "/api/v1/silences", body);
    expect(made.status).toBe(201);
    const silence = (await made.json()) as Silence;
    expect(silence).toEqual({
      ...body,
      id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      createdTs: NOW,
      startsTs: NOW,
    });
    expect(await server.json("/api/v1/silences")).toEqual([silence]);
    expect(await (await server.get("/metrics")).text()).toContain("\nkeepwatch_silences_active 1\n");

    await postAll(server);
    const rows = async (status: string): Promise<Delivery[]> => {
      for (;;) {
        const found = ((await server.json("/api/v1/deliveries")) as Delivery[]).filter((row) => row.status === status);
        if (found.length > 0) return found;
        await new Promise((done) => setTimeout(done, 20));
      }
    };
    expect(await rows("silenced")).toMatchObject([{ by: silence.id, attempts: 0 }]);

    const ended = await ask(server, "DELETE", `/api/v1/silences/${silence.id}`);
    expect(await ended.json()).toEqual({ ...silence, endsTs: NOW });
    // Nothing listens there: that it is tried is what matters.
    expect(await rows("pending")).toMatchObject([{ event: "opened", receiver: "webhook:ops" }]);
    expect(await (await server.get("/metrics")).text()).toContain("\nkeepwatch_silences_active 0\n");
    await server.end();
  });

  test("refuse what is wrong with a sentence that names the field", async () => {
    const server = await testServer();
    const refused = async (json: unknown): Promise<Problem> => {
      const response = await ask(server, "POST", "/api/v1/silences", json);
      expect(response.status).toBe(400);
      return problem(response);
    };
    expect((await refused({ ...body, endsTs: 5 })).faults).toEqual([{ at: "endsTs", message: "is over already" }]);
    expect((await refused({ ...body, matchers: [] })).detail).toContain("matchers");
    expect((await refused({ ...body, reason: " " })).detail).toContain("reason");
    expect((await refused({ ...body, nonsense: 1 })).detail).toContain("additional properties");
    const { author: _author, ...nobody } = body;
    expect((await refused(nobody)).detail).toBe("author is needed: who asks for silence");
    expect((await refused("{")).title).toBe("Bad request");
    const missing = await ask(server, "DELETE", `/api/v1/silences/${"0".repeat(32)}`);
    expect([missing.status, (await problem(missing)).detail]).toEqual([404, `there is no silence ${"0".repeat(32)}`]);
    // A form of another site can send text, but not JSON.
    const form = await ask(server, "POST", "/api/v1/silences", JSON.stringify(body), { "content-type": "text/plain" });
    expect(form.status).toBeGreaterThanOrEqual(400);
    expect(await server.json("/api/v1/silences")).toEqual([]);
    await server.end();
  });

  test("need a token of api.tokens, whose name is the author", async () => {
    const toml = `[[api.tokens]]\nname = "Robin"\nsha256 = "${hash("open-sesame")}"`;
    const server = await testServer({ toml });
    const without = await ask(server, "POST", "/api/v1/silences", body);
    expect([without.status, without.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    await problem(without);
    const wrong = await ask(server, "DELETE", `/api/v1/silences/${"0".repeat(32)}`, undefined, {
      authorization: "Bearer open",
    });
    expect(wrong.status).toBe(401);
    const { author: _author, ...nobody } = body;
    const made = await ask(server, "POST", "/api/v1/silences", nobody, { authorization: "Bearer open-sesame" });
    expect(made.status).toBe(201);
    expect(await made.json()).toMatchObject({ author: "Robin", reason: "known" });
    await server.end();
  });

  test("are not for collectors: their tokens write their own events", async () => {
    const toml = `[[ingest.tokens]]\nnode = "lb1"\nsha256 = "${hash("collector")}"`;
    const server = await testServer({ toml });
    const refused = await ask(server, "POST", "/api/v1/silences", body, { authorization: "Bearer collector" });
    expect([refused.status, (await problem(refused)).detail]).toEqual([403, expect.stringContaining("api.tokens")]);
    await server.end();
  });
});
