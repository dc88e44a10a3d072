import { existsSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventId } from "../../collector/events/id.ts";
import type { Incident } from "../../server/api/types.ts";
import { keepwatchBin, Running } from "../support/process.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const isMissing = !existsSync(CHROMIUM);
if (isMissing)
  process.stderr.write(`\nSKIPPED, the browser tests: ${CHROMIUM} is not installed (apt-get install chromium)\n\n`);

/** The real server, fed with the recorded incident as if live, and a real browser. */
describe.skipIf(isMissing)("the timeline in a browser", () => {
  let demo: Running;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let url: string;
  const faults: string[] = [];

  beforeAll(async () => {
    demo = new Running(process.execPath, [keepwatchBin, "up", "--demo", "--port", "0"]);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    url = (await demo.printed(/Timeline: (http:\S+)/))[1] ?? "";
    // axe wants a context of its own.
    context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("dialog", (dialog) => {
      faults.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
  }, 90_000);

  afterAll(async () => {
    await browser?.close();
    await demo?.end();
  });

  test("shows the split-brain begin and end without being loaded again", async () => {
    await page.evaluate("window.notLoadedAgain = true");
    await page.getByText("2 masters: lb1 and lb2").waitFor({ timeout: 60_000 });
    await page
      .getByRole("link", { name: /split-brain/ })
      .first()
      .waitFor();
    await page.getByText("lb1 is master", { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByText("None is open.").waitFor();
    expect(await page.evaluate("window.notLoadedAgain")).toBe(true);
  }, 130_000);

  test("has a lane for each node, on the canvas and in the table", async () => {
    await page.locator("a.vips").click();
    await page.locator('.lanes canvas[data-lanes="lb1,lb2"]').waitFor();
    await page.getByText("As a table").click();
    for (const node of ["lb1", "lb2"])
      for (const source of ["log", "wire"])
        await page.locator(`tr[data-node=${node}][data-source=${source}][data-state=MASTER]`).first().waitFor();
    expect(await page.locator("tr[data-incident=split-brain]").count()).toBe(1);
    await page.getByText("As a table").click();
  });

  test("a choice of the incident shows the lines that prove it, adverts, and a link that can be handed on", async () => {
    const id = ((await (await fetch(`${url}api/v1/incidents`)).json()) as Incident[])[0]?.id;
    await page.goto(`${page.url()}&incident=${id}`);
    const panel = page.getByLabel("Evidence", { exact: true });
    await panel.getByText(/lb1 and lb2 were both master of 10\.99\.0\.100/).waitFor();
    await panel
      .getByText(/lb2\/messages:\d+/)
      .first()
      .waitFor();
    await panel
      .getByText(/\(VI_1\) Entering MASTER STATE/)
      .first()
      .waitFor();
    await panel.getByText(/^Adverts around/).click();
    await panel.getByRole("cell", { name: "10.99.0.12" }).first().waitFor();
    expect(page.url()).toMatch(/incident=[0-9a-f]{32}/);
    expect(page.url()).toMatch(/from=\d+&to=\d+/);
  });

  test("the incident is a red band across the lanes", async () => {
    const redsOf = async () =>
      (await page.locator(".lanes canvas").evaluate((canvas: HTMLCanvasElement) => {
        const context = canvas.getContext("2d");
        if (!context) return [];
        const { width, height } = canvas;
        const middle = context.getImageData(Math.round(width * 0.52), 0, 1, height).data;
        const edge = context.getImageData(Math.round(width * 0.13), 0, 1, height).data;
        const red = (data: Uint8ClampedArray): number => {
          let count = 0;
          for (let i = 0; i < data.length; i += 4)
            if ((data[i + 3] ?? 0) > 20 && (data[i] ?? 0) > 150 && (data[i + 1] ?? 0) < 90 && (data[i + 2] ?? 0) < 90)
              count += 1;
          return count;
        };
        return [red(middle), red(edge)];
      })) as number[];
    // As soon as the answer is drawn.
    await expect.poll(async () => (await redsOf())[0], { timeout: 10_000 }).toBeGreaterThan(0);
    expect((await redsOf())[1]).toBe(0);
  });

  test("a click on a bar shows what it stands on", async () => {
    const canvas = page.locator(".lanes canvas");
    const box = await canvas.boundingBox();
    if (!box) throw new Error("the canvas is not on the page");
    const panel = page.getByLabel("Evidence", { exact: true });
    // Down through the middle of the incident until the pointer says that it is over the log's bar of the first lane.
    for (let y = 40; y < box.height; y += 6) {
      await canvas.click({ position: { x: box.width * 0.52, y } });
      if (await panel.getByRole("heading", { name: "lb1: MASTER" }).isVisible()) break;
    }
    await panel.getByRole("heading", { name: "lb1: MASTER" }).waitFor();
    await panel
      .getByText(/sends adverts of VRID 51 with priority 150|Entering MASTER STATE/)
      .first()
      .waitFor();
  });

  test("a permalink shows exactly what was seen", async () => {
    const again = await context.newPage();
    await again.goto(page.url());
    await again.locator('.lanes canvas[data-lanes="lb1,lb2"]').waitFor();
    expect(await again.locator(".range").textContent()).toBe(await page.locator(".range").textContent());
    await again.close();
  });

  test("keys zoom and move, and Live follows again", async () => {
    const range = page.locator(".range");
    const before = await range.textContent();
    await page.locator(".lanes canvas").focus();
    await page.keyboard.press("-");
    await expect.poll(() => range.textContent()).not.toBe(before);
    const wider = await range.textContent();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => range.textContent()).not.toBe(wider);
    await page.getByRole("button", { name: "Live" }).click();
    expect(await page.getByRole("button", { name: "Live" }).getAttribute("aria-pressed")).toBe("true");
    await expect.poll(() => page.url()).not.toContain("from=");
  });

  test("log text is text, whatever it says", async () => {
    const hostile = '<img src="x" onerror="alert(1)"><script>alert(2)</script>';
    const ts = Date.now() * 1000;
    const event = {
      id: eventId("hostile"),
      cluster: "demo",
      node: "<b>lb9</b>",
      source: "log",
      kind: "vrrp.state",
      instance: hostile,
      state: "MASTER",
      ts,
      tsUncertaintyUs: 0,
      observedTs: ts,
      raw: hostile,
    };
    const answer = await fetch(`${url}api/v1/ingest`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        version: 1,
        batchId: eventId("hostile batch"),
        cluster: "demo",
        node: "<b>lb9</b>",
        events: [event],
      }),
    });
    expect(answer.status).toBe(200);
    await page.goto(url);
    const hostileRouter = page.locator(".router").filter({ hasText: "<b>lb9</b> is master" });
    await hostileRouter.waitFor({ timeout: 15_000 });
    await hostileRouter.locator("a.vips").click();
    await page.getByText("As a table").click();
    await page.locator("tr[data-source=log] button").first().click();
    await page.getByLabel("Evidence", { exact: true }).getByText(hostile).first().waitFor();
    expect(await page.locator("#app img, #app script").count()).toBe(0);
  });

  test.each(["light", "dark"] as const)("has no serious barrier for anybody, %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(
      violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" ")}`),
    ).toEqual([]);
  });

  test("none of it broke a rule of the content security policy or raised an error", () => {
    expect(faults).toEqual([]);
  });
});
