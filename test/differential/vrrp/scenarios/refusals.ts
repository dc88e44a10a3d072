import { block, CLASSIC, config, instance, pair, password, type Scenario, VIP } from "./scenario.ts";

/** Two nodes that should hear each other, and do not accept what they hear: both become masters. */
function refusing(
  name: string,
  about: string,
  [lb1, lb2]: readonly [string, string],
  more: Partial<Scenario> = {},
): Scenario {
  return {
    name,
    about,
    configs: [lb1, lb2],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.entered("VI_1", "MASTER");
      await stage.quiet(3_000);
      await stage.lb1.stop();
      await stage.lb1.start();
      await stage.lb1.entered("VI_1", "MASTER", 2);
    },
    ...more,
  };
}

/** Adverts that are refused. */
export const refusals: readonly Scenario[] = [
  refusing(
    "auth-mismatch",
    "two passwords: both are masters",
    [
      config([instance({ ...CLASSIC, priority: 150, lines: [password("1111")] })]),
      config([instance({ ...CLASSIC, priority: 100, lines: [password("2222")] })]),
    ],
    { isShort: true },
  ),
  refusing("auth-type-mismatch", "a password on one node only", [
    config([instance({ ...CLASSIC, priority: 150, lines: [password("1111")] })]),
    config([instance({ ...CLASSIC, priority: 100 })]),
  ]),
  {
    name: "auth-first-eight",
    about: "passwords that differ behind their eighth character: they are the same",
    configs: [
      config([instance({ ...CLASSIC, priority: 150, lines: [password("12345678left")] })]),
      config([instance({ ...CLASSIC, priority: 100, lines: [password("12345678right")] })]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.quiet(3_000);
    },
  },
  {
    name: "auth-ah",
    about: "AH on both: the master is killed",
    configs: pair({ ...CLASSIC, lines: [block("authentication", ["auth_type AH", "auth_pass 1111"])] }),
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.heardSomething();
      await stage.lb1.killAll();
      await stage.lb2.entered("VI_1", "MASTER");
    },
  },
  refusing("interval-mismatch", "version 2 with two intervals: both are masters, and the slower one falls silent", [
    config([instance({ version: 2, interval: 2, priority: 150 })]),
    config([instance({ version: 2, interval: 1, priority: 100 })]),
  ]),
  refusing("version-mismatch", "one speaks version 2, the other version 3", [
    config([instance({ ...CLASSIC, priority: 150 })]),
    config([instance({ version: 3, interval: 1, priority: 100 })]),
  ]),
  refusing("vip-count", "the lists of addresses differ in length: both are masters", [
    config([instance({ priority: 150, vips: [VIP, "10.99.0.101"] })]),
    config([instance({ priority: 100, vips: [VIP] })]),
  ]),
  refusing("vip-list", "the lists are of the same length, with one other address", [
    config([instance({ priority: 150, vips: [VIP, "10.99.0.101"] })]),
    config([instance({ priority: 100, vips: [VIP, "10.99.0.102"] })]),
  ]),
  {
    name: "vip-order",
    about: "the same addresses in another order and with other prefixes, and an excluded one more: no difference",
    configs: [
      config([instance({ priority: 150, vips: [`${VIP}/24`, "10.99.0.101"] })]),
      config([
        instance({
          priority: 100,
          vips: ["10.99.0.101/24", VIP],
          lines: [block("virtual_ipaddress_excluded", ["10.99.0.103"])],
        }),
      ]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.quiet(2_000);
      await stage.lb1.stop();
      await stage.lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "vip-list-skipped",
    about: "skip_check_adv_addr: the lists differ; the first advert of a master is looked at all the same",
    configs: [
      config([instance({ priority: 150, vips: [VIP, "10.99.0.101"] })], ["vrrp_skip_check_adv_addr"]),
      config([instance({ priority: 100, vips: [VIP, "10.99.0.102"] })], ["vrrp_skip_check_adv_addr"]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.quiet(4_000);
    },
  },
  {
    name: "vip-list-skipped-later",
    about: "skip_check_adv_addr: the master's list changes while it is known: its adverts are still accepted",
    configs: pair({ lines: ["skip_check_adv_addr"] }),
    async play(stage) {
      const { lb1 } = stage;
      await stage.start();
      await lb1.entered("VI_1", "MASTER");
      await stage.quiet(500);
      await lb1.reload(config([instance({ priority: 150, vips: [VIP, "10.99.0.101"] })]));
      await stage.quiet(2_500);
    },
  },
  {
    name: "vrid-clash",
    about: "two pairs that know nothing of each other have the same VRID on one network",
    configs: [
      config([instance({ priority: 150 })]),
      config([instance({ priority: 100 })]),
      config([instance({ name: "OTHER", priority: 120, vips: ["10.99.0.200"] })]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb3.entered("OTHER", "MASTER");
      await stage.quiet(2_000);
      await stage.lb1.stop();
      await stage.lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "vrid-clash-classic",
    about: "the same, by the tutorial: version 2, each with its own password",
    configs: [
      config([instance({ ...CLASSIC, priority: 150, lines: [password("1111")] })]),
      config([
        instance({ ...CLASSIC, name: "OTHER", priority: 120, vips: ["10.99.0.200"], lines: [password("2222")] }),
      ]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.entered("OTHER", "MASTER");
      await stage.quiet(3_000);
    },
  },
  {
    name: "other-vrid",
    about: "two VRIDs on one network do not touch each other",
    configs: [config([instance({ priority: 150 })]), config([instance({ vrid: 52, priority: 100 })])],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.entered("VI_1", "MASTER");
    },
  },
  {
    name: "other-group",
    about: "mcast_dst_ip on one node only: the other does not listen there",
    configs: [
      config([instance({ priority: 150, lines: ["mcast_dst_ip 224.0.0.19"] })]),
      config([instance({ priority: 100 })]),
    ],
    async play(stage) {
      await stage.start();
      await stage.lb1.entered("VI_1", "MASTER");
      await stage.lb2.entered("VI_1", "MASTER");
      await stage.quiet(2_000);
    },
  },
];
