import { readConfig, textsOf } from "../../../collector/conf/load.ts";
import type { EventOf } from "../../../collector/events/event.ts";
import { compareConfigs, type MemberConfig } from "../../../server/detect/compare-configs.ts";
import type { ConfigComparison, NodeConfig } from "../../../server/api/types.ts";
import { at } from "./split-brain.ts";

const PATH = "/etc/keepalived/keepalived.conf";
const conf = (priority: number, extra: string): string => `vrrp_script check_nginx {
    script "/usr/bin/pgrep nginx"
    weight -60
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority ${priority}
    ${extra}
    authentication {
        auth_type PASS
        auth_pass hunter22
    }
    virtual_ipaddress {
        10.99.0.100
    }
    track_script {
        check_nginx
    }
}
# <img src=x onerror=alert(1)>
`;

function readingOf(node: string, text: string) {
  return readConfig(PATH, { read: () => text, glob: () => [] }, { configId: node });
}

const lb1 = readingOf("lb1", conf(150, "advert_intt 1"));

/** What the server answers of lb1, whose third line below the instance is misspelt. */
export const config: NodeConfig = {
  cluster: "default",
  node: "lb1",
  ts: at(10),
  unreadable: null,
  chain: {
    ts: at(10),
    release: "2.2.7",
    files: [PATH],
    steps: [
      {
        step: "unit",
        text: "/lib/systemd/system/keepalived.service",
        file: "/lib/systemd/system/keepalived.service",
        line: 12,
      },
      {
        step: "environment",
        text: "/etc/default/keepalived",
        file: "/lib/systemd/system/keepalived.service",
        line: 11,
      },
      { step: "command", text: "/usr/sbin/keepalived --dont-fork" },
      { step: "configuration", text: `${PATH} [default]` },
      { step: "subsystems", text: "vrrp" },
      { step: "log", text: "daemon.info -> /var/log/syslog" },
    ],
  },
  files: textsOf(lb1, at(10)).flatMap(({ body }) =>
    body.kind === "config.text"
      ? [{ path: body.path, sha256: body.sha256, changedTs: at(5), text: body.text, truncated: false }]
      : [],
  ),
  areAllFindings: true,
  findings: lb1.faults.map(({ code, severity, message, file, line, column, fix }) => ({
    code,
    severity,
    message,
    file: file ?? null,
    line: line ?? null,
    column: column ?? null,
    fix: fix ?? null,
  })),
};

function memberOf(node: string, text: string): MemberConfig[] {
  const { body } = readingOf(node, text);
  if (body.kind !== "config.loaded") return [];
  const loaded: EventOf<"config.loaded"> = {
    ...body,
    id: "0".repeat(32),
    cluster: "default",
    node,
    source: "config",
    ts: at(10),
    tsUncertaintyUs: 0,
    observedTs: at(10),
  };
  return body.instances.slice(0, 1).map((instance) => ({ loaded, instance }));
}

export const comparison: ConfigComparison = {
  ...compareConfigs([...memberOf("lb1", conf(150, "advert_int 1")), ...memberOf("lb2", conf(100, "advert_int 2"))]),
  untold: [],
};
