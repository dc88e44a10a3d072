import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseAlertConfig } from "../../../server/alert/config.ts";
import { Heartbeat } from "../../../server/alert/heartbeat.ts";
import { eventually, ManualTime, settle, T0 } from "./support.ts";

let server: Server;
let url: URL;
let beats: unknown[];
let status = 200;
beforeEach(async () => {
  beats = [];
  status = 200;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      beats.push(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      response.writeHead(status).end("OK");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ping`);
});
afterEach(() => void server.close());

function heart(target: URL | undefined, isWell: () => Promise<boolean>) {
  const time = new ManualTime();
  const logged: string[] = [];
  const heartbeat = new Heartbeat({
    url: target,
    intervalMs: 60_000,
    clock: time,
    timers: time,
    isWell,
    log: (level, message) => logged.push(`${level}: ${message}`),
  });
  return { heartbeat, time, logged };
}

test("it beats at once and then each minute, for as long as the server is well", async () => {
  let well = true;
  const { heartbeat, time, logged } = heart(url, async () => well);
  heartbeat.start();
  await eventually(() => beats.length === 1);
  expect(beats).toEqual([{ status: "alive", at: "2026-03-05T10:00:30.000000Z" }]);
  await time.advance(60_000);
  await eventually(() => beats.length === 2);
  well = false;
  await time.advance(60_000);
  await eventually(() => heartbeat.counts().failures === 1);
  await time.advance(60_000);
  await eventually(() => heartbeat.counts().failures === 2);
  expect(heartbeat.counts().lastTs).toBe(T0 + 60_000_000);
  expect(logged).toEqual(["warn: keepwatch is not well, and its heartbeat pauses: the store does not answer"]);
  well = true;
  await time.advance(60_000);
  await eventually(() => beats.length === 3 && logged.length === 2);
  expect(logged[1]).toBe("info: the heartbeat goes on");
  await heartbeat.stop();
  expect(time.waiting).toBe(0);
});

test("what does not reach its url is counted and said once, and not by the whole address", async () => {
  status = 500;
  const { heartbeat, time, logged } = heart(url, async () => true);
  heartbeat.start();
  await eventually(() => heartbeat.counts().failures === 1);
  await time.advance(60_000);
  await eventually(() => heartbeat.counts().failures === 2);
  expect(logged).toHaveLength(1);
  expect(logged[0]).toMatch(/did not reach http:\/\/127\.0\.0\.1:\d+: HTTP 500/);
  expect(logged[0]).not.toContain("/ping");
  await heartbeat.stop();
});

test("without a url it is for the metric alone", async () => {
  const { heartbeat } = heart(undefined, async () => true);
  heartbeat.start();
  await settle();
  expect(heartbeat.counts()).toEqual({ lastTs: T0, failures: 0 });
  expect(beats).toEqual([]);
  await heartbeat.stop();
});

test("its address is checked at the start", () => {
  expect(() => parseAlertConfig({ heartbeat_url: "hc-ping.com/x" })).toThrow(
    "alerts.heartbeat_url is not an http or https URL",
  );
  expect(() => parseAlertConfig({ heartbeat_seconds: 1 })).toThrow("alerts.heartbeat_seconds must be");
});
