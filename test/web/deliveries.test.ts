import { describe, expect, test } from "vitest";
import { isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { delivery, splitBrain } from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("the delivery log", () => {
  const harness = new PageHarness();

  test.each([
    ["en", /^Send again: /, "It is being sent to", "failed after 1 attempt: 404 Not Found"],
    ["zh", /^重新发送：/, "正在发送给", "失败，尝试 1 次：404 Not Found"],
  ])("a delivery is sent again by who may, and what came of it is said: %s", async (language, button, begun, ended) => {
    const { page, server } = harness;
    await page.addInitScript((chosen) => localStorage.setItem("keepwatch.language", chosen), language);
    const path = `deliveries/${delivery.id}/replay`;
    server.problems.set(`POST ${path}`, {
      type: "about:blank",
      title: "Not authorised",
      status: 401,
      detail: "a token",
    });
    await page.goto(`${harness.url}incidents/${splitBrain.id}`);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("alert").filter({ hasText: "Not authorised: a token" }).waitFor();
    expect(await harness.barriers()).toEqual([]);
    server.problems.clear();
    await page.getByLabel(language === "zh" ? "令牌" : "Token").fill("sesame");
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("status").filter({ hasText: begun }).waitFor();
    expect(server.changes.map(({ what, body, authorization }) => [what, body, authorization])).toEqual([
      [`POST ${path}`, "{}", undefined],
      [`POST ${path}`, "{}", "Bearer sesame"],
    ]);
    server.state.deliveries = server.state.deliveries.map((one) =>
      one.replayOf === undefined ? one : { ...one, status: "failed", attempts: 1, lastError: "404 Not Found" },
    );
    await page.getByRole("status").filter({ hasText: ended }).waitFor();
    expect(await page.locator(".deliveries > li").count()).toBe(2);
    expect(await harness.barriers()).toEqual([]);
  });
});
