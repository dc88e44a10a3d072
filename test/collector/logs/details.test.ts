import fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_KINDS, eventFault, type EventBody } from "../../../collector/events/event.ts";
import { DETAILS } from "../../../collector/events/details.ts";
import { toEvent } from "../../../collector/events/observation.ts";
import { GrammarTable, takePrefixes } from "../../../collector/logs/grammar.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { readMessage } from "../../../collector/logs/reader.ts";

const fieldsOf = (message: string): Partial<Record<string, unknown>> => {
  const {
    kind: _kind,
    code: _code,
    message: _message,
    ...fields
  } = readMessage(message, "vrrp") as EventBody & {
    code?: string;
    message?: string;
  };
  return fields;
};

test.each([
  [
    "an errno and its words",
    "Locking pid file /run/k.pid error 11 - Busy",
    { path: "/run/k.pid", errno: 11, error: "Busy" },
  ],
  ["no errno", "Locking pid file /run/k.pid error 99999 - Busy", { path: "/run/k.pid", error: "Busy" }],
  ["no words", "Locking pid file /run/k.pid error 11 - ", { path: "/run/k.pid", errno: 11 }],
  ["an address with its prefix", "Restoring deleted static address 10.99.0.1/24 dev eth0", { address: "10.99.0.1" }],
  ["an address in another spelling", "Restoring deleted static address 2001:DB8:0::1", { address: "2001:db8::1" }],
  ["no address", "Restoring deleted static address none", {}],
  [
    "seconds",
    "Restart of vrrp process delayed 4 seconds to limit respawn rate",
    { daemon: "vrrp", delayUs: 4_000_000 },
  ],
  ["no seconds", "Restart of vrrp process delayed -4 seconds to limit respawn rate", { daemon: "vrrp" }],
  [
    "seconds with a fraction",
    "Stopped - used 1.000001 user time, 0.5 system time",
    { daemon: "vrrp", userUs: 1_000_001, systemUs: 500_000 },
  ],
  ["a name that is too long", `Delay timer for ${"e".repeat(300)} cancelled`, { interface: "e".repeat(255) }],
  ["what stands in front: an instance", "(VI_1) setting Virtual Routes", { instance: "VI_1", action: "setting" }],
  [
    "what stands in front: an interface",
    "(eth0): Configured linkbeat type MII not supported, using ETHTOOL",
    { interface: "eth0", value: "MII", used: "ETHTOOL" },
  ],
  ["what stands in front: a BFD session", "(bfd1) Error sending packet", { bfd: "bfd1" }],
  [
    "a field that is the row's own",
    "pid 20 exited due to signal 9 (Killed)",
    { childPid: 20, respawning: false, signal: 9, error: "Killed" },
  ],
])("%s: %j", (_what, message, fields) => {
  expect(fieldsOf(message)).toEqual(fields);
});

test("what a hole holds is asked of no row: what a message is counted as does not depend on it", () => {
  const table = new GrammarTable(allGrammars);
  const { words, context } = takePrefixes("Locking pid file /run/k.pid error 11 - Busy", "parent");
  const read = table.read(words, context);
  expect(read?.body).toMatchObject({ kind: "daemon.error", errno: 11 });
  expect(table.askedWords).toBe(false);
});

test("a detail means the same in every kind that has it", () => {
  const shared = Object.entries(EVENT_KINDS).flatMap(([kind, fields]) =>
    Object.entries(fields).flatMap(([field, schema]) =>
      Object.values(DETAILS).includes(schema as never) && (DETAILS as Record<string, unknown>)[field] !== schema
        ? [`${kind} ${field}`]
        : [],
    ),
  );
  expect(shared).toEqual([]);
});

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ minLength: 300, maxLength: 2000 }),
  fc.integer({ min: -5, max: 70_000 }).map(String),
  fc.constantFrom(
    "",
    " ",
    "-1",
    "0",
    "99999999999999999999",
    "1e9",
    "1.5",
    "[::1]:tcp:80",
    "FWM 7",
    "::",
    "/",
    "e",
    "6",
  ),
);

test("whatever the holes hold, it is an event the server accepts", () => {
  const templates = allGrammars.flatMap((row) => row.templates);
  const names = [...new Set(templates.flatMap((template) => template.match(/\{[^}]*\}/g) ?? []))];
  const naming = (name: string): string[] => templates.filter((template) => template.includes(name));
  fc.assert(
    fc.property(
      fc.constantFrom(...names).chain((name) => fc.constantFrom(...naming(name))),
      fc.array(hostile, { minLength: 10, maxLength: 10 }),
      fc.constantFrom("", "(VI_1) ", "(/etc/keepalived/keepalived.conf: Line 3) "),
      (template, values, prefix) => {
        let hole = 0;
        const message = prefix + template.replace(/\{[^}]*\}/g, () => values[hole++ % values.length] ?? "");
        const body = readMessage(message, "vrrp");
        const event = toEvent(
          { source: "log", ts: 1, tsUncertaintyUs: 1, idParts: ["f", 0], body },
          { cluster: "c", node: "n" },
          1,
        );
        expect({ fault: eventFault(event), message, body }).toEqual({ fault: undefined, message, body });
      },
    ),
    { numRuns: 5000 },
  );
});
