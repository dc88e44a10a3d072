import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventFault, RAW_MAX_CHARS } from "../../../collector/events/event.ts";
import { type Observation, toEvent } from "../../../collector/events/observation.ts";
import { readExportedEntry, readJournalEntry } from "../../../collector/logs/journal.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { createLogReader, UNREADABLE_TIME_UNCERTAINTY_US } from "../../../collector/logs/reader.ts";

const REFERENCE = 1_795_000_000_000_000;
const reader = (path = "messages", zone = "UTC") => createLogReader({ path, fingerprint: "f", zone });
const readOne = (line: string | Uint8Array): Observation | undefined => reader().read(line, { offset: 0 }, REFERENCE);
const asEvent = (seen: Observation) => toEvent(seen, { cluster: "c", node: seen.host ?? "n" }, seen.ts);

/** What a hostile writer would send: pieces of real messages, numbers out of range, control characters, emoji. */
const fragment = fc.oneof(
  fc.constantFrom(...new Set(allGrammars.flatMap((row) => row.samples))),
  fc.constantFrom(...new Set(allGrammars.flatMap((row) => row.templates.flatMap((t) => t.split(/\{[^}]*\}/))))),
  fc.constantFrom(
    "(VI_1) ",
    "VRRP_Instance(VI_1) ",
    "(/etc/a.conf: Line 7) ",
    "(Line 99999999999) ",
    "message repeated 3 times: [ ",
  ),
  fc.constantFrom(
    "99999999999999999999",
    "-1",
    "1e400",
    "256",
    "0",
    "10.0.0.1",
    "fe80::1",
    "::ffff:1.2.3.4",
    "\u0000",
    "\ud83d",
    "\ud83d\ude00",
    "\u001b[31m",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const hostileMessage = fc.array(fragment, { maxLength: 5 }).map((parts) => parts.join(""));
const tag = fc.constantFrom(
  "Keepalived[13]",
  "Keepalived_vrrp[15]",
  "Keepalived_vrrp",
  "Keepalived_bfd_ns_i[4294967296]",
  "keepalived[1]",
);
const stamp = fc.constantFrom(
  "Nov 24 10:53:23 lb1 ",
  "2026-11-24T10:53:23.123456+00:00 lb1 ",
  "Xov 99 lb1 ",
  "<30>Nov  4 10:53:23 lb1 ",
);

describe("the log reader", () => {
  test("never drops a line that carries keepalived's tag", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), hostileMessage, (before, message) => {
        const line = `${before.replaceAll("\n", " ")} Keepalived_vrrp[7]: ${message}`;
        expect(readOne(line)).toBeDefined();
        expect(readOne(Buffer.from(line))).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readOne(bytes)),
      { numRuns: 500 },
    );
  });

  test("makes of any line an event the server accepts", () => {
    fc.assert(
      fc.property(stamp, tag, hostileMessage, (before, program, message) => {
        const seen = readOne(Buffer.from(`${before}${program}: ${message}`));
        const event = seen && asEvent(seen);
        if (event) expect({ fault: eventFault(event), event }).toEqual({ fault: undefined, event });
        expect(JSON.stringify(event ?? "")).not.toMatch(/\\ud[89a-f]/);
      }),
      { numRuns: 3000 },
    );
  });

  test("gives a line the same id whenever it is read, and another line another", () => {
    const line = "Nov 24 10:53:23 lb1 Keepalived[13]: Stopping";
    const [once, again, elsewhere] = [
      reader().read(line, { offset: 9 }, REFERENCE),
      reader().read(line, { offset: 9 }, REFERENCE + 5),
      reader().read(line, { offset: 10 }, REFERENCE),
    ];
    expect(again?.idParts).toEqual(once?.idParts);
    expect(elsewhere?.idParts).not.toEqual(once?.idParts);
  });

  test("says where a line stands: by its number when that is known, by its byte when not", () => {
    const line = "Nov 24 10:53:23 lb1 Keepalived[13]: Stopping";
    expect(reader("a.log").read(line, { offset: 9, lineNumber: 2 }, REFERENCE)?.at).toBe("a.log:2");
    expect(reader("a.log").read(line, { offset: 9 }, REFERENCE)?.at).toBe("a.log@9");
  });

  test("counts what is keepalived's, what is not recognised and what is damaged", () => {
    const r = reader();
    for (const line of [
      "Nov 24 10:53:23 lb1 cron[1]: x",
      "Nov 24 10:53:23 lb1 Keepalived[13]: Stopping",
      "Nov 24 10:53:23 lb1 Keepalived[13]: gibberish",
      "xx Keepalived[13]: Stopping",
    ])
      r.read(line, { offset: 0 }, REFERENCE);
    expect(r.counts()).toEqual({ lines: 4, keepalivedLines: 3, unrecognised: 2, malformed: 1 });
  });

  test.each([
    ["speaks of keepalived", "Nov 24 10:53:23 lb1 systemd[1]: Started keepalived.service - Keepalive Daemon."],
    ["is of a program with a similar name", "Nov 24 10:53:23 lb1 keepalived-exporter[7]: Stopping"],
    [
      "is the end of a repetition whose beginning may be anybody's",
      "Nov 24 10:53:23 lb1 last message repeated 3 times",
    ],
    ["has the time of keepalived's console, and no colon", "Tue Mar  5 10:00:00 2024 something of keepalived"],
    ["is empty", ""],
  ])("passes over a line that %s", (_name, line) => {
    expect(readOne(line)).toBeUndefined();
  });

  test("gives a line without a readable time the time of the line before, and says how little that is worth", () => {
    const r = reader();
    const before = r.read("Nov 24 10:53:23 lb1 Keepalived[13]: Stopping", { offset: 0 }, REFERENCE);
    expect(r.read("xx Keepalived[13]: Stopping", { offset: 50 }, REFERENCE)).toMatchObject({
      ts: before?.ts,
      tsUncertaintyUs: UNREADABLE_TIME_UNCERTAINTY_US,
      pid: 13,
      body: { kind: "log.unrecognised" },
    });
    expect(readOne("xx Keepalived[13]: Stopping")?.ts).toBe(REFERENCE);
  });

  test("reads on behind the hole that copytruncate leaves", () => {
    const line = "Nov 24 10:53:23 lb1 Keepalived[13]: Stopping";
    const expected = { raw: line, body: { kind: "daemon.stopping" } };
    expect(readOne(`${"\0".repeat(50_000)}${line}`)).toMatchObject(expected);
    expect(readOne(Buffer.concat([Buffer.alloc(50_000), Buffer.from(line)]))).toMatchObject(expected);
  });

  test("keeps a line that is too long, cut at a whole character", () => {
    const seen = readOne(`Nov 24 10:53:23 lb1 Keepalived[13]:  ${"\u{1f600}".repeat(9000)}`);
    const event = seen && asEvent(seen);
    expect(event).toMatchObject({ kind: "log.notice", rawTruncated: true });
    expect(event?.raw?.length).toBe(RAW_MAX_CHARS - 1);
    expect(event?.raw?.endsWith("\u{1f600}")).toBe(true);
  });

  test("takes the sting out of control characters and keeps the rest", () => {
    expect(readOne("Nov 24 10:53:23 lb1 Keepalived[13]: a\u001b[31mb\u0000c\td\u0085e")?.raw).toBe(
      "Nov 24 10:53:23 lb1 Keepalived[13]: a\ufffd[31mb\ufffdc\td\ufffde",
    );
  });
});

