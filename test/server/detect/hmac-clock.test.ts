import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

/** Both nodes' configurations with auth_hmac and a window of so many seconds. */
const pair = (text: string, windowSeconds: number | undefined): Event[] =>
  scenario(`at 0 lb1 config\n at 0 lb2 config\n ${text}\n watch lb1 lb2 to 500`).map((event) =>
    event.kind === "config.loaded" && windowSeconds !== undefined
      ? {
          ...event,
          instances: event.instances.map((own) => ({ ...own, hmacWindowUs: windowSeconds * 1_000_000 })),
        }
      : event,
  );

const found = (text: string, windowSeconds: number | undefined = 5) =>
  detectAll(pair(text, windowSeconds)).incidents.filter(({ kind }) => kind === "near-miss");

describe("the clocks of nodes with auth_hmac", () => {
  test("that use half of the window are a warning, until they do not", () => {
    const [incident, ...others] = found("at 10 lb1 clock 0\n at 11 lb2 clock 3\n at 300 lb2 clock 0");
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      severity: "warning",
      subject: { router: "default/ipv4/51", nodes: ["lb1", "lb2"], component: "auth_hmac" },
      cause: {
        code: "hmac-clock",
        text: "the clocks of lb1 and lb2 are 3.0 s apart, 60 % of the window of auth_hmac",
      },
    });
    expect(secondsOf(incident?.start ?? null)).toBeCloseTo(14, 1);
    // A clock that is never set goes back slowly: what happened first stays first.
    expect(secondsOf(incident?.end ?? null)).toBeCloseTo(303, 1);
    expect(incident?.summary).toContain("beyond the window they refuse each other's adverts, and both become master.");
  });

  test("that are further apart than it refuse each other", () => {
    expect(found("at 10 lb1 clock -3\n at 11 lb2 clock 3")[0]?.summary).toContain(
      ": the clocks of lb1 and lb2 are 6.0 s apart",
    );
    expect(found("at 10 lb1 clock -3\n at 11 lb2 clock 3")[0]?.summary).toContain(
      "; they refuse each other's adverts.",
    );
  });

  test("may both be wrong in the same way", () => {
    expect(found("at 10 lb1 clock 30\n at 10 lb2 clock 31")).toEqual([]);
  });

  test("do not matter without auth_hmac, nor within a wide window", () => {
    expect(found("at 10 lb1 clock 0\n at 11 lb2 clock 3", 60)).toEqual([]);
    const without = detectAll(pair("at 10 lb1 clock 0\n at 11 lb2 clock 3", undefined)).incidents;
    expect(without.filter(({ kind }) => kind === "near-miss")).toEqual([]);
  });
});
