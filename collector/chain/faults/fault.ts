import type { SourceLocation } from "../../core/errors.ts";
import type { KeepalivedBuild } from "../build.ts";
import type { ChainDraft, ChainFacts, Launch } from "../chain.ts";
import type { ChainTree } from "../files.ts";
import { optionOf, type OptionUse } from "../options.ts";
import type { RunningDaemon } from "../process.ts";

/** The chain, and what it was made of. */
export interface View {
  readonly chain: ChainDraft;
  readonly tree: ChainTree;
  readonly facts: ChainFacts;
  readonly build: Pick<KeepalivedBuild, "defaultFile" | "deprecatedFile">;
  readonly launch: Launch;
  /** The living daemon whose command line the chain follows. */
  readonly daemon?: RunningDaemon;
}

export interface Fault {
  /** Of `../../conf/codes/chain.ts`. */
  readonly code: string;
  readonly message: string;
  readonly at: SourceLocation | undefined;
  /** undefined: the code's own advice. */
  readonly fix: string | undefined;
}

export const fault = (code: string, message: string, at?: SourceLocation, fix?: string): Fault => ({
  code,
  message,
  at,
  fix,
});

/** Where the configuration is by every distribution's package. */
export const CLASSIC_FILE = "/etc/keepalived/keepalived.conf";

export const NAMES = { vrrp: "VRRP", checkers: "health checkers", bfd: "BFD" } as const;

/** An option as it is given last. */
export const used = ({ chain }: View, option: string): OptionUse | undefined => optionOf(chain.options, option);

/** The release as people write it. */
export const releaseOf = ({ chain }: View): string => chain.release.join(".");

/** Where the command line is written, for what has no word of its own in it. */
export function execStart({ chain: { launcher } }: View): SourceLocation | undefined {
  if (launcher.kind === "systemd") return launcher.command?.at;
  return launcher.kind === "script" ? launcher.script.at : undefined;
}
