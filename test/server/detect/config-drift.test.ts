import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const drift = (text: string) => detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "config-drift");
const brief = (text: string) =>
  drift(text).map(
    ({ start, end, severity, cause, subject }) =>
      `${secondsOf(start)}..${secondsOf(end) ?? ""} ${severity} ${cause?.code} ${subject.router ?? "-"} ${subject.nodes.join()}`,
  );
/** Both nodes as they are when the watching begins. */
const pair = (lb1: string, lb2: string) => `at 0 lb1 config ${lb1}\nat 1 lb2 config ${lb2}\nwatch lb1 lb2 to 20`;
const found = (code: string, severity = "warning") => [`1.. ${severity} ${code} default/ipv4/51 lb1,lb2`];

describe("what must match, and what must differ", () => {
  test.each([
    ["nothing is amiss", "", "", []],
    ["VRID", "VI_1 51", "VI_1 52", found("drift_vrid")],
    ["advert interval", "advert=1", "advert=2", found("drift_advert_int")],
    ["advert interval that version 3 learns", "version=3", "version=3 advert=2", found("drift_advert_int", "info")],
    ["version", "version=2", "version=3", found("drift_version")],
    ["authentication", "authentication=PASS", "authentication=none", found("drift_auth")],
    ["authentication that one collector does not tell", "authentication=PASS", "", []],
    [
      "password",
      `authentication=PASS passwordFingerprint=${"a".repeat(32)}`,
      `authentication=PASS passwordFingerprint=${"b".repeat(32)}`,
      found("drift_auth_pass"),
    ],
    ["addresses", "VI_1 51 10.99.0.100", "VI_1 51 10.99.0.100,10.99.0.101", found("drift_vips")],
    [
      "addresses, not one in common, of one segment",
      "VI_1 51 10.99.0.100",
      "VI_1 51 10.99.0.101",
      ["1.. warning drift_vips default/ipv4/51/10.99.0.100 lb1,lb2"],
    ],
    ["the same name and VRID in another segment", "VI_1 51 10.99.0.100", "VI_1 51 10.98.0.100", []],
    [
      "unicast peers",
      "unicastPeers=10.99.0.12 sourceAddress=10.99.0.11",
      "unicastPeers=10.99.0.99 sourceAddress=10.99.0.12",
      found("drift_unicast_peers"),
    ],
    ["transport", "unicastPeers=10.99.0.12", "", found("drift_unicast")],
    ["priority", "priority=100", "priority=100", found("drift_same_priority", "info")],
    [
      "source address",
      "unicastPeers=10.99.0.12 sourceAddress=10.99.0.12",
      "unicastPeers=10.99.0.12 sourceAddress=10.99.0.12",
      found("drift_same_source_address"),
    ],
    ["router_id", "routerId=lb", "routerId=lb", ["1.. info drift_same_router_id - lb1,lb2"]],
    [
      "virtual servers",
      "virtualServers=[10.99.0.100]:80,[10.99.0.100]:443",
      "virtualServers=[10.99.0.100]:80",
      ["1.. warning drift_virtual_server - lb1,lb2"],
    ],
    [
      "what is behind a virtual server of both",
      "virtualServers=a services=a|web1|weight-1",
      "virtualServers=a services=a|web1|weight-2",
      ["1.. warning drift_virtual_server - lb1,lb2"],
    ],
    [
      "real servers that only one of them tells of, by an older collector",
      "virtualServers=a services=a|web1|weight-1",
      "virtualServers=a",
      [],
    ],
    [
      "router_id and virtual servers of nodes that have nothing to do with each other",
      "VI_1 51 10.99.0.100 routerId=lb virtualServers=a",
      "VI_9 9 10.1.0.9 routerId=lb virtualServers=b",
      [],
    ],
  ])("%s", (_name, lb1, lb2, expected) => {
    expect(brief(pair(lb1, lb2))).toEqual(expected);
  });

  test("a real server that differs is named, with what it is on either node", () => {
    const [incident] = drift(
      pair("services=a|web1|weight-1 virtualServers=a", "services=a|web2|weight-1 virtualServers=a"),
    );
    expect(incident?.cause?.text).toBe(
      "virtual_server a differs between lb1 and lb2: real_server web1: none instead of weight-1; real_server web2: weight-1 instead of none",
    );
  });

  test("all that does not fit between two nodes is one incident, the worst first", () => {
    const [incident] = drift(pair("priority=100 advert=1", "priority=100 advert=2"));
    expect(incident).toMatchObject({
      certainty: "confirmed",
      severity: "warning",
      cause: { code: "drift_advert_int" },
      subject: { instance: "VI_1", nodes: ["lb1", "lb2"] },
    });
    expect(incident?.summary).toBe(
      "The configurations of lb1 and lb2 do not fit together for 10.99.0.100 (VI_1) since 2026-11-24 10:53:01 UTC: advert_int: 2 s on lb2, 1 s on lb1: version 2 drops adverts with another interval without counting or, before 2.x, logging them: both are master (and 1 more).",
    );
    expect(incident?.evidence.map(({ node, line, text }) => `${node} ${line} ${text}`)).toEqual([
      "lb1 /etc/keepalived/keepalived.conf:5 vrrp_instance VI_1: virtual_router_id 51, version 2, priority 100, advert_int 1 s, authentication untold, addresses 10.99.0.100",
      "lb2 /etc/keepalived/keepalived.conf:5 vrrp_instance VI_1: virtual_router_id 51, version 2, priority 100, advert_int 2 s, authentication untold, addresses 10.99.0.100",
    ]);
  });
});

