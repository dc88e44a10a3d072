import { blocks, entriesOf } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, type Rule, shown } from "./rule.ts";

/**
 * What keepalived sets of its own it sets again when it is lost. The instances of a track_group then announce themselves
 * anew. (keepalived 2.2.7, vrrp_static_track.c)
 */

const membersOf = ({ children }: ConfNode): ConfNode[] => entriesOf(children ?? [], "group");

function* unusable({ roots, instances }: Conf): Iterable<Finding> {
  const exist = new Set(instances.map(({ value }) => value.name));
  const seen = new Map<string, number>();
  for (const block of blocks(roots, "track_group")) {
    const [name] = block.values;
    const members = membersOf(block);
    const missing = members.filter(({ keyword }) => !keyword.unknown && !exist.has(keyword.text));
    const found = (message: string, at = block.keyword.at): Finding => ({ code: "track_group_invalid", at, message });
    const before = seen.get(name?.text ?? "");
    if (!name) yield found("this track_group has no name, and does nothing");
    else if (before !== undefined)
      yield found(`track_group ${shown(name.text)} stands in line ${before} already: this one is skipped`);
    else if (members.length === 0) yield found("this track_group has no instances, and does nothing");
    else
      for (const { keyword } of missing)
        yield found(
          `there is no vrrp_instance ${shown(keyword.text)}: track_group ${shown(name.text)} ${
            missing.length === members.length ? "has nobody in it, and is removed" : "goes without it"
          }`,
          keyword.at,
        );
    if (name) seen.set(name.text, before ?? block.keyword.at.line);
  }
}

interface Kind {
  readonly block: string;
  readonly code: string;
  readonly what: string;
  /** One of these must be in the line, or it cannot be in a group. */
  readonly needs: readonly string[];
}

const STATIC: readonly Kind[] = [
  { block: "static_ipaddress", code: "vip_option_invalid", what: "address", needs: [] },
  { block: "static_routes", code: "route_invalid", what: "route", needs: ["dev", "oif"] },
  { block: "static_rules", code: "rule_invalid", what: "rule", needs: ["dev", "iif"] },
];

/** A group is known from the end of its block on. */
function* withoutGroup({ roots }: Conf): Iterable<Finding> {
  const groups = new Set<string>();
  for (const root of roots) {
    if (root.keyword.text === "track_group" && root.values[0]) groups.add(root.values[0].text);
    const kind = STATIC.find(({ block }) => block === root.keyword.text);
    if (!kind) continue;
    for (const line of root.children ?? []) {
      const words = line.values.map(({ text }) => text);
      const at = words.indexOf("track_group");
      const name = line.values[at + 1];
      if (at < 0 || !name || name.unknown) continue;
      const hop = words.indexOf("nexthop");
      const own = hop < 0 ? words : words.slice(0, hop);
      const found = (why: string, code = kind.code): Finding => ({
        code,
        at: name.at,
        message: `${why}: the ${kind.what} is set, and no instance hears when it is lost`,
      });
      if (!groups.has(name.text)) yield found(`there is no track_group ${shown(name.text)} before this line`);
      else if (kind.needs.length > 0 && !kind.needs.some((word) => own.includes(word)))
        yield found(`a ${kind.what} without ${kind.needs.join(" or ")} is in no track_group`);
      else if (words.includes("no_track"))
        yield found("beside no_track a track_group has no effect", "track_group_invalid");
    }
  }
}

export const trackGroupRules: readonly Rule[] = [unusable, withoutGroup];
