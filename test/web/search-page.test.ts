import { describe, expect, test } from "vitest";
import { isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { HOSTILE } from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("the search", () => {
  const harness = new PageHarness();
  const rows = () => harness.page.locator(".found > li");
  const open = async (search = ""): Promise<void> => {
    await harness.page.goto(`${harness.url}search${search}`);
    await rows().first().waitFor();
  };

  test("shows the newest first, and older ones when asked", async () => {
    await open();
    expect(await rows().count()).toBe(2);
    await harness.page.getByText("The newest 2 events, newest first").waitFor();
    await harness.page.getByRole("button", { name: "Older ones" }).click();
    await expect.poll(() => rows().count()).toBe(4);
    const times = await rows().locator(".when").allTextContents();
    expect(times).toEqual([...times].sort().reverse());
    expect(harness.faults).toEqual([]);
  });

  test("asks for what the form says, and its address can be handed on", async () => {
    await open();
    await harness.page.getByLabel("Text").fill("Entering FAULT");
    await harness.page.getByLabel("Node").selectOption("lb1");
    await harness.page.getByLabel("Kind begins with").fill("vrrp.");
    await harness.page.getByLabel("Severity of a finding").selectOption("fatal");
    await harness.page.getByLabel("From").fill("2026-11-24T11:53:00");
    await harness.page.getByRole("button", { name: "Search", exact: true }).click();
    await harness.page.waitForURL(
      "**/search?text=Entering+FAULT&node=lb1&kind=vrrp.&severity=fatal&from=1795517580000000",
    );
    await expect
      .poll(() => harness.server.asked.some((path) => path.includes("text=Entering+FAULT&node=lb1&kind=vrrp.")))
      .toBe(true);
    await expect.poll(() => rows().count()).toBe(1);
    await harness.page.reload();
    await rows().first().waitFor();
    expect(await harness.page.getByLabel("Text").inputValue()).toBe("Entering FAULT");
    expect(await harness.page.getByLabel("From").inputValue()).toMatch(/^2026-11-24T11:53(:00)?$/);
    await harness.page.getByRole("button", { name: "Clear" }).click();
    await expect.poll(() => rows().count()).toBe(2);
  });

  test("says when nothing was found, and shows all fields of what was", async () => {
    await open("?text=wire.master-gone");
    await rows().first().locator("summary").click();
    await rows().first().getByText("lastAdvertTs").waitFor();
    await harness.page.goto(`${harness.url}search?text=nothing-like-it`);
    await harness.page.getByText("Nothing was found.").waitFor();
  });

  test("log text is text, whatever it says", async () => {
    await open("?text=onerror");
    await rows().locator("code").filter({ hasText: HOSTILE }).first().waitFor();
    expect(await harness.page.locator("#app img, #app script").count()).toBe(0);
  });

  test("has no barrier for anybody, and is no wider than a telephone", async () => {
    await open();
    expect(await harness.barriers()).toEqual([]);
    await harness.page.setViewportSize({ width: 390, height: 800 });
    await harness.expectNothingWider();
  });
});
