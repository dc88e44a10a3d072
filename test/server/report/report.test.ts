import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { createPcapParser } from "../../../collector/pcap/reader.ts";
import type { Incident, IncidentContext, IncidentDocument } from "../../../server/api/types.ts";
import { captureOf } from "../../../server/report/capture.ts";
import { contextOf, windowsOf } from "../../../server/report/context.ts";
import { postMortem } from "../../../server/report/markdown.ts";
import { batchesOf, endStray, type TestServer, testServer } from "../app/support.ts";
import { at, scenario } from "../detect/scenario.ts";

const HOSTILE = "`` ```\n| # <script>alert(1)</script> \u202Ekcart";
/** Both are master from 123.8 s to 131 s; keepalived was reloaded on lb1 before. */
const STORY = `
  at 0 lb1 config
  at 0 lb2 config
  at 0.1 lb1 log BACKUP init
  at 0.1 lb2 log BACKUP init
  at 3.50 lb1 wire out seen
  at 3.51 lb1 log MASTER
  at 3.50 lb2 wire lb1 seen
  at 100 lb1 daemon reloading
  at 120.5 lb2 wire lb1 advert
  at 121.5 lb2 wire lb1 advert
  at 123.2 lb2 wire lb1 gone silent
  at 123.80 lb2 wire out seen
  at 123.81 lb2 log MASTER
  at 124 lb2 wire out advert
  at 125 lb2 wire out advert
  at 131 lb2 wire out gone priority-zero
  at 131 lb2 log BACKUP
  watch lb1 lb2 to 300`;

let server: TestServer;
let incident: Incident;
const folder = mkdtempSync(join(tmpdir(), "keepwatch-report-"));
beforeAll(async () => {
  server = await testServer();
  for (const batch of batchesOf(scenario(STORY))) expect((await server.post(batch)).status).toBe(200);
  const all = (await server.json("/api/v1/incidents")) as Incident[];
  incident = all.find(({ kind }) => kind === "split-brain") as Incident;
  expect(incident).toBeDefined();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.end();
  await endStray();
});

const path = (suffix: string): string => `/api/v1/incidents/${incident.id}${suffix}`;

/** The context as two nodes' events give it, of which lb2's clock is slow by so much. */
const told = (events: readonly Event[], offsetUs = 0) =>
  contextOf(
    incident,
    {
      store: {
        events: (query) =>
          Promise.resolve(
            events.filter(
              (event) =>
                event.node === query.node &&
                (query.kinds?.includes(event.kind) ?? true) &&
                event.ts >= (query.from ?? 0) &&
                event.ts <= (query.to ?? Number.MAX_SAFE_INTEGER),
            ),
          ),
        adverts: () => Promise.resolve([]),
      },
      engine: {
        routers: () => [],
        nodes: () =>
          (["lb1", "lb2"] as const).map((node) => ({
            cluster: "default",
            node,
            lastSeenTs: at(300),
            sources: [],
            version: null,
            startedTs: null,
            timeZone: null,
            stoppedTs: null,
            clock: node === "lb2" ? { offsetUs, boundUs: 100, reference: null, ts: at(0) } : null,
          })),
        corrected: (event) => (event.node === "lb2" ? { ...event, ts: event.ts + offsetUs } : event),
      },
    },
    at(300),
  );

describe("the context of an incident", () => {
  test("is what both nodes said from a minute before it to a minute after it, in order", async () => {
    const { nodes, windows, events } = (await server.json(path("/context"))) as IncidentContext;
    expect(nodes).toEqual(["lb1", "lb2"]);
    expect(windows).toEqual([{ from: incident.start - 60_000_000, to: (incident.end ?? 0) + 60_000_000 }]);
    const times = events.map(({ at: ts }) => ts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(events.map(({ node }) => node))).toEqual(new Set(["lb1", "lb2"]));
    expect(events.some(({ kind }) => kind === "collector.heartbeat")).toBe(false);
    expect(events.every(({ at: ts }) => ts >= incident.start - 60_000_000)).toBe(true);
  });

  test("of one that lasts for hours is a minute around its begin and one around its end", () => {
    const long = { ...incident, start: at(0), end: at(7200) };
    expect(windowsOf(long, at(9000))).toEqual([
      { from: at(-60), to: at(60) },
      { from: at(7140), to: at(7260) },
    ]);
    expect(windowsOf({ ...long, end: null }, at(9000))).toEqual([{ from: at(-60), to: at(60) }]);
  });

  test("has what changed in the ten minutes before", async () => {
    const { changes } = (await server.json(path("/context"))) as IncidentContext;
    expect(changes.map(({ node, kind }) => `${node} ${kind}`)).toContain("lb1 daemon.reloading");
  });

  test("puts a node whose clock is off by an hour beside the other", async () => {
    const events = scenario(`at 120 lb1 log MASTER\n at 121 lb2 log MASTER`).map((event) =>
      event.node === "lb2" ? { ...event, ts: event.ts - 3_600_000_000 } : event,
    );
    const { events: shown } = await told(events, 3_600_000_000);
    expect(shown.map(({ node, at: ts }) => [node, ts])).toEqual([
      ["lb1", at(120)],
      ["lb2", at(121)],
    ]);
  });

  test("counts a configuration that is told again as no change, and one that differs as one", async () => {
    const configs = scenario("at 0 lb1 config\n at 60 lb1 config\n at 90 lb1 config");
    const changed = configs.map((event, i) =>
      event.kind === "config.loaded" && i === 2
        ? { ...event, files: event.files.map((file) => ({ ...file, sha256: "1".repeat(64) })) }
        : event,
    );
    expect((await told(changed)).changes.map(({ at: ts }) => ts)).toEqual([at(90)]);
  });
});

