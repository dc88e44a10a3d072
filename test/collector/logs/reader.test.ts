import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJournalEntry } from "../../../collector/logs/journal.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";

const REFERENCE = 1_795_000_000_000_000;
const reader = () => createLogReader({ path: "messages", fingerprint: "f", zone: "UTC" });

describe("the log reader", () => {
  test("never throws and never drops a line that carries keepalived's tag", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (before, message) => {
        const line = `${before.replaceAll("\n", " ")} Keepalived_vrrp[7]: ${message.replaceAll("\n", " ")}`;
        expect(reader().read(line, { offset: 0 }, REFERENCE)).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  test("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void reader().read(bytes, { offset: 0 }, REFERENCE)),
      { numRuns: 500 },
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
      tsUncertaintyUs: 0,
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

  test("of another program is passed over", () => {
    expect(readJournalEntry(JSON.stringify({ ...entry, SYSLOG_IDENTIFIER: "sshd" }))).toBeUndefined();
  });

  test.each([
    ["text", "nonsense"],
    ["a number", "7"],
    ["an entry without a time", JSON.stringify({ ...entry, __REALTIME_TIMESTAMP: undefined })],
  ])("that is %s is a fault, not an exception", (_name, line) => {
    expect(readJournalEntry(line)).toHaveProperty("fault");
  });
});
