import { driftOf } from "../../collector/conf/drift.ts";
import { severityOf } from "../../collector/conf/codes/registry.ts";
import { nameOf, proveElection } from "../../collector/conf/election.ts";
import { NEWEST_RELEASE } from "../../collector/conf/version.ts";
import type { ConfiguredInstance, DiagnosticSeverity, EventOf } from "../../collector/events/event.ts";
import { peerOf } from "./config-drift.ts";

/** One node's instance of a virtual router, as its newest configuration has it. */
export interface ComparedMember {
  readonly node: string;
  readonly instance: string;
  readonly file: string;
  readonly line: number;
  /** When that configuration was read. */
  readonly ts: number;
}

/** One setting on every node. */
export interface ComparedSetting {
  readonly name: string;
  /** In the members' order; null: not known. */
  readonly values: readonly (string | null)[];
  /** `equal` values must not differ, `different` ones must; `free` ones are as they are. */
  readonly rule: "equal" | "different" | "free";
  readonly holds: boolean;
}

export interface ComparisonFinding {
  readonly code: string;
  readonly severity: DiagnosticSeverity;
  readonly node: string;
  readonly message: string;
}

/** Who is master when that fails. */
export interface ElectionLine {
  readonly failed: readonly string[];
  readonly master: string | null;
  /** Nodes between which nothing that is known decides. */
  readonly undecided: readonly string[];
  /** In the members' order; null: dead or in FAULT. */
  readonly priorities: readonly (number | null)[];
}

export interface ComparedConfigs {
  readonly members: readonly ComparedMember[];
  readonly settings: readonly ComparedSetting[];
  readonly findings: readonly ComparisonFinding[];
  /** null: a collector does not tell what its node watches. */
  readonly election: {
    readonly complete: boolean;
    readonly failuresMax: number;
    readonly tried: number;
    /** Of up to so many failures at a time as fit. */
    readonly lines: readonly ElectionLine[];
    readonly findings: readonly { readonly code: string; readonly node: string; readonly message: string }[];
  } | null;
}

export interface MemberConfig {
  readonly loaded: EventOf<"config.loaded">;
  readonly instance: ConfiguredInstance;
}

/** Lines of the election that are told; the number that were tried is told beside them. */
const LINES_MAX = 256;

type Rule = ComparedSetting["rule"];
const seconds = (us: number): string => `${us / 1_000_000} s`;
const listed = (all: readonly string[]): string => [...all].sort().join(", ") || "none";

const SETTINGS: readonly [string, Rule, (one: ConfiguredInstance) => string | undefined][] = [
  ["virtual_router_id", "equal", ({ vrid }) => vrid?.toString()],
  ["version", "equal", ({ version }) => String(version)],
  ["priority", "different", ({ priority }) => String(priority)],
  ["state", "free", ({ startState }) => startState],
  ["nopreempt", "equal", ({ nopreempt }) => (nopreempt ? "yes" : "no")],
  ["advert_int", "equal", ({ advertIntervalUs }) => seconds(advertIntervalUs)],
  ["down_timer_adverts", "equal", ({ downTimerAdverts }) => String(downTimerAdverts)],
  ["interface", "free", (one) => one.interface],
  ["source address", "different", ({ sourceAddress }) => sourceAddress],
  ["authentication", "equal", ({ authentication }) => authentication],
  ["auth_pass (fingerprint)", "equal", ({ passwordFingerprint }) => passwordFingerprint?.slice(0, 8)],
  ["virtual_ipaddress", "equal", ({ vips }) => listed(vips)],
  ["transport", "equal", ({ unicastPeers }) => (unicastPeers.length > 0 ? "unicast" : "multicast")],
  ["unicast_peer", "free", ({ unicastPeers }) => listed(unicastPeers)],
  [
    "tracked",
    "equal",
    ({ trackers }) =>
      trackers &&
      listed(
        trackers.flatMap(({ kind, name, weight, reverse }) =>
          kind === "interface" ? [] : [`${kind} ${name} weight ${weight}${reverse ? " reverse" : ""}`],
        ),
      ),
  ],
];

/** @param members  at most one a node */
export function compareConfigs(members: readonly MemberConfig[]): ComparedConfigs {
  const instances = members.map(({ instance }) => instance);
  const peers = members.flatMap(({ loaded, instance }) => peerOf(loaded.node, instance));
  const areTold = instances.every(({ trackers }) => trackers !== undefined);
  const proof =
    areTold && peers.length > 0
      ? proveElection(
          peers.map(({ node, instance, priority, nopreempt, sourceAddress, trackers }) => ({
            node,
            instance,
            priority,
            nopreempt,
            trackers,
            ...(sourceAddress === undefined ? {} : { address: sourceAddress }),
          })),
        )
      : undefined;
  return {
    members: members.map(({ loaded, instance }) => ({
      node: loaded.node,
      instance: instance.instance,
      file: instance.file,
      line: instance.line,
      ts: loaded.ts,
    })),
    settings: SETTINGS.map(([name, rule, of]) => settingOf(name, rule, instances.map(of))).filter(({ values }) =>
      values.some((value) => value !== null),
    ),
    findings: driftOf(peers, NEWEST_RELEASE)
      .filter(({ code }) => code !== "drift_auth" || instances.every((one) => one.authentication !== undefined))
      .map(({ code, node, message }) => ({ code, severity: severityOf(code, NEWEST_RELEASE), node, message })),
    election: proof
      ? {
          complete: proof.complete,
          failuresMax: proof.failuresMax,
          tried: proof.rows.length,
          lines: proof.rows.slice(0, LINES_MAX).map(({ failed, master, undecided, priorities }) => ({
            failed: failed.map(nameOf),
            master: master ?? null,
            undecided,
            priorities: members.map(({ loaded }) => priorities[loaded.node] ?? null),
          })),
          findings: proof.findings.map(({ code, node, message }) => ({ code, node, message })),
        }
      : null,
  };
}

function settingOf(name: string, rule: Rule, told: readonly (string | undefined)[]): ComparedSetting {
  const known = told.flatMap((value) => (value === undefined ? [] : [value]));
  const distinct = new Set(known).size;
  const holds = rule === "free" || (rule === "equal" ? distinct <= 1 : distinct === known.length);
  return { name, rule, holds, values: told.map((value) => value ?? null) };
}
