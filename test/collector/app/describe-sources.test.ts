import { expect, test } from "vitest";
import { describeSources } from "../../../collector/main.ts";

test("what is read comes first, then what cannot be read and why", () => {
  expect(
    describeSources([
      { name: "capture", detail: "eth0", state: "unavailable", reason: "no permission", read: 0, unrecognised: 0 },
      { name: "log", detail: "/var/log/messages", state: "running", read: 3, unrecognised: 0 },
      { name: "journal", detail: "systemd's journal", state: "stopped", read: 0, unrecognised: 0 },
    ]),
  ).toEqual([
    "reads log: /var/log/messages",
    "cannot read capture (eth0): no permission",
    "cannot read journal (systemd's journal): it does not say why",
  ]);
});
