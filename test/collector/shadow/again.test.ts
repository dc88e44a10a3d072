import { expect, test } from "vitest";
import type { Running } from "../../../collector/conf/model/types.ts";
import type { ShadowInput } from "../../../collector/shadow/input.ts";
import { runningOf } from "../../support/running.ts";
import { takenInPlace } from "./again.ts";
import { at, heard, instanceText } from "./scenario.ts";

/** Each time the same value, as the capture has it: the adverts of a master of higher priority, and what comes between them. */

const advert = heard();
const lower = heard({ priority: 50 });
const unicast = heard({ destination: "10.0.0.1" });
const own: ShadowInput = { ...heard({ priority: 100, source: "10.0.0.1" }), outgoing: true } as ShadowInput;
const bfd = "bfd_instance b {\n neighbor_ip 10.0.0.2\n weight 60\n}\n";
const trusting = runningOf(instanceText({ lines: "skip_check_adv_addr" }));
const strange = heard({ vips: ["10.0.0.77"] });
const UNICAST = "unicast_src_ip 10.0.0.1; unicast_peer {; 10.0.0.2; }";

interface Case {
  readonly name: string;
  readonly text?: string;
  readonly config?: Running;
  readonly inputs: readonly (readonly [seconds: number, input: ShadowInput])[];
  readonly taken: number;
}

const seconds = (from: number, to: number, input: ShadowInput) =>
  Array.from({ length: to - from + 1 }, (_, n) => [from + n, input] as const);

test.each<Case>([
  { name: "a steady master", inputs: seconds(1, 6, advert), taken: 4 },
  {
    name: "one advert is missing",
    inputs: [...seconds(1, 3, advert), ...seconds(5, 6, advert)],
    taken: 3,
  },
  {
    name: "it falls silent, and comes back",
    inputs: [...seconds(1, 3, advert), ...seconds(9, 11, advert)],
    taken: 4,
  },
  {
    name: "it resigns",
    inputs: [...seconds(1, 3, advert), [3.5, heard({ priority: 0 })], ...seconds(4, 6, advert)],
    taken: 3,
  },
  {
    name: "a tracker makes this node the better one",
    text: bfd + instanceText({ lines: "track_bfd {; b; }" }),
    inputs: [...seconds(1, 3, advert), [3.5, { kind: "bfd", name: "b", up: true }], ...seconds(4, 6, advert)],
    taken: 2,
  },
  {
    name: "a reload takes the instance to another VRID",
    inputs: [
      ...seconds(1, 3, advert),
      [3.5, { kind: "reloaded", config: runningOf(instanceText({ vrid: 60 })) }],
      ...seconds(4, 5, advert),
    ],
    taken: 2,
  },
  {
    name: "a reload of the same configuration: whose addresses were believed is looked at anew",
    config: trusting,
    inputs: [
      [1, advert],
      ...seconds(2, 4, strange),
      [4.5, { kind: "reloaded", config: trusting }],
      ...seconds(5, 6, strange),
      ...seconds(7, 9, advert),
    ],
    taken: 2,
  },
  {
    name: "another interface",
    inputs: [...seconds(1, 3, advert), [4, { ...advert, interface: "eth1" } as ShadowInput], [5, advert]],
    taken: 2,
  },
  {
    name: "unicast, and the address goes",
    text: instanceText({ lines: UNICAST }),
    inputs: [
      [0.5, { kind: "addresses", interface: "eth0", addresses: ["10.0.0.1"] }],
      ...seconds(1, 3, unicast),
      [3.5, { kind: "addresses", interface: "eth0", addresses: ["10.0.0.9"] }],
      ...seconds(4, 5, unicast),
    ],
    taken: 2,
  },
  {
    name: "a lower one is left alone",
    text: instanceText({ lines: "nopreempt" }),
    inputs: seconds(1, 5, lower),
    taken: 3,
  },
  {
    name: "a lower one is left alone for a while",
    text: instanceText({ lines: "preempt_delay 3" }),
    inputs: seconds(1, 5, lower),
    taken: 0,
  },
  {
    name: "two masters",
    inputs: seconds(1, 5, advert).flatMap((one) => [one, [one[0] + 0.1, heard({ source: "10.0.0.3" })]]),
    taken: 0,
  },
  {
    name: "a frozen process",
    inputs: [...seconds(1, 3, advert), [3.5, { kind: "frozen" }], [4, advert], [5, { kind: "thawed" }], [6, advert]],
    taken: 2,
  },
  {
    name: "the startup delay",
    text: `global_defs {\n vrrp_startup_delay 3\n}\n${instanceText()}`,
    inputs: seconds(1, 6, advert),
    taken: 4,
  },
  { name: "its own adverts", inputs: seconds(4, 8, own), taken: 4 },
])(
  "in place or by steps, it comes to the same: $name",
  ({ text = instanceText(), config = runningOf(text), inputs, taken }) => {
    const timed = [[0, { kind: "started", config, release: [2, 2, 7] }] as const, ...inputs];
    expect(takenInPlace(timed.map(([second, input]) => ({ input: input as ShadowInput, now: at(second) })))).toBe(
      taken,
    );
  },
);
