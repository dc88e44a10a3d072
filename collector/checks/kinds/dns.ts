import { randomInt } from "node:crypto";
import type { Check } from "../../conf/model/server-types.ts";
import { answerOf, queryOf } from "../dns.ts";
import { askOnce } from "./datagram.ts";
import type { Probed } from "./probe.ts";

export async function probeDns(
  { to, type, name }: Extract<Check, { kind: "dns" }>,
  ms: number,
  signal: AbortSignal,
): Promise<Probed> {
  const id = randomInt(0x1_0000);
  let query: Uint8Array;
  try {
    query = queryOf(id, type, name);
  } catch (error) {
    return { result: { kind: "unable", why: error instanceof Error ? error.message : String(error) } };
  }
  const answer = await askOnce<{ readonly kind: "answer"; readonly rcode: number }>(to, query, {
    ms,
    signal,
    late: { kind: "failure", reason: "timeout" },
    take: (packet) => {
      const header = answerOf(packet, id);
      return header && { kind: "answer", rcode: header.rcode };
    },
  });
  if (answer.kind !== "answer") return { result: answer };
  return {
    status: answer.rcode,
    result: answer.rcode === 0 ? { kind: "success" } : { kind: "failure", reason: "status" },
  };
}
