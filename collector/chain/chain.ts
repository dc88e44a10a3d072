import type { SourceLocation } from "../core/errors.ts";
import type { EnvironmentTrap } from "./environment.ts";
import type { Variable } from "./systemd-text.ts";
import type { DiagnosticSeverity } from "../events/event.ts";
import type { ReadOutline } from "../conf/outline.ts";
import type { Release } from "../conf/version.ts";
import type { KeepalivedBuild } from "./build.ts";
import type { Journal } from "./journald.ts";
import type { Located } from "./located.ts";
import type { Facility, ParsedOptions } from "./options.ts";
import type { NodeProcess, RunningDaemon } from "./process.ts";
import type { StartScript } from "./script.ts";
import type { SyslogRules } from "./syslog/line.ts";
import type { Command, Condition, RefusedCommand, Unit } from "./unit.ts";

/** What is known of the node beside its files. A field that is undefined is not known, and nothing is concluded from it. */
export interface ChainFacts {
  readonly hostname?: string;
  /** Of `keepalived -v`. */
  readonly build?: KeepalivedBuild;
  /** Where only the release is known; the build's own counts first. */
  readonly release?: Release;
  /** Default: `keepalived.service`. */
  readonly unit?: string;
  /** All processes of the living node: without them nothing is said about daemons and pid files. */
  readonly processes?: readonly NodeProcess[];
  /** /run and /proc are the node's own: a path that is missing there is really missing. */
  readonly isLive?: boolean;
  /** The file that somebody takes for the configuration. */
  readonly expectedFile?: string;
  /** Reads the configuration, as far as it matters here (default: it is read anew). */
  readonly outline?: ReadOutline;
}

export interface ChainDiagnostic {
  readonly code: string;
  readonly severity: DiagnosticSeverity;
  readonly message: string;
  readonly at?: SourceLocation;
  readonly fix: string;
}

export type Launcher =
  | {
      readonly kind: "systemd";
      readonly unit: Unit;
      readonly command?: Command;
      readonly commands: readonly Command[];
      readonly refused: readonly RefusedCommand[];
      readonly conditions: readonly Condition[];
      /** The copy has no unit file: this is what the distribution's package has. */
      readonly isAssumed: boolean;
    }
  | { readonly kind: "script"; readonly script: StartScript }
  | { readonly kind: "none" };

export interface EnvironmentSource {
  readonly path: string;
  /** Where it is asked for. */
  readonly at: SourceLocation;
  readonly exists: boolean;
  readonly isOptional: boolean;
}

export type SubsystemName = "vrrp" | "checkers" | "bfd";

export interface Subsystem {
  readonly name: SubsystemName;
  /** The first block that needs it. */
  readonly neededAt?: SourceLocation;
  /** The option that keeps it from starting. */
  readonly hiddenBy?: Located;
  readonly runs: boolean;
}

/** From the start command to the configuration and the log. */
export interface StartChain {
  readonly launcher: Launcher;
  readonly environment: readonly EnvironmentSource[];
  /** Where the command line comes from. */
  readonly argvFrom: "daemon" | "launcher" | "nothing";
  /** Program and arguments, expanded; each with the place it is written at. */
  readonly argv: readonly Located[];
  readonly options: ParsedOptions;
  readonly release: Release;
  readonly workingDirectory: string;
  readonly configuration: {
    readonly path: string;
    readonly why: "option" | "default" | "deprecated-default";
    readonly at?: SourceLocation;
    /** Every file that is read, the main one first. */
    readonly files: readonly string[];
    /** Why the main file cannot be read. */
    readonly unreadable?: string;
  };
  readonly configId: { readonly id?: string; readonly from: "option" | "hostname" };
  /** Network namespace and instance name, which stand in program tags and pid files. */
  readonly namespace?: string;
  readonly instance?: string;
  readonly subsystems: readonly Subsystem[];
  readonly pidFiles: Readonly<Record<"parent" | SubsystemName, string>>;
  readonly log: {
    readonly facility: Facility;
    /** `Keepalived`, `Keepalived_vrrp`, … with their suffix. */
    readonly programs: readonly string[];
    readonly usesSyslog: boolean;
    /** `-g`: the files keepalived writes itself. */
    readonly files: readonly string[];
    readonly usesConsole: boolean;
    readonly syslog?: SyslogRules;
    /** undefined: no systemd on the node. */
    readonly journal?: Journal;
  };
  readonly daemons: readonly RunningDaemon[];
  readonly diagnostics: readonly ChainDiagnostic[];
}

export type ChainDraft = Omit<StartChain, "diagnostics">;

/** What the unit or the script would start. */
export interface Launch {
  readonly launcher: Launcher;
  readonly environment: readonly EnvironmentSource[];
  readonly argv: readonly Located[];
  readonly workingDirectory: string;
  /** Names that the command line asks for. */
  readonly usedVariables: ReadonlySet<string>;
  readonly variables: ReadonlyMap<string, Variable>;
  readonly traps: readonly EnvironmentTrap[];
}
