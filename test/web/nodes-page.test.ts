import { describe, expect, test } from "vitest";
import { fresh, isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { at, recorded } from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("the nodes and their configurations", () => {
  const harness = new PageHarness();
  const list = async (): Promise<void> => {
    await harness.page.goto(`${harness.url}nodes`);
    await harness.page.locator("li[data-node=lb1]").waitFor();
  };
  const open = async (): Promise<void> => {
    await harness.page.goto(`${harness.url}nodes?cluster=default&node=lb1`);
    await harness.page.locator(".code-line").first().waitFor();
    await harness.page.locator(".election").waitFor();
  };

  test("says of each collector its version and since when it runs, and a silent one is not shown as good", async () => {
    await list();
    const row = harness.page.locator("tr", { hasText: "lb2" });
    expect(await row.locator("td").allTextContents()).toEqual(expect.arrayContaining(["default", "0.1.0"]));
    await harness.page.locator("li[data-node=lb2]").getByText("clock 1.2 s fast (± 900 µs)").waitFor();
    harness.server.state = { ...fresh(), nodes: recorded.nodes.map((node) => ({ ...node, lastSeenTs: at(100) })) };
    await list();
    await expect.poll(() => harness.page.locator(".state.good").count()).toBe(0);
  });

  test("leads to a node's configuration: the links from the unit to the file that is read", async () => {
    await list();
    await harness.page.getByRole("link", { name: "lb1", exact: true }).first().click();
    await harness.page.waitForURL("**/nodes?cluster=default&node=lb1");
    const steps = harness.page.locator(".chain > li");
    await steps.first().waitFor();
    expect(await steps.evaluateAll((all) => all.map((one) => one.getAttribute("data-step")))).toEqual([
      "unit",
      "environment",
      "command",
      "configuration",
      "subsystems",
      "log",
    ]);
  });

  test("shows each finding under its line, no password, and text as text", async () => {
    await open();
    const line = harness.page.locator(".code-line", { hasText: "advert_intt 1" });
    await line.locator(".finding", { hasText: "advert_intt" }).waitFor();
    expect(await harness.page.locator(".code-line").nth(11).textContent()).toContain("auth_pass [redacted]");
    expect(await harness.page.content()).not.toContain("hunter22");
    await harness.page.getByText("<img src=x onerror=alert(1)>").waitFor();
    expect(await harness.page.locator("img").count()).toBe(0);
    expect(harness.faults).toEqual([]);
  });

  test("marks what differs between the nodes, and says who is master when what fails", async () => {
    await open();
    const row = (name: string) =>
      harness.page.locator(".drift tbody tr", { has: harness.page.getByText(name, { exact: true }) });
    expect(await row("advert_int").getAttribute("data-holds")).toBe("false");
    expect(await row("advert_int").locator("td").allTextContents()).toEqual(["1 s", "2 s", "must be equal"]);
    expect(await row("priority").getAttribute("data-holds")).toBe("true");
    const failed = harness.page.locator(".election tbody tr", { hasText: "script check_nginx on lb1" }).first();
    expect(await failed.locator("td").allTextContents()).toEqual(["lb2", "90", "100"]);
  });

  test("a configuration that cannot be read, or that nobody told of, is said", async () => {
    const { config } = fresh();
    const unreadable = { path: "/etc/keepalived/keepalived.conf", message: "no permission" };
    harness.server.state = { ...fresh(), config: { ...config, unreadable, files: [], findings: [] } };
    await harness.page.goto(`${harness.url}nodes?cluster=default&node=lb1`);
    await harness.page.getByText("/etc/keepalived/keepalived.conf cannot be read: no permission").waitFor();
    harness.server.state = { ...fresh(), config: { ...config, ts: null, chain: null, files: [], findings: [] } };
    await harness.page.reload();
    await harness.page.getByText("No collector has told of a configuration.").first().waitFor();
  });

  test.each(["light", "dark"] as const)("keeps nobody out, in %s", async (colorScheme) => {
    await harness.page.emulateMedia({ colorScheme });
    await list();
    expect(await harness.barriers()).toEqual([]);
    await open();
    expect(await harness.barriers()).toEqual([]);
    await harness.page.setViewportSize({ width: 360, height: 800 });
    await harness.expectNothingWider();
  });

  test("speaks Chinese", async () => {
    await open();
    await harness.page.getByRole("combobox", { name: "Language" }).selectOption("zh");
    await harness.page.getByText("何者故障时谁是 master").first().waitFor();
  });
});
