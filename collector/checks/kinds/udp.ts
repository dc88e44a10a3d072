import { randomBytes } from "node:crypto";
import type { UdpCheck } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";
import { isReplyGood } from "../udp.ts";
import { askOnce } from "./datagram.ts";

/** Bytes of the random datagram that goes out where no payload is named. */
const RANDOM_BYTES = 32;

/** Without require_reply silence is as good as a reply: only an ICMP error is a failure. */
export function probeUdp(check: UdpCheck, ms: number, signal: AbortSignal): Promise<ProbeResult> {
  const payload = check.payload ? Uint8Array.from(check.payload) : randomBytes(RANDOM_BYTES);
  return askOnce<never>(check.to, payload, {
    ms,
    signal,
    late: check.requireReply ? { kind: "failure", reason: "timeout" } : { kind: "success" },
    take: (reply) =>
      !check.requireReply || isReplyGood(check, reply) ? { kind: "success" } : { kind: "failure", reason: "reply" },
  });
}
