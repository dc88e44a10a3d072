import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { namesBelow } from "../../../collector/sources/node-facts.ts";
import { hasKeepalived } from "../conf/real-daemon.ts";

const folder = mkdtempSync(join(tmpdir(), "keepwatch-facts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A tree of files. @returns its root */
function tree(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** Each line has another shape; the name says which. */
const RT_TABLES = [
  "254\tmain",
  "#1\tcommented",
  "200 plain",
  "0x201 hexadecimal",
  "  202   indented  ",
  "203 remarked # for the uplink",
  "204 two words",
  "205x letter",
  "nothing",
  "206 last",
].join("\n");

describe("names of routing tables", () => {
  test("are those of /etc/iproute2/rt_tables, and for later releases of every place", () => {
    const root = tree("whole", {
      "etc/iproute2/rt_tables": RT_TABLES,
      "etc/iproute2/rt_tables.d/a.conf": "300 dropped-in\n",
      "etc/iproute2/rt_tables.d/a.conf.bak": "301 backup\n",
      "usr/share/iproute2/rt_tables": "400 distributed\n",
    });
    const { etc, iproute2 } = namesBelow(root).routeTables ?? {};
    expect([...(etc ?? [])]).toEqual(["main", "plain", "hexadecimal", "indented", "last"]);
    expect([...(iproute2 ?? [])].sort()).toEqual(
      ["main", "plain", "hexadecimal", "indented", "last", "remarked", "dropped-in", "distributed"].sort(),
    );
  });

  test("are not known when a copy has none of the files", () => {
    expect(namesBelow(tree("bare", { "etc/passwd": "root:x:0:0::/root:/bin/sh\n" }))).toEqual({
      users: new Set(["root"]),
    });
  });

  test.skipIf(!hasKeepalived || process.getuid?.() !== 0)("are those that the real keepalived finds", () => {
    const names = [
      "main",
      "default",
      "commented",
      "plain",
      "hexadecimal",
      "indented",
      "remarked",
      "two",
      "letter",
      "last",
    ];
    const root = tree("real", {
      "etc/iproute2/rt_tables": RT_TABLES,
      "keepalived.conf": `static_rules {\n${names.map((name, i) => ` from 10.0.${i}.0/24 lookup ${name} priority ${i + 1}\n`).join("")}}\n`,
    });
    const mount =
      'mkdir -p /etc/iproute2 && mount --bind "$1/etc/iproute2" /etc/iproute2 && exec keepalived -t -f "$1/keepalived.conf"';
    const { stdout, stderr } = spawnSync("unshare", ["-m", "-n", "sh", "-c", mount, "sh", root], { encoding: "utf8" });
    const refused = [...`${stdout}${stderr}`.matchAll(/Routing table (\S+) not found for rule/g)].map(
      ([, name]) => name,
    );
    const { etc } = namesBelow(root).routeTables ?? {};
    // What every kernel has needs no file.
    expect(refused).toEqual(names.filter((name) => name !== "default" && !etc?.has(name)));
    expect(refused).toContain("remarked");
  });
});
