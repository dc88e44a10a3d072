import { eventId } from "../../../collector/events/id.ts";
import type { Bar, Event, EventOf } from "../../../server/api/types.ts";
import { at, recorded } from "./split-brain.ts";

/** What the shadow on lb2 made of the cut: it hears lb1 all the time, and keepalived does not. */

const common = (name: string, seconds: number) => ({
  id: eventId("lb2", "shadow", name),
  cluster: "default",
  node: "lb2",
  source: "shadow" as const,
  ts: at(seconds),
  tsUncertaintyUs: 0,
  observedTs: at(seconds) + 900,
});

const seeded: EventOf<"shadow.state"> = {
  ...common("seeded", 40),
  kind: "shadow.state",
  instance: "VI_1",
  state: "BACKUP",
  cause: "seed",
};
const faulted: EventOf<"shadow.state"> = {
  ...common("faulted", 160),
  kind: "shadow.state",
  instance: "VI_1",
  state: "FAULT",
  previousState: "BACKUP",
  cause: "fault",
};

export const shadowEvents: readonly Event[] = [
  { ...common("unfollowed", 10), kind: "shadow.following", instance: "VI_1", following: false, reason: "not yet" },
  { ...common("followed", 40), kind: "shadow.following", instance: "VI_1", following: true },
  { ...common("other", 41), kind: "shadow.following", instance: "VI_2", following: false, reason: "another instance" },
  seeded,
  {
    ...common("near", 63),
    kind: "shadow.near-miss",
    instance: "VI_1",
    peer: "10.99.0.11",
    missed: 2,
    marginUsed: 0.83,
  },
  { ...common("near of another", 64), kind: "shadow.priority", instance: "VI_2", from: 100, to: 90 },
  {
    ...common("differs", 135),
    kind: "shadow.divergence",
    code: "adverts-rejected",
    phase: "begin",
    instance: "VI_1",
    expected: "BACKUP",
    observed: "MASTER: its log says MASTER",
    message: "VI_1 is master although 10.99.0.11 sends adverts with priority 150",
    reason: "auth",
    toleranceUs: 1_500_000,
    evidence: [
      { source: "shadow", ts: at(40), text: "as it was found: BACKUP by its log" },
      { source: "log", ts: at(134), text: "(VI_1) Entering MASTER STATE", at: "/var/log/messages:21" },
    ],
  },
  {
    ...common("agrees", 143),
    kind: "shadow.divergence",
    code: "adverts-rejected",
    phase: "end",
    instance: "VI_1",
    expected: "BACKUP",
    observed: "BACKUP",
    message: "VI_1 is as it should be",
    toleranceUs: 1_500_000,
    evidence: [],
  },
  {
    ...common("link", 159),
    source: "kernel",
    kind: "kernel.link",
    interface: "eth0",
    up: false,
  },
  faulted,
];

const bar = (state: Bar["state"], from: Event, to: Event | null): Bar => ({
  source: "shadow",
  state,
  from: from.ts,
  fromUncertaintyUs: 0,
  to: to?.ts ?? null,
  toUncertaintyUs: 0,
  eventIds: to ? [from.id, to.id] : [from.id],
});

/** The lanes with the shadow's rows. */
export const shadowLanes = recorded.lanes.map((lane) =>
  lane.node === "lb2"
    ? { ...lane, bars: [...lane.bars, bar("BACKUP", seeded, faulted), bar("FAULT", faulted, null)] }
    : lane,
);
