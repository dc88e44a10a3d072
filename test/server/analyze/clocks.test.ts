import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readInputs } from "../../../collector/offline/inputs.ts";
import type { Event } from "../../../collector/events/event.ts";
import { analyze } from "../../../server/analyze/analyze.ts";
import { clocksOfCaptures } from "../../../server/detect/capture-clocks.ts";

const S = 1_000_000;
const recording = join(import.meta.dirname, "../../../server/demo/recording");
const files = ["lb1", "lb2"].flatMap((node) =>
  readdirSync(join(recording, node)).map((name) => `${node}=${join(recording, node, name)}`),
);
const recorded = await readInputs(files, { cluster: "default", zone: "UTC", now: 1_796_000_000 * S });

/** The recording as it had been with another clock on one node. */
const shifted = (node: string, by: number): Event[] =>
  recorded.events.map((event) =>
    event.node === node ? { ...event, ts: event.ts + by, observedTs: event.ts + by } : event,
  );

const concluded = (events: readonly Event[]) =>
  analyze({ ...recorded, events: [...events] }, { adverts: false })
    .incidents.filter(({ kind }) => kind !== "blind-spot")
    .map(({ kind, certainty, severity, cause, start, end }) => ({
      what: `${kind} ${certainty} ${severity} ${cause?.code ?? ""}`,
      start,
      end,
    }));

describe("two recordings of one network", () => {
  const right = concluded(recorded.events);

  test("whose clocks agree are left as they are", () => {
    const clocks = clocksOfCaptures(recorded.events);
    expect(clocks.map(({ node }) => node)).toEqual(["lb2"]);
    expect(clocks[0]).toMatchObject({ kind: "collector.clock", reference: "lb1", boundUs: 5_000 });
    expect(Math.abs((clocks[0] as { offsetUs?: number }).offsetUs ?? S)).toBeLessThan(5_000);
    expect(right[0]?.what).toMatch(/^split-brain confirmed critical /);
  });

  test.each([7 * S, -40 * S, 3_600 * S])("whose clocks are %d µs apart show the same incidents", (by) => {
    const found = concluded(shifted("lb2", by));
    expect(found.map(({ what }) => what)).toEqual(right.map(({ what }) => what));
    for (const [index, { start, end }] of right.entries()) {
      expect(Math.abs((found[index]?.start ?? 0) - start)).toBeLessThanOrEqual(20_000);
      expect(Math.abs((found[index]?.end ?? 0) - (end ?? 0))).toBeLessThanOrEqual(20_000);
    }
  });

  test("say that a clock is off, and beside whose", () => {
    const { incidents } = analyze({ ...recorded, events: shifted("lb2", 7 * S) }, { adverts: false });
    expect(incidents.find(({ kind }) => kind === "blind-spot")).toMatchObject({
      cause: { code: "clock-off", text: "its clock is 7.0 s ahead of that of lb1" },
      subject: { nodes: ["lb2"], component: "clock" },
    });
  });

  test("show that a clock was set in between", () => {
    const adverts = recorded.events.filter((event) => event.node === "lb2" && event.kind === "wire.advert");
    const since = adverts[20]?.ts ?? 0;
    const events = recorded.events.map((event) =>
      event.node === "lb2" && event.ts >= since ? { ...event, ts: event.ts + 30 * S } : event,
    );
    const step = clocksOfCaptures(events).find((event) => "steppedUs" in event) as { steppedUs?: number; ts: number };
    expect(Math.abs((step.steppedUs ?? 0) - 30 * S)).toBeLessThan(10_000);
    expect(step.ts).toBeGreaterThanOrEqual(since + 30 * S);
  });

  test("without an identification, or of one node alone, tell nothing", () => {
    expect(clocksOfCaptures(recorded.events.filter(({ node }) => node === "lb1"))).toEqual([]);
    const without = recorded.events.map((event) =>
      event.kind === "wire.advert" ? (({ ipId: _ipId, ...rest }) => rest as Event)(event) : event,
    );
    expect(clocksOfCaptures(without)).toEqual([]);
  });
});
