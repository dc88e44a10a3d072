import type { SourceLocation } from "../../collector/core/errors.ts";
import type { EventBody } from "../../collector/events/event.ts";
import { type ChainFiles, ChainTree } from "../../collector/chain/files.ts";
import { parseConf } from "../../collector/conf/parser.ts";
import { decodeBytes } from "../../collector/conf/text.ts";
import type { Release } from "../../collector/conf/version.ts";
import { readMessage } from "../../collector/logs/reader.ts";
import { type CaseFiles, CONF_DIR, FACTS, HOSTNAME, type Start, startKeepalived } from "./daemon.ts";
import { type LintDiagnostic, lintSubject } from "../../server/lint/lint.ts";
import type { Subject } from "../../server/lint/subject.ts";

const CONF_PATH = `${CONF_DIR}/keepalived.conf`;

/** What becomes of a vrrp_instance block: it tells states, it tells FAULT and stays there, it tells nothing. */
type Fate = "runs" | "fault" | "lost";

/** What somebody, keepalived or we, expects of a configuration. */
interface Verdict {
  readonly dies: boolean;
  /** Of each vrrp_instance block, in the order of the file. undefined: the daemon did not come that far. */
  readonly fates: readonly Fate[] | undefined;
}

/** A line in which keepalived finds fault with the configuration. */
export interface Complaint {
  readonly line: string;
  /** undefined: no row of the log's grammar knows the line. */
  readonly code: string | undefined;
  /** What of ours says the same. */
  readonly by: string | undefined;
}

export interface Comparison {
  readonly ours: Verdict;
  readonly real: Verdict;
  readonly complaints: readonly Complaint[];
  readonly diagnostics: readonly LintDiagnostic[];
}

/** Codes of keepalived's lines for which we have another word, or that sum up what other lines have said. */
const OUR_CODES: Readonly<Record<string, readonly string[]>> = {
  nonexistent_interface: [
    "unknown_interface",
    "interface_missing",
    "vip_interface_missing",
    "track_interface_missing",
    "other_interface_missing",
  ],
  unknown_interface: ["interface_missing", "interface_name_long", "loopback_interface"],
  unicast_bind_failed: ["unicast_source_missing"],
  track_own_interface: ["track_own_interface_lost"],
  firewall_nft_default: ["strict_firewall", "no_accept"],
  // Without a user of that name the scripts run as root.
  user_problem: [
    "script_security_violation",
    "script_user_failed",
    "notify_user_failed",
    "notify_disabled",
    "track_script_disabled",
    "misc_disabled",
  ],
  script_invalid: [
    "misc_disabled",
    "notify_disabled",
    "notify_user_failed",
    "track_script_disabled",
    "script_user_failed",
    "unterminated_quote",
  ],
  track_double: ["track_script_double"],
  // A script that is refused, or that nobody could track for another reason told before.
  track_not_found: ["track_script_disabled", "script_user_failed"],
  script_unused: ["track_not_found", "track_weight_dropped", "script_duplicate"],
  track_file_invalid: ["track_file_no_folder"],
  track_file_end_invalid: ["track_file_no_path"],
  tprocess_end_invalid: ["track_process_empty"],
  file_executable: ["config_file_missing"],
  config_disabled: ["bfd_no_neighbour"],
  udp_check_end_invalid: ["check_always_fails"],
  family_mismatch: ["sorry_family"],
  smtp_check_end_deprecated: ["smtp_host_block"],
  vmac_name: ["duplicate_vrid"],
  script_security_startstop: ["script_security_violation"],
  group_block: ["syncgroup_removed"],
  garp_group_end_invalid: ["garp_group_unused"],
  up_down_delay_invalid: ["interface_option_invalid"],
};

/** Starts keepalived on a configuration, and holds what it does and says against what we say. */
export async function compare(files: CaseFiles, release: Release): Promise<Comparison> {
  const subject: Subject = {
    title: CONF_PATH,
    path: CONF_PATH,
    files: new ChainTree(chainFiles(files)).confFiles(),
    configId: HOSTNAME,
    allConfig: false,
    release,
    releaseWhy: "installed",
    facts: FACTS,
    isCopy: false,
    textOf: () => undefined,
  };
  const tree = parseConf(CONF_PATH, subject.files, HOSTNAME, { release });
  const { diagnostics } = lintSubject(subject);
  const blocks = tree.nodes
    .filter(({ keyword, children }) => keyword.text === "vrrp_instance" && children !== undefined)
    .map(({ keyword, values }, i, all) => {
      const name = values[0]?.text ?? "";
      return { at: keyword.at, name, isAgain: all.slice(0, i).some((other) => other.values[0]?.text === name) };
    });
  const starts = await startKeepalived(files, (lines) => {
    const states = statesIn(lines);
    return blocks.every(({ name }) => states.has(name));
  });
  const ours = {
    dies: diagnostics.some(({ severity }) => severity === "fatal"),
    fates: blocks.map(
      (block): Fate =>
        diagnostics.some((one) => one.severity === "instance-lost" && isAbout(one, block)) ? "lost" : "runs",
    ),
  };
  const complaints = [...starts.vrrp.lines, ...starts.checkers.lines].flatMap((line) =>
    complaintOf(withoutTime(line), readMessage(line, undefined), diagnostics),
  );
  return { ours, real: realVerdict(starts, blocks), complaints: distinct(complaints), diagnostics };
}

