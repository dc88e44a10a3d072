import { spawnSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { StartChain } from "../../../collector/chain/chain.ts";
import { resolveChain } from "../../../collector/chain/resolve.ts";
import type { EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { createConfWatchSource } from "../../../collector/sources/conf-watch.ts";
import { droppedAddresses } from "../../../collector/sources/firewall.ts";
import { RealKeepalived } from "./keepalived.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";

describe("addresses that a table drops", () => {
  const answers = (status: number, stdout: string, stderr = "") => [
    ...(droppedAddresses("ipv4", "keepalived", () => ({ status, stdout, stderr })) ?? ["not known"]),
  ];
  const set = (...elem: readonly unknown[]) =>
    JSON.stringify({ nftables: [{ metainfo: {} }, { set: { name: "vips", elem } }] });

  test.each<[string, string[], string[]]>([
    [
      "plain and counted elements",
      answers(0, set("192.0.2.1", { elem: { val: "192.0.2.2", counter: {} } })),
      ["192.0.2.1", "192.0.2.2"],
    ],
    ["elements of another kind", answers(0, set(7, null, { range: ["a", "b"] }, "x")), []],
    ["an empty set", answers(0, JSON.stringify({ nftables: [{ set: { name: "vips" } }] })), []],
    ["no such table", answers(1, "", "Error: No such file or directory\n"), []],
    ["no permission", answers(1, "", "Operation not permitted (you must be root)\n"), ["not known"]],
    ["an answer that is none", answers(0, "{"), ["not known"]],
  ])("%s", (_, found, expected) => expect(found).toEqual(expected));

  test("what is no plain name is not handed to nft, which would run it", () => {
    const asked: (readonly string[])[] = [];
    const nft = (args: readonly string[]) => {
      asked.push(args);
      return { status: 0, stdout: "{}", stderr: "" };
    };
    for (const name of ["keepalived; flush ruleset", "-f/etc/passwd", "", "a b", "x".repeat(65)])
      expect(droppedAddresses("ipv4", name, nft)).toBeUndefined();
    expect(asked).toEqual([]);
    expect(droppedAddresses("ipv6", "keepalived", nft)).toEqual(new Set());
    expect(asked).toEqual([["-j", "list", "set", "ip6", "keepalived", "vips"]]);
  });
});

const why = whyNoNamespaces("keepalived", "nft");
const VIP = "10.99.0.100";
const conf = (...globals: readonly string[]): string =>
  `global_defs {\n${globals.join("\n")}\n}\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 150\n version 3\n virtual_ipaddress {\n  ${VIP}/24\n }\n}\n`;

describe.skipIf(why !== "")(`a real keepalived that was strict${why}`, () => {
  let namespace: Namespace;
  let keepalived: RealKeepalived;

  beforeAll(() => {
    namespace = new Namespace("firewall");
    namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "wire0");
    namespace.ip("link", "set", "wire0", "up");
    namespace.ip("link", "set", "eth0", "up");
    namespace.ip("addr", "add", "10.99.0.1/24", "dev", "eth0");
  });
  afterEach(() => keepalived.remove());
  afterAll(() => namespace.remove());

  const nft = (args: readonly string[]) =>
    spawnSync("ip", ["netns", "exec", namespace.name, "nft", ...args], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });

  /** Watches the daemon's configuration, on a clock of its own. */
  async function watch() {
    let now = 1_795_000_000_000_000;
    const told: Observation[] = [];
    const nothing = {
      read: () => ({ unreadable: "-" }),
      stat: () => undefined,
      readlink: () => undefined,
      list: () => [],
    };
    const source = createConfWatchSource({
      clock: { mono: () => now as MonoUs, epoch: () => now as EpochUs },
      resolve: () =>
        ({
          ...resolveChain(nothing, {}),
          configuration: { path: keepalived.configPath, why: "option", files: [keepalived.configPath] },
          diagnostics: [],
        }) as StartChain,
      facts: () => ({ droppedAddresses: (family, table) => droppedAddresses(family, table, nft) }),
      every: () => () => undefined,
    });
    await source.start({
      emit: async (seen) => {
        told.splice(0, told.length, ...seen);
      },
      position: () => undefined,
      log: () => undefined,
    });
    return {
      /** What the watch says after a look, some seconds later, of the firewall. */
      async after(seconds: number): Promise<string[]> {
        now += seconds * 1_000_000;
        await source.poll();
        return told.flatMap(({ body }) =>
          body.kind === "config.diagnostic" && /firewall/.test(body.code) ? [`${body.code}: ${body.fix}`] : [],
        );
      },
    };
  }

  const reload = async (text: string): Promise<void> => {
    keepalived.configure(text);
    const before = keepalived.log().split("Reload complete").length;
    process.kill(keepalived.pid, "SIGHUP");
    await keepalived.says(new RegExp(`(?:[^]*Reload complete){${before}}`));
  };

  const LEFT = "firewall_left_behind: nft delete table ip keepalived";

  test("leaves its table behind when it reloads without, and that is told until the table is deleted", async () => {
    keepalived = new RealKeepalived(namespace, conf("vrrp_strict"));
    keepalived.start();
    await keepalived.says(/Entering MASTER STATE/);
    await keepalived.says(/setting VIPs/);
    const watched = await watch();
    expect(await watched.after(0)).toEqual([expect.stringContaining("strict_firewall")]);

    await reload(conf());
    expect(droppedAddresses("ipv4", "keepalived", nft)).toEqual(new Set([VIP]));
    // An edit may still be on its way into the daemon: it is told when it lasts.
    expect(await watched.after(2)).toEqual([]);
    expect(await watched.after(31)).toEqual([LEFT]);

    await keepalived.stop();
    keepalived.start();
    await keepalived.says(/(?:[^]*Entering MASTER STATE){2}/);
    // What stays is looked at less and less often.
    expect(await watched.after(301)).toEqual([LEFT]);

    expect(nft(["delete", "table", "ip", "keepalived"]).status).toBe(0);
    expect(await watched.after(301)).toEqual([]);
  }, 60_000);

  test("empties its table when the file names it", async () => {
    keepalived = new RealKeepalived(namespace, conf("vrrp_strict", "nftables"));
    keepalived.start();
    await keepalived.says(/Entering MASTER STATE/);
    const watched = await watch();
    await reload(conf("nftables"));
    expect(droppedAddresses("ipv4", "keepalived", nft)).toEqual(new Set());
    await watched.after(2);
    expect(await watched.after(31)).toEqual([]);
  }, 60_000);
});
