import { expect, test } from "vitest";
import { Sender } from "../../../server/syslog/reader.ts";

const ARRIVED = 1_795_517_604_000_000;

function idOf(message: string): string | undefined {
  const identify = () => ({ cluster: "c", node: "lb1" });
  const sender = new Sender({ address: "10.0.0.1", zone: "UTC", identify });
  return sender.read(Buffer.from(`<30>Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${message}`), ARRIVED)?.id;
}

test("an id says nothing of a password in the line, and tells lines apart by all else", () => {
  expect(idOf("   Password = s3cr3tpw")).toMatch(/^[0-9a-f]{32}$/);
  expect(idOf("   Password = s3cr3tpw")).toBe(idOf("   Password = another1"));
  expect(idOf("(VI_1) Entering MASTER STATE")).not.toBe(idOf("(VI_2) Entering MASTER STATE"));
});
