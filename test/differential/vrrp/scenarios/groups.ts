import { block, config, instance, type InstanceText, type Scenario, script, track, trackFile } from "./scenario.ts";

const outside = (more: InstanceText): string => instance({ name: "OUT", wire: "eth0", ...more });
const inside = (more: InstanceText): string =>
  instance({ name: "IN", wire: "eth1", vrid: 52, vips: ["10.98.0.100"], ...more });

/** A router's two sides, bound together. */
const grouped = (lines: readonly string[] = [], blocks: readonly string[] = [], more: InstanceText = {}) =>
  [150, 100].map((priority) =>
    config([
      ...blocks,
      block("vrrp_sync_group ROUTER", [block("group", ["OUT", "IN"]), ...lines]),
      outside({ priority, ...more }),
      inside({ priority, ...more }),
    ]),
  );

/** Sync groups. */
export const groups: readonly Scenario[] = [
  {
    name: "group",
    about: "a sync group of two: the master is stopped, comes again, and is killed",
    isShort: true,
    configs: grouped(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("OUT", "MASTER");
      await lb1.entered("IN", "MASTER");
      await lb1.stop();
      await lb2.entered("OUT", "MASTER");
      await lb2.entered("IN", "MASTER");
      await lb1.start();
      await lb1.entered("IN", "MASTER", 2);
      await lb1.killAll();
      await lb2.entered("IN", "MASTER", 2);
    },
  },
  {
    name: "group-link",
    about: "one side's link goes down: both sides move",
    isShort: true,
    configs: grouped(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await stage.unplug(lb1, "eth1");
      await lb1.entered("OUT", "FAULT");
      await lb2.entered("OUT", "MASTER");
      await lb2.entered("IN", "MASTER");
      await stage.plug(lb1, "eth1");
      await lb1.entered("OUT", "MASTER", 2);
      await lb1.entered("IN", "MASTER", 2);
    },
  },
  {
    name: "group-link-of-backup",
    about: "one side of the backup loses its link",
    configs: grouped(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await stage.unplug(lb2, "eth0");
      await lb2.entered("OUT", "FAULT");
      await stage.quiet();
      await stage.plug(lb2, "eth0");
      await lb2.entered("OUT", "BACKUP", 2);
    },
  },
  {
    name: "group-link-at-start",
    about: "one side has no link when the daemon starts",
    configs: grouped(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.unplug(lb1, "eth1");
      await stage.start();
      await lb2.entered("IN", "MASTER");
      await stage.plug(lb1, "eth1");
      await lb1.entered("IN", "MASTER");
    },
  },
  {
    name: "group-one-wire",
    about: "both members on one interface: the link of the backup, then of the master goes down",
    configs: [150, 100].map((priority) =>
      config([
        block("vrrp_sync_group BOTH", [block("group", ["ONE", "TWO"])]),
        instance({ name: "ONE", priority }),
        instance({ name: "TWO", vrid: 52, vips: ["10.99.0.200"], priority }),
      ]),
    ),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("TWO", "MASTER");
      await stage.unplug(lb2);
      await lb2.entered("ONE", "FAULT");
      await stage.quiet(500);
      await stage.plug(lb2);
      await lb2.entered("TWO", "BACKUP", 2);
      await stage.unplug(lb1);
      await lb1.entered("TWO", "FAULT");
      await lb2.entered("TWO", "MASTER");
      await stage.plug(lb1);
      await lb1.entered("TWO", "MASTER", 2);
    },
  },
  {
    name: "group-half-partition",
    about: "one side's network is cut: that side's backup wants to be master, and may not",
    configs: grouped(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await stage.cut(lb1, lb2, "eth1");
      await stage.quiet(4_000);
      await stage.cut(lb1, lb2, "eth0");
      await lb2.entered("OUT", "MASTER");
      await lb2.entered("IN", "MASTER");
      await stage.quiet();
      await stage.heal(lb1, lb2, "eth1");
      await lb2.entered("OUT", "BACKUP", 2);
      await stage.heal(lb1, lb2, "eth0");
      await stage.quiet();
    },
  },
  {
    name: "group-uneven",
    about: "members of unequal priority, on the two nodes the other way round",
    configs: [
      config([
        block("vrrp_sync_group ROUTER", [block("group", ["OUT", "IN"])]),
        outside({ priority: 150 }),
        inside({ priority: 100 }),
      ]),
      config([
        block("vrrp_sync_group ROUTER", [block("group", ["OUT", "IN"])]),
        outside({ priority: 100 }),
        inside({ priority: 150 }),
      ]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("IN", "MASTER");
      await lb2.start();
      await stage.quiet(4_000);
      await lb1.stop();
      await lb2.entered("IN", "MASTER");
      await stage.quiet();
    },
  },
  {
    name: "group-script",
    about: "a script tracked by the group, without a weight",
    configs: grouped([track("script", "chk")], [script("chk", ["interval 1"])]),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await lb1.answer("chk", 1);
      await lb1.entered("OUT", "FAULT");
      await lb2.entered("IN", "MASTER");
      await lb1.answer("chk", 0);
      await lb1.entered("IN", "MASTER", 2);
    },
  },
  {
    name: "group-weight",
    about: "sync_group_tracking_weight: a file tracked by the group moves both",
    configs: grouped(["sync_group_tracking_weight", track("file", "load weight -1")], [trackFile("load")]),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 0);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await lb1.writeTracked("load", 60);
      await lb2.entered("IN", "MASTER");
      await stage.quiet();
      await lb1.writeTracked("load", 0);
      await lb1.entered("IN", "MASTER", 2);
    },
  },
  {
    name: "group-weight-ignored",
    about: "a member's file with a weight, without sync_group_tracking_weight: it counts for nothing",
    configs: grouped([], [trackFile("load")], { lines: [track("file", "load weight -1")] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 0);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await lb1.writeTracked("load", 60);
      await stage.quiet(3_000);
    },
  },
  {
    name: "group-owner",
    about: "a group of owners",
    configs: [
      config([
        block("vrrp_sync_group ROUTER", [block("group", ["OUT", "IN"])]),
        outside({ priority: 255, state: "MASTER" }),
        inside({ priority: 255, state: "MASTER" }),
      ]),
      config([
        block("vrrp_sync_group ROUTER", [block("group", ["OUT", "IN"])]),
        outside({ priority: 100 }),
        inside({ priority: 100 }),
      ]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("IN", "MASTER");
      await stage.unplug(lb1, "eth0");
      await lb2.entered("IN", "MASTER");
      await stage.plug(lb1, "eth0");
      await lb1.entered("IN", "MASTER", 2);
    },
  },
];