describe("the post-mortem", () => {
  test("is Markdown for who asks so, by its name or by its type", async () => {
    const byName = await server.get(path(".md"));
    expect(byName.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
    expect(byName.headers.get("content-disposition")).toMatch(/attachment; filename="split-brain-[0-9a-f]{8}\.md"/);
    const byType = await server.get(path(""), { headers: { accept: "text/markdown" } });
    expect(await byType.text()).toBe(await byName.text());
    expect((await server.get(path(""))).headers.get("content-type")).toMatch(/^application\/json/);
  });

  test("has all that is known in order, and room for what is not", async () => {
    const text = await (await server.get(path(".md"))).text();
    await expect(text.replaceAll(incident.id, "ID")).toMatchFileSnapshot("./post-mortem.md");
  });

  test("ends no table, fence or line, whatever a log line holds", async () => {
    const context = await told(scenario("at 120 lb1 log MASTER"));
    const hostile = context.events.map((event) => ({ ...event, text: HOSTILE }));
    const text = postMortem(
      { ...incident, evidence: incident.evidence.map((piece) => ({ ...piece, text: HOSTILE })) },
      { ...context, events: hostile },
      [],
    );
    expect(text).not.toContain("\u202E");
    expect(text).not.toMatch(/^\| # </m);
    expect(text).toContain("\n````text\n");
    expect(text).toContain("\\<script\\>");
  });
});

describe("the documents", () => {
  test("JSON has the incident, its context and who was told", async () => {
    const { incident: own, context, deliveries } = (await server.json(path(".json"))) as IncidentDocument;
    expect(own).toEqual(incident);
    expect(context.nodes).toEqual(["lb1", "lb2"]);
    expect(deliveries).toEqual([]);
  });

  test("the capture has the adverts at their times, and every log line once as a comment", async () => {
    const response = await server.get(path(".pcapng"));
    expect(response.headers.get("content-type")).toBe("application/vnd.tcpdump.pcap");
    const bytes = Buffer.from(await response.arrayBuffer());
    const parser = createPcapParser();
    const packets = parser.push(bytes);
    expect(parser.end()).toBeUndefined();
    expect(packets.map(({ tsUs, linkType, interfaceName }) => [tsUs, linkType, interfaceName])).toEqual(
      [120.5, 121.5, 124, 125].map((second) => [at(second), 101, "lb2/eth0"]),
    );
    for (const line of ["Entering MASTER STATE", "Entering BACKUP STATE"])
      expect(bytes.toString("latin1").split(line).length, line).toBe(2);
  });

  test("without an advert each line has a packet of its own", () => {
    const line = {
      eventId: "",
      node: "lb1",
      source: "log",
      ts: at(5),
      text: "a line",
      kind: "vrrp.state",
      at: at(5),
    } as const;
    const parser = createPcapParser();
    const packets = parser.push(captureOf(incident, [], [line]));
    expect(parser.end()).toBeUndefined();
    expect(packets.map(({ tsUs, from, to }) => [tsUs, to - from])).toEqual([[at(5), 0]]);
  });

  const TSHARK = "/usr/bin/tshark";
  test.skipIf(!existsSync(TSHARK))("Wireshark opens it, finds no fault, and shows the log lines", async () => {
    const name = join(folder, "incident.pcapng");
    writeFileSync(name, Buffer.from(await (await server.get(path(".pcapng"))).arrayBuffer()));
    const fields = ["ip.src", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.checksum.status", "_ws.expert", "frame.comment"];
    const text = execFileSync(TSHARK, ["-r", name, "-T", "fields", ...fields.flatMap((field) => ["-e", field])], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const rows = text
      .trimEnd()
      .split("\n")
      .map((row) => row.split("\t"));
    expect(rows.map(([source, vrid, priority]) => [source, vrid, priority])).toEqual([
      ["10.99.0.11", "51", "150"],
      ["10.99.0.11", "51", "150"],
      ["10.99.0.12", "51", "100"],
      ["10.99.0.12", "51", "100"],
    ]);
    for (const row of rows) expect(row[3], "the checksum is right").toBe("1");
    const comments = rows.map((row) => row[5]).join("\n");
    expect(comments).toContain("lb2 log: ");
    expect(comments).toContain("Entering MASTER STATE");
  });

  test.each([".exe", ".md.json", "."])("nothing is at %s", async (suffix) => {
    expect((await server.get(path(suffix))).status).toBe(400);
  });
});