const IPVS = /IPVS: Can't initialize ipvs/;

function realVerdict(
  { vrrp, checkers }: { readonly vrrp: Start; readonly checkers: Start },
  blocks: readonly { readonly name: string }[],
): Verdict {
  // Without IPVS in the kernel it ends as well; that is not the configuration's fault.
  const ends = ({ outcome, lines }: Start): boolean => outcome === "exited" && !lines.some((line) => IPVS.test(line));
  const dies = ends(vrrp) || ends(checkers) || (vrrp.outcome === "idle" && checkers.outcome === "idle");
  if (vrrp.outcome !== "up") return { dies, fates: undefined };
  const states = statesIn(vrrp.lines);
  return {
    dies,
    fates: blocks.map(({ name }): Fate => {
      const state = states.get(name);
      // Of two blocks with one name the first runs.
      states.delete(name);
      return state === undefined ? "lost" : state === "FAULT" ? "fault" : "runs";
    }),
  };
}

/** The last state of each instance. */
function statesIn(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const body = readMessage(line, "vrrp");
      return body.kind === "vrrp.state" && body.instance !== undefined ? [[body.instance, body.state]] : [];
    }),
  );
}

interface Block {
  readonly at: SourceLocation;
  readonly name: string;
  /** A block before it has the same name. */
  readonly isAgain: boolean;
}

function isAbout(one: LintDiagnostic, { at, name, isAgain }: Block): boolean {
  // The place of a block that is passed over for its name is its own; others are about the block of that name.
  const isHere = one.line === at.line && one.file === at.file;
  if (one.code === "instance_duplicate") return isAgain && isHere;
  return one.code === "instance_no_name" ? isHere : one.instance === name;
}

function complaintOf(line: string, body: EventBody, diagnostics: readonly LintDiagnostic[]): Complaint[] {
  if (body.kind === "log.unrecognised") {
    const place = /\((?:([^() ]+): )?Line (\d+)\)/.exec(line);
    const by = place && diagnostics.find((one) => one.line === Number(place[2]) && isFile(one, place[1]));
    return [{ line, code: undefined, by: by?.code }];
  }
  if (body.kind !== "config.diagnostic") return [];
  const { code } = body;
  const codes = [code, ...(OUR_CODES[code] ?? [])];
  const by =
    diagnostics.find((one) => codes.includes(one.code)) ??
    diagnostics.find((one) => body.line !== undefined && one.line === body.line && isFile(one, body.file));
  return [{ line, code, by: by?.code }];
}

const isFile = (one: LintDiagnostic, file: string | undefined): boolean =>
  file === undefined || one.file === file || one.file.endsWith(`/${file}`);

const withoutTime = (line: string): string => line.replace(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: /, "");

function distinct(complaints: readonly Complaint[]): Complaint[] {
  return [...new Map(complaints.map((one) => [one.line, one])).values()];
}

function chainFiles(files: CaseFiles): ChainFiles {
  const paths = [...files.keys()].map((name) => `${CONF_DIR}/${name}`);
  const below = (folder: string): string[] => paths.filter((path) => path.startsWith(`${folder.replace(/\/$/, "")}/`));
  const fileAt = (path: string): ReturnType<CaseFiles["get"]> => files.get(path.slice(CONF_DIR.length + 1));
  return {
    read: (path) => decodeBytes(fileAt(path)?.text ?? new Uint8Array()),
    stat(path) {
      const file = fileAt(path);
      if (file) return { kind: "file", mode: file.mode, size: file.text.length };
      return below(path).length > 0 ? { kind: "directory", mode: 0o755, size: 0 } : undefined;
    },
    readlink: () => undefined,
    list: (path) => [
      ...new Set(below(path).map((one) => one.slice(path.replace(/\/$/, "").length + 1).split("/", 1)[0] ?? "")),
    ],
  };
}
