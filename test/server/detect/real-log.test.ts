import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseIsoUs } from "../../../collector/core/time.ts";
import type { Event } from "../../../collector/events/event.ts";
import { toEvent } from "../../../collector/events/observation.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";
import { detectAll } from "../../../server/detect/engine.ts";

/** What keepalived 2.2.7 wrote into /var/log/messages of a laboratory node, one situation after the other. */
function readLog(name: string): Event[] {
  const reader = createLogReader({ path: "/var/log/messages", fingerprint: name, zone: "UTC" });
  const reference = parseIsoUs("2026-11-24T11:00:00Z") ?? 0;
  const lines = readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8").split("\n");
  return lines.flatMap((line, index) => {
    const seen = reader.read(line, { offset: index * 200, lineNumber: index + 1 }, reference);
    return seen ? [toEvent(seen, { cluster: "default", node: "lb1" }, reference)] : [];
  });
}

test("failed starts one after the other, most of which reported success, are one incident that names the line of the file", () => {
  const { incidents } = detectAll(readLog("lb1.messages"));
  const failures = incidents.filter(({ kind }) => kind === "startup-failure");
  expect(failures.map(({ summary }) => summary)).toMatchInlineSnapshot(`
    [
      "keepalived on lb1 did not start at 2026-11-24 10:54:06 UTC (2 attempts): /etc/keepalived/keepalived.conf line 6: WARNING - interface eth9 for vrrp_instance VI_1 doesn't exist.",
    ]
  `);
  expect(failures[0]?.evidence.map(({ line, text }) => `${line} ${text.slice(16)}`)).toMatchInlineSnapshot(`
    [
      "/var/log/messages:34 lb1 Keepalived[18]: Starting Keepalived v2.2.7 (01/16,2022)",
      "/var/log/messages:36 lb1 Keepalived_vrrp[20]: (/etc/keepalived/keepalived.conf: Line 6) WARNING - interface eth9 for vrrp_instance VI_1 doesn't exist",
      "/var/log/messages:37 lb1 Keepalived_vrrp[20]: Non-existent interface specified in configuration",
      "/var/log/messages:39 lb1 Keepalived[19]: pid 20 exited with permanent error CONFIG. Terminating",
      "/var/log/messages:42 lb1 Keepalived_vrrp[23]: (/etc/keepalived/keepalived.conf: Line 7) *** Configuration line starting \`virtual_router_id\` is missing a parameter after keyword \`virtual_router_id\` at word position 2",
      "/var/log/messages:43 lb1 Keepalived[22]: pid 23 exited with permanent error CONFIG. Terminating",
      "/var/log/messages:48 lb1 Keepalived_healthcheckers[26]: Virtual server [10.99.0.100]:tcp:80: no scheduler set, setting default 'wlc'",
      "/var/log/messages:50 lb1 Keepalived_healthcheckers[26]: IPVS: Can't initialize ipvs: No such file or directory",
      "/var/log/messages:53 lb1 Keepalived[25]: pid 26 exited with permanent error FATAL. Terminating",
      "/var/log/messages:59 lb1 Keepalived[35]: Starting Keepalived v2.2.7 (01/16,2022)",
      "/var/log/messages:60 lb1 Keepalived[35]: Config files missing '/etc/keepalived/keepalived.conf'.",
      "/var/log/messages:61 lb1 Keepalived[35]: Stopped Keepalived v2.2.7 (01/16,2022)",
    ]
  `);
});

test("the lane of the node tells each state in the order of the file", () => {
  const { lanes } = detectAll(readLog("lb1.messages"));
  const bars = [...lanes.values()].flat().flatMap((lane) => lane.bars);
  expect(
    bars.map(({ state, from, to }) => `${state} ${seconds(from)}..${to === null ? "" : seconds(to)}`),
  ).toMatchInlineSnapshot(`
    [
      "BACKUP 53:23..53:26",
      "MASTER 53:26..53:31",
      "FAULT 53:31..53:39",
      "BACKUP 53:39..54:04",
      "STOPPED 54:04..54:09",
      "BACKUP 54:09..54:09",
      "STOPPED 54:09..",
    ]
  `);
});

const seconds = (ts: number): string => new Date(ts / 1000).toISOString().slice(14, 19);
