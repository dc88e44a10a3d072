import type { Running } from "../../collector/conf/model/types.ts";
import { runningOf as parse } from "../support/running.ts";
import { instanceName, type NodeSpec, type RouterSpec } from "./model.ts";

/** The keepalived.conf of a node. */
export function confText({ name }: NodeSpec, routers: readonly RouterSpec[]): string {
  return routers
    .map(
      ({
        vrid,
        interface: nic,
        version,
        intervalUs,
        vips,
        nopreempt,
        priorities,
      }) => `vrrp_instance ${instanceName(vrid)} {
    state BACKUP
    interface ${nic}
    virtual_router_id ${vrid}
    version ${version}
    priority ${priorities.get(name)}
    advert_int ${intervalUs / 1_000_000}${nopreempt ? "\n    nopreempt" : ""}
    virtual_ipaddress {
${vips.map((vip) => `        ${vip}/24`).join("\n")}
    }
}
`,
    )
    .join("\n");
}

const parsed = new Map<string, Running>();
/** Scenarios differ in few ways: most of their configurations were read before. */
const PARSED_MAX = 1_000;

export function runningOf(text: string): Running {
  const known = parsed.get(text);
  if (known) return known;
  const running = parse(text);
  if (parsed.size >= PARSED_MAX) parsed.clear();
  parsed.set(text, running);
  return running;
}
