import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { NodeSpec, Side } from "../scenario.ts";

/** The pair, or three, of most scenarios: one instance, VRID 51, one address. */

export const VIP = "10.99.0.100";
const PRIORITY_MAX = 150;

/** The incident must begin and end within this of the truth: a classic syslog line alone is a second wide. */
export const TOLERANCE_US = 1.5 * US_PER_SECOND;

interface ConfTraits {
  readonly name: string;
  readonly state: "MASTER" | "BACKUP";
  readonly priority: number;
  readonly vips?: readonly string[];
}

export function keepalivedConf({ name, state, priority, vips = [VIP] }: ConfTraits): string {
  return `global_defs {
    router_id ${name}
}

vrrp_instance VI_1 {
    state ${state}
    interface eth0
    virtual_router_id 51
    priority ${priority}
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass k33pw4tc
    }
    virtual_ipaddress {
${vips.map((vip) => `        ${vip}/24\n`).join("")}    }
}
`;
}

function node(name: string, side: Side, index: number): NodeSpec {
  const state = index === 0 ? "MASTER" : "BACKUP";
  return {
    name,
    side,
    number: 11 + index,
    start: "command",
    keepalivedConf: keepalivedConf({ name, state, priority: PRIORITY_MAX - 50 * index }),
  };
}

export const TWO_NODES = [node("lb1", "a", 0), node("lb2", "b", 1)] as const;
export const THREE_NODES = [...TWO_NODES, node("lb3", "b", 2)] as const;
