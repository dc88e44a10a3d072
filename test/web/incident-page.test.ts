import { describe, expect, test } from "vitest";
import type { IncidentContext } from "../../server/api/types.ts";
import { fresh, isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { at, context, HOSTILE, splitBrain } from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("the page of an incident", () => {
  const harness = new PageHarness();
  const open = async (): Promise<void> => {
    await harness.page.goto(`${harness.url}incidents/${splitBrain.id}`);
    await harness.page.locator(".logs tbody tr").first().waitFor();
  };
  const section = (title: string) => harness.page.getByRole("region", { name: title, exact: true }).first();

  test("says what it is, from when to when, why and on what evidence", async () => {
    await open();
    await harness.page.getByText(splitBrain.summary).waitFor();
    await harness.page.getByText("critical, confirmed").waitFor();
    await harness.page.getByText("2026-11-24 11:55:14.109312 UTC+01:00").waitFor();
    await harness.page
      .getByRole("definition")
      .filter({ hasText: splitBrain.cause?.text ?? "" })
      .waitFor();
    expect(await section("Evidence").locator("li").count()).toBe(splitBrain.evidence.length);
    await section("Who was told").getByText("the receiver answered 502", { exact: false }).waitFor();
    expect(harness.faults).toEqual([]);
  });

  test("has what changed before it", async () => {
    await open();
    await section("What changed in the ten minutes before").getByText("Keepalived[14]: Reloading ...").waitFor();
    harness.server.state = { ...fresh(), context: { ...context, changes: [] } };
    await open();
    await section("What changed in the ten minutes before").getByText("Nothing that was seen.").waitFor();
  });

  test("has both nodes' words beside each other, in order of time, the time of the incident shaded", async () => {
    await open();
    const rows = await harness.page.locator(".logs tbody tr").evaluateAll((all) =>
      all.map((row) => ({
        when: row.querySelector("th")?.textContent ?? "",
        nodes: [...row.querySelectorAll("td")]
          .filter((cell) => cell.textContent !== "")
          .map((cell) => cell.dataset["node"]),
        during: row.classList.contains("during"),
      })),
    );
    expect(rows.length).toBe(context.events.length);
    const times = rows.map(({ when }) => when);
    expect(times).toEqual([...times].sort());
    expect(new Set(rows.flatMap(({ nodes }) => nodes))).toEqual(new Set(["lb2"]));
    expect(rows.filter(({ during }) => during).length).toBe(
      context.events.filter(({ at: ts }) => ts >= splitBrain.start && ts <= (splitBrain.end ?? 0)).length,
    );
    await harness.page.getByLabel("log lines only").check();
    await expect
      .poll(() => harness.page.locator(".logs tbody tr").count())
      .toBe(context.events.filter(({ source }) => source === "log").length);
  });

  test("of thousands of words shows the nearest, and says of how many", async () => {
    const [one] = context.events;
    if (!one) throw new Error("no event");
    const many: IncidentContext = {
      ...context,
      events: Array.from({ length: 2_500 }, (_, i) => ({ ...one, eventId: String(i), at: at(100) + i * 20_000 })),
      truncated: true,
    };
    harness.server.state = { ...fresh(), context: many };
    await open();
    expect(await harness.page.locator(".logs tbody tr").count()).toBe(1_000);
    await harness.page.getByText("The 1000 nearest of more than 2500.").waitFor();
  });

  test("says where a clock was off, and shows the time by both", async () => {
    const events = context.events.map((event) => ({ ...event, correctedTs: event.at, ts: event.at - 5_000_000 }));
    const evidence = splitBrain.evidence.map((piece) => ({
      ...piece,
      correctedTs: piece.ts,
      ts: piece.ts - 5_000_000,
    }));
    harness.server.state = { ...fresh(), context: { ...context, events }, incidents: [{ ...splitBrain, evidence }] };
    await open();
    await harness.page.getByText("Times are put right where a node's clock was off.").waitFor();
    await section("Evidence").getByText("(11:55:09.109312 by its own clock)").waitFor();
  });

  test("offers the post-mortem, the capture and the document, and leads to the timeline", async () => {
    await open();
    for (const [name, extension] of [
      ["Post-mortem (Markdown)", "md"],
      ["JSON", "json"],
      ["Capture (pcapng)", "pcapng"],
    ] as const)
      expect(await harness.page.getByRole("link", { name }).getAttribute("href")).toBe(
        `/api/v1/incidents/${splitBrain.id}.${extension}`,
      );
    await harness.page.getByRole("link", { name: "On the timeline" }).click();
    await harness.page.locator('.lanes canvas[data-lanes="lb1,lb2"]').waitFor();
    expect(harness.page.url()).toContain(`incident=${splitBrain.id}`);
    expect(harness.page.url()).toMatch(/from=\d+&to=\d+/);
  });

  test("of an incident that is in no list any more is asked for, and of one that never was says so", async () => {
    harness.server.state = { ...fresh(), incidents: [] };
    await harness.page.goto(`${harness.url}incidents/${splitBrain.id}`);
    await harness.page.getByRole("alert").filter({ hasText: "Not found" }).waitFor();
  });

  test("log text is text, whatever it says", async () => {
    await open();
    await harness.page.locator(".logs code").filter({ hasText: HOSTILE }).first().waitFor();
    expect(await harness.page.locator("#app img, #app script").count()).toBe(0);
    expect(harness.faults).toEqual([]);
  });

  test("prints without what only a screen has, and all rows of it", async () => {
    await open();
    await harness.page.emulateMedia({ media: "print" });
    for (const hidden of ["nav", ".actions", ".choices", ".filter"])
      expect(await harness.page.locator(hidden).first().isVisible(), hidden).toBe(false);
    const box = await harness.page
      .locator(".scroll")
      .evaluate((element) => [element.scrollHeight, element.clientHeight]);
    expect(box[0]).toBe(box[1]);
  });

  test("on a telephone nothing is wider than the screen, and every line says whose it is", async () => {
    await harness.page.setViewportSize({ width: 390, height: 800 });
    await open();
    await harness.expectNothingWider();
    expect(
      await harness.page
        .locator(".logs td[data-node=lb2]")
        .first()
        .evaluate((cell) => getComputedStyle(cell, "::before").content),
    ).toContain("lb2");
  });

  test.each(["light", "dark"] as const)("has no barrier for anybody, %s", async (colorScheme) => {
    await harness.page.emulateMedia({ colorScheme });
    await open();
    expect(await harness.barriers()).toEqual([]);
    expect(harness.faults).toEqual([]);
  });

  test("the list finds incidents by a word and by their state", async () => {
    await harness.page.goto(`${harness.url}incidents`);
    const items = harness.page.locator(".incident-item");
    await items.first().waitFor();
    await harness.page.getByLabel("Filter").fill("split lb2 adverts-filtered");
    await expect.poll(() => items.count()).toBe(1);
    await harness.page.getByLabel("Status").selectOption("open");
    await harness.page.getByText("None was found.").waitFor();
    expect(await harness.barriers()).toEqual([]);
  });
});
