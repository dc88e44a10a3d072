import type { Release } from "../../../collector/conf/version.ts";
import type { MonoUs } from "../../../collector/core/time.ts";
import { createShadow, type Shadow, step } from "../../../collector/shadow/engine.ts";
import type { ShadowEffect, ShadowInput } from "../../../collector/shadow/input.ts";
import type { Decoded } from "../../../collector/vrrp/advert.ts";
import { runningOf } from "../../support/running.ts";

/**
 * Scenarios as text, one line a thing that happens, in order of time:
 *
 *     at 0 start | at 3.2s advert prio 0 | at 5s link eth0 down | at 6s addresses eth0 10.0.0.1 | at 7s reload
 *     expect at 3.9s VI_1 master        within a millisecond
 *     expect until 10s nothing          no state is entered after what was expected before
 */
export const MS = 1000;
const TOLERANCE_US = MS;

export const at = (seconds: number): MonoUs => Math.round(seconds * 1_000_000) as MonoUs;

/** An advert of 10.0.0.2 for the instance that most scenarios have. */
export function advert(over: Partial<Decoded> = {}): Decoded {
  return {
    version: 2,
    family: "ipv4",
    vrid: 51,
    priority: 150,
    advertIntervalUs: 1_000_000,
    vips: ["10.0.0.100"],
    source: "10.0.0.2",
    destination: "224.0.0.18",
    ttl: 255,
    authType: "none",
    checksum: "ok",
    ...over,
  };
}

export const heard = (over: Partial<Decoded> = {}, nic = "eth0"): ShadowInput => ({
  kind: "advert",
  interface: nic,
  outgoing: false,
  advert: advert(over),
});

export interface InstanceText {
  readonly name?: string;
  readonly interface?: string;
  readonly vrid?: number;
  readonly priority?: number;
  readonly state?: string;
  readonly lines?: string;
  readonly vips?: string;
}

export function instanceText({
  name = "VI_1",
  interface: nic = "eth0",
  vrid = 51,
  priority = 100,
  state = "BACKUP",
  lines = "",
  vips = "10.0.0.100/24",
}: InstanceText = {}): string {
  return `vrrp_instance ${name} {\n state ${state}\n interface ${nic}\n virtual_router_id ${vrid}\n priority ${priority}\n ${lines.replaceAll(";", "\n")}\n virtual_ipaddress {\n ${vips.replaceAll(" ", "\n")}\n }\n}\n`;
}

export interface Ran {
  readonly shadow: Shadow;
  readonly effects: readonly ShadowEffect[];
}

/** Feeds inputs at their times. */
export function feed(shadow: Shadow, inputs: readonly (readonly [seconds: number, input: ShadowInput])[]): Ran {
  let now = shadow;
  const effects: ShadowEffect[] = [];
  for (const [seconds, input] of inputs) {
    const [next, told] = step(now, input, at(seconds));
    now = next;
    effects.push(...told);
  }
  return { shadow: now, effects };
}

/** A node with eth0 (10.0.0.1) and eth1 (10.0.1.1) up, on which nothing runs. */
export function node(): Shadow {
  return feed(createShadow(), [
    [0, { kind: "link", interface: "eth0", up: true }],
    [0, { kind: "link", interface: "eth1", up: true }],
    [0, { kind: "addresses", interface: "eth0", addresses: ["10.0.0.1", "fe80::1"] }],
    [0, { kind: "addresses", interface: "eth1", addresses: ["10.0.1.1", "fe80::2"] }],
  ]).shadow;
}

interface Told {
  readonly at: number;
  readonly text: string;
}

