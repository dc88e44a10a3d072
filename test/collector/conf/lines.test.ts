import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { hasKeepalived } from "./real-daemon.ts";

/**
 * The lines of list blocks, and keywords of several words: what lint says of each against what `keepalived -t` says of it.
 * `$` stands for the line that is asked about.
 */
const BLOCKS: Readonly<Record<string, { readonly around: string; readonly lines: readonly string[] }>> = {
  "an address": {
    around: "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n virtual_ipaddress_excluded {\n$\n }\n}\n",
    lines: [
      "10.99.0.50/24",
      "10.99.0.50/24 dev eth1 scope link label eth1:1 brd + home",
      "10.99.0.50/24 bogus",
      "10.99.0.50/24 dev eth0 dev eth1",
      "10.99.0.50/24 scope nothing",
      "10.99.0.50/24 label eth0:far-too-long",
      "10.99.0.50/24 brd bogus",
      "10.99.0.50/24 peer bogus",
      "10.99.0.50/24 preferred_lft soon",
      "10.99.0.50/33",
      "10.99.0.50/x",
      "300.1.1.1",
    ],
  },
  "a static address": {
    around: "static_ipaddress {\n$\n}\n",
    lines: [
      "10.99.0.50/24 dev eth0",
      "10.99.0.50/24 dev eth0 use_vmac",
      "10.99.0.50/24 dev eth0 bogus",
      "10.99.0.50/24 dev eth0 label eth0:far-too-long",
      "10.99.0.50/33 dev eth0",
      "300.1.1.1 dev eth0",
      "10.99.0.50/24 dev eth0 track_group both",
      "10.99.0.50/24 dev eth0 track_group nosuch",
      "10.99.0.50/24 dev eth0 track_group",
    ],
  },
  "a unicast peer": {
    around:
      "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n unicast_peer {\n$\n }\n virtual_ipaddress {\n  10.99.0.60/24\n }\n}\n",
    lines: [
      "10.99.0.2",
      "10.99.0.2 min_ttl 254 max_ttl 255",
      "10.99.0.2 min_ttl 256",
      "10.99.0.2 max_ttl -1",
      "10.99.0.2 max_ttl x",
      "10.99.0.2 min_ttl",
      "10.99.0.2 ttl 3",
      "10.99.0.2 10.99.0.3",
    ],
  },
  "a tracked interface": {
    around:
      "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n track_interface {\n$\n }\n virtual_ipaddress {\n  10.99.0.60/24\n }\n}\n",
    lines: ["eth1", "eth1 weight -20 reverse", "eth1 weight", "eth1 20", "eth1 weight 20 reversed", "eth1 weight x"],
  },
  "a linkbeat interface": {
    around: "linkbeat_interfaces {\n$\n}\n",
    lines: ["eth0", "eth0 ETHTOOL", "eth0 mii", "eth0 miimon", "eth0 mii ethtool"],
  },
  "an interface's delay": {
    around: "interface_up_down_delays {\n$\n}\n",
    lines: ["eth0 3", "eth0 2.5 255", "eth0", "eth0 256", "eth0 3 256", "eth0 -1", "eth0 x", "eth0 3 x"],
  },
  "an entry of a server group": {
    around: "virtual_server_group G {\n 10.99.9.9 80\n$\n}\n",
    lines: [
      "10.99.0.50 80",
      "10.99.0.50-55 80",
      "10.99.0.50",
      "fwmark 7",
      "fwmark 7 inet6",
      "fe80::1-ff 80",
      "10.99.0.50 0",
      "10.99.0.50 65536",
      "10.99.0.50 http",
      "10.99.0.50-300 80",
      "10.99.0.50-40 80",
      "10.99.0.50-5x 80",
      "fe80::1-fffff 80",
      "web 80",
      "fwmark x",
      "fwmark 7 ipv6",
      "fwmark",
    ],
  },
  "a route": {
    around: "static_routes {\n$\n}\n",
    lines: [
      "10.50.0.0/16 via 10.99.0.2 dev eth0 metric 5",
      "default via 10.99.0.2 dev eth0",
      "blackhole 10.50.0.0/16 no_track",
      "10.50.0.0/16 dev eth0 proto static",
      "10.50.0.0/16 dev eth0 metric x",
      "10.50.0.0/16 dev eth0 mtu x",
      "10.50.0.0/16 dev eth0 scope nothing",
      "10.50.0.0/16 dev eth0 src fe80::1",
      "10.50.0.0/16 dev eth0 via fe80::1",
      "10.50.0.0/99 dev eth0",
      "10.50.0.0/16 dev eth0 tos 999",
      "10.50.0.0/16 dev eth0 via",
      "bogus dev eth0",
      "10.50.0.0/16 oif eth0",
      "10.50.0.0/16 dev eth0 table 0x1f",
      "10.50.0.0/16 dev eth0 table 4294967297",
      "10.50.0.0/16 dev eth0 table 08",
      "10.50.0.0/16 dev eth0 table local",
      "10.50.0.0/16 dev eth0 table Main",
      "10.50.0.0/16 dev eth0 table nosuch",
      "10.50.0.0/16 dev eth0 track_group both",
      "10.50.0.0/16 via 10.99.0.2 track_group both",
      "10.50.0.0/16 dev eth0 track_group nosuch",
      "10.50.0.0/16 dev eth0 track_group",
    ],
  },
  "a route of an instance": {
    around:
      "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n virtual_routes {\n$\n }\n virtual_ipaddress {\n  10.99.0.60/24\n }\n}\n",
    lines: [
      "10.50.0.0/16 dev eth0 table main",
      "10.50.0.0/16 dev eth0 table nosuch",
      "10.50.0.0/16 dev eth0 track_group both",
      "10.50.0.0/16 dev eth0 track_group",
    ],
  },
  "a rule": {
    around: "static_rules {\n$\n}\n",
    lines: [
      "from 10.50.0.0/16 table 100 priority 99",
      "from 10.50.0.0/16 table 100 priority x",
      "from bogus table 100 priority 99",
      "from 10.50.0.0/16 priority 99 table",
      "from 10.50.0.0/16 priority 99 goto",
      "from 10.50.0.0/16 priority 99 lookup nosuch",
      "from 10.50.0.0/16 priority 99 lookup 12x",
      "from 10.50.0.0/16 priority 99 lookup 0",
      "from 10.50.0.0/16 priority 99 lookup 0x0",
      "from 10.50.0.0/16 iif eth0 priority 99 table 100 track_group both",
      "from 10.50.0.0/16 priority 99 table 100 track_group both",
      "from 10.50.0.0/16 iif eth0 priority 99 table 100 track_group nosuch",
      "from 10.50.0.0/16 iif eth0 priority 99 table 100 track_group",
    ],
  },
  "a rule of an instance": {
    around:
      "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n virtual_rules {\n$\n }\n virtual_ipaddress {\n  10.99.0.60/24\n }\n}\n",
    lines: [
      "from 10.50.0.0/16 priority 99 lookup main",
      "from 10.50.0.0/16 priority 99 lookup nosuch",
      "from 10.50.0.0/16 iif eth0 priority 99 table 100 track_group both",
    ],
  },
  "a setting of all instances": {
    around: "global_defs {\n$\n}\n",
    lines: [
      "lvs_sync_daemon eth0 VI_1 id 7 maxlen 1000 port 8000 ttl 2 group 224.0.0.90",
      "lvs_sync_daemon eth0 VI_1 id 256",
      "lvs_sync_daemon eth0 VI_1 id x",
      "lvs_sync_daemon eth0 VI_1 id",
      "lvs_sync_daemon eth0 VI_1 7",
      "lvs_sync_daemon eth0 VI_1 maxlen 65508",
      "lvs_sync_daemon eth0 VI_1 port 0",
      "lvs_sync_daemon eth0 VI_1 ttl 256",
      "lvs_sync_daemon eth0 VI_1 group 10.0.0.1",
      "lvs_timeouts tcp 7200 udp 300",
      "lvs_timeouts tcp 2678401",
      "lvs_timeouts tcp",
      "lvs_timeouts icmp 3",
      "include_check +read -wildcard_match",
      "include_check read match",
      "include_check bogus",
      "smtp_server 10.99.0.5 25",
      "smtp_server 10.99.0.5 99999",
      "snmp_socket udp:localhost:705",
      "snmp_socket udp localhost",
      "vrrp_mcast_group6 fe80::1",
      "vrrp_mcast_group4 10.0.0.1",
      "process_name sixteen-letters!",
      "umask IRUSR|IWUSR",
      "umask S_IRUSR",
      "vrrp_cpu_affinity 0",
      "vrrp_cpu_affinity 0 4000",
      "bfd_cpu_affinity 4000",
      "checker_cpu_affinity 5x",
      "vrrp_cpu_affinity -1",
      "vrrp_cpu_affinity",
    ],
  },
  "a group of what is tracked": {
    around: "$\n",
    lines: [
      "track_group other {\n group {\n  VI_1\n }\n}",
      "track_group {\n group {\n  VI_1\n }\n}",
      "track_group both {\n group {\n  VI_1\n }\n}",
    ],
  },
  "a file that is tracked": {
    around: "track_file tf {\n file /etc/hostname\n$\n}\n",
    lines: [
      "weight 254",
      "weight 255",
      "weight 5 reverse",
      "weight 5 reversed",
      "init_file 3 overwrite",
      "init_file x",
      "file /etc/hosts",
    ],
  },
  "a process that is tracked": {
    around: "vrrp_track_process tp {\n process nginx\n$\n}\n",
    lines: ["weight -254", "weight 255", "weight 5 reversed", "process haproxy"],
  },
  "an instance's own": {
    around:
      "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n notify_fault /bin/true\n virtual_ipaddress {\n  10.99.0.60/24\n }\n$\n}\n",
    lines: [
      "use_vmac vrrp.52",
      "use_vmac far-too-long-a-name",
      "use_vmac vrrp.52 zz:zz",
      "mcast_dst_ip 224.0.0.90",
      "mcast_dst_ip 10.0.0.1",
      "vrf eth1",
      "notify_fault /bin/false",
    ],
  },
};

