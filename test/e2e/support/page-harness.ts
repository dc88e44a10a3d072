import { existsSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { builtPage, CHROMIUM, FLAGS, noteFaults } from "./browser.ts";
import { comparison, config } from "./configs.ts";
import { FixtureServer, type FixtureState } from "./fixture-server.ts";
import { NOW, recorded, router } from "./split-brain.ts";
import { sql, sqlTable } from "./sql.ts";

export const isMissing = !existsSync(CHROMIUM);
if (isMissing)
  process.stderr.write(`\nSKIPPED, the page's tests: ${CHROMIUM} is not installed (apt-get install chromium)\n\n`);

export const fresh = (): FixtureState => ({
  routers: [router],
  nodes: recorded.nodes,
  lanes: recorded.lanes,
  services: recorded.services,
  servicesNow: recorded.servicesNow,
  incidents: recorded.incidents,
  context: recorded.context,
  events: recorded.events,
  adverts: recorded.adverts,
  buckets: recorded.buckets,
  ticks: recorded.ticks,
  markers: recorded.markers,
  deliveries: recorded.deliveries,
  silences: [],
  config,
  comparison,
  sql,
  sqlTable,
});

/** The built page in a real browser, on canned answers: every state of the server at will, and the clock stands still. */
export class PageHarness {
  server!: FixtureServer;
  context!: BrowserContext;
  page!: Page;
  url!: string;
  faults: string[] = [];
  private browser!: Browser;

  /** Within a `describe`. */
  constructor() {
    beforeAll(async () => {
      this.server = new FixtureServer(builtPage(), fresh(), () => NOW);
      this.url = await this.server.start();
      this.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    }, 90_000);
    afterAll(async () => {
      await this.browser?.close();
      await this.server?.stop();
    });
    beforeEach(async () => {
      this.server.state = fresh();
      this.server.problems.clear();
      this.server.changes.length = 0;
      this.faults = [];
      this.context = await this.browser.newContext({
        viewport: { width: 1400, height: 900 },
        timezoneId: "Europe/Berlin",
        locale: "en-GB",
      });
      this.page = await this.context.newPage();
      noteFaults(this.page, this.faults);
      await this.page.clock.setFixedTime(NOW / 1000);
    });
    afterEach(async () => {
      await this.context.close();
    });
  }

  /** What axe finds that keeps somebody from using the page; nothing for all of its rules up to WCAG 2.2 AA. */
  async barriers(): Promise<string[]> {
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    return violations
      .filter(
        ({ impact, tags }) =>
          impact === "serious" || impact === "critical" || tags.some((tag) => tag.startsWith("wcag")),
      )
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  }

  async expectNothingWider(): Promise<void> {
    const widths = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(widths[0]).toBe(widths[1]);
  }
}
