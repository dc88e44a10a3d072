import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readInputs } from "../../../collector/offline/inputs.ts";

const folder = mkdtempSync(join(tmpdir(), "keepwatch-releases-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const conf = (node: string): string =>
  `${node}=${file(
    `${node}.conf`,
    "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n owner_ignore_adverts\n virtual_ipaddress {\n  10.0.0.9/24\n }\n}\n",
  )}`;
const log = (host: string, ...versions: readonly string[]): string =>
  file(
    `${host}.log`,
    versions
      .map((v, i) => `Nov 24 10:53:2${i} ${host} Keepalived[10${i}]: Starting Keepalived v${v} (03/19,2017)\n`)
      .join(""),
  );

async function codes(...specs: readonly string[]): Promise<string[]> {
  const now = Date.UTC(2026, 10, 25) * 1000;
  const { events } = await readInputs(specs, { cluster: "c", zone: "UTC", year: 2026, now });
  return events.flatMap((event) => (event.kind === "config.diagnostic" ? [`${event.node} ${event.code}`] : []));
}

test("a configuration is judged by the release that its node's log shows last, else by the newest", async () => {
  expect(await codes(conf("lb1"), log("lb1", "2.4.3", "1.3.5"))).toEqual(["lb1 keyword_too_new"]);
  expect(await codes(conf("lb1"), log("lb1", "1.3.5", "2.4.3"))).toEqual([]);
  expect(await codes(conf("lb1"))).toEqual([]);
});

test("a node without a log is taken to run what all others do, when they agree", async () => {
  expect(await codes(conf("lb2"), log("lb1", "1.3.5"))).toEqual(["lb2 keyword_too_new"]);
  expect(await codes(conf("lb2"), log("lb1", "1.3.5"), log("lb3", "2.4.3"))).toEqual([]);
});
