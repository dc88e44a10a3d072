import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { launchesNow, launchOf } from "../../../collector/sources/launchers.ts";

test.each([
  ["/bin/sh /etc/init.d/keepalived restart", "/etc/init.d/keepalived", "restart"],
  ["/etc/init.d/keepalived start", "/etc/init.d/keepalived", "start"],
  ["/bin/sh -e /etc/rc.d/init.d/keepalived stop", "/etc/rc.d/init.d/keepalived", "stop"],
  ["/bin/sh /usr/sbin/service keepalived restart", "service keepalived", "restart"],
  ["systemctl --no-block restart keepalived.service", "systemctl keepalived.service", "restart"],
  ["systemctl reload keepalived@a", "systemctl keepalived@a", "reload"],
  ["/sbin/rc-service keepalived restart", "rc-service keepalived", "restart"],
])("%s", (line, command, action) => {
  expect(launchOf(line.split(" "))).toEqual({ kind: "process.launcher", command, action });
});

test.each([
  "/usr/sbin/keepalived -D",
  "vi /etc/init.d/nginx restart",
  "less -S /tmp/x /etc/init.d/keepalived restart",
  "systemctl restart nginx",
  "service keepalived",
  "/bin/sh /etc/init.d/keepalived $(hostile)",
  "",
])("no start of keepalived: %s", (line) => {
  expect(launchOf(line.split(" "))).toBeUndefined();
});

const dir = mkdtempSync(join(tmpdir(), "keepwatch-launchers-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.skipIf(process.platform !== "linux")(
  "a script that runs is found by its pid, and is not when it has ended",
  async () => {
    const script = join(dir, "init.d", "keepalived");
    mkdirSync(join(dir, "init.d"));
    writeFileSync(script, "echo ready\nread line\n");
    const child = spawn("/bin/sh", [script, "restart"], { stdio: ["pipe", "pipe", "ignore"] });
    await once(child.stdout, "data");
    const mine = () => launchesNow().filter(({ pid }) => pid === child.pid);
    expect(mine()).toEqual([
      { pid: child.pid, body: { kind: "process.launcher", command: script, action: "restart" } },
    ]);
    child.stdin.end("\n");
    await once(child, "exit");
    expect(mine()).toEqual([]);
  },
);
