import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { INSTALLED } from "../collector/conf/real-daemon.ts";
import { instanceConf, RealKeepalived } from "../collector/sources/keepalived.ts";
import { Namespace, whyNoNamespaces } from "../collector/sources/namespace.ts";
import { limited } from "../support/limited.ts";
import { runningOf } from "../support/running.ts";

/**
 * A daemon that runs is told to read each of the mistakes that end one at its start: some end its VRRP process, and others do not.
 *
 * `npm run differential -- reload` plays all of them; otherwise a few are played.
 */
const isWhole = process.env["KEEPWATCH_DIFFERENTIAL"] === "all";
const FEW = ["no-vrid", "no-configuration"];
const PARALLEL = 4;
const DEADLINE_MS = 60_000;
/** It ends within milliseconds of the line that it reloads. */
const ENDS_WITHIN_MS = 2_500;
const POLL_MS = 20;

const RIGHT = instanceConf(100);
const MISTAKES = join(import.meta.dirname, "../collector/conf/mistakes");
const mistakes = readdirSync(MISTAKES)
  .map((name) => [name.replace(/\.conf$/, ""), readFileSync(join(MISTAKES, name), "utf8")] as const)
  .filter(([, text]) => /^# expect: \d+ fatal /m.test(text));
const others = [
  ["empty", ""],
  ["include-nothing", `includem /nonexistent\n${RIGHT}`],
  ["no-value", RIGHT.replace("priority 100", "priority")],
  ["right", RIGHT],
] as const;
const cases = [...mistakes, ...others].filter(([name]) => isWhole || FEW.includes(name));

const FACTS = {
  interfaces: new Map(
    ["lo", "eth0", "eth1"].map((name) => [name, { up: true, addresses: name === "eth0" ? ["10.99.0.11/24"] : [] }]),
  ),
};
const saidToEnd = (text: string): boolean => runningOf(text, { release: INSTALLED, facts: FACTS }).fatal !== undefined;

const why = whyNoNamespaces("keepalived");

describe.skipIf(why !== "")(`a reload that ends the VRRP process, and one that does not${why}`, () => {
  const limit = limited(() => PARALLEL);

  test.concurrent.each(cases)(
    "%s",
    (name, text) =>
      limit(async () => {
        const host = new Namespace(`reload-${cases.findIndex(([one]) => one === name)}`);
        const keepalived = new RealKeepalived(host, RIGHT);
        try {
          host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
          host.ip("addr", "add", "10.99.0.11/24", "dev", "eth0");
          for (const nic of ["eth0", "eth1"]) host.ip("link", "set", nic, "up");
          keepalived.start();
          await keepalived.says(/Entering BACKUP STATE/);
          await keepalived.says(/Startup complete/);
          const pid = keepalived.vrrpPid;
          keepalived.configure(text);
          process.kill(keepalived.pid, "SIGHUP");
          await keepalived.says(/Reloading/);
          const deadline = performance.now() + ENDS_WITHIN_MS;
          while (runs(pid) && performance.now() < deadline) await sleep(POLL_MS);
          expect({ name, ends: !runs(pid) }, keepalived.log()).toEqual({ name, ends: saidToEnd(text) });
        } finally {
          await keepalived.remove();
          host.remove();
        }
      }),
    // Those before it count, too.
    cases.length * DEADLINE_MS,
  );
});

/** Its exit status alone may be left of it. */
function runs(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  try {
    return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, "latin1"));
  } catch {
    return false;
  }
}
