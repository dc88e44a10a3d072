import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { nameReader } from "../../../server/intake/names.ts";
import { readJson } from "../../../server/otlp/json.ts";
import { RequestReader } from "../../../server/otlp/reader.ts";
import { Budget } from "../../../server/otlp/record.ts";
import { any, entries, type RecordJson, request, type RequestJson } from "./request.ts";

const ARRIVED = Date.UTC(2026, 10, 24, 12) * 1_000;
const SECOND = Date.UTC(2026, 10, 24, 10, 53, 23) * 1_000;
const ns = (us: number, more = "000"): string => `${us}${more}`;

function eventsOf(sent: RequestJson, zone = "UTC"): Event[] {
  const reader = new RequestReader({
    address: "192.0.2.9",
    zone,
    arrivedUs: ARRIVED,
    identify: nameReader([{ called: "ka-7f", node: "lb7", cluster: "edge" }], "default", "here"),
  });
  const events: Event[] = [];
  readJson(Buffer.from(JSON.stringify(sent)), new Budget(), (record, resource) => {
    const made = reader.read(record, resource);
    if (made) events.push(made.event);
  });
  return events;
}
const eventOf = (record: RecordJson, resource = {}, zone = "UTC"): Event | undefined =>
  eventsOf(request([record], resource), zone)[0];

const MASTER = "(VI_1) Entering MASTER STATE";
const CLASSIC = `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${MASTER}`;
const CURSOR = "s=b1;i=1;b=2;m=3;t=4;x=5";
const AT = SECOND + 123_456;

/** What each forwarder makes of the same line, by its own documentation. */
const FORWARDERS: readonly (readonly [name: string, record: RecordJson, resource: object, seen: Partial<Event>])[] = [
  [
    "the Collector's syslog receiver",
    {
      timeUnixNano: ns(AT, "789"),
      body: any(`<29>1 2026-11-24T10:53:23.123456Z lb1 Keepalived_vrrp 15 - - ${MASTER}`),
      attributes: entries({
        appname: "Keepalived_vrrp",
        hostname: "lb1",
        proc_id: "15",
        message: MASTER,
        priority: 29,
        facility: 3,
        version: 1,
      }),
    },
    {},
    { node: "lb1", pid: 15, ts: AT, tsUncertaintyUs: 1 },
  ],
  [
    "the Collector's journald receiver",
    {
      timeUnixNano: ns(AT),
      body: any({
        SYSLOG_IDENTIFIER: "Keepalived_vrrp",
        _HOSTNAME: "lb1",
        _PID: "15",
        MESSAGE: MASTER,
        PRIORITY: "6",
        __CURSOR: CURSOR,
        _TRANSPORT: "syslog",
      }),
    },
    {},
    { node: "lb1", pid: 15, ts: AT, tsUncertaintyUs: 1, at: `journal:${CURSOR}` },
  ],
  [
    "the Collector's filelog receiver",
    {
      observedTimeUnixNano: ns(ARRIVED - 1),
      body: any(CLASSIC),
      attributes: entries({ "log.file.name": "messages", "log.file.path": "/var/log/messages" }),
    },
    {},
    { node: "lb1", pid: 15, ts: SECOND, tsUncertaintyUs: 1_000_000 },
  ],
  [
    "the same, of keepalived's own log file",
    {
      observedTimeUnixNano: ns(ARRIVED),
      body: any(`Tue Nov 24 10:53:23.123456 2026: ${MASTER}`),
      attributes: entries({ "log.file.name": "keepalived_vrrp.log" }),
    },
    { "host.name": "lb1" },
    { node: "lb1", ts: AT, tsUncertaintyUs: 1 },
  ],
  [
    "Fluent Bit's tail without a parser, whose time is when it read the line",
    { timeUnixNano: ns(SECOND + 7_200_000_001), body: any({ log: CLASSIC }) },
    {},
    { node: "lb1", pid: 15, ts: SECOND, tsUncertaintyUs: 1_000_000 },
  ],
  [
    "Fluent Bit's syslog parser",
    {
      timeUnixNano: ns(SECOND),
      body: any({ pri: "29", host: "lb1", ident: "Keepalived_vrrp", pid: "15", message: MASTER }),
    },
    {},
    { node: "lb1", pid: 15, ts: SECOND, tsUncertaintyUs: 1_000_000 },
  ],
  [
    "Fluent Bit's systemd input, with its body by logs_body_key",
    {
      timeUnixNano: ns(AT),
      body: any(MASTER),
      attributes: entries({ SYSLOG_IDENTIFIER: "Keepalived_vrrp", _HOSTNAME: "lb1", _PID: "15" }),
    },
    {},
    { node: "lb1", pid: 15, ts: AT, tsUncertaintyUs: 1 },
  ],
  [
    "Vector's syslog source",
    {
      timeUnixNano: ns(SECOND + 123_000),
      body: any({ appname: "Keepalived_vrrp", hostname: "lb1", procid: 15, message: MASTER, source_ip: "192.0.2.1" }),
    },
    {},
    { node: "lb1", pid: 15, ts: SECOND + 123_000, tsUncertaintyUs: 1_000 },
  ],
  [
    "who names the service alone",
    { timeUnixNano: ns(AT), body: any(MASTER) },
    { "service.name": "keepalived", "host.name": "lb1" },
    { node: "lb1", ts: AT },
  ],
  [
    "the journal's bytes",
    {
      body: any({
        SYSLOG_IDENTIFIER: "Keepalived_vrrp",
        _HOSTNAME: "lb1",
        MESSAGE: [...Buffer.from(MASTER)],
        __REALTIME_TIMESTAMP: String(AT),
      }),
    },
    {},
    { node: "lb1", ts: AT, tsUncertaintyUs: 1 },
  ],
];

