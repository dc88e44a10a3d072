import { spawn } from "node:child_process";
import { once } from "node:events";
import { run } from "../../../server/lab/shell.ts";

/** A host of the rig's network. */
export interface RigNode {
  readonly name: string;
  readonly netns: string;
  /** Its place, from 0: its addresses end in 11 more than that. */
  readonly index: number;
}

/** The interfaces of every node, each on a switch of its own. */
export const WIRES = ["eth0", "eth1"] as const;
export type Wire = (typeof WIRES)[number];

/** `10.99.0.11` of the first node's eth0, `10.98.0.12` of the second's eth1. */
export const addressOf = (wire: Wire, index: number): string => `10.${wire === "eth0" ? 99 : 98}.0.${11 + index}`;
/** Link-local, so that it is the one keepalived takes. */
export const linkLocalOf = (wire: Wire, index: number): string => `fe80::${wire === "eth0" ? 99 : 98}:${11 + index}`;

/**
 * Two switches and one network namespace a node. Nodes are numbered; which of them hears which can be changed one way,
 * without anybody seeing a link go down.
 *
 *     lb1 eth0 ─ p0 ┐                ┌ p0 ─ eth1 lb1
 *     lb2 eth0 ─ p1 ┼ br-eth0   br-eth1 ┼ p1 ─ eth1 lb2
 */
export class RigNetwork {
  readonly nodes: readonly RigNode[];
  private readonly switchNetns: string;
  private readonly deaf = new Set<string>();

  constructor(id: string, names: readonly string[]) {
    this.switchNetns = `${id}-sw`;
    this.nodes = names.map((name, index) => ({ name, netns: `${id}-${name}`, index }));
  }

  async build(): Promise<void> {
    await batch(
      undefined,
      this.all().map((netns) => `netns add ${netns}`),
    );
    const bridges = WIRES.map((wire) => `link add br-${wire} type bridge mcast_snooping 0 forward_delay 0`);
    const plugs = this.nodes.flatMap((node) => WIRES.flatMap((wire) => plugsOf(node, wire)));
    await batch(this.switchNetns, [...bridges, ...plugs, ...WIRES.map((wire) => `link set br-${wire} up`)]);
    for (const node of this.nodes)
      await batch(node.netns, ["link set lo up", ...WIRES.flatMap((wire) => interfaceOf(node, wire))]);
    await this.applyDeafness();
  }

  /** Takes an interface out of a node, with its addresses. */
  async removeInterface(node: RigNode, wire: Wire): Promise<void> {
    await run("ip", ["-n", this.switchNetns, "link", "del", port(wire, node.index)]);
  }

  /** Puts it in again: of the same name, with the same addresses, and another index. */
  async addInterface(node: RigNode, wire: Wire): Promise<void> {
    await batch(this.switchNetns, plugsOf(node, wire));
    await batch(node.netns, interfaceOf(node, wire));
  }

  /** Pulls or plugs a cable: the node sees its link go down or come up. */
  async setCable(node: RigNode, wire: Wire, plugged: boolean): Promise<void> {
    await run("ip", ["-n", this.switchNetns, "link", "set", port(wire, node.index), plugged ? "up" : "down"]);
  }

  /** Whether one node's packets reach another. */
  async setHearing(from: RigNode, to: RigNode, wire: Wire, hears: boolean): Promise<void> {
    const rule = `iifname "${port(wire, from.index)}" oifname "${port(wire, to.index)}" drop`;
    if (hears) this.deaf.delete(rule);
    else this.deaf.add(rule);
    await this.applyDeafness();
  }

  async remove(): Promise<void> {
    for (const netns of this.all()) await run("ip", ["netns", "del", netns]).catch(() => undefined);
  }

  private async applyDeafness(): Promise<void> {
    const rules = [
      "table bridge rig",
      "flush table bridge rig",
      "table bridge rig {",
      "chain forward { type filter hook forward priority 0;",
      ...this.deaf,
      "}",
      "}",
    ];
    await feed("ip", ["netns", "exec", this.switchNetns, "nft", "-f", "-"], rules);
  }

  private all(): string[] {
    return [this.switchNetns, ...this.nodes.map(({ netns }) => netns)];
  }
}

const port = (wire: Wire, index: number): string => `${wire}-p${index}`;
const macOf = (wire: Wire, index: number): string => `02:00:00:00:0${wire === "eth0" ? 0 : 1}:0${index + 1}`;

/** A node's interface and its port of the switch. */
const plugsOf = ({ netns, index }: RigNode, wire: Wire): readonly string[] => [
  `link add ${port(wire, index)} type veth peer name ${wire} address ${macOf(wire, index)} netns ${netns}`,
  `link set ${port(wire, index)} master br-${wire} up`,
];

const interfaceOf = ({ index }: RigNode, wire: Wire): readonly string[] => [
  `link set ${wire} addrgenmode none up`,
  `addr add ${addressOf(wire, index)}/24 dev ${wire}`,
  `addr add ${linkLocalOf(wire, index)}/64 dev ${wire} nodad`,
];

/** Many commands of `ip` in one process. */
function batch(netns: string | undefined, commands: readonly string[]): Promise<void> {
  return feed("ip", [...(netns === undefined ? [] : ["-n", netns]), "-batch", "-"], commands);
}

/** Runs a command on lines of input. @throws Error with what it said */
async function feed(command: string, args: readonly string[], lines: readonly string[]): Promise<void> {
  const child = spawn(command, [...args], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.end(`${lines.join("\n")}\n`);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${said.trim()}`);
}
