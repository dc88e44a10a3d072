import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { FileFacts, NodeFacts } from "../../../collector/conf/facts.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { parseRelease } from "../../../collector/conf/version.ts";

/**
 * One small configuration for each mistake. Its first lines say what is expected of it, with the line it is in:
 * `# expect: 5 degraded state_unknown`; `# release: 2.4.3` when it is not for 2.2.7. No `# expect:` means no finding.
 */
const MISTAKES = join(import.meta.dirname, "mistakes");
const fixtures = readdirSync(MISTAKES).filter((name) => name.endsWith(".conf"));

const program: FileFacts = { kind: "file", mode: 0o755, uid: 0 };
const folder: FileFacts = { kind: "directory", mode: 0o755, uid: 0 };
const FILES: Readonly<Record<string, FileFacts>> = {
  "/": folder,
  "/bin": folder,
  "/bin/true": program,
  "/bin/false": program,
  "/bin/sh": program,
  "/bin/echo": program,
  "/bin/ps": program,
  "/bin/pidof": program,
  "/usr": folder,
  "/usr/bin": folder,
  "/usr/bin/true": program,
  "/usr/bin/killall": program,
  "/etc": folder,
  "/etc/hosts": { kind: "file", mode: 0o644, uid: 0 },
  "/tmp": { kind: "directory", mode: 0o1777, uid: 0 },
  "/run": folder,
  "/run/keepwatch": { kind: "directory", mode: 0o777, uid: 0, gid: 0 },
  "/run/keepwatch/insecure.sh": program,
  "/usr/bin/[": program,
};

/** The node the fixtures are for: two interfaces, the usual users. */
const NODE: NodeFacts = {
  hostname: "lb1",
  interfaces: new Map([
    ["lo", { up: true, addresses: ["127.0.0.1/8", "::1/128"] }],
    ["eth0", { up: true, addresses: ["10.99.0.1/24", "fd99::1/64", "fe80::1:1/64"] }],
    ["eth1", { up: true, addresses: ["10.99.1.1/24", "fe80::1:2/64"] }],
  ]),
  stat: (path) => FILES[path],
  users: new Set(["root", "nobody"]),
  groups: new Set(["root", "nogroup"]),
};

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
