import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveChain } from "../../../collector/chain/resolve.ts";
import { fixture, fixtureNames, rendered, tableFiles } from "./fixtures.ts";

test.each(fixtureNames)("%s", async (name) => {
  await expect(rendered(fixture(name))).toMatchFileSnapshot(join(import.meta.dirname, "golden", `${name}.txt`));
});

const UNIT = "/usr/lib/systemd/system/keepalived.service";
const VRRP = "vrrp_instance VI_1 {\n interface eth0\n}\n";

test("a file that was changed after the daemon was started is told, one that was not is not", () => {
  const codes = (mtimeUs: number): string[] =>
    resolveChain(
      tableFiles({
        [UNIT]: "[Service]\nType=notify\nExecStart=/usr/sbin/keepalived -n -D\n",
        "/etc/keepalived/keepalived.conf": { text: VRRP, mtimeUs },
        "/run/vrrp.pid": "901\n",
      }),
      {
        processes: [900, 901].map((pid) => ({
          pid,
          parent: pid === 900 ? 1 : 900,
          name: "keepalived",
          argv: ["/usr/sbin/keepalived", "-n", "-D"],
          startedUs: 1_700_000_000_000_000,
        })),
      },
    ).diagnostics.map(({ code }) => code);
  expect(codes(1_700_000_100_000_000)).toEqual(["config_newer_than_daemon"]);
  expect(codes(1_699_999_000_000_000)).toEqual([]);
});
