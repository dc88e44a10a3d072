import { parseConf } from "../../../collector/conf/parser.ts";
import type { NodeFacts } from "../../../collector/conf/facts.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import type { Running } from "../../../collector/conf/model/types.ts";
import type { Release } from "../../../collector/conf/version.ts";
import type { VrrpState } from "../../../collector/events/vocabulary.ts";
import { unpackFrame } from "../../../collector/pcap/frame.ts";
import type { ShadowInput } from "../../../collector/shadow/input.ts";
import { decodeAdvert } from "../../../collector/vrrp/decode.ts";
import { WIRES } from "./network.ts";

/** What was seen on one node, before it is made an input: frames as they were captured, configurations as they were written. */
export type Evidence =
  | { readonly kind: "started"; readonly conf: string }
  | { readonly kind: "reloaded"; readonly conf: string }
  /** A cooked capture's frame (LINKTYPE_LINUX_SLL2), in hexadecimal. */
  | { readonly kind: "frame"; readonly interface: string; readonly hex: string }
  | Exclude<ShadowInput, { kind: "tick" | "started" | "reloaded" | "advert" }>;

/** Microseconds since the recording began. */
export interface Timed<T> {
  readonly at: number;
  readonly what: T;
}

/** What became of an instance: what keepalived logs, and what the shadow predicts. */
export interface Transition {
  readonly at: number;
  readonly instance: string;
  /** The state it entered, or its new effective priority. */
  readonly to: VrrpState | number;
}

/** All that one node of a scenario could see, and what its keepalived said of its states and priorities. */
export interface Recording {
  readonly scenario: string;
  readonly node: string;
  readonly release: Release;
  readonly evidence: readonly Timed<Evidence>[];
  readonly real: readonly Transition[];
  /** When it ended: nothing is predicted beyond. */
  readonly end: number;
}

const LINKTYPE_LINUX_SLL2 = 276;
/** Passwords of the configuration and of the wire are compared by what is made of them with it; it protects nothing here. */
const FINGERPRINT_KEY = "differential";
const FACTS: NodeFacts = {
  interfaces: new Map(["lo", ...WIRES].map((name) => [name, { up: true, addresses: [] }])),
};

/** @returns undefined for a frame that is no advert */
export function inputOf(
  evidence: Evidence,
  { node, release }: Pick<Recording, "node" | "release">,
): ShadowInput | undefined {
  switch (evidence.kind) {
    case "started":
      return { kind: "started", config: runningOf(evidence.conf, node, release), release };
    case "reloaded":
      return { kind: "reloaded", config: runningOf(evidence.conf, node, release) };
    case "frame":
      return advertOf(evidence.interface, Buffer.from(evidence.hex, "hex"));
    default:
      return evidence;
  }
}

function runningOf(text: string, node: string, release: Release): Running {
  const files = { read: () => text, glob: () => [] };
  return modelOf(parseConf("/etc/keepalived/keepalived.conf", files, node, { release }), {
    release,
    facts: FACTS,
    fingerprintKey: FINGERPRINT_KEY,
  }).running;
}

function advertOf(nic: string, data: Uint8Array): ShadowInput | undefined {
  const frame = unpackFrame({ linkType: LINKTYPE_LINUX_SLL2, data });
  const advert = frame && decodeAdvert(frame.ip, FINGERPRINT_KEY);
  if (!frame || !advert || "reason" in advert) return undefined;
  return { kind: "advert", interface: nic, outgoing: frame.outgoing === true, advert };
}

/** One line a fact, so that a change of a recording can be read. */
export function printRecording({ evidence, real, ...head }: Recording): string {
  const lines = [
    head,
    ...[...evidence.map(({ at, what }) => ({ at, ...what })), ...real.map((one) => ({ ...one, kind: "real" }))].sort(
      (a, b) => a.at - b.at,
    ),
  ];
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

export function parseRecording(text: string): Recording {
  const [first = "", ...lines] = text.trimEnd().split("\n");
  const head = JSON.parse(first) as Pick<Recording, "scenario" | "node" | "release" | "end">;
  const evidence: Timed<Evidence>[] = [];
  const real: Transition[] = [];
  for (const line of lines) {
    const { at, ...what } = JSON.parse(line) as { at: number } & (
      | Evidence
      | ({ kind: "real" } & Omit<Transition, "at">)
    );
    if (what.kind === "real") real.push({ at, instance: what.instance, to: what.to });
    else evidence.push({ at, what });
  }
  return { ...head, evidence, real };
}
