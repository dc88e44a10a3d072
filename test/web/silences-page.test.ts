import { describe, expect, test } from "vitest";
import { isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { NOW, router, splitBrain } from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("silences on the page", () => {
  const harness = new PageHarness();

  test("an incident is silenced from the keyboard alone, with who and why, and the silence is ended", async () => {
    const { page, server } = harness;
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    server.problems.set("POST silences", {
      type: "about:blank",
      title: "Not authorised",
      status: 401,
      detail: "a token is needed",
    });
    await page.goto(`${harness.url}incidents/${splitBrain.id}`);
    await page.getByText("Silence alerts …").focus();
    await press("Enter", "Tab", "Tab", "ArrowDown", "Tab");
    await page.keyboard.type("Kim");
    await press("Tab");
    await page.keyboard.type("the switch is being replaced");
    await press("Enter");
    await page.getByRole("alert").filter({ hasText: "Not authorised: a token is needed" }).waitFor();
    expect(await harness.barriers()).toEqual([]);
    server.problems.clear();
    await page.getByLabel("Token").focus();
    await page.keyboard.type("sesame");
    await press("Enter");
    await page.getByText("Silenced; the overview lists it.").waitFor();
    expect(server.changes.map(({ what, authorization }) => [what, authorization])).toEqual([
      ["POST silences", undefined],
      ["POST silences", "Bearer sesame"],
    ]);
    expect(JSON.parse(server.changes[1]?.body ?? "")).toEqual({
      matchers: [
        { label: "kind", operator: "=", value: "split-brain" },
        { label: "cluster", operator: "=", value: router.cluster },
        { label: "router", operator: "=", value: router.id },
      ],
      endsTs: NOW + 4 * 3_600_000_000,
      author: "Kim",
      reason: "the switch is being replaced",
    });

    await page.getByRole("link", { name: "Overview" }).click();
    const listed = page.getByRole("region", { name: "Silences" });
    await listed.getByText("the switch is being replaced").waitFor();
    expect(await harness.barriers()).toEqual([]);
    await listed.getByRole("button", { name: /^End the silence of Kim/ }).focus();
    await press("Enter");
    await listed.getByText("Nothing is silenced.").waitFor();
    expect(server.changes.at(-1)).toMatchObject({
      what: `DELETE silences/${"5".repeat(32)}`,
      authorization: "Bearer sesame",
    });
    // The browser itself notes the refused request.
    expect(harness.faults.filter((fault) => !fault.includes("401"))).toEqual([]);
  });

  test("a node is silenced from the overview", async () => {
    const { page, server } = harness;
    await page.goto(harness.url);
    const silences = page.getByRole("region", { name: "Silences" });
    await silences.getByText("Silence alerts …").click();
    await silences.getByLabel("What").selectOption("node lb2 of default");
    await silences.getByLabel("For").selectOption("7 days");
    await silences.getByLabel("Your name").fill("Kim");
    await silences.getByLabel("Reason").fill("new memory");
    await silences.getByRole("button", { name: "Silence", exact: true }).click();
    await silences.getByText("cluster = default, node = lb2").waitFor();
    expect(JSON.parse(server.changes[0]?.body ?? "")).toMatchObject({ endsTs: NOW + 168 * 3_600_000_000 });
    expect(harness.faults).toEqual([]);
  });
});
