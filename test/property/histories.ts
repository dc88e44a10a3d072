import fc from "fast-check";
import type { Event } from "../../collector/events/event.ts";
import { STRETCH_SIZES } from "../../server/detect/stretch.ts";
import { scenario } from "../server/detect/scenario.ts";

const node = fc.constantFrom("lb1", "lb2", "lb3");
const other = fc.constantFrom("lb1", "lb2", "10.99.0.77");
const verb = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "log MASTER",
      "log BACKUP",
      "log FAULT",
      "journal MASTER",
      "log BACKUP init",
      "log MASTER VI_2",
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "kernel +10.99.0.100",
      "kernel -10.99.0.100",
      "kernel = 10.99.0.11 10.99.0.100",
      "kernel = 10.99.0.12",
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(other, fc.constantFrom("seen", "gone silent", "gone priority-zero", "gone capture-ended", "advert"))
      .map(([sender, what]) => `wire ${sender} ${what}`),
  },
  { weight: 3, arbitrary: fc.constantFrom("wire out seen", "wire out gone silent", "wire out gone priority-zero") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "daemon starting",
      "daemon ready",
      "daemon stopping",
      "daemon stopped",
      "daemon vrrp-stopped",
      "daemon permanent-error CONFIG",
      "daemon error already-running",
      "daemon vrrp-killed",
      "daemon reloading",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "config",
      "config VI_1 52",
      "config VI_1 51 10.99.0.100 advert=2",
      "config VI_1 51 10.99.0.100 priority=100 routerId=lb",
      "finds fatal missing 9",
      "finds degraded odd 3",
      "config VI_2 51 10.77.0.9",
      "garp",
      "garp VI_2 10.77.0.9",
      "collector started",
      "collector stopped",
      "heartbeat",
      "sent-zero",
      "removing",
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom("log", "probe"),
        fc.constantFrom(
          "up web1",
          "down web1",
          "down web2",
          "up web2",
          "gone web1",
          "result web1 digest",
          "quorum-lost",
          "quorum-lost initial",
          "quorum-gained",
          "sorry",
        ),
      )
      .map(([who, what]) => `checks ${who} ${what}`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "diverges begin zombie-vip VI_1",
      "diverges end zombie-vip VI_1",
      "diverges begin silent-master VI_1",
      "diverges begin frozen",
      "diverges end frozen",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "dump MASTER 3",
      "dump MASTER",
      "dump BACKUP 12",
      "process gone",
      "expects MASTER",
      "expects BACKUP",
      "expects nothing",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "near-miss lb1 1 0.55",
      "near-miss lb1 2 0.86",
      "near-miss lb2 1 0.4",
      "stalls 1.5",
      "stalls 0.2",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "unheard 3",
      "source capture unavailable",
      "source capture running",
      "gap capture 10 -",
      "gap capture 5 70",
      "gap log - - 4",
      "collector started capture",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("clock 0", "clock 3.5", "clock -20", "clock 0 -20", "clock 30 -30"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "rejects auth",
      "arp out",
      "why script chk",
      "script chk failure 1",
      "script chk success",
      "nic eth0 down",
      "tracked process nginx down",
      "tracked process nginx up",
      "priority 100 80",
      "arp lb1",
      "arp 02:00:00:00:00:99",
      "arp 00:00:5e:00:01:09",
      "rejects interval",
      "lower lb2",
      "diagnostic fatal missing_parameter 7 no parameter",
    ),
  },
);
/** Quarters of seconds over two minutes, where many share a syslog second; or minutes over hours, or hours over weeks. */
const step = fc.constantFrom(0.25, 0.25, 30, 3600);
export const history = fc
  .tuple(step, fc.array(fc.tuple(fc.integer({ min: 0, max: 480 }), node, verb), { minLength: 1, maxLength: 40 }))
  .map(([seconds, lines]) =>
    scenario(lines.map(([steps, name, what]) => `at ${steps * seconds} ${name} ${what}`).join("\n")),
  );
/** Those of tests make of a few events what is otherwise made of thousands. */
export const sizes = fc.constantFrom(
  STRETCH_SIZES,
  { min: 2, marginEvents: 2 },
  { min: 4, marginEvents: 3 },
  { min: 3, marginEvents: 512 },
);

/** Some order of the events, some of them twice, in batches. */
export const delivery = history.chain((events) =>
  fc.record({
    events: fc.constant(events),
    sizes,
    order: fc.shuffledSubarray(events, { minLength: events.length }),
    repeated: fc.subarray(events),
    cuts: fc.array(fc.nat(80), { maxLength: 8 }),
  }),
);

export function batches(events: readonly Event[], cuts: readonly number[]): Event[][] {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), events.length];
  return edges.slice(1).map((to, index) => events.slice(edges[index], to));
}
