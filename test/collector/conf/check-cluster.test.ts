import { describe, expect, test } from "vitest";
import { checkCluster } from "../../../collector/conf/check-cluster.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import { type ConfFiles, parseConf } from "../../../collector/conf/parser.ts";
import type { Release } from "../../../collector/conf/version.ts";

const RELEASE: Release = [2, 2, 7];

function cluster(texts: Readonly<Record<string, string>>) {
  const nodes = Object.entries(texts).map(([node, text]) => {
    const file = `/${node}/keepalived.conf`;
    const files: ConfFiles = {
      read: (path) => (path === file ? text : { unreadable: "no such file" }),
      glob: () => [],
    };
    const { running, diagnostics } = modelOf(parseConf(file, files, node), {
      release: RELEASE,
      fingerprintKey: "one key for all nodes",
    });
    return { node, file, running, diagnostics };
  });
  return checkCluster(nodes, RELEASE);
}

const conf = (priority: number, extra = "", vips = "10.0.0.100/24", password = "s3cr3t"): string => `
global_defs {
  router_id ${priority}
}
vrrp_script chk_nginx {
  script "/usr/bin/pidof nginx"
  weight -20
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority ${priority}
  authentication {
    auth_type PASS
    auth_pass ${password}
  }
  virtual_ipaddress {
    ${vips}
  }
  track_script {
    chk_nginx
  }
  ${extra}
}
`;

const codes = (texts: Readonly<Record<string, string>>): string[] =>
  cluster(texts).findings.map(({ code, severity, node, line }) => `${node}:${line} ${severity} ${code}`);

describe("the configurations of a cluster", () => {
  test("a good pair has nothing to say, and its proof says who is master when", () => {
    const { routers, findings } = cluster({ lb1: conf(110), lb2: conf(100) });
    expect(findings).toEqual([]);
    expect(routers).toHaveLength(1);
    const [router] = routers;
    expect(router).toMatchObject({ family: "ipv4", vrid: 51, vips: ["10.0.0.100/24"] });
    expect(router?.election.elements.map(({ node, kind, name }) => `${node} ${kind} ${name}`)).toEqual([
      "lb1 node ",
      "lb1 interface eth0",
      "lb1 script chk_nginx",
      "lb2 node ",
      "lb2 interface eth0",
      "lb2 script chk_nginx",
    ]);
    expect(router?.election).toMatchObject({ complete: true, failuresMax: 6 });
  });

  test("a weight too small for the difference is found across the files", () => {
    expect(codes({ lb1: conf(150), lb2: conf(100) })).toEqual(["lb1:9 degraded election_tracker_never_moves"]);
  });

  test("a password, an address and an interval that differ are found, and no password is shown", () => {
    const texts = { lb1: conf(110), lb2: conf(100, "advert_int 2", "10.0.0.100/24\n    10.0.0.101/24", "n0ther") };
    expect(codes(texts)).toEqual([
      "lb2:9 degraded drift_advert_int",
      "lb2:9 degraded drift_auth_pass",
      "lb2:9 degraded drift_vips",
    ]);
    expect(JSON.stringify(cluster(texts))).not.toMatch(/s3cr3t|n0ther/);
  });

  test("equal priorities are told once", () => {
    expect(codes({ lb1: conf(100), lb2: conf(100) })).toContain("lb2:9 hint drift_same_priority");
    expect(codes({ lb1: conf(100), lb2: conf(100) }).join()).not.toContain("election_equal_priority");
  });

  test("a node whose file ends the daemon is no redundancy", () => {
    const texts = { lb1: conf(110), lb2: conf(100).replace("virtual_router_id 51\n", "virtual_router_id\n") };
    expect(codes({ ...texts, lb2: conf(100, "advert_int") })).toContain("lb1:9 degraded election_never_moves");
  });

  test("a fault of one member of a sync group moves all of them", () => {
    const second = (priority: number) =>
      conf(priority).replace(
        "vrrp_instance VI_1",
        "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\nvrrp_instance VI_1",
      ) +
      `vrrp_instance VI_2 {\n interface eth1\n virtual_router_id 52\n priority ${priority}\n virtual_ipaddress {\n 10.1.0.100/24\n }\n}\n`;
    const { routers } = cluster({ lb1: second(150), lb2: second(100) });
    const outer = routers.find(({ vrid }) => vrid === 51)?.election;
    const eth1 = outer?.rows.find(
      ({ failed }) => failed.length === 1 && failed[0]?.name === "eth1" && failed[0].node === "lb1",
    );
    expect(eth1?.master).toBe("lb2");
  });

  test("one file alone says nothing of the others", () => {
    expect(codes({ lb1: conf(150) })).toEqual([]);
  });
});
