import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readBuild } from "../../../collector/chain/build.ts";
import type { ChainFiles } from "../../../collector/chain/files.ts";
import { resolveChain } from "../../../collector/chain/resolve.ts";
import { systemChainFiles } from "../../../collector/sources/chain-files.ts";

const UNIT = "/lib/systemd/system/keepalived.service";
const SCRIPT = "/etc/init.d/keepalived";

/** The machine's files without those below the given folders. */
function without(...hidden: readonly string[]): ChainFiles {
  const files = systemChainFiles();
  const isHidden = (path: string): boolean => hidden.some((one) => path === one || path.startsWith(`${one}/`));
  return {
    read: (path) => (isHidden(path) ? { unreadable: `${path} does not exist` } : files.read(path)),
    stat: (path) => (isHidden(path) ? undefined : files.stat(path)),
    readlink: (path) => (isHidden(path) ? undefined : files.readlink(path)),
    list: (path) => (isHidden(path) ? [] : files.list(path)),
  };
}

describe.skipIf(!existsSync(UNIT) || !existsSync("/etc/default/keepalived"))(
  "Debian's package, as it is installed",
  () => {
    test("its unit starts keepalived in the foreground with what DAEMON_ARGS holds", () => {
      const chain = resolveChain(systemChainFiles(), {});
      expect(chain.launcher.kind).toBe("systemd");
      expect(chain.argv.slice(0, 2).map(({ text }) => text)).toEqual(["/usr/sbin/keepalived", "--dont-fork"]);
      expect(chain.environment.map(({ path, exists }) => [path, exists])).toEqual([["/etc/default/keepalived", true]]);
      expect(chain.configuration.path).toBe("/etc/keepalived/keepalived.conf");
    });

    test.skipIf(!existsSync(SCRIPT))("its start script starts the same daemon in the background", () => {
      const chain = resolveChain(without("/lib/systemd", "/usr/lib/systemd", "/etc/systemd"), {});
      expect(chain.launcher).toMatchObject({
        kind: "script",
        script: {
          path: SCRIPT,
          guards: [{ path: "/etc/keepalived/keepalived.conf", status: 0 }, { path: "/usr/sbin/keepalived" }],
        },
      });
      expect(chain.argv[0]?.text).toBe("/usr/sbin/keepalived");
      expect(chain.environment).toContainEqual(
        expect.objectContaining({ path: "/etc/default/keepalived", exists: true, isOptional: true }),
      );
    });
  },
);

const keepalived = "/usr/sbin/keepalived";
test.skipIf(!existsSync(keepalived))("the binary's own words name its default file and what it was built with", () => {
  const version = spawnSync(keepalived, ["-v"], { encoding: "utf8" }).stderr;
  const help = spawnSync(keepalived, ["-h"], { encoding: "utf8" }).stderr;
  const build = readBuild(version, help);
  expect(build?.defaultFile).toBe(/default '([^']+)'/.exec(help)?.[1]);
  expect(build?.release.join(".")).toBe(/v(\d+\.\d+\.\d+)/.exec(version)?.[1]);
  // Without the help the configure options have to tell the same.
  expect(readBuild(version)?.defaultFile).toBe(build?.defaultFile);
  const strings = execFileSync("grep", ["-aoE", `${build?.runDir}/keepalived\\.pid`, keepalived], { encoding: "utf8" });
  expect(strings.trim()).toBe(`${build?.runDir}/keepalived.pid`);
});
