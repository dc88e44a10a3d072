import { createHash } from "node:crypto";
import { OTLPLogExporter as JsonExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { afterEach, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import type { Incident } from "../../../server/detect/incident.ts";
import { endStray, testServer } from "../app/support.ts";

afterEach(endStray);

const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

type Compression = NonNullable<NonNullable<ConstructorParameters<typeof JsonExporter>[0]>["compression"]>;

const START = Date.UTC(2026, 10, 24, 10, 53, 0);

/** A split-brain as its two nodes log it: the old master says nothing, and the new one hears of it after 20 s. */
const LINES: readonly (readonly [seconds: number, node: string, text: string, kind: string])[] = [
  [0, "lb1", "(VI_1) Entering BACKUP STATE (init)", "vrrp.state"],
  [0, "lb2", "(VI_1) Entering BACKUP STATE (init)", "vrrp.state"],
  [4, "lb1", "(VI_1) Entering MASTER STATE", "vrrp.state"],
  [60, "lb2", "(VI_1) Entering MASTER STATE", "vrrp.state"],
  [60, "lb2", "Sending gratuitous ARP on eth0 for 10.0.0.1", "vrrp.garp"],
  [60, "lb2", "Sending gratuitous ARP on eth0 for 10.0.0.1", "vrrp.garp"],
  [
    80,
    "lb2",
    "(VI_1) Master received advert from 10.0.0.2 with higher priority 150, ours 100",
    "vrrp.advert-higher-priority",
  ],
  [80, "lb2", "(VI_1) Entering BACKUP STATE", "vrrp.state"],
];

/** The official exporters, in both encodings, and what they brought sent again by another process. */
test.each([
  ["protobuf", "gzip", ProtobufExporter],
  ["protobuf", "none", ProtobufExporter],
  ["JSON", "gzip", JsonExporter],
] as const)(
  "OpenTelemetry's exporter brings a split-brain as %s, packed with %s, once",
  async (_name, compression, Exporter) => {
    const server = await testServer({ toml: `[[otlp.tokens]]\nname = "gateway"\nsha256 = "${sha256("secret")}"` });
    for (let round = 1; round <= 2; round += 1) {
      const exporter = new Exporter({
        url: new URL("/v1/logs", server.url).href,
        headers: { authorization: "Bearer secret" },
        compression: compression as Compression,
      });
      // The second time divided otherwise, as a queue does that was read from disk.
      const processor = new BatchLogRecordProcessor({ exporter, maxExportBatchSize: round === 1 ? 512 : 3 });
      const provider = new LoggerProvider({ processors: [processor] });
      const logger = provider.getLogger("syslog");
      for (const [seconds, node, text] of LINES)
        logger.emit({
          timestamp: START + seconds * 1_000 + 123,
          observedTimestamp: START + seconds * 1_000 + 200,
          body: `<29>1 2026-11-24T10:53:00Z ${node} Keepalived_vrrp 15 - - ${text}`,
          attributes: { appname: "Keepalived_vrrp", hostname: node, proc_id: "15", message: text, priority: 29 },
        });
      await provider.shutdown();
    }
    expect(await server.json("/api/v1/listeners")).toMatchObject([
      { name: "otlp-http", received: 2 * LINES.length, kept: 2 * LINES.length, dropped: {} },
    ]);
    const { events } = (await server.json("/api/v1/events?limit=100")) as { events: Event[] };
    const told = (node: string, kind: string, ts: number, at = "otlp:127.0.0.1"): string =>
      [node, kind, ts, at].join(" ");
    expect(events.map(({ node, kind, ts, at }) => told(node, kind, ts, at)).toSorted()).toEqual(
      LINES.map(([seconds, node, , kind]) => told(node, kind, (START + seconds * 1_000 + 123) * 1_000)).toSorted(),
    );
    const incidents = (await server.json("/api/v1/incidents")) as Incident[];
    expect(incidents).toMatchObject([
      {
        kind: "split-brain",
        subject: { nodes: ["lb1", "lb2"] },
        start: (START + 60_123) * 1_000,
        end: (START + 80_123) * 1_000,
        status: "resolved",
      },
    ]);
    expect(await (await server.get("/metrics")).text()).toContain(
      `keepwatch_forwarded_events_total{listener="otlp-http"} ${2 * LINES.length}`,
    );
    // Also before ClickHouse merges.
    const [counted] = await server.store.info().then(({ tables }) => tables.filter(({ name }) => name === "events"));
    expect(counted?.rows).toBe(LINES.length);
    await server.end();
  },
);

test("who has no token is told so by its exporter", async () => {
  const server = await testServer({ toml: `[[otlp.tokens]]\nname = "gateway"\nsha256 = "${sha256("secret")}"` });
  const exporter = new ProtobufExporter({ url: new URL("/v1/logs", server.url).href });
  const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] });
  provider.getLogger("syslog").emit({ body: "x" });
  await provider.shutdown().catch(() => undefined);
  expect(await server.json("/api/v1/listeners")).toMatchObject([{ received: 0, dropped: { unauthorised: 1 } }]);
  await server.end();
});

test("it can be turned off", async () => {
  const server = await testServer({ toml: "[otlp]\nenabled = false" });
  expect((await server.get("/v1/logs", { method: "POST" })).status).toBe(404);
  expect(await server.json("/api/v1/listeners")).toEqual([]);
  await server.end();
});
