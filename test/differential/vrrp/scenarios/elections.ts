import { block, CLASSIC, config, instance, pair, password, type Scenario } from "./scenario.ts";

const nopreempt = pair({ lines: ["nopreempt"] });
const unicast = (own: number, peer: number, more: readonly string[] = []): readonly string[] => [
  `unicast_src_ip 10.99.0.${own}`,
  block("unicast_peer", [`10.99.0.${peer}`]),
  ...more,
];

/** Priorities, who gives way to whom, and how fast. */
export const elections: readonly Scenario[] = [
  {
    name: "equal-priority",
    about: "equal priorities: one is master, the other starts; after a partition the higher address wins",
    isShort: true,
    configs: [config([instance({ priority: 100 })]), config([instance({ priority: 100 })])],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await lb2.entered("VI_1", "BACKUP");
      await stage.quiet();
      await stage.cut(lb1, lb2);
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await stage.heal(lb1, lb2);
      await lb1.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "equal-priority-start",
    about: "equal priorities: the one that starts a moment earlier is master",
    configs: [config([instance({ priority: 100 })]), config([instance({ priority: 100 })])],
    async play(stage) {
      await stage.lb1.start();
      await stage.quiet(200);
      await stage.lb2.start();
      await stage.lb2.entered("VI_1", "BACKUP");
      await stage.quiet(3_000);
    },
  },
  {
    name: "owner",
    about: "priority 255: master at once; it stops, and comes again",
    configs: [config([instance({ state: "MASTER", priority: 255 })]), config([instance({ priority: 100 })])],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.entered("VI_1", "BACKUP", 2);
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER", 2);
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "owner-link",
    about: "priority 255: the owner's link goes down and comes again",
    configs: [config([instance({ state: "MASTER", priority: 255 })]), config([instance({ priority: 100 })])],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "owner-by-default",
    about: "state MASTER without a priority: it is 255",
    configs: [config([instance({ state: "MASTER" })]), config([instance({})])],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "two-owners",
    about: "both are owners, the one of the lower address first",
    configs: [
      config([instance({ state: "MASTER", priority: 255 })]),
      config([instance({ state: "MASTER", priority: 255 })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet(3_000);
    },
  },
  {
    name: "two-owners-higher-first",
    about: "both are owners, the one of the higher address first",
    configs: [
      config([instance({ state: "MASTER", priority: 255 })]),
      config([instance({ state: "MASTER", priority: 255 })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet(3_000);
    },
  },
  {
    name: "nopreempt",
    about: "nopreempt: the higher one waits until the lower one ends",
    isShort: true,
    configs: nopreempt,
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await stage.quiet(3_000);
      await lb2.stop();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "nopreempt-partition",
    about: "nopreempt: after a partition of two masters the lower one gives way",
    configs: nopreempt,
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await stage.cut(lb1, lb2);
      await lb2.entered("VI_1", "MASTER");
      await stage.heal(lb1, lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "nopreempt-link",
    about: "nopreempt: the master loses its link, and does not take back",
    configs: nopreempt,
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER");
      await stage.plug(lb1);
      await stage.quiet(3_000);
      await lb2.stop();
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "preempt-delay",
    about: "preempt_delay 3: the higher one waits that long before it takes over",
    configs: pair({ lines: ["preempt_delay 3"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "preempt-delay-cut-short",
    about: "preempt_delay: the master ends while the higher one waits",
    configs: pair({ lines: ["preempt_delay 10"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await stage.quiet(2_000);
      await lb2.stop();
      await lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "preempt-delay-again",
    about: "preempt_delay: the higher one loses its link while it waits, and waits anew",
    configs: pair({ lines: ["preempt_delay 3"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await stage.quiet(2_000);
      await stage.unplug(lb1);
      await stage.quiet(500);
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "lower-prio-no-advert",
    about: "lower_prio_no_advert: a partition of two masters heals",
    configs: pair({ lines: ["lower_prio_no_advert"] }),
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
    name: "higher-prio-send-advert",
    about: "higher_prio_send_advert: a partition of two masters heals",
    configs: pair({ lines: ["higher_prio_send_advert"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.cut(lb1, lb2);
      await lb2.entered("VI_1", "MASTER");
      await stage.heal(lb1, lb2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "fast",
    about: "version 3 at 0.1 s: the master is stopped, started, and killed",
    isShort: true,
    configs: pair({ interval: 0.1 }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb2.entered("VI_1", "BACKUP", 2);
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "learnt-interval",
    about: "version 3: the backup goes by the master's interval, not by its own",
    configs: [config([instance({ priority: 150, interval: 1 })]), config([instance({ priority: 100, interval: 0.2 })])],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await stage.quiet(3_000);
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "learnt-interval-forgotten",
    about: "version 3: the learnt interval after a fault, and after being master",
    configs: [config([instance({ priority: 150, interval: 0.2 })]), config([instance({ priority: 100, interval: 1 })])],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.heardSomething();
      await stage.unplug(lb2);
      await lb2.entered("VI_1", "FAULT");
      await lb1.killAll();
      await stage.plug(lb2);
      await lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "down-timer-adverts",
    about: "down_timer_adverts 6 on the backup, version 2",
    configs: [
      config([instance({ ...CLASSIC, priority: 150 })]),
      config([instance({ ...CLASSIC, priority: 100, lines: ["down_timer_adverts 6"] })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "down-timer-adverts-two",
    about: "down_timer_adverts 2 on both, version 3",
    configs: pair({ lines: ["down_timer_adverts 2"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "startup-delay",
    about: "vrrp_startup_delay 3: alone, and with a master there",
    configs: [
      config([instance({ priority: 150 })], ["vrrp_startup_delay 3"]),
      config([instance({ priority: 100 })], ["vrrp_startup_delay 2"]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.stop();
      await lb2.start();
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "strict",
    about: "vrrp_strict: state MASTER without priority 255, a password that is dropped, preempt_delay that is reset",
    configs: [
      config([instance({ ...CLASSIC, state: "MASTER", priority: 150, lines: [password("1111")] })], ["vrrp_strict"]),
      config([instance({ ...CLASSIC, priority: 100, lines: ["preempt_delay 5"] })], ["vrrp_strict"]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "vmac",
    about: "use_vmac: start, stop, and the link of the interface below",
    configs: pair({ lines: ["use_vmac", "vmac_xmit_base"] }),
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
    name: "vmac-xmit",
    about: "use_vmac with adverts from the virtual MAC",
    configs: pair({ lines: ["use_vmac"] }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "unicast",
    about: "unicast peers: the master is killed, and comes again",
    isShort: true,
    configs: [
      config([instance({ priority: 150, lines: unicast(11, 12) })]),
      config([instance({ priority: 100, lines: unicast(12, 11) })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "unicast-and-multicast",
    about: "one sends to its peer, the other to the group: both refuse",
    configs: [config([instance({ priority: 150, lines: unicast(11, 12) })]), config([instance({ priority: 100 })])],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.entered("VI_1", "MASTER");
      await stage.quiet();
    },
  },
  {
    name: "unicast-strangers",
    about: "unicast with check_unicast_src: lb3 sends to the others, and is nobody's peer",
    configs: [
      config([instance({ priority: 150, lines: unicast(11, 12, ["check_unicast_src"]) })]),
      config([instance({ priority: 100, lines: unicast(12, 11, ["check_unicast_src"]) })]),
      config([instance({ priority: 200, lines: unicast(13, 11) })]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb3.entered("VI_1", "MASTER");
      await stage.quiet();
    },
  },
  {
    name: "unicast-source-missing",
    about: "unicast from an address that is not there: a fault that is not over when it comes",
    configs: [
      config([instance({ priority: 150, lines: unicast(61, 12) })]),
      config([instance({ priority: 100, lines: unicast(12, 61) })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.ip("addr", "add", "10.99.0.61/24", "dev", "eth0");
      await stage.quiet(3_000);
    },
  },
  {
    name: "unicast-source-lost",
    about: "unicast: the address it sends from goes and comes while it is master",
    configs: [
      config([instance({ priority: 150, lines: unicast(61, 12) })]),
      config([instance({ priority: 100, lines: unicast(12, 61) })]),
    ],
    async play(stage) {
      const { lb1 } = stage;
      await lb1.ip("addr", "add", "10.99.0.61/24", "dev", "eth0");
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.ip("addr", "del", "10.99.0.61/24", "dev", "eth0");
      await stage.quiet(2_500);
      await lb1.ip("addr", "add", "10.99.0.61/24", "dev", "eth0");
      await stage.quiet(2_000);
    },
  },
  {
    name: "unicast-source-tracked",
    about: "unicast with track_src_ip: the address it sends from goes and comes while it is master",
    configs: [
      config([instance({ priority: 150, lines: unicast(61, 12, ["track_src_ip"]) })]),
      config([instance({ priority: 100, lines: unicast(12, 61) })]),
    ],
    async play(stage) {
      const { lb1 } = stage;
      await lb1.ip("addr", "add", "10.99.0.61/24", "dev", "eth0");
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.ip("addr", "del", "10.99.0.61/24", "dev", "eth0");
      await stage.quiet(2_500);
      await lb1.ip("addr", "add", "10.99.0.61/24", "dev", "eth0");
      await stage.quiet(2_000);
    },
  },
  {
    name: "two-instances",
    about: "two independent instances, each node master of one",
    configs: [
      config([instance({ priority: 150 }), instance({ name: "VI_2", vrid: 52, priority: 100, vips: ["10.99.0.200"] })]),
      config([instance({ priority: 100 }), instance({ name: "VI_2", vrid: 52, priority: 150, vips: ["10.99.0.200"] })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.entered("VI_2", "MASTER");
      await lb2.stop();
      await lb1.entered("VI_2", "MASTER");
      await lb2.start();
      await lb2.entered("VI_2", "MASTER", 2);
    },
  },
];
