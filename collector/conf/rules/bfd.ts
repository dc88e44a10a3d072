import { normaliseAddress } from "../../core/address.ts";
import { blocks, familyOf, integer, last, readValue, valueOf } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, type Rule, shown } from "./rule.ts";

/** Sessions that are passed over or disabled. */

/** BFD_INAME_MAX without its NUL. */
const BFD_NAME_MAX = 31;

/** (keepalived 2.2.7, bfd_parser.c) */
function* bfds({ roots }: Conf): Iterable<Finding> {
  const names = new Map<string, number>();
  const neighbours = new Map<string, string>();
  for (const block of blocks(roots, "bfd_instance")) {
    const name = block.values[0]?.text ?? "";
    const nodes = block.children ?? [];
    const neighbour = normaliseAddress(valueOf(nodes, "neighbor_ip", "neighbour_ip") ?? "");
    const source = normaliseAddress(valueOf(nodes, "source_ip") ?? "");
    const invalid = (at: ConfNode | undefined, why: string): Finding => ({
      code: "bfd_invalid",
      at: (at ?? block).keyword.at,
      message: `bfd_instance ${shown(name)} ${why}`,
    });
    const before = names.get(name);
    if (name.length > BFD_NAME_MAX)
      yield invalid(block, `has a name of more than ${BFD_NAME_MAX} characters, and is ignored`);
    else if (before !== undefined) yield invalid(block, `stands in line ${before} already: this one is ignored`);
    names.set(name, before ?? block.keyword.at.line);
    if (!last(nodes, "neighbor_ip", "neighbour_ip"))
      yield {
        code: "bfd_no_neighbour",
        at: block.keyword.at,
        message: `bfd_instance ${shown(name)} has no neighbor_ip, and is disabled`,
      };
    if (neighbour === undefined || before !== undefined) continue;
    const line = last(nodes, "neighbor_ip", "neighbour_ip");
    if (source !== undefined && familyOf(source) !== familyOf(neighbour))
      yield invalid(
        last(nodes, "source_ip"),
        `has a source of another address family than its neighbour, and is disabled`,
      );
    const other = neighbours.get(neighbour);
    if (other !== undefined) yield invalid(line, `has the neighbour of bfd_instance ${shown(other)}, and is ignored`);
    neighbours.set(neighbour, other ?? name);
    const ttl = readValue(nodes, "ttl", integer(1, 255)) ?? readValue(nodes, "hoplimit", integer(1, 255));
    const hops = readValue(nodes, "max_hops", integer(-1, 255));
    const most = ttl ?? (familyOf(neighbour) === "ipv6" ? 64 : 255);
    if (hops !== undefined && hops > most)
      yield {
        code: "value_invalid",
        at: (last(nodes, "max_hops") ?? block).keyword.at,
        message: `max_hops ${hops} is above the ttl: ${most} is used`,
      };
  }
}

export const bfdRules: readonly Rule[] = [bfds];
