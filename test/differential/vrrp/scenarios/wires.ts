import { CLASSIC, config, instance, pair, type Scenario, track, VIP, VIP6 } from "./scenario.ts";

const three = [150, 120, 100].map((priority) => config([instance({ priority })]));

/** Links, cables and packets that do not arrive. */
export const wires: readonly Scenario[] = [
  {
    name: "link-of-master",
    about: "the master's cable is pulled and plugged",
    isShort: true,
    configs: pair({ ...CLASSIC }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb1);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "link-of-backup",
    about: "the backup's cable is pulled and plugged",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb2);
      await lb2.entered("VI_1", "FAULT");
      await stage.plug(lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "link-set-down",
    about: "the master's interface is set down and up by its operator, which takes its IPv6 addresses",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.ip("link", "set", "eth0", "down");
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await lb1.ip("link", "set", "eth0", "up");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "link-down-at-start",
    about: "keepalived starts without a link, which comes later",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.unplug(lb1);
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "link-flaps",
    about: "the master's cable is pulled and plugged again and again",
    configs: pair(),
    async play(stage) {
      const { lb1 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      for (let i = 1; i <= 4; i++) {
        await stage.unplug(lb1);
        await lb1.entered("VI_1", "FAULT", i);
        await stage.plug(lb1);
        await lb1.entered("VI_1", "BACKUP", i + 1);
        await stage.quiet(i * 250);
      }
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "interface-recreated",
    about: "the master's interface is deleted and made anew, and later the backup's",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.removeInterface(lb1);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await stage.addInterface(lb1);
      await stage.quiet(4_000);
      await stage.removeInterface(lb2);
      await lb2.entered("VI_1", "FAULT");
      await stage.addInterface(lb2);
      await stage.quiet(4_000);
    },
  },
  {
    name: "interface-recreated-dynamic",
    about: "the same with dynamic_interfaces",
    configs: [150, 100].map((priority) => config([instance({ priority })], ["dynamic_interfaces"])),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.removeInterface(lb1);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await stage.addInterface(lb1);
      await stage.quiet(4_000);
      await stage.removeInterface(lb2);
      await lb2.entered("VI_1", "FAULT");
      await stage.addInterface(lb2);
      await stage.quiet(4_000);
    },
  },
  {
    name: "dont-track-primary",
    about: "dont_track_primary: the master's cable is pulled, and it goes on",
    configs: pair({ lines: ["dont_track_primary"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "partition",
    about: "the network between the two is cut and mended; no link goes down",
    isShort: true,
    configs: pair({ ...CLASSIC }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.cut(lb1, lb2);
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await stage.heal(lb1, lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "one-way-loss",
    about: "the master's adverts do not arrive, the backup's do",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.deafen(lb1, lb2);
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await stage.undeafen(lb1, lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "one-way-loss-of-higher",
    about: "the lower one is master, and does not hear the higher one that starts",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.deafen(lb1, lb2);
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet();
      await stage.undeafen(lb1, lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "near-miss",
    about: "adverts are lost for less than the backup's patience, twice",
    configs: pair({ interval: 1 }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      for (let i = 0; i < 2; i++) {
        await stage.deafen(lb1, lb2);
        await stage.quiet(2_000);
        await stage.undeafen(lb1, lb2);
        await stage.quiet(1_500);
      }
    },
  },
  {
    name: "address-lost",
    about: "the address that adverts are sent from is deleted and comes again",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.ip("addr", "del", "10.99.0.11/24", "dev", "eth0");
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "vip-deleted",
    about: "somebody deletes the virtual address of the master: it steps back, and asks again at once",
    configs: pair(),
    async play(stage) {
      const { lb1 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet(700);
      await lb1.ip("addr", "del", `${VIP}/32`, "dev", "eth0");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "ipv6",
    about: "an IPv6 instance: the master stops, comes again, and loses its link",
    isShort: true,
    configs: pair({ vips: [`${VIP6}/64`] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER", 2);
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER", 3);
    },
  },
  {
    name: "three-nodes",
    about: "three nodes: the highest stops, then the next, and all come again",
    configs: three,
    async play(stage) {
      const { lb1, lb2, lb3 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb2.stop();
      await lb3.entered("VI_1", "MASTER");
      await lb1.start();
      await lb2.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb3.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "three-nodes-partition",
    about: "three nodes: the master is cut off from the other two, then all are together again",
    configs: three,
    async play(stage) {
      const { lb1, lb2, lb3 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.cut(lb1, lb2);
      await stage.cut(lb1, lb3);
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await stage.heal(lb1, lb2);
      await stage.heal(lb1, lb3);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "track-interface",
    about: "track_interface without a weight: losing eth1 is a fault",
    configs: pair({ lines: [track("interface", "eth1")] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb1, "eth1");
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await stage.unplug(lb1, "eth0");
      await stage.plug(lb1, "eth1");
      await stage.quiet();
      await stage.plug(lb1, "eth0");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "track-interface-weight",
    about: "track_interface with weights that move the address, and one that does not",
    configs: [
      config([instance({ priority: 150, lines: [track("interface", "eth1 weight -60")] })]),
      config([instance({ priority: 100, lines: [track("interface", "eth1 weight 10")] })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb2, "eth1");
      await stage.quiet();
      await stage.unplug(lb1, "eth1");
      await stage.quiet();
      await stage.plug(lb2, "eth1");
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1, "eth1");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
];
