import { describe, expect, test } from "vitest";
import type { Instance, Running } from "../../../collector/conf/model/types.ts";
import type { Release } from "../../../collector/conf/version.ts";
import { runningOf } from "../../support/running.ts";

/** What the shadow engine goes by, with keepalived's defaults. */

const instance = (lines: string, release: Release = [2, 2, 7], globals = ""): Instance => {
  const text = `global_defs {\n${globals}\n}\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n ${lines.replaceAll(";", "\n")}\n virtual_ipaddress {\n 10.0.0.100\n }\n}\n`;
  const [first] = runningOf(text, { release }).instances;
  if (!first) throw new Error("no instance");
  return first;
};

type Row<T> = readonly [text: string, field: keyof T, value: unknown];

describe("auth_hmac", () => {
  const key = "key 1 0123456789abcdef0123456789abcdef; active_key 1";
  test.each([
    [`auth_hmac {; ${key}; time_window 30; }`, [2, 4, 0], { type: "HMAC", hmacWindowUs: 30_000_000 }],
    [`auth_hmac {; ${key}; }`, [2, 4, 0], { type: "HMAC", hmacWindowUs: 5_000_000 }],
    [`auth_hmac {; ${key}; time_window 301; }`, [2, 4, 0], { type: "HMAC", hmacWindowUs: 5_000_000 }],
    [`auth_hmac {; ${key}; time_window 30; }`, [2, 3, 4], { type: "none" }],
  ] as const)("%s of %j has a window, and its key is kept nowhere", (lines, release, authentication) => {
    expect(instance(lines, [...release]).authentication).toEqual(authentication);
  });
});

describe("an instance", () => {
  test.each<Row<Instance>>([
    ["", "higherPrioSendAdvert", false],
    ["higher_prio_send_advert", "higherPrioSendAdvert", true],
    ["higher_prio_send_advert no", "higherPrioSendAdvert", false],
    ["strict_mode on; higher_prio_send_advert", "higherPrioSendAdvert", false],
    ["", "lowerPrioNoAdvert", false],
    ["lower_prio_no_advert", "lowerPrioNoAdvert", true],
    ["strict_mode on", "lowerPrioNoAdvert", true],
    ["", "checkUnicastSource", false],
    ["check_unicast_src", "checkUnicastSource", true],
    ["unicast_fault_no_peer", "faultWithoutPeers", true],
    ["", "oldUnicastChecksum", "auto"],
    ["old_unicast_checksum", "oldUnicastChecksum", "always"],
    ["old_unicast_checksum never", "oldUnicastChecksum", "never"],
    ["v3_checksum_as_v2", "v3ChecksumAsV2", false],
    ["owner_ignore_adverts", "ownerIgnoresAdverts", false],
    ["nopreempt; timer_expired_backup", "timerExpiredBackup", false],
    ["unicast_peer {; 10.0.0.2; }", "unicastPeers", [{ address: "10.0.0.2", minTtl: 0, maxTtl: 255 }]],
    [
      "unicast_peer {; 10.0.0.2 min_ttl 250 max_ttl 254; 10.0.0.3 max_ttl 256; }",
      "unicastPeers",
      [
        { address: "10.0.0.2", minTtl: 250, maxTtl: 254 },
        { address: "10.0.0.3", minTtl: 0, maxTtl: 255 },
      ],
    ],
    ["use_vmac", "vmac", { interface: "vrrp.51", kind: "macvlan", transmitsFromBase: false }],
    ["use_vmac v1; vmac_xmit_base", "vmac", { interface: "v1", kind: "macvlan", transmitsFromBase: true }],
    ["use_ipvlan v1", "vmac", { interface: "v1", kind: "ipvlan", transmitsFromBase: false }],
  ])("with %j has %s %j", (lines, field, value) => {
    expect(instance(lines)[field]).toEqual(value);
  });

  test.each<Row<Instance>>([
    ["v3_checksum_as_v2", "v3ChecksumAsV2", true],
    ["owner_ignore_adverts", "ownerIgnoresAdverts", true],
    ["nopreempt; timer_expired_backup", "timerExpiredBackup", true],
    ["timer_expired_backup", "timerExpiredBackup", false],
  ])("of 2.3.3 with %j has %s %j", (lines, field, value) => {
    expect(instance(lines, [2, 3, 3])[field]).toEqual(value);
  });

  test.each<Row<Instance>>([
    ["vrrp_higher_prio_send_advert", "higherPrioSendAdvert", true],
    ["vrrp_lower_prio_no_advert", "lowerPrioNoAdvert", true],
    ["vrrp_check_unicast_src", "checkUnicastSource", true],
    ["vrrp_owner_ignore_adverts", "ownerIgnoresAdverts", true],
    ["v3_checksum_as_v2", "v3ChecksumAsV2", true],
  ])("takes %s of global_defs for its %s", (globals, field, value) => {
    expect(instance("", [2, 3, 3], globals)[field]).toEqual(value);
  });

  test("its own line counts more than that of global_defs", () => {
    expect(instance("lower_prio_no_advert no", [2, 2, 7], "vrrp_lower_prio_no_advert").lowerPrioNoAdvert).toBe(false);
  });
});

test.each([
  ["", 0],
  ["vrrp_startup_delay 2.5", 2_500_000],
  ["vrrp_startup_delay 0", 0],
] as const)("global_defs with %j has a startup delay of %i µs", (line, us) => {
  expect(runningOf(`global_defs {\n${line}\n}\n`).globals.startupDelayUs).toBe(us);
});

describe("what is tracked", () => {
  const of = (text: string): Running => runningOf(text);

  test.each([
    ["", false],
    ["init_fail", true],
  ] as const)("a script with %j begins failed: %s", (line, initFail) => {
    expect(of(`vrrp_script s {\n script "/bin/true"\n ${line}\n}\n`).scripts[0]).toMatchObject({ initFail });
  });

  test.each([
    ["", undefined],
    ["init_file", { value: 0, overwrite: false }],
    ["init_file 7", { value: 7, overwrite: false }],
    ["init_file 7 overwrite", { value: 7, overwrite: true }],
    ["init_file overwrite -3", { value: -3, overwrite: true }],
  ] as const)("a file with %j begins as %j", (line, init) => {
    expect(of(`track_file f {\n file /f\n ${line}\n}\n`).trackFiles[0]?.init).toEqual(init);
  });

  test.each([
    ["", 0, 0],
    ["delay 2", 2_000_000, 2_000_000],
    ["fork_delay 1; terminate_delay 3", 1_000_000, 3_000_000],
    ["fork_delay 1; delay 2", 2_000_000, 2_000_000],
    ["delay 2; fork_delay 1", 1_000_000, 2_000_000],
  ] as const)("a process with %j waits %i µs for one that begins, %i µs for one that ends", (lines, start, end) => {
    const text = `vrrp_track_process p {\n process x\n ${lines.replaceAll(";", "\n")}\n}\n`;
    expect(of(text).trackProcesses[0]).toMatchObject({ startDelayUs: start, endDelayUs: end });
  });
});
