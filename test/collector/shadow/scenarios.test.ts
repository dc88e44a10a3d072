import { describe, expect, test } from "vitest";
import type { Release } from "../../../collector/conf/version.ts";
import { instanceText, runScenario } from "./scenario.ts";

/** What a scenario needs beside its text. */
interface Setting {
  readonly config?: string;
  readonly configs?: Readonly<Record<string, string>>;
  readonly release?: Release;
}

type Row = readonly [name: string, setting: Setting, text: string];

const script = (name: string, lines = ""): string => `vrrp_script ${name} {\n script "/bin/true"\n ${lines}\n}\n`;
const group = (...members: string[]): string => `vrrp_sync_group G {\n group {\n ${members.join("\n")}\n }\n}\n`;
const second = { name: "VI_2", interface: "eth1", vrid: 52, vips: "10.0.1.100/24" } as const;
const pair = instanceText() + instanceText(second) + group("VI_1", "VI_2");
const withLines = (lines: string, more: Parameters<typeof instanceText>[0] = {}): Setting => ({
  config: instanceText({ lines, ...more }),
});

function runs(rows: readonly Row[]): void {
  test.each(rows)("%s", (_, setting, text) => {
    const { told, expected } = runScenario(text, setting);
    expect(told).toEqual(expected);
  });
}

