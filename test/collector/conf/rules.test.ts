import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NodeFacts } from "../../../collector/conf/facts.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { parseRelease } from "../../../collector/conf/version.ts";
import { NODE } from "./node.ts";

/**
 * One small configuration for each mistake. Its first lines say what is expected of it, with the line it is in:
 * `# expect: 5 degraded state_unknown`; `# release: 2.4.3` when it is not for 2.2.7. No `# expect:` means no finding.
 */
const MISTAKES = join(import.meta.dirname, "mistakes");
const fixtures = readdirSync(MISTAKES).filter((name) => name.endsWith(".conf"));

const read = (text: string, release: string, facts: NodeFacts = NODE) => {
  const found = parseRelease(release);
  if (!found) throw new Error(`${release} is no release`);
  const files = { read: () => text, glob: () => [] };
  return modelOf(parseConf("/etc/keepalived/keepalived.conf", files, "lb1"), { release: found, facts });
};

const header = (text: string, key: string): string[] =>
  text.split("\n").flatMap((line) => (line.startsWith(`# ${key}: `) ? [line.slice(key.length + 4).trim()] : []));

describe("each mistake is told, and nothing else", () => {
  test.each(fixtures)("%s", (name) => {
    const text = readFileSync(join(MISTAKES, name), "utf8");
    const found = read(text, header(text, "release")[0] ?? "2.2.7").diagnostics.map(
      ({ line, severity, code }) => `${line} ${severity} ${code}`,
    );
    expect(found.sort()).toEqual(header(text, "expect").sort());
  });
});

test("a virtual address that the node holds already is no network of its own", () => {
  const held: NodeFacts = {
    ...NODE,
    interfaces: new Map([["eth0", { up: true, addresses: ["10.99.0.1/24", "192.0.2.10/24"] }]]),
  };
  const text = readFileSync(join(MISTAKES, "vip-off-net.conf"), "utf8");
  expect(read(text, "2.2.7", held).diagnostics.map(({ code }) => code)).toContain("vip_off_subnet");
});
