import { readdir } from "node:fs/promises";
import type { HostSpec, Side } from "./scenario.ts";
import { run } from "./shell.ts";

/** What the laboratory's network is called: `kw<pid>-…`, so that a later run knows whose remains it finds. */
const PREFIX = /^kw(\d+)-/;

/** Where a host is plugged in. */
export interface Place {
  readonly name: string;
  readonly netns: string;
  readonly side: Side;
  /** On the VRRP network, interface eth0. */
  readonly address: string;
  /** On the management network, interface mgmt0: the way to the keepwatch server. */
  readonly managementAddress: string;
}

export const SERVER_ADDRESS = managementAddressOf(1);

/** On eth0, the network of the virtual addresses: 10.99.0.0/24. */
export const addressOf = (number: number): string => `10.99.0.${number}`;

/** On mgmt0: 10.98.0.0/24. */
export function managementAddressOf(number: number): string {
  return `10.98.0.${number}`;
}

/**
 * A switch of two halves joined by a trunk, a management network, and one network namespace a host:
 *
 *     lb1 eth0 ── br-a ══ trunk ══ br-b ── eth0 lb2
 *     lb1 mgmt0 ─────── br-m ─────── mgmt0 lb2
 *                        └── mgmt0 server
 */
export class LabNetwork {
  readonly places: readonly Place[];
  readonly serverNetns: string;
  private readonly switchNetns: string;

  constructor(id: string, hosts: readonly HostSpec[]) {
    this.switchNetns = `${id}-sw`;
    this.serverNetns = `${id}-server`;
    this.places = hosts.map(({ name, side, number }) => ({
      name,
      netns: `${id}-${name}`,
      side,
      address: addressOf(number),
      managementAddress: managementAddressOf(number),
    }));
  }

  async build(): Promise<void> {
    for (const netns of this.all()) {
      await run("ip", ["netns", "add", netns]);
      await run("ip", ["-n", netns, "link", "set", "lo", "up"]);
    }
    for (const bridge of ["br-a", "br-b", "br-m"]) {
      // Without snooping the bridge floods multicast, as an unmanaged switch does: nothing has to learn who listens to 224.0.0.18.
      await this.inSwitch("link", "add", bridge, "type", "bridge", "mcast_snooping", "0");
      await this.inSwitch("link", "set", bridge, "up");
    }
    await this.inSwitch("link", "add", "trunk-a", "type", "veth", "peer", "name", "trunk-b");
    for (const side of ["a", "b"]) await this.inSwitch("link", "set", `trunk-${side}`, "master", `br-${side}`, "up");
    await this.plug("mgmt0", this.serverNetns, "br-m", "m-server", `${SERVER_ADDRESS}/24`);
    for (const [index, { netns, side, address, managementAddress }] of this.places.entries()) {
      await this.plug("eth0", netns, `br-${side}`, `p-${index}`, `${address}/24`);
      await this.plug("mgmt0", netns, "br-m", `m-${index}`, `${managementAddress}/24`);
    }
  }

  async cutTrunk(): Promise<void> {
    await this.inSwitch("link", "set", "trunk-a", "down");
  }

  async healTrunk(): Promise<void> {
    await this.inSwitch("link", "set", "trunk-a", "up");
  }

  /** Pulls or plugs a host's cable: it sees its link go down or come up. */
  async setCable(place: Place, plugged: boolean): Promise<void> {
    await this.inSwitch("link", "set", `p-${this.places.indexOf(place)}`, plugged ? "up" : "down");
  }

  /** Drops IP protocol 112 that comes from this host's port, and lets the rest pass; of no host when it is undefined. */
  async loseAdverts(place: Place | undefined): Promise<void> {
    const inSwitch = ["netns", "exec", this.switchNetns, "nft"];
    await run("ip", [...inSwitch, "add table bridge lab; delete table bridge lab"]);
    if (!place) return;
    const port = `p-${this.places.indexOf(place)}`;
    const rule = `iifname ${port} ip protocol 112 drop`;
    await run("ip", [...inSwitch, `table bridge lab { chain c { type filter hook forward priority 0; ${rule}; }; }`]);
  }

  async remove(): Promise<void> {
    for (const netns of this.all()) await run("ip", ["netns", "del", netns]).catch(() => undefined);
  }

  private all(): string[] {
    return [this.switchNetns, this.serverNetns, ...this.places.map(({ netns }) => netns)];
  }

  private inSwitch(...args: string[]): Promise<string> {
    return run("ip", ["-n", this.switchNetns, ...args]);
  }

  private async plug(device: string, netns: string, bridge: string, port: string, cidr: string): Promise<void> {
    await run("ip", [
      "link",
      "add",
      port,
      "netns",
      this.switchNetns,
      "type",
      "veth",
      "peer",
      "name",
      device,
      "netns",
      netns,
    ]);
    await this.inSwitch("link", "set", port, "master", bridge, "up");
    await run("ip", ["-n", netns, "addr", "add", cidr, "dev", device]);
    await run("ip", ["-n", netns, "link", "set", device, "up"]);
  }
}

/** Removes namespaces that a laboratory left behind when it was killed: their processes died with its pid namespaces, or are ended here. */
export async function removeRemains(): Promise<readonly string[]> {
  const removed: string[] = [];
  const names = await readdir("/run/netns").catch((): string[] => []);
  for (const name of names) {
    const owner = PREFIX.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    const pids = (await run("ip", ["netns", "pids", name]).catch(() => "")).split("\n").filter(Boolean).map(Number);
    for (const pid of pids) tryKill(pid);
    await run("ip", ["netns", "del", name]).catch(() => undefined);
    removed.push(name);
  }
  return removed;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