/** Runs a scenario and compares all logged state changes, priority changes, refusals and near-misses with what is expected. */
export function runScenario(
  text: string,
  {
    config = instanceText(),
    release = [2, 2, 7],
    configs = {},
  }: {
    readonly config?: string;
    readonly release?: Release;
    /** Other configurations, by the word behind `reload`. */
    readonly configs?: Readonly<Record<string, string>>;
  } = {},
): { readonly told: string[]; readonly expected: string[] } {
  const read = (conf: string) => runningOf(conf, { release, fingerprintKey: "key" });
  let shadow = node();
  const told: Told[] = [];
  const expected: Told[] = [];
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [verb = "", ...words] = line.split(/\s+/);
    if (verb === "expect") {
      const [preposition, time = "", ...rest] = words;
      if (preposition === "at") expected.push({ at: secondsOf(time), text: rest.join(" ") });
      else told.push(...advance({ kind: "tick" }, secondsOf(time)));
      continue;
    }
    if (verb !== "at") throw new Error(`no such line: ${line}`);
    const [time = "", what = "", ...rest] = words;
    told.push(...advance(inputOf(what, rest), secondsOf(time)));
  }

  // What is expected last must have had the time to happen.
  told.push(...advance({ kind: "tick" }, Math.max(0, ...expected.map((one) => one.at)) + TOLERANCE_US / 1_000_000));

  function inputOf(what: string, words: readonly string[]): ShadowInput {
    const [first = "", second = "", ...rest] = words;
    switch (what) {
      case "start":
        return { kind: "started", config: read(configs[first] ?? config), release };
      case "reload":
        return { kind: "reloaded", config: read(configs[first] ?? config) };
      case "advert":
        return advertOf(words);
      case "link":
        return { kind: "link", interface: first, up: second === "up" };
      case "addresses":
        return { kind: "addresses", interface: first, addresses: [second, ...rest].filter((word) => word !== "") };
      case "address":
        return { kind: "address", interface: first, address: second, present: rest[0] !== "gone" };
      case "script":
        return { kind: "script", name: first, outcome: second === "ok" ? "success" : "failure" };
      case "file":
        return { kind: "file", name: first, value: Number(second) };
      case "process":
        return { kind: "process", name: first, count: Number(second) };
      case "bfd":
        return { kind: "bfd", name: first, up: second === "up" };
      case "stopping":
      case "gone":
      case "frozen":
      case "thawed":
      case "tick":
        return { kind: what };
      default:
        throw new Error(`no such input: ${what}`);
    }
  }

  function advance(input: ShadowInput, seconds: number): Told[] {
    const [next, effects] = step(shadow, input, at(seconds));
    shadow = next;
    return effects.flatMap((effect) => {
      const said = say(effect);
      return said === undefined ? [] : [{ at: effect.at / 1_000_000, text: said }];
    });
  }

  const rounded = told.map((one, i) => {
    const want = expected[i];
    const isNear = want !== undefined && Math.abs(want.at - one.at) * 1_000_000 <= TOLERANCE_US;
    return `${isNear ? want.at : one.at.toFixed(6)} ${one.text}`;
  });
  return { told: rounded, expected: expected.map((one) => `${one.at} ${one.text}`) };
}

function say(effect: ShadowEffect): string | undefined {
  switch (effect.kind) {
    case "state":
      return effect.logged ? `${effect.instance} ${effect.to.toLowerCase()} ${effect.cause}` : undefined;
    case "priority":
      return `${effect.instance} prio ${effect.from} ${effect.to}`;
    case "rejected":
      return `${effect.instance} rejects ${effect.reason}`;
    case "near-miss":
      return `${effect.instance} missed ${effect.missed} used ${effect.marginUsed.toFixed(2)}`;
  }
}

const secondsOf = (text: string): number => Number(text.replace(/s$/, ""));

/** `prio 150 from 10.0.0.3 vrid 52 interval 2 version 3 vips A,B auth pass ttl 64 to 10.0.0.1 on eth1 outgoing` */
function advertOf(words: readonly string[]): ShadowInput {
  const over: Record<string, unknown> = {};
  let nic = "eth0";
  let outgoing = false;
  for (let i = 0; i < words.length; i += 2) {
    const [key = "", value = ""] = [words[i], words[i + 1]];
    if (key === "prio") over.priority = Number(value);
    else if (key === "from") over.source = value;
    else if (key === "to") over.destination = value;
    else if (key === "interval") over.advertIntervalUs = Number(value) * 1_000_000;
    else if (key === "vips") over.vips = value === "none" ? [] : value.split(",");
    else if (key === "auth") over.authType = value;
    else if (key === "ah") over.ah = { spi: Number(value), sequence: 1 };
    else if (key === "checksum") over.checksum = value;
    else if (key === "fingerprint") over.passwordFingerprint = value;
    else if (key === "on") nic = value;
    else if (key === "outgoing") {
      outgoing = true;
      i -= 1;
    } else if (key === "vrid" || key === "ttl" || key === "version") over[key] = Number(value);
    else throw new Error(`no such word: ${key}`);
  }
  const { advert: sent } = heard(over) as Extract<ShadowInput, { kind: "advert" }>;
  return { kind: "advert", interface: nic, outgoing, advert: sent };
}
