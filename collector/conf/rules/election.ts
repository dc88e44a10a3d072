import { OWNER_PRIORITY } from "../model/instance.ts";
import { blocks, integer, last, lastValid } from "../model/read.ts";
import type { Instance } from "../model/types.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, shown } from "./rule.ts";

/** State, priority and preemption: who will really be master at the start, and who will take over. */

const STATES = ["MASTER", "BACKUP"];

function* states({ instances }: Conf): Iterable<Finding> {
  for (const { nodes, value } of instances) {
    let isMaster = false;
    for (const { keyword, values } of blocks(nodes, "state")) {
      const text = values[0]?.text;
      if (text === undefined) continue;
      if (!STATES.includes(text))
        yield {
          code: "state_unknown",
          at: keyword.at,
          message: `state ${shown(text)} is neither MASTER nor BACKUP: vrrp_instance ${value.name} starts as BACKUP, with priority ${value.priority}`,
          instance: value.name,
        };
      else if (isMaster && text === "BACKUP")
        yield {
          code: "state_twice",
          at: keyword.at,
          message: `state was MASTER before: vrrp_instance ${value.name} stays MASTER, and this line is ignored`,
          instance: value.name,
        };
      isMaster ||= text === "MASTER";
    }
  }
}

function hasPriority({ nodes }: Located<Instance>): boolean {
  return lastValid(nodes, ["priority"], integer(1, OWNER_PRIORITY)) !== undefined;
}

function* ownersByAccident({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    if (value.priority !== OWNER_PRIORITY) continue;
    if (value.configuredState === "MASTER" && last(nodes, "priority") === undefined)
      yield {
        code: "state_master_without_priority",
        at: placeOf(one, "state"),
        message: `vrrp_instance ${value.name} has state MASTER and no priority: it runs with priority 255, as the owner of the address`,
        instance: value.name,
      };
    else if (value.configuredState === "MASTER" && !hasPriority(one))
      yield {
        code: "state_master_without_priority",
        at: placeOf(one, "priority"),
        message: `vrrp_instance ${value.name} has state MASTER and its priority is none that keepalived takes: it runs with priority 255, as the owner of the address`,
        instance: value.name,
      };
  }
}

function* ownerOfNothing({ instances, facts }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value } = one;
    if (value.priority !== OWNER_PRIORITY || !hasPriority(one)) continue;
    const own = facts.interfaces && [...facts.interfaces.values()].flatMap(({ addresses }) => addresses.map(bare));
    if (own && value.vips.some(({ address }) => own.includes(address))) continue;
    yield {
      code: "priority_owner",
      at: placeOf(one, "priority"),
      message:
        `priority 255 makes vrrp_instance ${value.name} the owner of its addresses` +
        (value.configuredState === "MASTER" || last(one.nodes, "state") === undefined
          ? ": it is master the moment it starts, takes over from every master at once, and tracking never lowers it"
          : ": tracking never lowers it, and nopreempt does not apply"),
      instance: value.name,
    };
  }
}

const bare = (prefixed: string): string => prefixed.split("/")[0] ?? prefixed;

/** nopreempt and preempt_delay are for an instance that starts as BACKUP, also as what strict mode or AH made of a MASTER. */
function* preemption({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    const { name: instance } = value;
    const at = placeOf(one, "nopreempt");
    const nopreempt = last(nodes, "nopreempt", "preempt")?.keyword.text === "nopreempt";
    const delay = placeOf(one, "preempt_delay");
    const isMaster = value.configuredState === "MASTER" && value.startState === "MASTER";
    if (nopreempt && isMaster)
      yield {
        code: "nopreempt_master",
        at,
        message: `nopreempt does not go with state MASTER and is cleared: vrrp_instance ${instance} takes the addresses back when it returns`,
        instance,
      };
    else if (nopreempt && value.priority === OWNER_PRIORITY)
      yield {
        code: "nopreempt_owner",
        at,
        message: `nopreempt does not go with priority 255 and is cleared: vrrp_instance ${instance} takes the addresses back when it returns`,
        instance,
      };
    if (!last(nodes, "preempt_delay")?.values[0]) continue;
    if (isMaster)
      yield {
        code: "preempt_delay_master",
        at: delay,
        message: `preempt_delay does not go with state MASTER and is cleared: vrrp_instance ${instance} takes over without a delay`,
        instance,
      };
    else if (value.strict || value.nopreempt)
      yield {
        code: "preempt_delay_reset",
        at: delay,
        message: `preempt_delay does not go with ${value.strict ? "strict mode" : "nopreempt"} and is set to 0`,
        instance,
      };
  }
}

export const electionRules: readonly Rule[] = [states, ownersByAccident, ownerOfNothing, preemption];