test.each(FORWARDERS)("a record of %s is the event", (_name, record, resource, seen) => {
  expect(eventOf(record, resource)).toMatchObject({ kind: "vrrp.state", state: "MASTER", instance: "VI_1", ...seen });
});

describe("what is not keepalived's", () => {
  test.each<[string, RecordJson, object?]>([
    ["another program's", { body: any(MASTER), attributes: entries({ appname: "cron", message: MASTER }) }],
    [
      "the service manager's word on it",
      { body: any({ SYSLOG_IDENTIFIER: "systemd", MESSAGE: "Started keepalived.service" }) },
    ],
    ["another line of the file", { body: any("Nov 24 10:53:23 lb1 cron[15]: x") }],
    ["another service's", { body: any(MASTER) }, { "service.name": "nginx" }],
    ["nothing", {}],
    ["an empty line of its own file", { body: any(" "), attributes: entries({ "log.file.name": "keepalived.log" }) }],
  ])("is passed over: %s", (_name, record, resource = {}) => {
    expect(eventOf(record, resource)).toBeUndefined();
  });

  test("but what is and says what nobody knows is kept", () => {
    expect(eventOf({ body: any("x y z"), timeUnixNano: ns(AT) }, { "service.name": "keepalived" })).toMatchObject({
      kind: "log.unrecognised",
      raw: "x y z",
    });
  });
});

describe("whose it is", () => {
  const record = (hostname?: string): RecordJson => ({
    body: any(CLASSIC.replace("lb1", "line")),
    ...(hostname === undefined ? {} : { attributes: entries({ hostname }) }),
  });
  test.each<[string, RecordJson, object, string]>([
    ["the resource's host, first of all", record("attribute"), { "host.name": "resource" }, "resource"],
    ["the record's", record("attribute"), {}, "attribute"],
    ["the line's", record(), {}, "line"],
    ["not one that says nothing", record("localhost"), { "host.name": "localhost" }, "line"],
    ["else who sends it", { body: any(MASTER), attributes: entries({ ident: "Keepalived_vrrp" }) }, {}, "192.0.2.9"],
    ["as it is configured", record(), { "host.name": "KA-7f" }, "lb7"],
  ])("says %s", (_name, sent, resource, node) => {
    expect(eventOf(sent, resource)?.node).toBe(node);
  });
});