describe("a password in the log", () => {
  test.each([
    ["of a dump", "   Password = s3cr3tpw"],
    ["of a dump, with blanks in it", "   Password = s3cr3tpw s3cr3tpw"],
    ["of a certificate", "  SSL password:s3cr3tpw"],
    ["in a quoted configuration line", '(Line 7) Unterminated quote: auth_pass "s3cr3tpw'],
    ["in a repeated line", "message repeated 2 times: [    Password = s3cr3tpw]"],
  ])("%s is nowhere in the observation", (_name, message) => {
    const line = `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${message}`;
    const entry = { __REALTIME_TIMESTAMP: "1", __CURSOR: "c", SYSLOG_IDENTIFIER: "Keepalived_vrrp", MESSAGE: message };
    for (const seen of [readOne(line), readOne(Buffer.from(line)), readJournalEntry(JSON.stringify(entry))]) {
      expect(JSON.stringify(seen)).toContain("<redacted>");
      expect(JSON.stringify(seen)).not.toContain("s3cr3tpw");
    }
  });

  test.each([
    "Truncating auth_pass to 8 characters",
    "(VI_1) received an invalid passwd!",
    "(VI_1) Authentication specified but no password given. Ignoring",
  ])("is not seen where there is none: %s", (message) => {
    const seen = readOne(`Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${message}`);
    expect(seen?.raw).toContain(message);
    expect(seen?.body.kind).not.toBe("log.unrecognised");
  });
});