const INSTANCE =
  "track_group both {\n group {\n  VI_1\n }\n}\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.99.0.9/24\n }\n}\n";
/** What keepalived does without a word, or says of another line. */
const OTHERWISE: ReadonlySet<string> = new Set(["route_untracked", "rule_no_preference", "script_security_violation"]);
const FILE = "/etc/keepalived/keepalived.conf";

function ours(text: string, line: number): { faults: string[]; ends: boolean } {
  const read = (path: string) => (path === FILE ? text : { unreadable: "no such file" });
  const release = [2, 2, 7] as const;
  const address = (addresses: readonly string[]) => ({ up: true, addresses });
  const facts = {
    processors: cpus().length,
    routeTables: { etc: new Set<string>(), iproute2: new Set<string>() },
    interfaces: new Map([
      ["lo", address(["127.0.0.1/8"])],
      ["eth0", address(["10.99.0.1/24"])],
      ["eth1", address([])],
    ]),
  };
  const { diagnostics } = modelOf(parseConf(FILE, { read, glob: () => [] }, "lb1", { release }), { release, facts });
  const here = diagnostics.filter(
    (one) => one.line === line && !OTHERWISE.has(one.code) && one.code !== "vip_no_prefix",
  );
  return { faults: here.map(({ code }) => code), ends: here.some(({ code }) => code === "missing_parameter") };
}

