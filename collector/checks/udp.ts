import type { UdpCheck } from "../conf/model/server-types.ts";

/** Whether a datagram is the reply that a UDP_CHECK wants: its length, and the bytes that both it and the pattern have. */
export function isReplyGood({ reply, minReplyLength, maxReplyLength }: UdpCheck, datagram: Uint8Array): boolean {
  return (
    datagram.length >= minReplyLength &&
    datagram.length <= maxReplyLength &&
    reply.slice(0, datagram.length).every(({ value, mask }, i) => ((datagram[i] ?? 0) & mask) === value)
  );
}
