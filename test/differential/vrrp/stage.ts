import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Release } from "../../../collector/conf/version.ts";
import { RigNetwork, type Wire } from "./network.ts";
import type { Recording } from "./recording.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { Station } from "./station.ts";

/** How long a scenario is watched after its last act: what else would come, would come within a few intervals. Milliseconds. */
const QUIET_MS = 1_500;

/** Where a scenario is played: its nodes, and the switches between them. */
export class Stage {
  private readonly network: RigNetwork;
  readonly stations: readonly Station[];

  constructor(id: string, dir: string, count: number) {
    const names = Array.from({ length: count }, (_, i) => `lb${i + 1}`);
    this.network = new RigNetwork(id, names);
    this.stations = this.network.nodes.map((node) => new Station(node, dir));
  }

  get lb1(): Station {
    return this.station(0);
  }
  get lb2(): Station {
    return this.station(1);
  }
  get lb3(): Station {
    return this.station(2);
  }

  async build(): Promise<void> {
    await this.network.build();
    await Promise.all(this.stations.map((station) => station.boot()));
  }

  /** Starts keepalived everywhere, one after the other: their timers then end in an order that chance does not decide. */
  async start(): Promise<void> {
    for (const station of this.stations) await station.start();
  }

  /** Pulls a node's cable: it sees its link go down. */
  unplug(station: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.setCable(station.node, wire, false);
  }
  plug(station: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.setCable(station.node, wire, true);
  }

  /** Deletes a node's interface, as a driver that is unloaded or a guest's that is detached. */
  removeInterface(station: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.removeInterface(station.node, wire);
  }
  addInterface(station: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.addInterface(station.node, wire);
  }

  /** What one sends does not come to the other any more; no link goes down. */
  deafen(from: Station, to: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.setHearing(from.node, to.node, wire, false);
  }
  undeafen(from: Station, to: Station, wire: Wire = "eth0"): Promise<void> {
    return this.network.setHearing(from.node, to.node, wire, true);
  }
  async cut(a: Station, b: Station, wire: Wire = "eth0"): Promise<void> {
    await this.deafen(a, b, wire);
    await this.deafen(b, a, wire);
  }
  async heal(a: Station, b: Station, wire: Wire = "eth0"): Promise<void> {
    await this.undeafen(a, b, wire);
    await this.undeafen(b, a, wire);
  }

  /** Lets time pass in which something could happen that should not. */
  async quiet(ms = QUIET_MS): Promise<void> {
    await sleep(ms);
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.stations.map((station) => station.end()));
  }

  async remove(): Promise<void> {
    await this.network.remove();
  }

  private station(index: number): Station {
    const station = this.stations[index];
    if (!station) throw new Error(`the scenario has ${this.stations.length} nodes`);
    return station;
  }
}

let played = 0;

/** Plays a scenario with real daemons. @returns what was seen on each node; nothing else is left behind */
export async function record(scenario: Scenario, release: Release): Promise<readonly Recording[]> {
  const dir = await mkdtemp(join(tmpdir(), "keepwatch-rig-"));
  const stage = new Stage(`kw${process.pid}-${played++}`, dir, scenario.configs.length);
  try {
    await stage.build();
    await Promise.all(stage.stations.map((station, i) => station.writeConfig(scenario.configs[i] ?? "")));
    await scenario.play(stage);
    await stage.quiet();
    await stage.end();
    return await Promise.all(stage.stations.map((station) => station.recording(scenario.name, release)));
  } catch (error) {
    const said = stage.stations.map(({ name, logged }) => `${name}:\n${logged.slice(-40).join("\n")}`);
    throw new Error(`${scenario.name}: ${String(error)}\n${said.join("\n")}`, { cause: error });
  } finally {
    await stage.end();
    await stage.remove();
    await rm(dir, { recursive: true, force: true });
  }
}
