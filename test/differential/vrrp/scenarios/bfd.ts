import { addressOf } from "../network.ts";
import { block, config, instance, type InstanceText, type Scenario, track } from "./scenario.ts";

/** A session over the second wire, on which there are no adverts. */
const session = (index: number): string =>
  block("bfd_instance path", [
    `source_ip ${addressOf("eth1", index)}`,
    `neighbor_ip ${addressOf("eth1", 1 - index)}`,
    "min_rx 50",
    "min_tx 50",
    "idle_tx 200",
    "multiplier 3",
  ]);

/** Both nodes have the session; those with a line track it. */
const withSession = (...tracked: readonly (string | undefined)[]): readonly string[] =>
  tracked.map((line, index) => {
    const text: InstanceText = { priority: index === 0 ? 150 : 100 };
    return config([session(index), instance({ ...text, lines: line === undefined ? [] : [track("bfd", line)] })]);
  });

/** BFD sessions that are tracked, between two of keepalived's own BFD processes. */
export const bfd: readonly Scenario[] = [
  {
    name: "bfd-fault",
    about:
      "a session without a weight: in FAULT until it is up, when its packets are lost, and when the peer's daemon ends",
    isShort: true,
    configs: withSession("path", undefined),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.cut(lb1, lb2, "eth1");
      await lb1.entered("VI_1", "FAULT", 2);
      await lb2.entered("VI_1", "MASTER");
      await stage.heal(lb1, lb2, "eth1");
      await lb1.entered("VI_1", "MASTER", 2);
      await lb2.stop();
      await lb1.entered("VI_1", "FAULT", 3);
      await lb2.start();
      await lb1.entered("VI_1", "MASTER", 3);
    },
  },
  {
    name: "bfd-weight",
    about: "a session with a weight moves the address, there and back",
    configs: withSession("path weight -60", undefined),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.deafen(lb2, lb1, "eth1");
      await lb2.entered("VI_1", "MASTER");
      await stage.undeafen(lb2, lb1, "eth1");
      await lb1.entered("VI_1", "MASTER", 2);
    },
  },
  {
    name: "bfd-positive",
    about: "positive weights on both nodes, and a link that is pulled: both lose the session",
    configs: withSession("path weight 20", "path weight 90"),
    async play(stage) {
      const { lb1, lb2 } = stage;
      await stage.start();
      await lb2.entered("VI_1", "MASTER");
      // Both wait as long at the start: the other may have been master for a moment too.
      await stage.quiet(1_500);
      const [before1, before2] = [lb1.entries("VI_1", "MASTER"), lb2.entries("VI_1", "MASTER")];
      await stage.unplug(lb2, "eth1");
      await lb1.entered("VI_1", "MASTER", before1 + 1);
      await stage.plug(lb2, "eth1");
      await lb2.entered("VI_1", "MASTER", before2 + 1);
    },
  },
  {
    name: "bfd-reload",
    about: "a reload while the session is up, and one while it is down",
    configs: withSession("path", undefined),
    async play(stage) {
      const { lb1, lb2 } = stage;
      const [same = ""] = withSession("path");
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await lb1.reload(same);
      await stage.quiet(3_000);
      await stage.cut(lb1, lb2, "eth1");
      await lb2.entered("VI_1", "MASTER");
      await lb1.reload(same);
      await stage.quiet(2_000);
      await stage.heal(lb1, lb2, "eth1");
      await lb2.entered("VI_1", "BACKUP", 2);
    },
  },
];