describe("a start (tried with 2.2.7)", () => {
  runs([
    [
      "a backup waits out the master-down time",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 3.609375 VI_1 master master-down
       expect until 60s nothing`,
    ],
    [
      "state MASTER does not make a master",
      { config: instanceText({ state: "MASTER" }) },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 3.609375 VI_1 master master-down
       expect until 10s nothing`,
    ],
    [
      "an address owner is master at once, and was never backup as far as the log says",
      { config: instanceText({ state: "MASTER", priority: 255 }) },
      `at 0 start
       expect at 0 VI_1 master owner
       expect until 10s nothing`,
    ],
    [
      "an owner that says BACKUP waits, with the least skew",
      { config: instanceText({ priority: 255 }) },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 3.00390625 VI_1 master master-down`,
    ],
    [
      "state MASTER without a priority is an owner, and so is 255 without a state",
      {
        config:
          instanceText({ state: "MASTER" }).replace(" priority 100\n", "") +
          instanceText({ ...second, priority: 255 }).replace(" state BACKUP\n", ""),
      },
      `at 0 start
       expect at 0 VI_1 master owner
       expect at 0 VI_2 master owner`,
    ],
    [
      "an address owner that waits for a script is master with its first success (tried with 2.2.7)",
      {
        config: script("s") + instanceText({ state: "MASTER", priority: 255, lines: "track_script {; s; }" }),
      },
      `at 0 start
       at 0.5 script s ok
       expect at 0.5 VI_1 master owner`,
    ],
    [
      "owners of a group are master in the order of their group",
      {
        config:
          instanceText({ state: "MASTER", priority: 255 }) +
          instanceText({ ...second, state: "MASTER", priority: 255 }) +
          group("VI_1", "VI_2"),
      },
      `at 0 start
       expect at 0 VI_1 master owner
       expect at 0 VI_2 master sync-group
       expect until 10s nothing`,
    ],
    [
      "an owner in a group with another one is not: it waits, with the least skew",
      { config: instanceText({ state: "MASTER", priority: 255 }) + instanceText(second) + group("VI_1", "VI_2") },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 0 VI_2 backup start
       expect at 3.609375 VI_2 master master-down
       expect at 3.609375 VI_1 master sync-group
       expect until 10s nothing`,
    ],
    [
      "an interface that is down is a fault, for its group too",
      { config: pair },
      `at 0 link eth1 down
       at 0 start
       expect at 0 VI_2 fault start
       expect at 0 VI_1 fault sync-group
       at 2 link eth1 up
       expect at 2 VI_2 backup fault-over
       expect at 2 VI_1 backup sync-group
       expect at 5.609375 VI_1 master master-down
       expect at 5.609375 VI_2 master sync-group
       expect until 10s nothing`,
    ],
    [
      "weights of the start are told, from the configured priority on",
      { config: instanceText({ lines: "track_interface {; eth1 weight -20; }" }) },
      `at 0 link eth1 down
       at 0 start
       expect at 0 VI_1 prio 100 80
       expect at 0 VI_1 backup start
       at 2 link eth1 up
       expect at 2 VI_1 prio 80 100
       expect at 3.609375 VI_1 master master-down
       expect until 10s nothing`,
    ],
    [
      "vrrp_startup_delay: the timer begins at its end, whatever is accepted before",
      { config: `global_defs {\n vrrp_startup_delay 4\n}\n${instanceText()}` },
      `at 0 start
       expect at 0 VI_1 backup start
       at 2.5 advert prio 150
       expect at 7.609375 VI_1 master master-down
       expect until 20s nothing`,
    ],
    [
      "vrrp_startup_delay: each advert that is discarded meanwhile adds to it",
      { config: `global_defs {\n vrrp_startup_delay 4\n}\n${instanceText()}` },
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.5 advert prio 50
       at 1.5 advert prio 50
       at 2.5 advert prio 50
       expect at 15.109375 VI_1 master master-down
       expect until 20s nothing`,
    ],
    [
      "vrrp_startup_delay of 2.2.8: nothing is heard meanwhile",
      { config: `global_defs {\n vrrp_startup_delay 4\n}\n${instanceText()}`, release: [2, 2, 8] },
      `at 0 start
       expect at 0 VI_1 backup start
       at 2.5 advert prio 50
       at 2.6 advert prio 150 auth pass
       expect at 7.609375 VI_1 master master-down
       expect until 20s nothing`,
    ],
    [
      "a unicast source address that is not there is a fault until the next reload, also when it comes",
      withLines("unicast_src_ip 10.0.0.9; unicast_peer {; 10.0.0.2; }"),
      `at 0 start
       expect at 0 VI_1 fault start
       at 2 address eth0 10.0.0.9
       at 3 reload
       expect at 3 VI_1 backup fault-over
       at 4 address eth0 10.0.0.9 gone
       expect at 6.609375 VI_1 master master-down
       expect until 20s nothing`,
    ],
    [
      "unicast_fault_no_peer",
      withLines("unicast_fault_no_peer"),
      `at 0 start
       expect at 0 VI_1 fault start
       expect until 20s nothing`,
    ],
  ]);
});

describe("a backup", () => {
  runs([
    [
      "follows a higher and an equal priority, whatever its address",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 150
       at 2 advert prio 100 from 10.0.0.9
       at 3 advert prio 100 from 10.0.0.0
       expect at 6.609375 VI_1 master master-down`,
    ],
    [
      "takes over from a lower one when its own timer is over: three adverts are discarded",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 50
       at 2 advert prio 50
       at 3 advert prio 50
       expect at 3.609375 VI_1 master master-down
       expect until 5s nothing`,
    ],
    [
      "waits for its skew only behind a priority of 0",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 0
       expect at 1.609375 VI_1 master priority-zero
       expect until 5s nothing`,
    ],
    [
      "nopreempt leaves a lower master alone",
      withLines("nopreempt"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 50
       at 4 advert prio 50
       expect at 4 VI_1 missed 2 used 0.83
       expect at 7.609375 VI_1 master master-down`,
    ],
    [
      "preempt_delay begins with the first lower advert (tried with 2.2.7)",
      withLines("preempt_delay 2"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 50
       at 2 advert prio 50
       at 2.9 advert prio 50
       at 3.9 advert prio 50
       at 4.9 advert prio 50
       expect at 6.509375 VI_1 master master-down
       at 7 advert prio 150
       expect at 7 VI_1 backup outranked
       at 7.5 advert prio 50
       at 8.5 advert prio 50
       at 9.4 advert prio 50
       at 10.4 advert prio 50
       expect at 13.009375 VI_1 master master-down`,
    ],
    [
      "preempt_delay begins anew after a fault (tried with 2.2.7)",
      withLines("preempt_delay 2"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 50
       at 2 link eth0 down
       expect at 2 VI_1 fault fault
       at 4 link eth0 up
       expect at 4 VI_1 backup fault-over
       at 5 advert prio 50
       at 6 advert prio 50
       at 7 advert prio 50
       expect at 9.609375 VI_1 master master-down`,
    ],
    [
      "preempt_delay is cancelled by an advert that is not lower",
      withLines("preempt_delay 2"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 50
       at 2 advert prio 100
       at 3 advert prio 50
       at 4 advert prio 50
       at 4.9 advert prio 50
       at 5.9 advert prio 50
       expect at 8.509375 VI_1 master master-down`,
    ],
    [
      "down_timer_adverts",
      withLines("down_timer_adverts 5"),
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 5.609375 VI_1 master master-down`,
    ],
    [
      "down_timer_adverts is unknown before 2.2.3",
      { ...withLines("down_timer_adverts 5"), release: [2, 2, 2] },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 3.609375 VI_1 master master-down`,
    ],
    [
      "learns the interval of version 3 (tried with 2.2.7)",
      withLines("version 3"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.5 advert version 3 interval 2
       at 0.6 advert version 3 interval 0.5
       expect at 2.4046875 VI_1 master master-down
       at 4.6 advert version 3 interval 3
       expect at 4.6 VI_1 backup outranked
       at 4.8 advert version 3 interval 3 prio 0
       expect at 6.628125 VI_1 master priority-zero
       expect until 20s nothing`,
    ],
    [
      "forgets it in FAULT",
      withLines("version 3"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.5 advert version 3 interval 10
       at 1 link eth0 down
       expect at 1 VI_1 fault fault
       at 2 link eth0 up
       expect at 2 VI_1 backup fault-over
       expect at 5.609375 VI_1 master master-down`,
    ],
    [
      "of version 3 at a tenth of a second",
      withLines("version 3; advert_int 0.1"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.1 advert version 3 interval 0.1
       expect at 0.4609375 VI_1 master master-down`,
    ],
    [
      "whose timer goes on while it refuses adverts becomes a second master",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 150
       at 2 advert prio 150 interval 2
       expect at 2 VI_1 rejects interval
       at 3 advert prio 150 interval 2
       expect at 3 VI_1 rejects interval
       at 4 advert prio 150 interval 2
       expect at 4 VI_1 rejects interval
       expect at 4.609375 VI_1 master master-down
       at 5 advert prio 150 interval 2
       expect at 5 VI_1 rejects interval`,
    ],
    [
      "with skip_check_adv_addr knows whom it heard last, discarded or not, but not who said 0 (tried with 2.2.7)",
      withLines("skip_check_adv_addr"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.3 advert
       at 0.8 advert vips 10.0.0.101
       at 1.0 advert vips 10.0.0.101 from 10.0.0.3
       expect at 1 VI_1 rejects vip-list
       at 1.2 advert prio 50 from 10.0.0.3
       at 1.4 advert vips 10.0.0.101 from 10.0.0.3
       at 1.6 advert vips 10.0.0.101
       expect at 1.6 VI_1 rejects vip-list
       at 1.8 advert prio 0
       at 1.9 advert vips 10.0.0.101
       expect at 1.9 VI_1 rejects vip-list
       expect at 2.409375 VI_1 master priority-zero`,
    ],
    [
      "tells when its master was nearly lost",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 advert
       at 4 advert
       expect at 4 VI_1 missed 1 used 0.55
       at 7.1 advert
       expect at 7.1 VI_1 missed 2 used 0.86
       at 8.1 advert
       expect until 11s nothing`,
    ],
    [
      "another master's first advert is no near miss",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 advert
       at 5.2 advert prio 120 from 10.0.0.3
       at 7.2 advert prio 120 from 10.0.0.3
       expect at 7.2 VI_1 missed 1 used 0.55`,
    ],
  ]);
});

describe("a master", () => {
  const master = `at 0 start
    expect at 0 VI_1 backup start
    expect at 3.609375 VI_1 master master-down\n`;
  runs([
    [
      "yields to a higher priority",
      {},
      `${master} at 5 advert prio 101
       expect at 5 VI_1 backup outranked
       expect at 8.609375 VI_1 master master-down`,
    ],
    [
      "yields to the same priority from a higher address only",
      {},
      `${master} at 5 advert prio 100 from 10.0.0.0
       at 5.1 advert prio 100 from 10.0.0.1
       at 5.2 advert prio 100 from 10.0.0.2
       expect at 5.2 VI_1 backup outranked`,
    ],
    [
      "compares with its configured source",
      withLines("mcast_src_ip 10.0.0.50"),
      `${master} at 5 advert prio 100 from 10.0.0.2
       at 6 advert prio 100 from 10.0.0.51
       expect at 6 VI_1 backup outranked`,
    ],
    [
      "compares with the primary address of its interface, its own VIPs left out",
      {},
      `at 0 addresses eth0 10.0.0.100 10.0.0.7 10.0.0.1
       ${master} at 5 advert prio 100 from 10.0.0.6
       at 6 addresses eth0 10.0.0.100 10.0.0.1 10.0.0.7
       at 7 advert prio 100 from 10.0.0.6
       expect at 7 VI_1 backup outranked`,
    ],
    [
      "stays at a lower priority, and at 0",
      {},
      `${master} at 5 advert prio 99
       at 6 advert prio 0
       expect until 20s nothing`,
    ],
    [
      "gives up being owner when there is another one, until it is started again (tried with 2.2.7)",
      { config: instanceText({ state: "MASTER", priority: 255 }) },
      `at 0 start
       expect at 0 VI_1 master owner
       at 5 advert prio 255
       expect at 5 VI_1 prio 255 254
       expect at 5 VI_1 backup outranked
       expect at 8.0078125 VI_1 master master-down`,
    ],
    [
      "of 2.3.3 yields to an owner with a higher address and keeps its priority",
      { config: instanceText({ state: "MASTER", priority: 255 }), release: [2, 3, 3] },
      `at 0 start
       expect at 0 VI_1 master owner
       at 5 advert prio 255
       expect at 5 VI_1 backup outranked
       expect at 8.00390625 VI_1 master master-down`,
    ],
    [
      "of 2.3.3 lowers itself when an owner with a lower address goes on",
      { config: instanceText({ state: "MASTER", priority: 255 }), release: [2, 3, 3] },
      `at 0 start
       expect at 0 VI_1 master owner
       at 5 advert prio 255 from 10.0.0.0
       at 6 advert prio 255 from 10.0.0.0
       at 7.5 advert prio 255 from 10.0.0.0
       expect at 7.5 VI_1 prio 255 254
       expect at 7.5 VI_1 backup outranked`,
    ],
    [
      "of 2.3.3 with owner_ignore_adverts refuses all",
      { config: instanceText({ state: "MASTER", priority: 255, lines: "owner_ignore_adverts" }), release: [2, 3, 3] },
      `at 0 start
       expect at 0 VI_1 master owner
       at 5 advert prio 255
       expect at 5 VI_1 rejects owner`,
    ],
    [
      "whose VIP somebody takes away announces its end and asks again after its skew (tried with 2.2.7)",
      {},
      `${master} at 4 address eth0 10.0.0.100
       at 5 address eth0 10.0.0.100 gone
       expect at 5 VI_1 backup vip-removed
       expect at 5.609375 VI_1 master master-down`,
    ],
  ]);
});

describe("FAULT", () => {
  runs([
    [
      "ignores adverts, and always returns through backup",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 link eth0 down
       expect at 1 VI_1 fault fault
       at 2 advert prio 50
       at 2 advert prio 0
       at 2 advert prio 150 auth pass
       at 10 link eth0 up
       expect at 10 VI_1 backup fault-over
       expect at 13.609375 VI_1 master master-down`,
    ],
    [
      "an owner waits out its master-down time too (tried with 2.2.7)",
      { config: instanceText({ state: "MASTER", priority: 255 }) },
      `at 0 start
       expect at 0 VI_1 master owner
       at 2 link eth0 down
       expect at 2 VI_1 fault fault
       at 3 link eth0 up
       expect at 3 VI_1 backup fault-over
       expect at 6.00390625 VI_1 master master-down`,
    ],
    [
      "lasts as long as any reason",
      withLines("track_interface {; eth1; }"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 link eth0 down
       expect at 1 VI_1 fault fault
       at 2 link eth1 down
       at 3 link eth0 up
       at 4 link eth1 up
       expect at 4 VI_1 backup fault-over`,
    ],
    [
      "comes with the last address of the interface, and goes with the next one",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 address eth0 10.0.0.1 gone
       expect at 1 VI_1 fault fault
       at 2 address eth0 10.0.0.100
       at 3 address eth0 10.0.0.5
       expect at 3 VI_1 backup fault-over`,
    ],
    [
      "comes with the own VMAC interface, which was made before (tried with 2.2.7)",
      withLines("use_vmac"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.01 link vrrp.51 down
       at 0.02 link vrrp.51 up
       at 1 link vrrp.51 down
       expect at 1 VI_1 fault fault
       at 2 link vrrp.51 up
       expect at 2 VI_1 backup fault-over
       at 3 stopping
       at 3.1 link vrrp.51 down
       at 4 start
       expect at 4 VI_1 backup start`,
    ],
    [
      "of an interface that was deleted lasts until it has an address again (tried with 2.2.7)",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 link eth0 down
       expect at 1 VI_1 fault fault
       at 1 addresses eth0
       at 2 link eth0 up
       at 3 addresses eth0 10.0.0.1
       expect at 3 VI_1 backup fault-over`,
    ],
    [
      "dont_track_primary: the own interface does not matter",
      withLines("dont_track_primary"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 link eth0 down
       expect at 3.609375 VI_1 master master-down`,
    ],
  ]);
});

describe("what is tracked", () => {
  const tracked = (kind: string, line: string, definition: string): Setting => ({
    config: definition + instanceText({ lines: `track_${kind} {; ${line}; }` }),
  });
  runs([
    [
      "a script without weight holds the instance back until it succeeds: its first success counts alone",
      tracked("script", "s", script("s", "rise 3\n fall 2")),
      `at 0 start
       at 0.1 script s ok
       expect at 0.1 VI_1 backup start
       expect at 3.709375 VI_1 master master-down
       at 5 script s fail
       at 6 script s fail
       expect at 6 VI_1 fault fault
       at 7 script s ok
       at 8 script s ok
       at 9 script s ok
       expect at 9 VI_1 backup fault-over`,
    ],
    [
      "one that fails the first time leaves it in FAULT without a line (tried with 2.2.7)",
      tracked("script", "s", script("s", "rise 3\n fall 2")),
      `at 0 start
       at 0.1 script s fail
       at 4 script s ok
       at 5 script s ok
       at 6 script s ok
       expect at 6 VI_1 backup fault-over
       expect at 9.609375 VI_1 master master-down`,
    ],
    [
      "init_fail: a first success counts alone; behind a failure it does not (tried with 2.2.7)",
      tracked("script", "s", script("s", "rise 2\n init_fail")),
      `at 0 start
       at 1 script s ok
       expect at 1 VI_1 backup fault-over
       at 2 gone
       at 3 start
       at 4 script s fail
       at 5 script s ok
       at 6 script s ok
       expect at 6 VI_1 backup fault-over`,
    ],
    [
      "failures and successes count one after the other only",
      tracked("script", "s", script("s", "rise 2\n fall 2\n weight -20")),
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.1 script s ok
       at 1 script s fail
       at 2 script s ok
       at 3 script s timeout
       expect at 3.609375 VI_1 master master-down
       at 4 script s fail
       expect at 4 VI_1 prio 100 80
       at 5 script s ok
       at 6 script s fail
       at 7 script s ok
       at 8 script s ok
       expect at 8 VI_1 prio 80 100`,
    ],
    [
      "weights of scripts count from their first result on (tried with 2.2.7)",
      {
        config:
          script("up20", "weight 20") +
          script("dn20", "weight -20") +
          script("fup7", "weight 7") +
          script("fdn5", "weight -5") +
          instanceText({ lines: "track_script {; up20; dn20; fup7; fdn5; }" }),
      },
      `at 0 start
       expect at 0 VI_1 backup start
       at 0.1 script up20 ok
       expect at 0.1 VI_1 prio 100 120
       at 0.1 script dn20 ok
       at 0.1 script fup7 fail
       at 0.1 script fdn5 fail
       expect at 0.1 VI_1 prio 120 115
       expect at 3.550781 VI_1 master master-down`,
    ],
    [
      "a raised priority shortens a running timer, a lowered one prolongs it",
      tracked("file", "f", "track_file f {\n file /f\n weight 1\n}\n"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 file f -40
       expect at 2 VI_1 prio 100 60
       at 3 file f 150
       expect at 3 VI_1 prio 60 250
       expect at 4.023438 VI_1 master master-down`,
    ],
    [
      "after a discarded advert it goes by what the timer had left (tried with 2.2.7)",
      tracked("file", "f", "track_file f {\n file /f\n weight 1\n}\n"),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 advert prio 50
       at 3 advert prio 50
       at 3.2 file f 20
       expect at 3.2 VI_1 prio 100 120
       expect at 6.53125 VI_1 master master-down`,
    ],
    [
      "an effective priority lies between 1 and 254",
      tracked("file", "f", "track_file f {\n file /f\n weight 2\n}\n"),
      `at 0 file f 126
       at 0 start
       expect at 0 VI_1 prio 100 254
       expect at 0 VI_1 backup start
       at 1 file f -100
       expect at 1 VI_1 prio 254 1
       at 2 file f -127
       expect at 2 VI_1 fault fault
       at 3 file f 5
       expect at 3 VI_1 prio 1 110
       expect at 3 VI_1 backup fault-over`,
    ],
    [
      "a file without weight is a fault while it is not 0, in reverse while it is",
      tracked("file", "f weight 0; g weight 0 reverse", "track_file f {\n file /f\n}\ntrack_file g {\n file /g\n}\n"),
      `at 0 start
       expect at 0 VI_1 fault start
       at 1 file g 1
       expect at 1 VI_1 backup fault-over
       at 2 file f 3
       expect at 2 VI_1 fault fault`,
    ],
    [
      "a priority of 255 is never changed",
      {
        config: `track_file f {\n file /f\n}\n${instanceText({ state: "MASTER", priority: 255, lines: "track_file {; f; }" })}`,
      },
      `at 0 start
       expect at 0 VI_1 master owner
       at 1 file f -100
       expect until 5s nothing`,
    ],
    [
      "a process below its quorum, and above its most",
      tracked("process", "p", "vrrp_track_process p {\n process nginx\n quorum 2\n quorum_max 3\n weight 10\n}\n"),
      `at 0 process p 2
       at 0 start
       expect at 0 VI_1 prio 100 110
       expect at 0 VI_1 backup start
       at 1 process p 1
       expect at 1 VI_1 prio 110 100
       at 2 process p 3
       expect at 2 VI_1 prio 100 110
       at 3 process p 4
       expect at 3 VI_1 prio 110 100`,
    ],
    [
      "a process counts when its delay is over",
      tracked("process", "p", "vrrp_track_process p {\n process nginx\n terminate_delay 2\n fork_delay 1\n}\n"),
      `at 0 process p 1
       at 0 start
       expect at 0 VI_1 backup start
       at 1 process p 0
       at 1.5 process p 1
       at 2 process p 0
       expect at 3.609375 VI_1 master master-down
       expect at 4 VI_1 fault fault
       at 5 process p 1
       expect at 6 VI_1 backup fault-over`,
    ],
    [
      "a BFD session is down until it is up",
      tracked("bfd", "b", "bfd_instance b {\n neighbor_ip 10.0.0.2\n}\n"),
      `at 0 start
       expect at 0 VI_1 fault start
       at 1 bfd b up
       expect at 1 VI_1 backup fault-over
       at 2 bfd b down
       expect at 2 VI_1 fault fault`,
    ],
    [
      "an interface with a weight, and in reverse",
      withLines("track_interface {; eth1 weight 10 reverse; }"),
      `at 0 start
       expect at 0 VI_1 prio 100 90
       expect at 0 VI_1 backup start
       at 1 link eth1 down
       expect at 1 VI_1 prio 90 100`,
    ],
  ]);
});

describe("a sync group (tried with 2.2.7)", () => {
  const both = `at 0 start
    expect at 0 VI_1 backup start
    expect at 0 VI_2 backup start
    expect at 3.609375 VI_2 master master-down
    expect at 3.609375 VI_1 master sync-group\n`;
  runs([
    [
      "the last member to want it takes the others with it",
      { config: pair },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 0 VI_2 backup start
       at 1 advert vrid 52 vips 10.0.1.100 on eth1
       expect at 4.609375 VI_2 master master-down
       expect at 4.609375 VI_1 master sync-group`,
    ],
    [
      "one member that hears a better one takes all back; the other asks in vain",
      { config: pair },
      `${both} at 6 advert prio 150
       expect at 6 VI_1 backup outranked
       expect at 6 VI_2 backup sync-group
       at 7 advert
       at 8 advert
       at 9 advert
       at 10 advert
       at 11 advert
       at 12 advert
       expect at 15.609375 VI_1 master master-down
       expect at 15.609375 VI_2 master sync-group`,
    ],
    [
      "a member that hears its master again no longer wants it",
      { config: pair },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 0 VI_2 backup start
       at 3 advert vrid 52 vips 10.0.1.100 on eth1
       at 4 advert vrid 52 vips 10.0.1.100 on eth1
       at 5 advert
       at 7 advert
       expect at 7 VI_1 missed 1 used 0.55
       at 8 advert
       at 9 advert
       expect at 12.609375 VI_1 master master-down
       expect at 12.609375 VI_2 master sync-group`,
    ],
    [
      "a fault of one is a fault of all, until the last is over",
      { config: pair },
      `${both} at 5 link eth1 down
       expect at 5 VI_2 fault fault
       expect at 5 VI_1 fault sync-group
       at 6 link eth0 down
       at 7 link eth1 up
       at 8 link eth0 up
       expect at 8 VI_1 backup fault-over
       expect at 8 VI_2 backup sync-group
       expect at 11.609375 VI_2 master master-down
       expect at 11.609375 VI_1 master sync-group`,
    ],
    [
      "members that are backups follow into a fault without a word (tried with 2.2.7)",
      { config: pair },
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 0 VI_2 backup start
       at 1 link eth1 down
       expect at 1 VI_2 fault fault
       at 2 link eth1 up
       expect at 2 VI_2 backup fault-over
       expect at 2 VI_1 backup sync-group`,
    ],
    [
      "with one interface for both, the last member that was waited for comes first",
      {
        config: instanceText() + instanceText({ name: "VI_2", vrid: 52, vips: "10.0.0.200" }) + group("VI_1", "VI_2"),
      },
      `${both} at 5 link eth0 down
       expect at 5 VI_1 fault fault
       expect at 5 VI_2 fault sync-group
       at 8 link eth0 up
       expect at 8 VI_2 backup fault-over
       expect at 8 VI_1 backup sync-group`,
    ],
    [
      "a script of one holds all back",
      {
        config:
          script("s") + instanceText({ lines: "track_script {; s; }" }) + instanceText(second) + group("VI_1", "VI_2"),
      },
      `at 0 start
       at 0.5 script s ok
       expect at 0.5 VI_1 backup start
       expect at 0.5 VI_2 backup sync-group`,
    ],
    [
      "a VIP that is taken away takes all back",
      { config: pair },
      `at 0 address eth0 10.0.0.100
       ${both} at 5 address eth0 10.0.0.100 gone
       expect at 5 VI_1 backup vip-removed
       expect at 5 VI_2 backup sync-group
       expect at 5.609375 VI_2 master master-down
       expect at 5.609375 VI_1 master sync-group`,
    ],
    [
      "after a reload that adds a member, masters step back and wait hardly longer than an interval",
      {
        config: pair,
        configs: {
          more:
            instanceText() +
            instanceText(second) +
            instanceText({ name: "VI_3", vrid: 53, vips: "10.0.0.103" }) +
            group("VI_1", "VI_2", "VI_3"),
        },
      },
      `${both} at 7 reload more
       expect at 7 VI_1 backup reload
       expect at 7 VI_2 backup reload
       expect at 7 VI_3 backup start
       expect at 10.609375 VI_3 master master-down
       expect at 10.609375 VI_1 master sync-group
       expect at 10.609375 VI_2 master sync-group`,
    ],
  ]);
});

describe("a reload (tried with 2.2.7)", () => {
  const master = `at 0 start
    expect at 0 VI_1 backup start
    expect at 3.609375 VI_1 master master-down\n`;
  runs([
    [
      "keeps a master, also when its name, priority, VIPs and version are others",
      {
        configs: { other: instanceText({ name: "VI_X", priority: 120, vips: "10.0.0.101", lines: "version 3" }) },
      },
      `${master} at 5 reload other
       at 6 advert prio 110 version 3 vips 10.0.0.101
       at 7 advert prio 130 version 3 vips 10.0.0.101
       expect at 7 VI_X backup outranked`,
    ],
    [
      "with a fault that ends the daemon, ends it without a word",
      { configs: { broken: instanceText().replace("virtual_router_id 51", "") } },
      `${master} at 5 reload broken
       at 6 advert prio 150
       expect until 20s nothing`,
    ],
    [
      "begins a backup's timer anew, without a line",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 3 reload
       expect at 6.609375 VI_1 master master-down`,
    ],
    [
      "another VRID is another instance",
      { configs: { other: instanceText({ vrid: 60 }) } },
      `${master} at 5 reload other
       expect at 5 VI_1 backup start
       expect at 8.609375 VI_1 master master-down`,
    ],
    [
      "tells the weights once more, from the configured priority on",
      {
        config: `track_file f {\n file /f\n}\n${instanceText({ lines: "track_file {; f; }" })}`,
        configs: {
          more: `track_file f {\n file /f\n}\n${instanceText({ priority: 120, lines: "track_file {; f; }" })}`,
        },
      },
      `at 0 file f 19
       at 0 start
       expect at 0 VI_1 prio 100 119
       expect at 0 VI_1 backup start
       at 2 reload
       expect at 2 VI_1 prio 100 119
       at 3 reload more
       expect at 3 VI_1 prio 120 139`,
    ],
    [
      "finds a fault that the new configuration looks at",
      { configs: { more: instanceText({ lines: "track_interface {; eth1; }" }) } },
      `at 0 link eth1 down
       ${master} at 5 reload more
       expect at 5 VI_1 fault fault
       at 6 reload
       expect at 6 VI_1 backup fault-over`,
    ],
  ]);
});

describe("a process that is not running", () => {
  const master = `at 0 start
    expect at 0 VI_1 backup start
    expect at 3.609375 VI_1 master master-down\n`;
  runs([
    [
      "says nothing before its start",
      {},
      "at 0 advert\n at 1 link eth0 down\n at 1 link eth0 up\n expect until 9s nothing",
    ],
    [
      "nor after its end",
      {},
      `${master} at 5 stopping\n at 6 advert prio 150\n at 7 reload\n expect until 20s nothing`,
    ],
    [
      "that was killed begins anew as backup",
      {},
      `${master} at 5 gone
       at 5.1 start
       expect at 5.1 VI_1 backup start
       expect at 8.709375 VI_1 master master-down`,
    ],
    [
      "frozen does nothing, and takes over when it wakes and nothing was heard (tried with 2.2.7)",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 frozen
       at 30 thawed
       expect at 30 VI_1 master master-down`,
    ],
    [
      "frozen reads what waited before it looks at its timers (tried with 2.2.7)",
      {},
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert
       at 2 frozen
       at 3 advert
       at 9 advert
       at 10 thawed
       expect at 10 VI_1 missed 1 used 0.55
       expect at 10 VI_1 missed 5 used 1.00
       expect at 13.609375 VI_1 master master-down`,
    ],
    [
      "frozen as a master steps back when it wakes",
      {},
      `${master} at 5 frozen
       at 6 link eth0 down
       at 7 link eth0 up
       at 8 advert prio 150
       at 9 thawed
       expect at 9 VI_1 fault fault
       expect at 9 VI_1 backup fault-over
       expect at 12.609375 VI_1 master master-down`,
    ],
    [
      "killed while frozen forgets what it had not read, and the node does not",
      {},
      `${master} at 5 frozen
       at 6 link eth0 down
       at 7 gone
       at 8 start
       expect at 8 VI_1 fault start`,
    ],
  ]);
});

describe("whom an advert concerns", () => {
  const start = "at 0 start\n expect at 0 VI_1 backup start\n";
  const unicast = withLines("unicast_src_ip 10.0.0.1; unicast_peer {; 10.0.0.2; }");
  runs([
    ["not another VRID", {}, `${start} at 3 advert vrid 52\n expect at 3.609375 VI_1 master master-down`],
    ["not another interface", {}, `${start} at 3 advert on eth1\n expect at 3.609375 VI_1 master master-down`],
    [
      "not what the node sends itself",
      {},
      `${start} at 3 advert outgoing\n expect at 3.609375 VI_1 master master-down`,
    ],
    ["not another group", {}, `${start} at 3 advert to 224.0.0.99\n expect at 3.609375 VI_1 master master-down`],
    [
      "not what is sent to another node",
      {},
      `${start} at 3 advert to 10.0.0.77\n expect at 3.609375 VI_1 master master-down`,
    ],
    [
      "a multicast instance refuses unicast to its node",
      {},
      `${start} at 3 advert to 10.0.0.1\n expect at 3 VI_1 rejects cast\n expect at 3.609375 VI_1 master master-down`,
    ],
    [
      "a unicast instance never gets multicast (tried with 2.2.7)",
      unicast,
      `${start} at 3 advert\n expect at 3.609375 VI_1 master master-down`,
    ],
    [
      "a unicast instance takes anybody's",
      unicast,
      `${start} at 3 advert to 10.0.0.1 from 10.0.0.3 ttl 9\n expect until 6s nothing`,
    ],
    [
      "of unicast instances with one VRID it is the peer's",
      {
        config:
          instanceText({ lines: "unicast_peer {; 10.0.0.2; }" }) +
          instanceText({ name: "VI_2", lines: "unicast_peer {; 10.0.0.3; }" }),
      },
      `${start} expect at 0 VI_2 backup start
       at 3 advert to 10.0.0.1 from 10.0.0.3
       expect at 3.609375 VI_1 master master-down
       expect at 6.609375 VI_2 master master-down`,
    ],
    [
      "an instance without AH never gets an advert in an authentication header",
      {},
      `${start} at 3 advert ah 167772162\n expect at 3.609375 VI_1 master master-down`,
    ],
  ]);
});

describe("keepalived 1.x", () => {
  const old = (config = instanceText()): Setting => ({ config, release: [1, 3, 5] });
  runs([
    [
      "state MASTER becomes master an interval after the start",
      old(instanceText({ state: "MASTER" })),
      "at 0 start\n expect at 1 VI_1 master start",
    ],
    [
      "a backup sends one advert first, and enters the state an interval later",
      old(),
      `at 0 start
       expect at 0 VI_1 backup start
       expect at 4.609375 VI_1 master master-down`,
    ],
    [
      "a refused advert begins the timer anew: the same fault stays hidden",
      old(),
      `at 0 start
       expect at 0 VI_1 backup start
       at 3 advert vips 10.0.0.101
       expect at 3 VI_1 rejects vip-list
       at 6 advert interval 2
       expect at 6 VI_1 rejects interval
       expect until 9s nothing`,
    ],
    [
      "goes by the configured priority",
      old(`track_file f {\n file /f\n}\n${instanceText({ lines: "track_file {; f; }" })}`),
      `at 0 file f 50
       at 0 start
       expect at 0 VI_1 prio 100 150
       expect at 0 VI_1 backup start
       expect at 4.609375 VI_1 master master-down`,
    ],
    [
      "a lower advert forces an election",
      old(),
      `at 0 start
       expect at 0 VI_1 backup start
       at 1 advert prio 150
       at 2 advert prio 50
       expect at 3 VI_1 master master-down`,
    ],
  ]);
});
