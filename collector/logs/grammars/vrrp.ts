import type { EventBody, VrrpState } from "../../events/event.ts";
import { type LineContext, type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { INT_MAX } from "../layout.ts";
import { cut } from "../text.ts";
import { address, between, instanceOf, known, name, NAME_MAX, priority, secondsIn } from "./fields.ts";

/** States, priorities and adverts of VRRP instances and sync groups. */

const US_PER_MS = 1000;

interface StateRow extends Pick<LineGrammar, "since" | "samples" | "templates"> {
  readonly id: string;
  readonly to: VrrpState;
  readonly until?: string;
  readonly initial?: true;
  readonly reason?: string;
}

const state = ({ id, to, initial, reason, ...row }: StateRow): LineGrammar => ({
  id: `vrrp.state.${id}`,
  source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
  ...row,
  needsInstance: true,
  toEvent: (words, context) => ({
    kind: "vrrp.state",
    instance: instanceOf(context),
    state: to,
    ...known({ initial, reason, subject: words.text("subject") === "" ? undefined : name(words, "subject") }),
  }),
});

interface SimpleRow extends Pick<LineGrammar, "since" | "samples" | "templates"> {
  readonly kind:
    | "vrrp.advert-timeout"
    | "vrrp.priority-zero-sent"
    | "vrrp.priority-zero-received"
    | "vrrp.election"
    | "vrrp.owner-conflict-over";
  readonly until?: string;
}

const simple = ({ kind, ...row }: SimpleRow): LineGrammar => ({
  id: kind,
  source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
  ...row,
  needsInstance: true,
  toEvent: (_words, context): EventBody => ({ kind, instance: instanceOf(context) }),
});

interface GroupRow extends Pick<LineGrammar, "since" | "samples" | "templates"> {
  readonly to: VrrpState;
  readonly until?: string;
}

const group = ({ to, ...row }: GroupRow): LineGrammar => ({
  id: `vrrp.group-state.${to.toLowerCase()}`,
  source: "vrrp/vrrp_sync.c, vrrp/vrrp_track.c",
  ...row,
  toEvent: (words) => ({
    kind: "vrrp.group-state",
    group: name(words, "group"),
    state: to,
    ...known({ instance: words.text("instance") === "" ? undefined : name(words, "instance") }),
  }),
});

function heard(words: Words): { peer?: string; priority?: number; ownPriority?: number } {
  return known({
    peer: address(words, "peer"),
    priority: priority(words, "priority"),
    ownPriority: priority(words, "own"),
  });
}

/** An interval that changes: `cause` says who decides. */
interface IntervalRow extends Pick<LineGrammar, "since" | "samples" | "templates"> {
  readonly cause: "learned" | "configured" | "mismatch";
  readonly until?: string;
  /** What the numbers are written in. Up to 2.1.5 a version says milliseconds and may mean another unit: it is taken at its word. */
  readonly unitUs: number;
}

const interval = ({ cause, unitUs, ...row }: IntervalRow): LineGrammar => ({
  id: `vrrp.advert-interval.${cause}`,
  source: "vrrp/vrrp.c",
  ...row,
  toEvent: (words, { instance }) => {
    const [to, from] = [between(words, "to", 0, INT_MAX), between(words, "from", 0, INT_MAX)];
    return to === undefined
      ? UNRECOGNISED
      : {
          kind: "vrrp.advert-interval",
          cause,
          intervalUs: to * unitUs,
          ...known({
            instance: instance === undefined ? undefined : cut(instance, NAME_MAX),
            previousUs: from === undefined ? undefined : from * unitUs,
          }),
        };
  },
});

const delayed = (action: "started" | "stopped" | "reset", words: Words, context: LineContext): EventBody => {
  const delayUs = secondsIn(words, "delay");
  return words.text("delay") !== "" && delayUs === undefined
    ? UNRECOGNISED
    : { kind: "vrrp.preempt-delay", instance: instanceOf(context), action, ...known({ delayUs }) };
};

export const vrrpGrammars: readonly LineGrammar[] = [
  state({
    id: "master",
    to: "MASTER",
    since: "1.2.2",
    samples: ["(VI_1) Entering MASTER STATE", "VRRP_Instance(VI_1) Entering MASTER STATE"],
    templates: ["Entering MASTER STATE"],
  }),
  state({
    id: "backup",
    to: "BACKUP",
    since: "1.2.2",
    samples: [
      "(VI_1) Entering BACKUP STATE",
      "VRRP_Instance(VI_1): Entering BACKUP STATE",
      "VRRP_Instance(VI_1) Now in BACKUP state",
    ],
    templates: ["Entering BACKUP STATE", "Now in BACKUP state"],
  }),
  state({
    id: "backup-init",
    to: "BACKUP",
    since: "2.0.0",
    samples: ["(VI_1) Entering BACKUP STATE (init)"],
    templates: ["Entering BACKUP STATE (init)"],
    initial: true,
  }),
  state({
    id: "fault",
    to: "FAULT",
    since: "1.2.2",
    samples: ["(VI_1) Entering FAULT STATE", "VRRP_Instance(VI_1) Now in FAULT state"],
    templates: ["Entering FAULT STATE", "Now in FAULT state"],
  }),
  state({
    id: "fault-init",
    to: "FAULT",
    since: "2.0.0",
    samples: ["(VI_1) Entering FAULT STATE (init)", "(VI_1) entering FAULT state"],
    templates: ["Entering FAULT STATE (init)", "entering FAULT state"],
    initial: true,
  }),
  ...(
    [
      ["script", "2.0.19", "due to script {subject}", "due to script chk_haproxy"],
      ["interface", "2.0.19", "(interface {subject} down)", "(interface eth0 down)"],
      ["file", "2.0.19", "(tracked file {subject} has status {*status})", "(tracked file maintenance has status -254)"],
      [
        "process",
        "2.0.19",
        "(tracked process {subject} quorum not achieved)",
        "(tracked process haproxy quorum not achieved)",
      ],
      ["no-address", "2.0.19", "(no IPv{*family} address for interface)", "(no IPv4 address for interface)"],
      ["source-address", "2.1.0", "(src address not configured)", "(src address not configured)"],
    ] as const
  ).map(([reason, since, template, sample]) =>
    state({
      id: `fault-init.${reason}`,
      to: "FAULT",
      since,
      samples: [`(VI_1): entering FAULT state ${sample}`],
      templates: [`entering FAULT state ${template}`],
      initial: true,
      reason,
    }),
  ),
  {
    // Up to 1.4 an advert is sent and the addresses follow one interval later, with "Entering MASTER STATE".
    id: "vrrp.transition",
    source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
    since: "1.2.2",
    until: "1.4.5",
    samples: ["VRRP_Instance(VI_1) Transition to MASTER STATE"],
    needsInstance: true,
    templates: ["Transition to MASTER STATE"],
    toEvent: (_words, context) => ({ kind: "vrrp.transition", instance: instanceOf(context), state: "MASTER" }),
  },
  simple({
    kind: "vrrp.advert-timeout",
    since: "2.0.3",
    samples: ["(VI_1) Receive advertisement timeout"],
    templates: ["Receive advertisement timeout"],
  }),
  {
    id: "vrrp.advert-higher-priority",
    source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
    since: "1.2.2",
    samples: [
      "(VI_1) Master received advert from 10.99.0.11 with higher priority 150, ours 100",
      "VRRP_Instance(VI_1) Received advert with higher priority 150, ours 100",
      "VRRP_Instance(VI_1) Received higher prio advert",
    ],
    needsInstance: true,
    templates: [
      "Master received advert from {peer} with higher priority {priority:d}, ours {own:d}",
      "Master received advert with higher priority {priority:d}, ours {own:d}",
      "Received advert with higher priority {priority:d}, ours {own:d}",
      "Received higher prio advert {priority:d}",
      "Received higher prio advert",
      "Master received advert from {peer} with same priority {priority:d} but higher IP address than ours",
      "Master received advert with same priority {priority:d} but higher IP address than ours ({peer})",
      "prio is higher than received advert",
    ],
    toEvent: (words, context) => ({
      kind: "vrrp.advert-higher-priority",
      instance: instanceOf(context),
      ...heard(words),
    }),
  },
  {
    id: "vrrp.advert-lower-priority",
    source: "vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "(VI_1) received lower priority (100) advert from 10.99.0.12 - discarding",
      "(VI_1) Received advert from 10.99.0.12 with lower priority 100, ours 150, forcing new election",
      "VRRP_Instance(VI_1) Received advert with lower priority 100, ours 150, forcing new election",
      "VRRP_Instance(VI_1) Received lower prio advert, forcing new election",
    ],
    needsInstance: true,
    templates: [
      "received lower priority ({priority:d}) advert from {peer} - discarding",
      "Received advert from {peer} with lower priority {priority:d}, ours {own:d}",
      "Received advert from {peer} with lower priority {priority:d}, ours {own:d}, forcing new election",
      "Received advert with lower priority {priority:d}, ours {own:d}, forcing new election",
      "Received lower prio advert {priority:d}, forcing new election",
      "Received lower prio advert, forcing new election",
      "Received lower prio advert in nopreempt mode",
    ],
    toEvent: (words, context) => ({
      kind: "vrrp.advert-lower-priority",
      instance: instanceOf(context),
      ...heard(words),
      election: context.message.includes("forcing new election"),
    }),
  },
  simple({
    kind: "vrrp.priority-zero-sent",
    since: "1.2.6",
    samples: ["(VI_1) sent 0 priority", "VRRP_Instance(VI_1) sending 0 priority"],
    templates: ["sent 0 priority", "sending 0 priority"],
  }),
  simple({
    kind: "vrrp.priority-zero-received",
    since: "2.0.0",
    samples: ["(VI_1) Backup received priority 0 advertisement", "(VI_1) Master received priority 0 message"],
    templates: [
      "Backup received priority 0 advertisement",
      "Master received priority 0 message",
      "Master received priority 0 or lower priority advert",
    ],
  }),
  {
    id: "vrrp.priority-changed",
    source: "vrrp/vrrp_scheduler.c, vrrp/vrrp_track.c",
    since: "1.3.0",
    samples: ["(VI_1) Changing effective priority from 100 to 80"],
    needsInstance: true,
    templates: ["Changing effective priority from {from:d} to {to:d}"],
    toEvent: (words, context) => {
      const [from, to] = [priority(words, "from"), priority(words, "to")];
      return from === undefined || to === undefined
        ? UNRECOGNISED
        : { kind: "vrrp.priority-changed", instance: instanceOf(context), from, to };
    },
  },
  {
    id: "vrrp.priority-set",
    source: "vrrp/vrrp.c, trackers/track_file.c, vrrp/vrrp_scheduler.c",
    since: "1.2.21",
    samples: [
      "(VI_1) Setting effective priority to 90",
      "VRRP_Instance(VI_1) Effective priority = 90",
      "(VI_1) Restoring our priority to 255 since other address owner has disappeared",
    ],
    needsInstance: true,
    templates: [
      "Setting effective priority to {priority:d}",
      "Effective priority = {priority:d}",
      "Restoring our priority to {priority:d} since other address owner has disappeared",
      "Restoring our priority to {priority:d} since received advert with lower priority",
    ],
    toEvent: (words, context) => {
      const set = priority(words, "priority");
      return set === undefined
        ? UNRECOGNISED
        : { kind: "vrrp.priority-set", instance: instanceOf(context), priority: set };
    },
  },
  simple({
    kind: "vrrp.owner-conflict-over",
    since: "2.3.3",
    samples: ["(VI_1): rogue address owner appears to have stopped advertising"],
    templates: ["rogue address owner appears to have stopped advertising"],
  }),
  simple({
    kind: "vrrp.election",
    since: "1.2.2",
    until: "1.4.5",
    samples: ["VRRP_Instance(VI_1) forcing a new MASTER election"],
    templates: ["forcing a new MASTER election"],
  }),
  {
    id: "vrrp.preempt-delay.started",
    source: "vrrp/vrrp.c",
    since: "1.2.17",
    samples: ["(VI_1) start preempt delay (30.000000)", "VRRP_Instance(VI_1) start preempt delay(30)"],
    needsInstance: true,
    templates: ["start preempt delay({delay})", "start preempt delay ({delay})"],
    toEvent: (words, context) => delayed("started", words, context),
  },
  {
    id: "vrrp.preempt-delay.stopped",
    source: "vrrp/vrrp.c",
    since: "2.0.0",
    samples: ["(VI_1) stop preempt delay"],
    needsInstance: true,
    templates: ["stop preempt delay"],
    toEvent: (words, context) => delayed("stopped", words, context),
  },
  {
    id: "vrrp.preempt-delay.reset",
    source: "vrrp/vrrp.c",
    since: "1.2.17",
    until: "1.4.5",
    samples: ["VRRP_Instance(VI_1) reset preempt delay"],
    needsInstance: true,
    templates: ["reset preempt delay"],
    toEvent: (words, context) => delayed("reset", words, context),
  },
  interval({
    cause: "configured",
    unitUs: US_PER_MS,
    since: "1.2.17",
    samples: [
      "(VI_1) changing advert interval from 2000ms to locally configured 1000ms",
      "VRRP_Instance(VI_1) using locally configured advertisement interval (1000 milli-sec)",
    ],
    templates: [
      "using locally configured advertisement interval ({to:d} milli-sec)",
      "changing advert interval from {from:d}ms to locally configured {to:d}ms",
    ],
  }),
  interval({
    cause: "learned",
    unitUs: US_PER_MS,
    since: "1.2.17",
    samples: [
      "(VI_1) advertisement interval updated from 1000ms to 2000ms by master",
      "VRRP_Instance(VI_1) advertisement interval updated to 2000 milli-sec",
      "(VI_1) advertisement interval updated to 2000 milli-sec from 1000 milli-sec",
      "(VI_1) advertisement interval changed: mine=1000 milli-sec, rcved=2000 milli-sec",
    ],
    templates: [
      "advertisement interval updated to {to:d} milli-sec",
      "advertisement interval updated to {to:d} milli-sec from higher priority master",
      "advertisement interval updated to {to:d} milli-sec from {from:d} milli-sec",
      "advertisement interval updated from {from:d} to {to:d} milli-sec from higher priority master",
      "advertisement interval changed: mine={from:d} milli-sec, rcved={to:d} milli-sec",
      "advertisement interval updated from {from:d}ms to {to:d}ms by master",
      "advertisement interval updated from {from:d}ms to {to:d}ms by new master",
    ],
  }),
  interval({
    // VRRPv3 takes the master's interval over; it refuses nothing.
    cause: "mismatch",
    unitUs: 10 * US_PER_MS,
    since: "2.3.3",
    samples: ["(VI_1) advertisement interval mismatch ours = 100 centi-sec rcv'd=200 centi-sec"],
    templates: ["advertisement interval mismatch ours = {from:d} centi-sec rcv'd={to:d} centi-sec"],
  }),
  {
    id: "vrrp.master-changed",
    source: "vrrp/vrrp.c",
    since: "2.3.3",
    samples: ["(VI_1) master changed from 10.99.0.11 to 10.99.0.12", "(VI_1) master set to 10.99.0.11"],
    needsInstance: true,
    templates: ["master set to {peer}", "master changed from {previous} to {peer}"],
    toEvent: (words, context) => {
      const peer = address(words, "peer");
      return peer === undefined
        ? UNRECOGNISED
        : {
            kind: "vrrp.master-changed",
            instance: instanceOf(context),
            peer,
            ...known({ previousPeer: address(words, "previous") }),
          };
    },
  },
  group({
    to: "BACKUP",
    since: "1.2.2",
    samples: ["VRRP_Group(VG_1) Syncing instances to BACKUP state"],
    templates: ["VRRP_Group({group}) Syncing instances to BACKUP state"],
  }),
  group({
    to: "MASTER",
    since: "1.2.2",
    samples: ["VRRP_Group(VG_1) Syncing instances to MASTER state", "VRRP_Group(VG_1) Transition to MASTER state"],
    templates: [
      "VRRP_Group({group}) Syncing instances to MASTER state",
      "VRRP_Group({group}) Transition to MASTER state",
    ],
  }),
  group({
    to: "FAULT",
    since: "1.2.2",
    samples: [
      "VRRP_Group(VG_1) Syncing instances to FAULT state",
      "VRRP_Group(VG_1): Syncing instances to FAULT state",
      "VRRP_Group(VG_1): Syncing VI_2 to FAULT state",
    ],
    templates: [
      "VRRP_Group({group}) Syncing instances to FAULT state",
      "VRRP_Group({group}): Syncing instances to FAULT state",
      "VRRP_Group({group}): Syncing {instance} to FAULT state",
    ],
  }),
  {
    // All members' interfaces are up again: what comes next is a line of its own.
    id: "vrrp.group-state.up",
    source: "vrrp/vrrp_sync.c",
    since: "1.2.2",
    until: "1.4.5",
    samples: ["Kernel is reporting: Group(VG_1) UP", "VRRP_Group(VG_1) Leaving FAULT state"],
    templates: ["Kernel is reporting: Group({group}) UP", "VRRP_Group({group}) Leaving FAULT state"],
    toEvent: (words) => ({ kind: "vrrp.group-state", group: name(words, "group"), state: "INIT" }),
  },
  {
    id: "vrrp.startup-delay.begun",
    source: "vrrp/vrrp_daemon.c",
    since: "2.0.14",
    samples: ["Delaying startup for 5 seconds", "Delaying startup for a further 2.5 seconds"],
    templates: ["Delaying startup for {delay} seconds", "Delaying startup for a further {delay} seconds"],
    toEvent: (words) => {
      const delayUs = secondsIn(words, "delay");
      return delayUs === undefined ? UNRECOGNISED : { kind: "vrrp.startup-delay", over: false, delayUs };
    },
  },
  {
    id: "vrrp.startup-delay.over",
    source: "vrrp/vrrp_daemon.c",
    since: "2.2.8",
    samples: ["Delayed start completed", "Reduced delayed start passed"],
    templates: ["Delayed start completed", "Reduced delayed start passed"],
    toEvent: () => ({ kind: "vrrp.startup-delay", over: true }),
  },
  {
    id: "vrrp.scheduler-stall",
    source: "lib/scheduler.c, vrrp/vrrp.c",
    since: "2.1.0",
    samples: ["A thread timer expired 12.345678 seconds ago", "VRRP thread timer expired 0.300000 seconds ago"],
    templates: ["A thread timer expired {seconds} seconds ago", "VRRP thread timer expired {seconds} seconds ago"],
    toEvent: (words) => {
      const lateUs = secondsIn(words, "seconds");
      return lateUs === undefined ? UNRECOGNISED : { kind: "vrrp.scheduler-stall", lateUs };
    },
  },
];