describe("when it was", () => {
  test.each<[string, Partial<RecordJson>, string, number, number]>([
    ["by the line, in the zone that is configured", {}, "+02:00", SECOND - 7_200_000_000, 1_000_000],
    [
      "by who read the line and knew its zone",
      { timeUnixNano: ns(SECOND - 3_600_000_000) },
      "UTC",
      SECOND - 3_600_000_000,
      1_000_000,
    ],
    [
      "by the line, where the time is when it was read",
      { timeUnixNano: ns(SECOND + 250_000) },
      "UTC",
      SECOND,
      1_000_000,
    ],
  ])("is told %s", (_name, more, zone, ts, tsUncertaintyUs) => {
    expect(eventOf({ body: any(CLASSIC), ...more }, {}, zone)).toMatchObject({ ts, tsUncertaintyUs });
  });

  test("has its year from the record's time, else from when it was seen, else from when it came", () => {
    const year = (more: Partial<RecordJson>): number =>
      new Date((eventOf({ body: any(CLASSIC), ...more })?.ts ?? 0) / 1_000).getUTCFullYear();
    const in2024 = ns(Date.UTC(2024, 11, 24) * 1_000);
    expect([
      year({}),
      year({ observedTimeUnixNano: in2024 }),
      year({ timeUnixNano: in2024, observedTimeUnixNano: ns(ARRIVED) }),
    ]).toEqual([2026, 2024, 2024]);
  });

  test("is known to an hour when nobody says but who saw it, and never out of all bounds", () => {
    const bare = { body: any(MASTER), attributes: entries({ appname: "Keepalived_vrrp" }) };
    const HOUR = 3_600_000_000;
    expect(eventOf({ ...bare, observedTimeUnixNano: ns(AT) })).toMatchObject({ ts: AT, tsUncertaintyUs: HOUR });
    expect(eventOf(bare)).toMatchObject({ ts: ARRIVED, tsUncertaintyUs: HOUR });
    expect(eventOf({ ...bare, timeUnixNano: "18446744073709551615" })).toMatchObject({ ts: ARRIVED });
  });
});

describe("an id", () => {
  const ids = (sent: RequestJson): string[] => eventsOf(sent).map(({ id }) => id);
  const arp: RecordJson = {
    timeUnixNano: ns(AT),
    observedTimeUnixNano: ns(ARRIVED),
    body: any(CLASSIC.replace(MASTER, "Sending gratuitous ARP on eth0 for 10.0.0.1")),
  };

  test("is the same when a request is sent again, and one of each of several that are equal", () => {
    const first = ids(request([arp, arp, arp]));
    expect(new Set(first).size).toBe(3);
    expect(ids(request([arp, arp, arp]))).toEqual(first);
  });

  test("is another when it was seen at another time", () => {
    expect(ids(request([{ ...arp, observedTimeUnixNano: ns(ARRIVED + 1) }]))).not.toEqual(ids(request([arp])));
  });

  test("of the journal's entry is its cursor's, as the collector has it", () => {
    const entry = (more: object): RecordJson => ({
      body: any({ SYSLOG_IDENTIFIER: "Keepalived", _HOSTNAME: "lb1", MESSAGE: "x", __CURSOR: CURSOR }),
      ...more,
    });
    expect(ids(request([entry({ timeUnixNano: ns(AT) })]))).toEqual(
      ids(request([entry({ timeUnixNano: ns(AT), observedTimeUnixNano: ns(ARRIVED) })])),
    );
  });
});

test("a password that keepalived wrote goes neither into the event nor into its id", () => {
  const dump = (password: string): Event | undefined =>
    eventOf({ timeUnixNano: ns(AT), body: any(CLASSIC.replace(MASTER, `   Password = ${password}`)) });
  expect(JSON.stringify(dump("hunter22"))).not.toContain("hunter22");
  expect(dump("hunter22")?.id).toBe(dump("geheim99")?.id);
});

test("lines that were repeated say how often", () => {
  const line = (text: string): RecordJson => ({
    body: any(`Nov 24 10:53:23 lb1 ${text}`),
    attributes: entries({ "log.file.path": "/var/log/messages" }),
  });
  const events = eventsOf(
    request([
      line(`Keepalived_vrrp[15]: ${MASTER}`),
      line("last message repeated 2 times"),
      line(`Keepalived_vrrp[15]: message repeated 4 times: [ ${MASTER}]`),
    ]),
  );
  expect(events.map(({ repeated }) => repeated)).toEqual([undefined, 2, 4]);
});

test("a line that is too long is cut, and counted", () => {
  const reader = new RequestReader({
    address: "::1",
    zone: "UTC",
    arrivedUs: ARRIVED,
    identify: nameReader([], "default", "here"),
  });
  const long = reader.read(
    { timeNs: 0n, observedNs: 0n, body: `${CLASSIC}${"x".repeat(100_000)}`, attributes: new Map() },
    new Map(),
  );
  expect(long).toMatchObject({ isCut: true, event: { node: "lb1", rawTruncated: true } });
});
