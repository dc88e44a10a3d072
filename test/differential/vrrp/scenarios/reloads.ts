import { config, instance, pair, type Scenario, script, track, VIP } from "./scenario.ts";

const one = (priority: number): string => config([instance({ priority })]);

/** A configuration that changes while keepalived runs. */
export const reloads: readonly Scenario[] = [
  {
    name: "reload-same",
    about: "SIGHUP on both nodes, with nothing changed",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.reload(one(100));
      await stage.quiet();
      await lb1.reload(one(150));
      await stage.quiet(2_500);
    },
  },
  {
    name: "reload-priority",
    about: "the backup's priority is raised by a reload, then the other's",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.reload(one(200));
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.reload(one(220));
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "reload-lower",
    about: "the master's priority is lowered by a reload",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.reload(one(50));
      await lb2.entered("VI_1", "MASTER");
      await lb1.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "reload-vips",
    about: "an address is added on one node only: both are masters until the other has it too",
    isShort: true,
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      const more = (priority: number): string => config([instance({ priority, vips: [VIP, "10.99.0.101"] })]);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.reload(more(150));
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb2.reload(more(100));
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "reload-removes",
    about: "an instance is removed and added again",
    configs: [
      config([instance({ priority: 150 }), instance({ name: "VI_2", vrid: 52, priority: 150, vips: ["10.99.0.200"] })]),
      config([instance({ priority: 100 }), instance({ name: "VI_2", vrid: 52, priority: 100, vips: ["10.99.0.200"] })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_2", "MASTER");
      await lb1.reload(one(150));
      await lb2.entered("VI_2", "MASTER");
      await stage.quiet();
      await lb1.reload(
        config([
          instance({ priority: 150 }),
          instance({ name: "VI_2", vrid: 52, priority: 150, vips: ["10.99.0.200"] }),
        ]),
      );
      await lb1.entered("VI_2", "MASTER", 2);
    },
  },
  {
    name: "reload-interval",
    about: "the interval is changed by a reload, version 3, first on the backup",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.reload(config([instance({ priority: 100, interval: 0.6 })]));
      await stage.quiet();
      await lb1.reload(config([instance({ priority: 150, interval: 0.6 })]));
      await stage.quiet();
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "reload-while-waiting",
    about: "SIGHUP of a backup whose master is dead: it waits anew",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.heardSomething();
      await lb1.killAll();
      await stage.quiet(600);
      await lb2.reload(one(100));
      await lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "reload-script",
    about: "a script is added by a reload, and fails",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.answer("chk", 1);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.reload(
        config([script("chk", ["interval 1"]), instance({ priority: 150, lines: [track("script", "chk")] })]),
      );
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "reload-in-fault",
    about: "SIGHUP while the instance is in FAULT",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER");
      await lb1.reload(one(160));
      await stage.quiet();
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "reload-faulty",
    about:
      "reloads of faulty files that keepalived runs: an unknown keyword, a block that is not closed, a priority of 1500",
    configs: pair(),
    async play(stage) {
      const { lb1 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      const faulty = [
        one(150).replace("advert_int", "advert_interval"),
        one(150).replace(/}\s*$/, ""),
        one(150).replace("priority 150", "priority 1500"),
      ];
      for (const text of faulty) {
        await lb1.reload(text);
        await stage.quiet(2_500);
        await lb1.reload(one(150));
        await stage.quiet(2_500);
      }
    },
  },
  ...(
    [
      ["reload-no-vrid", "a reload without a VRID", / *virtual_router_id.*\n/, ""],
      ["reload-no-interface", "a reload with an interface that does not exist", "interface eth0", "interface eth7"],
    ] as const
  ).map(
    ([name, about, from, to]): Scenario => ({
      name,
      about: `${about}: the daemon ends and leaves its address, and is started with the right file later`,
      configs: pair(),
      async play(stage) {
        const { lb1, lb2 } = stage;
        await stage.start();
        await lb1.entered("VI_1", "MASTER");
        await lb2.heardSomething();
        await lb1.reload(one(150).replace(from, to));
        await lb1.untilGone();
        await lb2.entered("VI_1", "MASTER");
        await lb1.writeConfig(one(150));
        await lb1.start();
        await lb1.entered("VI_1", "MASTER", 2);
      },
    }),
  ),
  {
    name: "reload-empty",
    about: "a reload with a file that says nothing, and one with the right file again",
    configs: pair(),
    async play(stage) {
      const { lb1 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.reload("");
      await stage.quiet(3_000);
      await lb1.reload(one(150));
      await stage.quiet(3_000);
    },
  },
];
