import fc from "fast-check";
import { expect, test } from "vitest";
import { DIGEST, MailBudget } from "../../../server/alert/budget.ts";
import type { Outcome } from "../../../server/alert/notifiers/notifier.ts";
import type { MailAttempt } from "../../../server/alert/notifiers/mail.ts";
import type { Incident } from "../../../server/detect/incident.ts";
import { change, ManualTime, MemoryStore, resolved, rig, settle, splitBrain, T0 } from "./support.ts";

const HOUR = 3_600_000_000;
const incident = (n: number): Incident => ({ ...splitBrain, id: String(n).padStart(32, "0") });

function storm(perHour: number, store = new MemoryStore(), time = new ManualTime()) {
  const mails: { at: number; messages: number; digest: boolean }[] = [];
  const known = new Map<string, Incident>();
  const mail = async ({ group }: MailAttempt): Promise<Outcome> => {
    mails.push({ at: time.now, messages: group?.messages.length ?? 1, digest: group?.key === DIGEST });
    return { kind: "sent" };
  };
  const server = rig({
    alerts: { mails_per_hour: perHour },
    mail: [{ to: ["noc@example.org"], host: "mx", port: 25, connectTimeoutSeconds: 30 }],
    store,
    time,
    incident: (id) => known.get(id),
    incidents: () => known.values(),
    send: { mail },
  });
  const open = async (n: number): Promise<void> => {
    known.set(incident(n).id, incident(n));
    await server.alerter.notify(change("opened", incident(n)));
    await settle();
  };
  return { ...server, mails, known, open };
}

test("a storm is some mails and a digest of the rest, and what ends later is told as it was begun", async () => {
  const { open, mails, time, alerter, known, store } = storm(5);
  for (let n = 0; n < 50; n++) await open(n);
  expect(mails).toHaveLength(4);
  await time.advance(300_000);
  expect(mails.at(-1)).toEqual({ at: T0 + 300_000_000, messages: 46, digest: true });
  expect(store.outcome.every((row) => row.endsWith(" sent"))).toBe(true);
  expect(alerter.counts().digested).toBe(46);
  const over = resolved(incident(40));
  known.set(over.id, over);
  await alerter.notify(change("resolved", over));
  await time.advance(3_600_000);
  expect(mails.at(-1)).toMatchObject({ messages: 1, digest: true });
  // Calm again: mails go by themselves.
  await time.advance(3_600_000);
  await open(99);
  expect(mails.at(-1)).toEqual({ at: time.now, messages: 1, digest: false });
});

test("a restart does not begin a new hour", async () => {
  const first = storm(5);
  for (let n = 0; n < 4; n++) await first.open(n);
  await first.alerter.stop();
  const second = storm(5, first.store, new ManualTime(T0 + HOUR / 4));
  await second.alerter.start();
  await second.open(7);
  await second.open(8);
  expect(second.mails).toEqual([]);
});

test("never are there more mails to an address than the bound in any hour, and none of what was to be told is missing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 900_000 }), { minLength: 1, maxLength: 40 }),
      async (perHour, gaps) => {
        const { open, mails, time } = storm(perHour);
        for (const [n, gap] of gaps.entries()) {
          await open(n);
          await time.advance(gap);
        }
        await time.advance(7_300_000);
        expect(mails.reduce((sum, { messages }) => sum + messages, 0)).toBe(gaps.length);
        for (const { at } of mails)
          expect(mails.filter((other) => other.at > at - HOUR && other.at <= at).length).toBeLessThanOrEqual(perHour);
      },
    ),
    { numRuns: 60 },
  );
});

test("an address that was written to by nobody is free", () => {
  const budget = new MailBudget(3);
  budget.take(["a@example.org"], T0);
  budget.take(["a@example.org"], T0);
  expect(budget.allows(["b@example.org"], T0)).toBe(true);
  expect(budget.allows(["a@example.org", "b@example.org"], T0)).toBe(false);
});
