import { describe, expect, test } from "vitest";
import type { Bar } from "../../server/api/types.ts";
import { fresh, isMissing, PageHarness } from "../e2e/support/page-harness.ts";
import { shadowEvents, shadowLanes } from "../e2e/support/shadow.ts";
import {
  at,
  checkEvents,
  HOSTILE,
  recorded,
  router,
  scriptFailed,
  servicesOfBackend,
  splitBrain,
} from "../e2e/support/split-brain.ts";

describe.skipIf(isMissing)("the timeline", () => {
  const harness = new PageHarness();

  const open = async (search = ""): Promise<void> => {
    await harness.page.goto(`${harness.url}timeline${search}`);
    await harness.page.locator('.lanes canvas[data-lanes="lb1,lb2"]').waitFor();
  };
  /** By a link to it. */
  const openIncident = async (): Promise<void> => {
    await open(`?router=${encodeURIComponent(router.id)}&incident=${splitBrain.id}`);
    await panel().getByRole("heading", { name: "split-brain" }).waitFor();
  };
  const panel = () => harness.page.getByLabel("Evidence", { exact: true });
  /** Where an instant stands on the canvas. */
  const xOf = async (us: number, from: number, to: number): Promise<number> => {
    const canvas = harness.page.locator(".lanes canvas");
    const left = Number(await canvas.getAttribute("data-left"));
    const right = Number(await canvas.getAttribute("data-right"));
    return left + ((us - from) / (to - from)) * (right - left);
  };
  /** Clicks down the canvas, where an instant stands, until the evidence has this heading. */
  const clickBar = async (us: number, from: number, to: number, heading: string): Promise<void> => {
    const canvas = harness.page.locator(".lanes canvas");
    const { height = 0 } = (await canvas.boundingBox()) ?? {};
    for (let y = 50; y < height; y += 6) {
      // The evidence makes the canvas narrower when it opens.
      await canvas.click({ position: { x: Math.floor(await xOf(us, from, to)), y } });
      if (await panel().getByRole("heading", { name: heading, exact: true }).isVisible()) return;
    }
    throw new Error(`no bar opens ${heading}`);
  };
  /** Pixels of a canvas column between two heights that are of a colour. */
  const countPixels = (x: number, is: "red" | "fault"): Promise<number> =>
    harness.page.locator(".lanes canvas").evaluate(
      (canvas: HTMLCanvasElement, [column, colour]: [number, string]) => {
        const scale = canvas.width / canvas.clientWidth;
        const data = canvas.getContext("2d")?.getImageData(Math.round(column * scale), 0, 1, canvas.height).data ?? [];
        let count = 0;
        for (let i = 0; i < data.length; i += 4) {
          const [r = 0, g = 0, b = 0, a = 0] = data.slice(i, i + 4);
          // The band is a veil of #c5221f, with its own edge on top; a fault is #b35900.
          const isRed = colour === "red" && a > 20 && r > 150 && g < 90 && b < 90;
          const isFault = colour === "fault" && a > 200 && r > 140 && g > 60 && g < 110 && b < 40;
          if (isRed || isFault) count += 1;
        }
        return count;
      },
      [x, is] as [number, string],
    );

  test("has a row in the table for every bar the canvas draws, by source", async () => {
    await open();
    await harness.page.getByText("As a table").click();
    for (const [node, source, state, count] of [
      ["lb1", "log", "FAULT", 1],
      ["lb1", "kernel", "MASTER", 2],
      ["lb2", "wire", "MASTER", 2],
      ["lb2", "log", "BACKUP", 3],
    ] as const)
      expect(
        await harness.page.locator(`tr[data-node=${node}][data-source=${source}][data-state=${state}]`).count(),
        `${node} ${source} ${state}`,
      ).toBe(count);
  });

  test("has the services behind the address, and of one that is down what its check found", async () => {
    const [from, to] = [at(40), at(80)];
    harness.server.state = { ...fresh(), services: servicesOfBackend, events: [...recorded.events, ...checkEvents] };
    await harness.page.goto(`${harness.url}timeline?from=${from}&to=${to}`);
    await harness.page.locator('.lanes canvas[data-lanes="lb1,lb2,[10.99.0.21]:80"]').waitFor();
    await harness.page.getByLabel("Legend").getByText("DOWN").waitFor();
    await clickBar(at(62), from, to, "[10.99.0.21]:80: DOWN");
    await panel().getByText("Says the collector's own check on lb1", { exact: false }).waitFor();
    await panel().getByText("HTTP check of [10.99.0.21]:80: down, digest", { exact: true }).waitFor();
    await harness.page.getByText("As a table").click();
    expect(await harness.page.locator('tr[data-service="[10.99.0.21]:80"][data-state=DOWN]').count()).toBe(1);
    expect(harness.faults).toEqual([]);
  });

  test("says what led up to a state, by the node's own words", async () => {
    const [from, to] = [at(40), at(80)];
    harness.server.state = { ...fresh(), events: [...recorded.events, scriptFailed] };
    await open(`?from=${from}&to=${to}`);
    await clickBar(at(55), from, to, "lb1: FAULT");
    await panel().getByRole("heading", { name: "Before it, on lb1" }).waitFor();
    await panel().locator(".before code").filter({ hasText: "Script `chk_nginx` now returning 1" }).waitFor();
  });

  test("draws the split-brain as a red band where it was, and nowhere else", async () => {
    const [from, to] = [at(100), at(180)];
    await open(`?from=${from}&to=${to}`);
    // Well inside, not on the line that is its edge.
    for (const inside of [135, 138, 141])
      expect(await countPixels(await xOf(at(inside), from, to), "red")).toBeGreaterThan(50);
    expect(await countPixels(await xOf(at(110), from, to), "red")).toBe(0);
    expect(await countPixels(await xOf(at(170), from, to), "red")).toBe(0);
  });

  test("the incident opens with certainty, cause, evidence with places and microseconds, adverts and who was told", async () => {
    await openIncident();
    const inPanel = panel();
    await inPanel.getByText("critical, confirmed").waitFor();
    await inPanel.getByText("neither hears the other's adverts, so the network", { exact: false }).first().waitFor();
    await inPanel.getByText("11:55:14.109312").first().waitFor();
    expect(await inPanel.locator(".evidence li").count()).toBe(splitBrain.evidence.length);
    await inPanel
      .getByText(/^\/var\/log\/messages:\d+$/)
      .first()
      .waitFor();
    await inPanel.getByText("the receiver answered 502", { exact: false }).waitFor();
    await inPanel.getByText(/^Adverts around/).click();
    expect(await inPanel.getByRole("row").filter({ hasText: "10.99.0.12" }).count()).toBe(9);
    const packet = inPanel.getByRole("button", { name: /^The packet of 11:55:18\.109312/ }).first();
    await packet.focus();
    await harness.page.keyboard.press("Enter");
    expect(await packet.getAttribute("aria-expanded")).toBe("true");
    await inPanel.getByRole("heading", { name: "The packet", exact: true }).waitFor();
    expect(harness.page.url()).toContain(`incident=${splitBrain.id}`);
    expect(harness.faults).toEqual([]);
  });

  test("a click on a bar of the canvas shows the lines it stands on, and Escape gives the keyboard back", async () => {
    const [from, to] = [at(40), at(80)];
    await open(`?from=${from}&to=${to}`);
    await clickBar(at(55), from, to, "lb1: FAULT");
    await panel().getByText("(VI_1) Entering FAULT STATE", { exact: false }).waitFor();
    await panel().getByText("/var/log/messages:17", { exact: true }).waitFor();
    expect(await panel().evaluate((element) => element === document.activeElement)).toBe(true);
    // Another bar while one is open: the keyboard is in the new evidence, and still finds back.
    await clickBar(at(45), from, to, "lb1: MASTER");
    expect(await panel().evaluate((element) => element === document.activeElement)).toBe(true);
    await harness.page.keyboard.press("Escape");
    await panel().waitFor({ state: "detached" });
    expect(await harness.page.locator(".lanes canvas").evaluate((element) => element === document.activeElement)).toBe(
      true,
    );
  });

  test("a fault of eight seconds is seen, and can be hit, in a view of a month", async () => {
    const [from, to] = [at(0) - 20 * 86_400_000_000, at(0) + 10 * 86_400_000_000];
    // A long bar right before it, and one right after: a click a hair beside the fault still means the fault.
    const [lb1, lb2] = recorded.lanes;
    if (!lb1 || !lb2) throw new Error("no lanes");
    const isFirst = ({ source, from: begin }: Bar): boolean => source === "log" && begin === at(26);
    const bars = lb1.bars.map((bar) => (isFirst(bar) ? { ...bar, from } : bar));
    harness.server.state = { ...fresh(), lanes: [{ ...lb1, watchedTo: to, bars }, lb2] };
    await open(`?from=${from}&to=${to}`);
    const x = Math.floor(await xOf(at(51), from, to));
    const seen = await Promise.all([x - 1, x, x + 1].map((column) => countPixels(column, "fault")));
    expect(Math.max(...seen)).toBeGreaterThan(5);
    expect(await countPixels(x - 12, "fault")).toBe(0);
    expect(await countPixels(x + 12, "fault")).toBe(0);
    await clickBar(at(51), from, to, "lb1: FAULT");
  });

  test("a bar lasts at full strength to its end, and fades after it", async () => {
    const [from, to] = [at(110), at(160)];
    await open(`?from=${from}&to=${to}`);
    // The wire's end of lb2 is sharp; the log's is one second soft.
    const blueAt = async (seconds: number): Promise<number> => {
      const x = await xOf(at(seconds), from, to);
      return harness.page.locator(".lanes canvas").evaluate((canvas: HTMLCanvasElement, column: number) => {
        const scale = canvas.width / canvas.clientWidth;
        const data = canvas.getContext("2d")?.getImageData(Math.round(column * scale), 0, 1, canvas.height).data ?? [];
        let count = 0;
        for (let i = 0; i < data.length; i += 4)
          if (data[i] === 11 && data[i + 1] === 87 && data[i + 2] === 208) count += 1;
        return count;
      }, x);
    };
    const during = await blueAt(140);
    expect(await blueAt(141.8)).toBe(during);
    // Only lb1's bars are still plainly master's colour.
    expect(await blueAt(142.6)).toBeLessThan(during);
  });

  test("the charts share one time axis, wherever its labels fall", async () => {
    const area = (which: string): Promise<(string | null)[]> => {
      const canvas = harness.page.locator(`.${which} canvas`);
      return Promise.all([canvas.getAttribute("data-left"), canvas.getAttribute("data-right")]);
    };
    for (const end of [160, 180, 180.4]) {
      await open(`?from=${at(100)}&to=${at(end)}`);
      expect(await area("lanes")).toEqual(await area("adverts"));
    }
  });

  test("log text is text, whatever it says", async () => {
    await openIncident();
    await panel().locator("code").filter({ hasText: HOSTILE }).waitFor();
    expect(await harness.page.locator("#app img, #app script").count()).toBe(0);
    expect(harness.faults).toEqual([]);
  });

  test("an error of the API is a sentence, and trying again mends it", async () => {
    const problem = {
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      detail: "the store does not answer",
    };
    harness.server.problems.set("routers", problem);
    await harness.page.goto(`${harness.url}timeline`);
    const alert = harness.page.getByRole("alert").filter({ hasText: "Service Unavailable: the store does not answer" });
    await alert.waitFor();
    harness.server.problems.clear();
    harness.server.problems.set("timeline", problem);
    await harness.page.getByRole("button", { name: "Try again" }).click();
    await harness.page.getByRole("heading", { name: "Timeline of 10.99.0.100" }).waitFor();
    // What is known of the router is back, its timeline is not: that is still said.
    await alert.waitFor();
    harness.server.problems.clear();
    await harness.page.getByRole("button", { name: "Try again" }).click();
    await alert.waitFor({ state: "detached" });
  });

  test("the widest view asks for no more than the server answers", async () => {
    await open(`?from=${at(0) - 399 * 86_400_000_000}&to=${at(0)}`);
    const ranges = harness.server.asked
      .filter((path) => path.startsWith("timeline?"))
      .map((path) => new URLSearchParams(path.slice("timeline?".length)))
      .map((query) => Number(query.get("to")) - Number(query.get("from")));
    expect(ranges.length).toBeGreaterThan(0);
    for (const length of ranges) expect(length).toBeLessThanOrEqual(400 * 86_400_000_000);
  });

  test("every advert is a tick when they can be told apart, and a click on one shows all of its fields", async () => {
    const [from, to] = [at(130), at(150)];
    await open(`?from=${from}&to=${to}`);
    await harness.page.getByLabel("Legend").getByText("an advert: whole sent, half heard").waitFor();
    // Of lb2, while it was master: on top of the bar of its own adverts.
    await clickBar(at(138.109_312), from, to, "advert of 10.99.0.12, priority 100");
    await panel().getByText("11:55:18.109312", { exact: false }).first().waitFor();
    await panel().locator(".fields").getByText("224.0.0.18").waitFor();
    // Its bytes, by field, and that they are not those on the wire.
    await panel().getByText("Made again of what is kept of it", { exact: false }).waitFor();
    const row = (part: string) => panel().locator(`[data-part=${part}]`);
    expect(await row("priority").locator("td").allTextContents()).toEqual(["22", "64", "priority", "100"]);
    expect(await row("authentication").textContent()).toContain("not kept: zeros");
    const dump = panel().getByRole("group", { name: "Hex dump" });
    expect(await dump.textContent()).toMatch(/0000 45 c0 .*0a 63 00 0c/);
    await row("vrid").hover();
    expect(await dump.locator('[data-marked="true"]').allTextContents()).toEqual(["33"]);
    expect(await harness.barriers()).toEqual([]);
    await harness.page.getByText("As a table").click();
    expect(await harness.page.locator('tr[data-node=lb2][data-advert="10.99.0.12"]').count()).toBe(9);
    expect(harness.faults).toEqual([]);
  });

  test("a bar of the shadow says what was expected from when and why, what differed, and both sides' evidence", async () => {
    const [from, to] = [at(30), at(175)];
    harness.server.state = { ...fresh(), lanes: shadowLanes, events: [...recorded.events, ...shadowEvents] };
    await open(`?from=${from}&to=${to}`);
    // From the keyboard: by the table.
    await harness.page.getByText("As a table").click();
    await harness.page.locator("tr[data-source=shadow][data-state=BACKUP] button").press("Enter");
    const why = panel().getByRole("region", { name: "Why the shadow expects it" });
    await why.getByText("From 2026-11-24 11:53:40 on, VI_1 should be BACKUP.").waitFor();
    await why.getByText("took the instance for what it was found to be", { exact: false }).waitFor();
    await why.getByText("The shadow follows this instance since 2026-11-24 11:53:40.").waitFor();
    await why.getByRole("heading", { name: /^master, and refuses adverts that are right/ }).waitFor();
    await why.getByText("another authentication or password").waitFor();
    await why.getByText("until 2026-11-24 11:55:23", { exact: false }).waitFor();
    await why.getByText("/var/log/messages:21", { exact: true }).waitFor();
    await why.getByText("as it was found: BACKUP by its log").waitFor();
    await why.getByText("heard 10.99.0.11 again after 2 missing adverts, 83 %", { exact: false }).waitFor();
    expect(await why.getByText("VI_2", { exact: false }).count()).toBe(0);
    expect(await harness.barriers()).toEqual([]);
    await harness.page.getByLabel("Language").selectOption("zh");
    await harness.page.locator("tr[data-source=shadow][data-state=FAULT] button").press("Enter");
    const zh = harness.page.getByRole("region", { name: "影子为何这样预期" });
    await zh.getByText("VI_1 应为 FAULT", { exact: false }).waitFor();
    await zh.getByText("此前应为 BACKUP", { exact: false }).waitFor();
    await zh.getByText("就所见而言，这段时间内 keepalived 与预期一致。").waitFor();
    await zh.getByText("eth0", { exact: false }).first().waitFor();
    expect(await harness.barriers()).toEqual([]);
    expect(harness.faults).toEqual([]);
  });

  test("a reload is marked on its node, and says what it was", async () => {
    const [from, to] = [at(60), at(120)];
    await open(`?from=${from}&to=${to}`);
    await harness.page.getByLabel("Legend").getByText("keepalived reloads").waitFor();
    await clickBar(at(90), from, to, "lb1: keepalived reloads");
    await panel().getByText("Keepalived[14]: Reloading ...").waitFor();
  });

  test("a drag moves, and a drag with Shift looks closer at what it marks", async () => {
    const range = harness.page.locator(".range");
    await open(`?from=${at(0)}&to=${at(160)}&zone=utc`);
    const canvas = harness.page.locator(".lanes canvas");
    const box = await canvas.boundingBox();
    if (!box) throw new Error("no canvas");
    const left = Number(await canvas.getAttribute("data-left"));
    const width = Number(await canvas.getAttribute("data-right")) - left;
    const drag = async (first: number, last: number): Promise<void> => {
      await harness.page.mouse.move(box.x + left + width * first, box.y + 60);
      await harness.page.mouse.down();
      await harness.page.mouse.move(box.x + left + (width * (first + last)) / 2, box.y + 60);
      await harness.page.mouse.move(box.x + left + width * last, box.y + 60);
      await harness.page.mouse.up();
    };
    await drag(0.75, 0.5);
    await expect.poll(() => range.textContent()).toContain("10:53:40 to 2026-11-24 10:56:20");
    await harness.page.keyboard.down("Shift");
    await drag(0.25, 0.75);
    await harness.page.keyboard.up("Shift");
    await expect.poll(() => range.textContent()).toContain("10:54:20 to 2026-11-24 10:55:40");
  });

  test("two fingers zoom", async () => {
    await open(`?from=${at(0)}&to=${at(160)}&zone=utc`);
    const canvas = harness.page.locator(".lanes canvas");
    const box = await canvas.boundingBox();
    if (!box) throw new Error("no canvas");
    const left = Number(await canvas.getAttribute("data-left"));
    const width = Number(await canvas.getAttribute("data-right")) - left;
    const cdp = await harness.context.newCDPSession(harness.page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...shares: number[]) =>
      cdp.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: shares.map((share, id) => ({ x: box.x + left + width * share, y: box.y + 60, id })),
      });
    await touch("touchStart", 0.4, 0.6);
    await touch("touchMove", 0.35, 0.65);
    await touch("touchMove", 0.3, 0.7);
    await touch("touchEnd");
    // Twice as close, around the middle.
    await expect
      .poll(() => harness.page.locator(".range").textContent())
      .toMatch(/10:53:(39|40) to 2026-11-24 10:5(4:59|5:00)/);
  });

  test("a link to a bar shows its evidence, in the zone that it was seen in", async () => {
    const [from, to] = [at(40), at(80)];
    await open(`?from=${from}&to=${to}&zone=Asia%2FShanghai`);
    await clickBar(at(55), from, to, "lb1: FAULT");
    await expect.poll(() => harness.page.url()).toContain("bar=log");
    const again = await harness.context.newPage();
    await again.goto(harness.page.url());
    await again.getByRole("heading", { name: "lb1: FAULT", exact: true }).waitFor();
    expect(await again.locator(".range").textContent()).toContain("2026-11-24 18:53:40");
    expect(await again.getByLabel("Time zone").inputValue()).toBe("Asia/Shanghai");
  });

  test("the node's own time can be chosen", async () => {
    await open(`?from=${at(0)}&to=${at(180)}`);
    await harness.page.getByLabel("Time zone").selectOption({ label: "lb1, lb2: Asia/Shanghai" });
    await expect.poll(() => harness.page.locator(".range").textContent()).toContain("18:53:00");
    await expect.poll(() => harness.page.url()).toContain("zone=Asia%2FShanghai");
  });

  test("times are the reader's or UTC, and say which", async () => {
    await open(`?from=${at(0)}&to=${at(180)}`);
    const range = harness.page.locator(".range");
    expect(await range.textContent()).toContain("2026-11-24 11:53:00 to 2026-11-24 11:56:00 UTC+01:00");
    await harness.page.getByLabel("Time zone").selectOption("utc");
    await expect.poll(() => range.textContent()).toContain("2026-11-24 10:53:00 to 2026-11-24 10:56:00 UTC");
  });

  test("the table stays readable when there are thousands of bars, and says what it leaves out", async () => {
    const [lane] = recorded.lanes;
    if (!lane) throw new Error("no lane");
    const bars = Array.from(
      { length: 3_000 },
      (_, i): Bar => ({
        source: "log",
        state: i % 2 ? "MASTER" : "BACKUP",
        from: at(i / 100),
        fromUncertaintyUs: 0,
        to: at((i + 1) / 100),
        toUncertaintyUs: 0,
        eventIds: [],
      }),
    );
    harness.server.state = { ...fresh(), lanes: [{ ...lane, bars }], incidents: [] };
    await harness.page.goto(`${harness.url}timeline?from=${at(0)}&to=${at(60)}`);
    await harness.page.getByText("As a table").click();
    await harness.page.getByText("and 2500 more: look closer to see them").waitFor();
    expect(await harness.page.locator("tr[data-state]").count()).toBe(500);
  });

  test("on a telephone nothing is wider than the screen, and a tap on an incident brings its evidence into view", async () => {
    await harness.page.setViewportSize({ width: 420, height: 800 });
    await open();
    await harness.expectNothingWider();
    await openIncident();
    await expect.poll(async () => (await panel().boundingBox())?.y ?? Number.POSITIVE_INFINITY).toBeLessThan(400);
  });

  test.each(["light", "dark"] as const)(
    "has no serious barrier for anybody, evidence and table open, %s",
    async (colorScheme) => {
      await harness.page.emulateMedia({ colorScheme });
      await openIncident();
      await harness.page.getByText("As a table").click();
      await panel()
        .getByText(/^Adverts around/)
        .click();
      expect(await harness.barriers()).toEqual([]);
      expect(harness.faults).toEqual([]);
    },
  );
});
