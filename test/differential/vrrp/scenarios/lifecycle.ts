import { CLASSIC, config, instance, pair, password, type Scenario } from "./scenario.ts";

/** Starts, ends, and processes that are killed or frozen. */
export const lifecycle: readonly Scenario[] = [
  {
    name: "classic",
    about: "version 2 with a password, the master first; it is stopped and started again",
    isShort: true,
    configs: [
      config([instance({ ...CLASSIC, state: "MASTER", priority: 150, lines: [password("1111")] })]),
      config([instance({ ...CLASSIC, priority: 100, lines: [password("1111")] })]),
    ],
    async play({ lb1, lb2 }) {
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.start();
      await lb2.entered("VI_1", "BACKUP");
      await lb1.stop();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "backup-first",
    about: "the node of lower priority starts alone, then the other one",
    configs: pair(),
    async play({ lb1, lb2 }) {
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "both-at-once",
    about: "both start at the same time",
    configs: pair({ ...CLASSIC }),
    async play(stage) {
      await Promise.all([stage.lb1.start(), stage.lb2.start()]);
      await stage.lb1.entered("VI_1", "MASTER");
    },
  },
  {
    name: "stop-backup",
    about: "the backup stops and comes again: nothing happens to the master",
    configs: pair(),
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.stop();
      await stage.lb2.start();
      await stage.lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "kill-parent",
    about: "SIGKILL of the master's parent process: its child leaves in order",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      lb1.signal("parent", "SIGKILL");
      await lb1.untilGone();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "kill-child",
    about: "SIGKILL of the master's VRRP process: its parent starts another",
    isShort: true,
    configs: pair({ ...CLASSIC }),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.heardSomething();
      lb1.signal("vrrp", "SIGKILL");
      await lb1.entered("VI_1", "BACKUP", 2);
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "kill-child-of-backup",
    about: "SIGKILL of the backup's VRRP process",
    configs: pair(),
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      stage.lb2.signal("vrrp", "SIGKILL");
      await stage.lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "kill-all",
    about: "SIGKILL of all the master's processes: its address stays; the next start removes it",
    isShort: true,
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.killAll();
      await lb2.entered("VI_1", "MASTER");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER", 2);
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "kill-all-of-backup",
    about: "SIGKILL of all the backup's processes, then the master stops: nobody is left",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.killAll();
      await lb1.stop();
      await stage.quiet();
    },
  },
  {
    name: "freeze-briefly",
    about: "the master's VRRP process is stopped for less than the backup's patience",
    configs: pair({ interval: 1 }),
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      stage.lb1.signal("vrrp", "SIGSTOP");
      await stage.quiet(2_000);
      stage.lb1.signal("vrrp", "SIGCONT");
      await stage.quiet(2_000);
    },
  },
  {
    name: "freeze-master",
    about: "the master's VRRP process is stopped until the backup has taken over",
    isShort: true,
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      lb1.signal("vrrp", "SIGSTOP");
      await lb2.entered("VI_1", "MASTER");
      await stage.quiet(1_000);
      lb1.signal("vrrp", "SIGCONT");
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "freeze-preempted",
    about: "a master is stopped while one of higher priority starts",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await lb2.start();
      await lb2.entered("VI_1", "MASTER");
      lb2.signal("vrrp", "SIGSTOP");
      await lb1.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet(1_000);
      lb2.signal("vrrp", "SIGCONT");
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
  {
    name: "freeze-backup",
    about: "the backup's VRRP process is stopped for longer than its patience, with adverts in its socket",
    configs: pair(),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb2.heardSomething();
      lb2.signal("vrrp", "SIGSTOP");
      await stage.quiet(2_500);
      lb2.signal("vrrp", "SIGCONT");
      await stage.quiet(2_000);
    },
  },
  {
    name: "freeze-start",
    about: "the whole daemon is stopped while it waits as a backup, alone",
    configs: [config([instance({ priority: 100 })])],
    async play(stage) {
      const { lb1 } = stage;
      await lb1.start();
      await lb1.entered("VI_1", "BACKUP");
      lb1.signal("parent", "SIGSTOP");
      lb1.signal("vrrp", "SIGSTOP");
      await stage.quiet(2_000);
      lb1.signal("vrrp", "SIGCONT");
      lb1.signal("parent", "SIGCONT");
      await lb1.entered("VI_1", "MASTER");
    },
  },
];
