import { encode, type RecordType } from "dns-packet";

/** A query and its answer, as keepalived's DNS_CHECK makes and reads them: recursion desired, one question. */
export function queryOf(id: number, type: string, name: string): Uint8Array {
  const RECURSION_DESIRED = 0x0100;
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ type: type as RecordType, name }],
  });
}

const HEADER_BYTES = 12;

/**
 * Only the header is looked at, as keepalived does: a decoder of the whole packet would refuse what keepalived takes.
 * @returns undefined for a packet that answers no query of ours
 */
export function answerOf(packet: Uint8Array, id: number): { readonly rcode: number } | undefined {
  if (packet.length < HEADER_BYTES) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const flags = view.getUint16(2);
  const isResponse = (flags & 0x8000) !== 0;
  return view.getUint16(0) === id && isResponse ? { rcode: flags & 0xf } : undefined;
}
