import type { Connection } from "../../conf/model/server-types.ts";
import type { ProbeResult } from "../checker.ts";
import { dial } from "./conversation.ts";

/** Connects, and leaves again. */
export async function probeTcp(to: Connection, ms: number, signal: AbortSignal): Promise<ProbeResult> {
  const dialled = await dial(to, ms, signal);
  if ("result" in dialled) return dialled.result;
  dialled.ok.destroy();
  return { kind: "success" };
}
