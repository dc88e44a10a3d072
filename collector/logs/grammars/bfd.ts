import { BFD_STATES } from "../../events/vocabulary.ts";
import { type LineContext, type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { INT_MAX } from "../layout.ts";
import { cut } from "../text.ts";
import { address, between, known, NAME_MAX } from "./fields.ts";
import { problem } from "./rows.ts";

/** BFD sessions. Up to 2.1.5 they are named `BFD_Instance(NAME)`, from 2.2.0 `(NAME)` as VRRP instances are. */

const bfdOf = (words: Words, { instance }: LineContext): string | undefined => {
  const named = words.text("bfd") || instance;
  return named === undefined ? undefined : cut(named, NAME_MAX);
};

const US_PER_MS = 1000;

/** In decimal up to 2.0.x, then in hexadecimal behind `0x`. */
function discriminator(words: Words): number | undefined {
  const text = words.text("discriminator");
  return /^(?:\d{1,10}|0x[\da-fA-F]{1,8})$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : undefined;
}

interface Discarded extends Pick<LineGrammar, "source" | "since" | "samples" | "templates"> {
  readonly code: string;
  readonly until?: string;
}

/** A packet that is refused. */
const discarded = ({ code, ...row }: Discarded): LineGrammar => ({
  id: `bfd.packet-discarded.${code}`,
  ...row,
  toEvent: (words) => ({
    kind: "bfd.packet-discarded",
    reason: code,
    ...known({ peer: address(words, "peer"), discriminator: discriminator(words) }),
  }),
});

export const bfdGrammars: readonly LineGrammar[] = [
  {
    id: "bfd.state",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: [
      "BFD_Instance(bfd1) Entering Up state",
      "(bfd1) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)",
    ],
    templates: BFD_STATES.flatMap((state) => [
      `BFD_Instance({bfd}) Entering ${state} state`,
      `Entering ${state} state`,
      `BFD_Instance({bfd}) Entering ${state} state (Local diagnostic - {local}, Remote diagnostic - {remote})`,
      `Entering ${state} state (Local diagnostic - {local}, Remote diagnostic - {remote})`,
    ]),
    toEvent: (words, context) => {
      const bfd = bfdOf(words, context);
      const state = BFD_STATES.find((one) => context.message.includes(`Entering ${one} state`));
      if (bfd === undefined || state === undefined) return UNRECOGNISED;
      const [local, remote] = [words.text("local"), words.text("remote")];
      return {
        kind: "bfd.state",
        bfd,
        state,
        ...(local === "" ? {} : { localDiagnostic: cut(local, 64) }),
        ...(remote === "" ? {} : { remoteDiagnostic: cut(remote, 64) }),
      };
    },
  },
  {
    id: "bfd.expired",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: [
      "(bfd1) Expired after 150 ms (321 usec overdue)",
      "BFD_Instance(bfd1) Expired after 150 ms (321 usec overdue)",
    ],
    templates: [
      "BFD_Instance({bfd}) Expired after {ms:d} ms ({overdue:d} usec overdue)",
      "Expired after {ms:d} ms ({overdue:d} usec overdue)",
    ],
    toEvent: (words, context) => {
      const [bfd, ms, overdueUs] = [
        bfdOf(words, context),
        between(words, "ms", 0, INT_MAX),
        between(words, "overdue", 0, INT_MAX),
      ];
      return bfd === undefined || ms === undefined || overdueUs === undefined
        ? UNRECOGNISED
        : { kind: "bfd.expired", bfd, afterUs: ms * US_PER_MS, overdueUs };
    },
  },
  problem("bfd.error")({
    code: "not-sent",
    named: "bfd",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    templates: [
      "BFD_Instance({bfd}) Error sending packet, disabling instance",
      "BFD_Instance({bfd}) Error sending packet",
      "Error sending packet",
      "sendto() error ({*error})",
    ],
  }),
  problem("bfd.error")({
    code: "pipe",
    named: "bfd",
    source: "bfd/bfd_event.c, bfd/bfd_daemon.c",
    since: "2.0.0",
    templates: [
      "Unable to create BFD vrrp event pipe: {*error}",
      "Unable to create BFD checker event pipe: {*error}",
      "BFD_Instance({bfd}) vrrp pipe write() error {*error}",
      "BFD_Instance({bfd}) checker pipe write() error {*error}",
      "vrrp pipe write() error {*error}",
      "checker pipe write() error {*error}",
    ],
  }),
  discarded({
    code: "malformed",
    source: "bfd/bfd.c, bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: ["Discarding bogus packet from 10.99.0.12", "Packet is too small: 12 bytes"],
    templates: [
      "Discarding bogus packet from {peer}",
      "Packet is too small: {*length} bytes",
      "Packet size mismatch: length field: {*expected} bytes, buffer size: {*length} bytes",
      "Packet is of unsupported version: {*value}",
      "Packet 'detection multiplier' field is zero",
      "Packet has 'multipoint' flag",
      "Packet 'my discriminator' field is zero",
      "Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown",
      "Packet has both poll and final  flags set",
      "Packet has invalid 'state' field: {*value}",
      "Packet has invalid 'diag' field: {*value}",
    ],
  }),
  discarded({
    code: "ttl",
    source: "bfd/bfd.c",
    since: "2.0.0",
    samples: ["Packet ttl(64) < 255 - discarding"],
    templates: ["Packet {*}({*value}) < {*expected} - discarding"],
  }),
  discarded({
    code: "no-session",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: ["Discarding packet from 10.99.0.12 (session is not found - your discriminator field is 0x1234abcd)"],
    templates: ["Discarding packet from {peer} (session is not found - your discriminator field is {discriminator})"],
  }),
  discarded({
    code: "auth",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: ["Discarding packet from 10.99.0.12 (auth bit is set, but no authentication  is in use)"],
    templates: ["Discarding packet from {peer} (auth bit is set, but no authentication  is in use)"],
  }),
  discarded({
    code: "admin-down",
    source: "bfd/bfd_scheduler.c",
    since: "2.0.0",
    samples: ["Discarding packet from 10.99.0.12 (session is in AdminDown state)"],
    templates: ["Discarding packet from {peer} (session is in AdminDown state)"],
  }),
];
