import type { Event, EventKind } from "../../collector/events/event.ts";
import type { ClientView } from "./client-view.ts";
import type { Expectation } from "./compare.ts";
import type { VipTruth } from "./truth.ts";

/** Side of the trunk a host is plugged in at. Cutting the trunk separates the sides, and no host sees its link go down. */
export type Side = "a" | "b";

/** A host of the laboratory, as data. */
export interface HostSpec {
  readonly name: string;
  readonly side: Side;
  /** Last byte of its addresses: 10.99.0.x on eth0, 10.98.0.x on mgmt0. */
  readonly number: number;
  /** Folders that are this host's own, besides /run, /dev, /var/log and /etc/keepalived. They must exist on this machine. */
  readonly folders?: readonly string[];
  /** Absolute path, below one of its own folders, to text. Missing folders are made. */
  readonly files?: Readonly<Record<string, string>>;
  /** What its rsyslogd writes; the classic format by default, as Debian's. */
  readonly logFormat?: "classic" | "microseconds";
  /** What is started when it is up, each by a command that returns once the service runs. */
  readonly services?: readonly (readonly string[])[];
}

/** A host that runs keepalived, and a collector beside it. */
export interface NodeSpec extends HostSpec {
  readonly keepalivedConf: string;
  /** `command`: keepalived itself, with the options it needs here. `init-script`: the package's own /etc/init.d/keepalived. */
  readonly start: "command" | "init-script";
}

/** The program a scenario needs, and the Debian package that brings it. */
export interface Program {
  readonly command: string;
  readonly debianPackage: string;
}

/** A client that asks `url` again and again, and the host it does so from. */
export interface ClientSpec {
  readonly host: string;
  readonly url: string;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** The first one is master when all is well. */
  readonly nodes: readonly NodeSpec[];
  /** Hosts without keepalived: backends, clients, mail servers. */
  readonly hosts?: readonly HostSpec[];
  /** Address whose holder the laboratory watches. */
  readonly vip: string;
  readonly programs?: readonly Program[];
  /** Who asks the virtual address for pages meanwhile. */
  readonly client?: ClientSpec;
  /** Host that takes the mail. */
  readonly mail?: string;
  play(stage: Stage): Promise<readonly Expectation[]>;
}

/** What a scenario can do to the laboratory. Every deed is printed as it happens. */
export interface Stage {
  readonly truth: VipTruth;
  readonly nodes: readonly string[];
  say(text: string): void;
  /** Epoch microseconds. */
  now(): number;
  cutTrunk(): Promise<void>;
  healTrunk(): Promise<void>;
  /** The switch drops the adverts of this node from now on; of nobody when it is undefined. */
  loseAdverts(node: string | undefined): Promise<void>;
  setCable(node: string, plugged: boolean): Promise<void>;
  startKeepalived(node: string): Promise<void>;
  stopKeepalived(node: string): Promise<void>;
  /** Stops and starts it, as an operator does, whatever comes of it. */
  restartKeepalived(node: string): Promise<void>;
  /** Has it read its configuration anew, as an operator does, whatever comes of it. */
  reloadKeepalived(node: string): Promise<void>;
  /** Replaces the node's keepalived.conf; `change` makes it of the scenario's own text. */
  configure(node: string, change?: (text: string) => string): Promise<void>;
  /** Runs a command on a host to its end. */
  exec(host: string, command: string, ...args: readonly string[]): Promise<string>;
  /** Writes a file of a host. */
  write(host: string, path: string, text: string): Promise<void>;
  /** Does something, and prints what the client saw from its beginning until `deed` has ended. */
  watched(title: string, deed: () => Promise<void>): Promise<ClientView>;
  /** Nodes that the server holds for masters now. */
  masters(): Promise<readonly string[]>;
  /** What the server has stored. Epoch microseconds. */
  events(kinds: readonly EventKind[], from: number): Promise<readonly Event[]>;
  /** Waits for the truth, not for a time. @throws OperatorError when it does not come within `seconds`. */
  until(what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<void>;
  /** Lets the protocol run on: the scenario's own pace, no synchronisation. */
  letRun(seconds: number): Promise<void>;
}
