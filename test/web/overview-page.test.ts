import { describe, expect, test } from "vitest";
import { eventId } from "../../collector/events/id.ts";
import type { Incident, RouterSummary, ServiceSummary, Severity } from "../../server/api/types.ts";
import { fresh, isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { at, NOW, recorded, router, splitBrain } from "../e2e/support/split-brain.ts";

const VIRTUAL_SERVER = "[10.99.0.100]:80";
const word = (node: string, state: "UP" | "DOWN", source: "log" | "check" = "check") => ({
  node,
  source,
  state,
  since: at(60),
});
const service: ServiceSummary = {
  cluster: "default",
  virtualServer: VIRTUAL_SERVER,
  routers: [router.id],
  words: [word("lb1", "UP", "log")],
  realServers: [
    { realServer: "[10.99.0.21]:80", words: [word("lb1", "DOWN"), word("lb2", "DOWN")] },
    { realServer: "[10.99.0.22]:80", words: [word("lb1", "UP"), word("lb2", "UP")] },
    { realServer: "[10.99.0.23]:80", words: [word("lb1", "UP"), word("lb2", "DOWN")] },
    { realServer: "[10.99.0.24]:80", words: [] },
  ],
};

describe.skipIf(isMissing)("the overview", () => {
  const harness = new PageHarness();
  const open = async (): Promise<void> => {
    await harness.page.goto(harness.url);
    await harness.page.locator(".router").first().waitFor();
  };
  const byKind = (severity: Severity, n: number): Incident => ({
    ...splitBrain,
    id: eventId(severity, n),
    severity,
    status: "open",
    end: null,
  });

  test("says who is master since when, who was, and how that ended", async () => {
    await open();
    await harness.page.getByText("lb1 is master", { exact: true }).waitFor();
    await harness.page.getByText("since 2026-11-24 11:54:02, for 1 min 58 s").waitFor();
    await harness.page.getByText("before: lb2 until 2026-11-24 11:55:22 (gave way to a better node)").waitFor();
    expect(await harness.page.locator("[data-redundancy]").getAttribute("data-redundancy")).toBe("ready");
    await harness.page.getByText("lb2 BACKUP: could take over").waitFor();
    expect(harness.faults).toEqual([]);
  });

  test("says what each node's collector cannot read and why, and how its clock is", async () => {
    await open();
    await harness.page.getByText("ip is not installed: install iproute2").waitFor();
    expect(await harness.page.locator("li[data-node=lb1]").getAttribute("data-watch")).toBe("watched");
    expect(await harness.page.locator("li[data-node=lb2]").getAttribute("data-watch")).toBe("partial");
    await harness.page.locator("li[data-node=lb1]").getByText("clock right within 792 µs").waitFor();
    await harness.page.locator("li[data-node=lb2]").getByText("clock 1.2 s fast (± 900 µs)").waitFor();
  });

  test("a router of which nobody is heard any more is not shown as good", async () => {
    harness.server.state = { ...fresh(), nodes: recorded.nodes.map((node) => ({ ...node, lastSeenTs: at(100) })) };
    await open();
    await harness.page.getByText("not watched now; last master lb1").waitFor();
    expect(await harness.page.locator("[data-redundancy]").getAttribute("data-redundancy")).toBe("unknown");
    expect(await harness.page.locator(".state.good").count()).toBe(0);
  });

  test.each([
    ["lost", "no backup", "bad"],
    ["single", "only one node known", "unknown"],
    ["unknown", "backup not known", "unknown"],
  ] as const)("a redundancy that is %s is not shown as good", async (redundancy, text, tone) => {
    harness.server.state = { ...fresh(), routers: [{ ...router, redundancy }] };
    await open();
    await harness.page.locator(`.router .state.${tone}`, { hasText: text }).waitFor();
  });

  test("counts the real servers by what is seen of them, and says who holds which for down", async () => {
    harness.server.state = { ...fresh(), servicesNow: [service] };
    await open();
    const sentence = "1 of 4 real servers up, 1 down, 1 by some up, by others down, 1 not known, has its quorum";
    await harness.page.locator(".router .state.bad", { hasText: sentence }).waitFor();
    const own = harness.page.locator(`[data-service="${VIRTUAL_SERVER}"]`);
    await own.locator("li", { hasText: "[10.99.0.21]:80" }).locator(".state.bad").waitFor();
    await own.locator("li", { hasText: "[10.99.0.23]:80" }).locator(".state.suspected").waitFor();
    await own.locator("li", { hasText: "[10.99.0.24]:80" }).locator(".state.unknown").waitFor();
    await own.getByText("lb2, own check: DOWN").first().waitFor();
  });

  test("open incidents are counted by severity, and lead to their page", async () => {
    const incidents = [byKind("critical", 1), byKind("warning", 2), byKind("warning", 3)];
    harness.server.state = {
      ...fresh(),
      incidents,
      routers: [{ ...router, openIncidents: incidents.map(({ id }) => id) }],
    };
    await open();
    const signs = harness.page.locator(".router-signs");
    await signs.getByText("2 open incidents, warning").waitFor();
    await signs.getByText("1 open incident, critical").click();
    await harness.page.waitForURL(`**/incidents/${incidents[0]?.id}`);
    await harness.page.goBack();
    await harness.page.locator(".router").first().waitFor();
  });

  test("of 255 routers those in trouble come first, and a word finds the others", async () => {
    const many = Array.from({ length: 255 }, (_, i): RouterSummary => {
      const vrid = i + 1;
      const id = `default/ipv4/${vrid}`;
      const masters = vrid === 200 ? ["lb1", "lb2"] : vrid === 77 ? [] : ["lb1"];
      const redundancy = vrid === 120 ? "lost" : "ready";
      return { ...router, id, vrid, vips: [`10.99.${vrid}.1`], masters, redundancy };
    });
    harness.server.state = { ...fresh(), routers: many };
    await open();
    const rows = harness.page.locator(".router");
    expect(await rows.count()).toBe(255);
    const first = await rows.evaluateAll((all) => all.slice(0, 4).map((row) => row.getAttribute("data-router")));
    expect(first).toEqual(["default/ipv4/200", "default/ipv4/77", "default/ipv4/120", "default/ipv4/1"]);
    await harness.page.getByText("3 with trouble").waitFor();
    await harness.page.getByText("252 well").waitFor();
    await harness.page.getByLabel("only those with trouble").check();
    await expect.poll(() => rows.count()).toBe(3);
    await harness.page.getByLabel("only those with trouble").uncheck();
    await harness.page.getByLabel("Filter").fill("vrid 201 lb2");
    await expect.poll(() => rows.count()).toBe(1);
    await harness.page.getByText("1 of 255").waitFor();
    await harness.page.getByLabel("Filter").fill("nobody");
    await harness.page.getByText("None matches.").waitFor();
  });

  test("what the server tells live changes the page without loading it again", async () => {
    harness.server.state = { ...fresh(), incidents: [] };
    await open();
    await harness.page.evaluate("window.notLoadedAgain = true");
    await harness.page.getByText("None is open.").waitFor();
    await expect.poll(() => harness.server.followers).toBe(1);
    const incident: Incident = { ...splitBrain, status: "open", end: null };
    harness.server.state = {
      ...fresh(),
      routers: [{ ...router, masters: ["lb1", "lb2"], since: splitBrain.start, openIncidents: [incident.id] }],
      incidents: [incident],
    };
    harness.server.tell({ type: "incident", incident });
    await harness.page.getByText("2 masters: lb1 and lb2").waitFor({ timeout: 3_000 });
    await harness.page.getByRole("link", { name: /split-brain/ }).waitFor();
    expect(await harness.page.evaluate("window.notLoadedAgain")).toBe(true);
    expect(harness.faults).toEqual([]);
  });

  test("a burst of live messages is answered with a few questions, not one each", async () => {
    await open();
    await expect.poll(() => harness.server.followers).toBe(1);
    const before = harness.server.asked.filter((path) => path === "routers").length;
    for (let i = 0; i < 200; i += 1) harness.server.tell({ type: "timeline", routers: [router.id], ts: NOW + i });
    harness.server.state = { ...fresh(), routers: [{ ...router, masters: ["lb2"] }] };
    harness.server.tell({ type: "timeline", routers: [router.id], ts: NOW + 200 });
    await harness.page.getByText("lb2 is master", { exact: true }).waitFor();
    expect(harness.server.asked.filter((path) => path === "routers").length - before).toBeLessThan(10);
  });

  test("the evidence's clock is the server's, also on a computer whose own is wrong", async () => {
    await harness.page.clock.setFixedTime((NOW - 600_000_000) / 1000);
    harness.server.state = { ...fresh(), nodes: recorded.nodes.map((node) => ({ ...node, lastSeenTs: at(100) })) };
    await open();
    await harness.page.getByText(/^This computer's clock is 10 min \d s behind the server's/).waitFor();
    await harness.page.getByText("not watched now; last master lb1").waitFor();
  });

  test("with nothing watched yet it says so, and what to do", async () => {
    harness.server.state = { ...fresh(), routers: [], nodes: [], incidents: [], lanes: [] };
    await harness.page.goto(harness.url);
    await harness.page.getByText("npm start -- --demo").waitFor();
    await harness.page.getByText("No collector has reported yet.", { exact: false }).first().waitFor();
  });

  test("a link of an older mail leads to the incident, and one to the timeline to the same timeline", async () => {
    const search = `?router=${encodeURIComponent(router.id)}&incident=${splitBrain.id}`;
    await harness.page.goto(`${harness.url}${search}`);
    await harness.page.waitForURL(`**/incidents/${splitBrain.id}`);
    await harness.page.goto(`${harness.url}${search}&from=${at(100)}&to=${at(180)}`);
    await harness.page.waitForURL(`**/timeline?router=*&from=${at(100)}&to=${at(180)}&incident=${splitBrain.id}`);
  });

  test("keys alone lead from the address to a router's timeline and back", async () => {
    await open();
    await harness.page.keyboard.press("Tab");
    expect(await harness.page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    await harness.page.keyboard.press("Enter");
    await harness.page.keyboard.press("Tab");
    expect(await harness.page.evaluate(() => document.activeElement?.textContent)).toBe("10.99.0.100");
    await harness.page.keyboard.press("Enter");
    await harness.page.getByRole("heading", { name: "Timeline of 10.99.0.100" }).waitFor();
    await harness.page.goBack();
    await harness.page.locator(".router").waitFor();
  });

  test("speaks Chinese to those who do, and remembers it", async () => {
    await open();
    await harness.page.getByLabel("Language").selectOption("zh");
    await harness.page.getByText("lb1 是主节点", { exact: true }).waitFor();
    await harness.page.reload();
    await harness.page.getByRole("heading", { name: "虚拟路由器" }).waitFor();
    expect(await harness.page.locator("html").getAttribute("lang")).toBe("zh-Hans");
  });

  test("on a telephone nothing is wider than the screen", async () => {
    await harness.page.setViewportSize({ width: 390, height: 800 });
    harness.server.state = { ...fresh(), servicesNow: [service] };
    await open();
    await harness.expectNothingWider();
  });

  test.each(["light", "dark"] as const)("has no barrier for anybody, %s", async (colorScheme) => {
    await harness.page.emulateMedia({ colorScheme });
    const incidents = [byKind("critical", 1), byKind("warning", 2), splitBrain];
    harness.server.state = {
      ...fresh(),
      incidents,
      servicesNow: [service],
      routers: [{ ...router, redundancy: "lost", openIncidents: incidents.map(({ id }) => id) }],
    };
    await open();
    await harness.page.locator(".incident-item").first().waitFor();
    expect(await harness.barriers()).toEqual([]);
    expect(harness.faults).toEqual([]);
  });
});
