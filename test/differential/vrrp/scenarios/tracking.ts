import { block, CLASSIC, config, instance, type Scenario, script, track, trackFile } from "./scenario.ts";

const withScript = (lines: readonly string[], tracked: string, priorities: readonly [number, number] = [150, 100]) =>
  priorities.map((priority) =>
    config([script("chk", lines), instance({ priority, lines: [track("script", tracked)] })]),
  );

const withFile = (tracked: string) =>
  [150, 100].map((priority) => config([trackFile("load"), instance({ priority, lines: [track("file", tracked)] })]));

/** Scripts, files and processes that are tracked. */
export const tracking: readonly Scenario[] = [
  {
    name: "script-weight",
    about: "a script with a negative weight moves the address, there and back",
    isShort: true,
    configs: withScript(["interval 1", "weight -60"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk", 1);
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "script-weight-too-small",
    about: "a weight that cannot move the address",
    configs: withScript(["interval 1", "weight -20"], "chk"),
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb1.answer("chk", 1);
      await stage.quiet(4_000);
    },
  },
  {
    name: "script-positive",
    about: "positive weights: the lower one is master while the higher one's script fails",
    configs: withScript(["interval 1", "weight 60"], "chk", [120, 100]),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.answer("chk", 1);
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER");
      await lb2.answer("chk", 1);
      await stage.quiet();
      await lb1.answer("chk", 1);
      await stage.quiet(3_000);
    },
  },
  {
    name: "script-reverse",
    about: "reverse: the script's success is the failure",
    configs: withScript(["interval 1"], "chk weight -60 reverse"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.answer("chk", 1);
      await lb2.answer("chk", 1);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk", 0);
      await lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "script-fault",
    about: "a script without a weight: its failure is a fault",
    isShort: true,
    configs: withScript(["interval 1"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk", 1);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "script-fault-at-start",
    about: "a script without a weight fails when the daemon starts, and recovers",
    configs: withScript(["interval 1"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.answer("chk", 1);
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "script-init-fail",
    about: "init_fail with rise 2: a first success counts alone, behind a failure it takes two",
    configs: withScript(["interval 1", "rise 2", "init_fail"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.answer("chk", 1);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.answered("chk", 1, 1);
      await lb2.answer("chk", 0);
      await lb2.entered("VI_1", "BACKUP");
    },
  },
  {
    name: "script-rise-fall",
    about: "rise 3 and fall 2, with failures and successes in between that do not count",
    isShort: true,
    configs: withScript(["interval 1", "rise 3", "fall 2"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answered("chk", 1, 1);
      await lb1.answered("chk", 0, 2);
      await lb1.answered("chk", 1, 2);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await lb1.answered("chk", 0, 2);
      await lb1.answered("chk", 1, 1);
      await lb1.answered("chk", 0, 3);
      await lb1.entered("VI_1", "BACKUP", 2);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "script-timeout",
    about: "a script that hangs is ended after its timeout, and counts as failed",
    configs: withScript(["interval 2", "timeout 1"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk", "hang");
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("chk", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "script-classic",
    about: "the tutorial's chk_nginx: interval 2, weight -60, fall 2, version 2",
    configs: [150, 100].map((priority) =>
      config([
        script("chk_nginx", ["interval 2", "weight -60", "fall 2", "rise 1"]),
        instance({
          ...CLASSIC,
          state: priority === 150 ? "MASTER" : "BACKUP",
          priority,
          lines: [track("script", "chk_nginx")],
        }),
      ]),
    ),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk_nginx", 1);
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("chk_nginx", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "scripts-together",
    about: "three scripts: weights add up, and the priority does not leave 1 to 254",
    configs: [
      config([
        script("a", ["interval 1", "weight -200"]),
        script("b", ["interval 1", "weight -100"]),
        script("c", ["interval 1", "weight 100"]),
        instance({ priority: 200, lines: [track("script", "a", "b", "c")] }),
      ]),
      config([instance({ priority: 50 })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("a", 1);
      await stage.quiet(2_500);
      await lb1.answer("b", 1);
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("c", 1);
      await stage.quiet(2_000);
      await lb1.answer("a", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "script-of-owner",
    about: "priority 255: a weight changes nothing, a failure without a weight is a fault",
    configs: [
      config([
        script("a", ["interval 1", "weight -200"]),
        script("b", ["interval 1"]),
        instance({ state: "MASTER", priority: 255, lines: [track("script", "a", "b")] }),
      ]),
      config([instance({ priority: 100 })]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("a", 1);
      await stage.quiet(2_500);
      await lb1.answer("b", 1);
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("b", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "file-weight",
    about: "track_file: the number times the weight moves the address",
    configs: withFile("load weight -1"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 0);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.writeTracked("load", 60);
      await lb2.entered("VI_1", "MASTER");
      await lb2.writeTracked("load", 90);
      await lb1.entered("VI_1", "MASTER", 2);
      await lb1.writeTracked("load", 30);
      await lb2.writeTracked("load", 0);
      await stage.quiet();
    },
  },
  {
    name: "file-fault",
    about: "track_file with weight 0: a number that is not 0 is a fault, and so is a product below -253",
    configs: withFile("load weight 0"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 0);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.writeTracked("load", 7);
      await lb1.entered("VI_1", "FAULT");
      await lb2.entered("VI_1", "MASTER");
      await lb1.writeTracked("load", 0);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "file-extremes",
    about: "track_file with weight 1: -254 is a fault, 254 is the most",
    configs: withFile("load weight 1"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 0);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.writeTracked("load", -254);
      await lb1.entered("VI_1", "FAULT");
      await lb1.writeTracked("load", 300);
      await lb1.entered("VI_1", "MASTER", 2);
      await lb1.writeTracked("load", -149);
      await lb2.entered("VI_1", "MASTER", 2);
      await lb1.writeTracked("load", -10);
      await lb1.entered("VI_1", "MASTER", 3);
    },
  },
  {
    name: "file-at-start",
    about: "track_file: what the file says when the daemon starts counts",
    configs: withFile("load weight -1"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb1.writeTracked("load", 80);
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet();
      await lb1.writeTracked("load", 0);
      await lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "script-and-link",
    about: "two faults at once: the instance comes back when both are over",
    configs: withScript(["interval 1"], "chk"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.answer("chk", 1);
      await lb1.entered("VI_1", "FAULT");
      await stage.unplug(lb1);
      await lb2.entered("VI_1", "MASTER");
      await lb1.answer("chk", 0);
      await stage.quiet(2_000);
      await stage.plug(lb1);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "priority-of-backup",
    about: "the backup's priority changes while it waits: its patience is shifted at once",
    configs: [
      config([instance({ ...CLASSIC, priority: 250 })]),
      config([
        trackFile("load"),
        instance({ ...CLASSIC, priority: 10, lines: [block("track_file", ["load weight 1"])] }),
      ]),
    ],
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.writeTracked("load", 0);
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.heardSomething();
      await lb1.killAll();
      await stage.quiet(2_000);
      await lb2.writeTracked("load", 220);
      await lb2.entered("VI_1", "MASTER");
    },
  },
];
