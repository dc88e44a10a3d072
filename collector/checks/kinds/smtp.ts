import type { Duplex } from "node:stream";
import type { Connection } from "../../conf/model/server-types.ts";
import { encodeBytes } from "../../conf/text.ts";
import { type SmtpReply, SmtpReader } from "../smtp.ts";
import { dial, failed, receive, send } from "./conversation.ts";
import type { Probed } from "./probe.ts";

/** What is said, and the code that must come for it; after QUIT any answer will do. */
type Line = { readonly says: string; readonly wants: number | undefined };

export async function probeSmtp(
  to: Connection | undefined,
  heloName: string,
  ms: number,
  signal: AbortSignal,
): Promise<Probed> {
  if (to === undefined) return { result: { kind: "unable", why: "there is no such host" } };
  const dialled = await dial(to, ms, signal);
  if ("result" in dialled) return dialled;
  try {
    const lines: readonly Line[] = [
      { says: "", wants: 220 },
      { says: `HELO ${heloName}\r\n`, wants: 250 },
      { says: "QUIT\r\n", wants: undefined },
    ];
    for (const line of lines) {
      const fault = await talk(dialled.ok, line, ms, signal);
      if (fault) return fault;
    }
    return { result: { kind: "success" } };
  } finally {
    dialled.ok.destroy();
  }
}

/** @returns undefined when the answer is what it should be */
async function talk(
  stream: Duplex,
  { says, wants }: Line,
  ms: number,
  signal: AbortSignal,
): Promise<Probed | undefined> {
  if (says !== "") {
    const sent = await send(stream, encodeBytes(says), ms, signal);
    if (sent !== "sent") return failed(sent === "timeout" ? "timeout" : "transfer");
  }
  const reader = new SmtpReader();
  let reply: SmtpReply | undefined;
  const end = await receive(stream, (bytes) => (reply = reader.push(bytes)) !== undefined, ms, signal);
  if (end === "timeout") return failed("timeout");
  if (reply === undefined) return failed("transfer");
  if (wants === undefined) return undefined;
  if ("fault" in reply) return failed(reply.fault === "overflow" ? "transfer" : "status");
  return reply.code === wants ? undefined : { ...failed("status"), status: reply.code };
}