const canAsk = hasKeepalived && process.getuid?.() === 0;
if (!canAsk)
  process.stderr.write(
    "\nSKIPPED, lines against keepalived -t: needs keepalived, and root for a network namespace\n\n",
  );

describe.skipIf(!canAsk)("lint and keepalived -t agree on", () => {
  const folder = mkdtempSync(join(tmpdir(), "keepwatch-lines-"));
  const netns = `kw${process.pid}-l`;
  const ip = (...args: string[]): void => {
    const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  };

  beforeAll(() => {
    ip("netns", "add", netns);
    ip("-n", netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
    ip("-n", netns, "addr", "add", "10.99.0.1/24", "dev", "eth0");
    for (const link of ["lo", "eth0", "eth1"]) ip("-n", netns, "link", "set", link, "up");
  });

  afterAll(() => {
    spawnSync("ip", ["netns", "del", netns]);
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = (text: string, line: number, name: string): Promise<{ says: string[]; ends: boolean }> => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o644 });
    return new Promise((resolve) => {
      let out = "";
      const child = spawn("ip", ["netns", "exec", netns, "keepalived", "-t", "-f", path], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (out += data.toString()));
      child.once("close", () =>
        resolve({
          says: [...new Set(out.split("\n").filter((said) => said.includes(`Line ${line})`)))],
          ends: out.includes("is missing a parameter"),
        }),
      );
    });
  };

  test.each(Object.entries(BLOCKS))(
    "%s",
    async (_, { around, lines }) => {
      const [before = "", after = ""] = around.split("$");
      const line = `${INSTANCE}${before}`.split("\n").length;
      const disagreements: string[] = [];
      for (const [i, words] of lines.entries()) {
        const text = `${INSTANCE}${before}  ${words}${after}`;
        const { says, ends } = await ask(text, line, `${i}.conf`);
        const { faults, ends: weEnd } = ours(text, line);
        if (faults.length > 0 !== says.length > 0 || weEnd !== ends)
          disagreements.push(
            `${words}: we say ${faults.join() || "nothing"}, keepalived says ${says.join(" | ") || "nothing"}`,
          );
      }
      expect(disagreements).toEqual([]);
    },
    60_000,
  );
});