describe("keepalived's own console and files", () => {
  const stopped = "Tue Mar  5 10:00:00.123456789 2024: Stopped - used 0.007168 user time, 0.000000 system time";

  test.each([
    ["/tmp/keepalived_vrrp.log", "vrrp"],
    ["/tmp/keepalived_check.log", "checker"],
    ["/tmp/keepalived_bfd_blue_one.log", "bfd"],
    ["/tmp/keepalived_vrrp.log.1", "vrrp"],
  ])("%s is written by the process its name says", (path, daemon) => {
    expect(reader(path).read(stopped, { offset: 0 }, REFERENCE)?.body).toMatchObject({
      kind: "daemon.stopped",
      daemon,
    });
  });

  test("a console that mixes all processes does not say whose end it is", () => {
    expect(reader("/tmp/console.log").read(stopped, { offset: 0 }, REFERENCE)).toMatchObject({
      ts: 1_709_632_800_123_456,
      tsUncertaintyUs: 1,
      body: { kind: "log.notice", code: "child-stopped" },
    });
  });
});

describe("a journal entry", () => {
  const entry = {
    __REALTIME_TIMESTAMP: "1795000000123456",
    __CURSOR: "s=1;i=2",
    _HOSTNAME: "lb1",
    SYSLOG_IDENTIFIER: "Keepalived_vrrp",
    _PID: "15",
    MESSAGE: "(VI_1) Entering MASTER STATE",
  };

  test("becomes an observation with the journal's own microseconds", () => {
    expect(readJournalEntry(JSON.stringify(entry))).toMatchObject({
      ts: 1795000000123456,
      tsUncertaintyUs: 1,
      idParts: ["journal", "s=1;i=2"],
      host: "lb1",
      pid: 15,
      body: { kind: "vrrp.state", instance: "VI_1", state: "MASTER" },
    });
  });

  test("may hold its message as bytes", () => {
    const bytes = [...Buffer.from(entry.MESSAGE)];
    expect(readJournalEntry(JSON.stringify({ ...entry, MESSAGE: bytes }))).toMatchObject({
      body: { kind: "vrrp.state" },
    });
  });

  test("whose message journalctl left out is kept", () => {
    expect(readJournalEntry(JSON.stringify({ ...entry, MESSAGE: null }))).toMatchObject({
      raw: "",
      body: { kind: "log.unrecognised" },
    });
  });

  test("of keepalived's console under a supervisor is read behind the console's own time", () => {
    const message = "Tue Mar  5 10:00:00 2024: (VI_1) Entering MASTER STATE";
    expect(
      readJournalEntry(JSON.stringify({ ...entry, SYSLOG_IDENTIFIER: "keepalived", MESSAGE: message })),
    ).toMatchObject({
      ts: 1795000000123456,
      body: { kind: "vrrp.state", instance: "VI_1", state: "MASTER" },
    });
  });

  test("of another program is passed over", () => {
    expect(readJournalEntry(JSON.stringify({ ...entry, SYSLOG_IDENTIFIER: "sshd" }))).toBeUndefined();
  });

  test.each([
    ["text", "nonsense"],
    ["a number", "7"],
    ["an entry without a time", JSON.stringify({ ...entry, __REALTIME_TIMESTAMP: undefined })],
    ["an entry with a time that is none", JSON.stringify({ ...entry, __REALTIME_TIMESTAMP: "" })],
    ["an entry without a cursor", JSON.stringify({ ...entry, __CURSOR: undefined })],
  ])("that is %s is a fault, not an exception", (_name, line) => {
    expect(readJournalEntry(line)).toHaveProperty("fault");
  });

  test("of an export without cursors is known again by what it says", () => {
    const line = (fields: object): string => JSON.stringify({ ...entry, __CURSOR: undefined, ...fields });
    const seen = readExportedEntry(line({}));
    expect(seen).toMatchObject({ ts: 1795000000123456, host: "lb1", body: { kind: "vrrp.state", state: "MASTER" } });
    expect(readExportedEntry(line({}))).toEqual(seen);
    for (const other of [{ _PID: "16" }, { MESSAGE: "x" }, { __REALTIME_TIMESTAMP: "1795000000123457" }])
      expect(readExportedEntry(line(other))).not.toMatchObject({ idParts: (seen as Observation).idParts });
    expect(readExportedEntry(JSON.stringify(entry))).toEqual(readJournalEntry(JSON.stringify(entry)));
  });

  test("of any shape never throws, and is an event the server accepts when it is one", () => {
    const value = fc.oneof(hostileMessage, fc.jsonValue(), fc.array(fc.integer({ min: -5, max: 300 })));
    fc.assert(
      fc.property(value, value, value, (message, pid, host) => {
        const seen = readJournalEntry(JSON.stringify({ ...entry, MESSAGE: message, _PID: pid, _HOSTNAME: host }));
        if (!seen || "fault" in seen) throw new Error("the entry is keepalived's and complete");
        const event = asEvent(seen);
        expect({ fault: eventFault(event), event }).toEqual({ fault: undefined, event });
      }),
      { numRuns: 1000 },
    );
  });
});
