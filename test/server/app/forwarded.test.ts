import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import type { ListenerState } from "../../../server/api/types.ts";
import { eventually } from "../../support/process.ts";
import { endStray, testServer } from "./support.ts";

afterEach(endStray);

test("what is forwarded by syslog is stored, counted and concluded from, and what is at hand is stored at the end", async () => {
  const toml = '[syslog.tcp]\nhost = "127.0.0.1"\nport = 0';
  const server = await testServer({ toml });
  const [listener] = (await server.json("/api/v1/listeners")) as ListenerState[];
  expect(listener).toMatchObject({ name: "syslog-tcp", received: 0, kept: 0 });
  const socket = connect(Number(listener?.address.split(":")[1]), "127.0.0.1");
  const gone = once(socket, "close");
  socket.end(
    "<29>1 2026-11-24T10:53:23.123456Z lb1 Keepalived_vrrp 15 - - (VI_1) Entering MASTER STATE\n<29>1 2026-11-24T10:53:23Z lb1 cron 15 - - x\n",
  );
  socket.resume();
  await gone;
  const events = await eventually("the event", async () => {
    const page = (await server.json("/api/v1/events?limit=10")) as { events: Event[] };
    return page.events.length > 0 ? page.events : undefined;
  });
  expect(events).toMatchObject([{ kind: "vrrp.state", node: "lb1", cluster: "default", at: "syslog:127.0.0.1" }]);
  expect(await server.json("/api/v1/nodes")).toMatchObject([{ node: "lb1" }]);
  const metrics = await (await server.get("/metrics")).text();
  expect(metrics).toContain('keepwatch_forwarded_messages_total{listener="syslog-tcp"} 2');
  expect(metrics).toContain('keepwatch_forwarded_events_total{listener="syslog-tcp"} 1');
  await server.end();
});

test("a port that is taken is told, with what to do", async () => {
  const first = await testServer({ toml: '[syslog.tcp]\nhost = "127.0.0.1"\nport = 0' });
  const [listener] = (await first.json("/api/v1/listeners")) as ListenerState[];
  const port = listener?.address.split(":")[1];
  await first.end();
  const taken = createServer().listen(Number(port), "127.0.0.1");
  await once(taken, "listening");
  await expect(testServer({ toml: `[syslog.tcp]\nhost = "127.0.0.1"\nport = ${port}` })).rejects.toMatchObject({
    code: "LISTEN_IN_USE",
    message: expect.stringContaining(`syslog.tcp: port ${port} of 127.0.0.1 is in use`),
  });
  taken.close();
});
