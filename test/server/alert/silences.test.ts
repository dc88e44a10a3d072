import { describe, expect, test } from "vitest";
import { SILENCES_MAX, Silences } from "../../../server/alert/silences.ts";
import type { Silence, SilenceDraft } from "../../../server/api/types.ts";
import { ManualTime, MemoryStore, splitBrain, T0 } from "./support.ts";
import { over, world } from "./world.ts";

const HOUR = 3_600_000_000;
const draft = (more: Partial<SilenceDraft> = {}): SilenceDraft => ({
  matchers: [{ label: "kind", operator: "=", value: "split-brain" }],
  endsTs: T0 + HOUR,
  author: "Kim",
  reason: "the switch is being replaced",
  ...more,
});

class SilenceStore {
  readonly rows = new Map<string, Silence>();
  async saveSilence(silence: Silence): Promise<void> {
    this.rows.set(silence.id, silence);
  }
  async silences(): Promise<readonly Silence[]> {
    return [...this.rows.values()];
  }
}

function quiet(time = new ManualTime(), stored = new SilenceStore(), store = new MemoryStore()) {
  const silences = new Silences(stored, time);
  const alerts = { inhibit_built_in: false };
  return { silences, stored, ...world(alerts, store, time, { silences }) };
}

describe("a silence", () => {
  test("has what it silences recorded and not sent, with who asked for it and why", async () => {
    const { silences, happen, told, store } = quiet();
    const { id } = await silences.add(draft());
    await happen(["opened", splitBrain]);
    await happen(["resolved", over(splitBrain)]);
    expect(told).toEqual([]);
    expect([...store.rows.values()].map(({ event, status, by }) => ({ event, status, by }))).toEqual([
      { event: "opened", status: "silenced", by: id },
      { event: "resolved", status: "silenced", by: id },
    ]);
    expect([...store.rows.values()][0]?.lastError).toBe(
      "silenced by Kim until 2026-03-05T11:00:30.000000Z: the switch is being replaced",
    );
  });

  test("lets through what it does not match, and what it matched before it began", async () => {
    const { silences, happen, told } = quiet();
    await silences.add(draft({ matchers: [{ label: "node", operator: "=~", value: "lb[89]" }] }));
    await silences.add(draft({ startsTs: T0 + 1 }));
    await happen(["opened", splitBrain]);
    expect(told).toEqual(["opened split-brain ops"]);
  });

  test("is over at its end: what is still open then is told, once", async () => {
    const { silences, happen, told, time } = quiet();
    await silences.add(draft());
    await happen(["opened", splitBrain]);
    await time.advance(3_599_999);
    expect(told).toEqual([]);
    await time.advance(1);
    expect(told).toEqual(["opened split-brain ops"]);
    await time.advance(3_600_000);
    expect(told).toHaveLength(1);
  });

  test("may be ended before its time, with the same effect", async () => {
    const { silences, happen, told, alerter } = quiet();
    const { id } = await silences.add(draft());
    await happen(["opened", splitBrain]);
    expect(await silences.expire(id)).toMatchObject({ endsTs: T0 });
    await alerter.reconsider(new Set([id]));
    await happen();
    expect(told).toEqual(["opened split-brain ops"]);
    expect(await silences.expire("0".repeat(32))).toBeUndefined();
  });

  test("does not keep the end from those who heard of the beginning", async () => {
    const { silences, happen, told } = quiet();
    await happen(["opened", splitBrain]);
    await silences.add(draft());
    await happen(["resolved", over(splitBrain)]);
    expect(told).toEqual(["opened split-brain ops", "resolved split-brain ops"]);
  });

  test("outlives a restart, and one that ended meanwhile is told of", async () => {
    const first = quiet();
    await first.silences.add(draft());
    await first.happen(["opened", splitBrain]);
    await first.alerter.stop();

    const again = quiet(new ManualTime(T0 + HOUR / 2), first.stored, first.store);
    again.known.set(splitBrain.id, splitBrain);
    await again.silences.load();
    await again.alerter.start();
    await again.time.advance(1);
    expect(again.told).toEqual([]);
    await again.alerter.stop();

    const late = quiet(new ManualTime(T0 + 2 * HOUR), first.stored, first.store);
    late.known.set(splitBrain.id, splitBrain);
    await late.silences.load();
    await late.alerter.start();
    await late.time.advance(1);
    expect(late.told).toEqual(["opened split-brain ops"]);
  });

  test("counts only once it is stored", async () => {
    const { silences, stored } = quiet();
    stored.saveSilence = () => Promise.reject(new Error("disk full"));
    await expect(silences.add(draft())).rejects.toThrow("disk full");
    expect(silences.all()).toEqual([]);
  });

  test.each<[string, Partial<SilenceDraft>, string]>([
    ["is over already", { endsTs: T0 }, "endsTs is over already"],
    ["ends before it begins", { startsTs: T0 + 2 * HOUR }, "endsTs is not later than startsTs"],
    ["lasts for years", { endsTs: T0 + 367 * 24 * HOUR }, "endsTs is more than 366 days after startsTs"],
    [
      "asks for a label that there is not",
      { matchers: [{ label: "colour", operator: "=", value: "red" }] },
      'matchers[0] asks for the label "colour"',
    ],
    [
      "has a pattern that is none",
      { matchers: [{ label: "kind", operator: "=~", value: "(" }] },
      "matchers[0] has a pattern that RE2 does not read",
    ],
    [
      "fits everything",
      { matchers: [{ label: "kind", operator: "=~", value: ".*" }] },
      "matchers would fit everything",
    ],
    [
      "fits all but one",
      { matchers: [{ label: "kind", operator: "!=", value: "flapping" }] },
      "matchers would fit everything",
    ],
  ])("that %s is refused", async (_, more, sentence) => {
    const { silences } = quiet();
    await expect(silences.add(draft(more))).rejects.toThrow(sentence);
    expect(silences.all()).toEqual([]);
  });

  test("is one of a bounded number", async () => {
    const { silences } = quiet();
    for (let i = 0; i < SILENCES_MAX; i++) await silences.add(draft());
    await expect(silences.add(draft())).rejects.toThrow("1000 silences have not ended yet");
  });
});