describe("over time", () => {
  const start = "at 0 lb1 config\nat 1 lb2 config";
  test.each([
    [
      "a rollout takes the nodes one after the other",
      "at 60 lb1 config advert=2\nat 200 lb2 config advert=2\nwatch lb1 lb2 to 900",
      [],
    ],
    ["and is not judged before its time is over", "at 60 lb1 config advert=2\nwatch lb1 lb2 to 300", []],
    [
      "a rollout that forgets a node",
      "at 60 lb1 config advert=2\nwatch lb1 lb2 to 900",
      ["60.. warning drift_advert_int default/ipv4/51 lb1,lb2"],
    ],
    [
      "and takes it after all",
      "at 60 lb1 config advert=2\nat 600 lb2 config advert=2\nwatch lb1 lb2 to 1200",
      ["60..600 warning drift_advert_int default/ipv4/51 lb1,lb2"],
    ],
    [
      "what gets worse is told anew",
      "at 60 lb1 config priority=100\nat 600 lb1 config priority=100 advert=2\nwatch lb1 lb2 to 1200",
      [
        "60..600 info drift_same_priority default/ipv4/51 lb1,lb2",
        "600.. warning drift_advert_int default/ipv4/51 lb1,lb2",
      ],
    ],
    [
      "a third node that also differs is of the same incident",
      "at 2 lb1 config advert=2\nat 700 lb3 config advert=3\nwatch lb1 lb2 lb3 to 900",
      ["2.. warning drift_advert_int default/ipv4/51 lb1,lb2,lb3"],
    ],
    [
      "a collector that begins anew and tells the same",
      "at 60 lb1 config advert=2\nat 200 lb1 config advert=2\nat 400 lb2 config\nwatch lb1 lb2 to 900",
      ["60.. warning drift_advert_int default/ipv4/51 lb1,lb2"],
    ],
    [
      "a node that was replaced is forgotten after a day",
      "at 60 lb1 config advert=2\nwatch lb2 to 600\nat 95000 lb1 heartbeat",
      ["60..87000 warning drift_advert_int default/ipv4/51 lb1,lb2"],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(`${start}\n${text}`)).toEqual(expected);
  });
});
