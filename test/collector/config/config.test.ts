import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadCollectorConfig, parseCollectorConfig, shownConfig } from "../../../collector/config.ts";
import { OperatorError } from "../../../collector/core/errors.ts";

const fixtures = join(import.meta.dirname, "fixtures");

/** One mistake a file, and what the operator is told of it. */
const MISTAKES: readonly (readonly [file: string, ...told: string[]])[] = [
  ["capture-neither", "capture.enabled"],
  ["empty-node", "node must not have fewer than 1 char"],
  ["files-not-a-list", "logs.files must be array"],
  ["heartbeat-too-slow", "heartbeat_seconds must be <= 300"],
  ["journal-neither", "logs.journal"],
  ["key-twice", "key-twice.toml:2:1"],
  ["several", "heartbeat_seconds must be >= 0.2", "colour is not a key", "spool.max_bytes must be integer"],
  ["spool-too-small", "spool.max_bytes must be >= 4194304"],
  ["syntax", "syntax.toml:2:"],
  ["token-too-short", "server.token is no token: 8 to 512"],
  ["token-twice", "server.token and server.token_file exclude each other"],
  ["token-with-spaces", "server.token is no token", "without a space"],
  ["unknown-key", "server.tokn is not a key of the collector's configuration"],
  ["unknown-table", "sever is not a key of the collector's configuration"],
  ["url-with-password", "server.url holds a user or a password"],
  ["url-with-path", "server.url has a path (/keepwatch)"],
  ["url-without-scheme", "server.url begins with", "http://host:port"],
  ["wrong-type", "heartbeat_seconds must be number"],
  ["zone-unknown", "Europe/Berlinn", "IANA name"],
];

/** What is thrown, as the operator reads it. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof OperatorError) return error.toLine();
    throw error;
  }
  throw new Error("it was taken");
}

describe("a mistake in the configuration", () => {
  test.each(MISTAKES)("%s is told with the file and the key", (name, ...told) => {
    const path = join(fixtures, `${name}.toml`);
    const line = refusal(() => parseCollectorConfig(readFileSync(path, "utf8"), path));
    expect(line).toContain(path);
    for (const text of told) expect(line).toContain(text);
    expect(line).not.toContain("\n");
    expect(line).not.toContain("s3cret");
  });

  test("has a fixture each, and each fixture is a mistake here", () => {
    expect(readdirSync(fixtures).sort()).toEqual(MISTAKES.map(([name]) => `${name}.toml`).sort());
  });
});

describe("the configuration", () => {
  test("needs no file", async () => {
    expect(await loadCollectorConfig(undefined)).toMatchObject({
      cluster: "default",
      node: hostname(),
      heartbeat_seconds: 2,
      server: { url: "http://127.0.0.1:8080" },
      spool: { dir: "/var/lib/keepwatch/collector", max_bytes: 256 * 1024 * 1024 },
      logs: { files: ["/var/log/messages", "/var/log/syslog"], journal: "auto", zone: "local" },
    });
  });

  test("keeps the defaults of a table of which one key is given", () => {
    const config = parseCollectorConfig('[logs]\nzone = "Europe/Berlin"\n', "test");
    expect(config.logs).toEqual({
      files: ["/var/log/messages", "/var/log/syslog"],
      journal: "auto",
      zone: "Europe/Berlin",
    });
  });

  test.each(["http://watch:8080", "https://watch.example/", "https://[2001:db8::1]:8443", "unix:/run/keepwatch.sock"])(
    "takes %s as the server's address",
    (url) => expect(parseCollectorConfig(`[server]\nurl = "${url}"\n`, "test").server.url).toBe(url),
  );

  test.each(["Europe/Berlin", "UTC", "+02:00", "-0330", "local"])("takes %s for the zone of a log", (zone) =>
    expect(parseCollectorConfig(`[logs]\nzone = "${zone}"\n`, "test").logs.zone).toBe(zone),
  );

  test.each([true, false, "auto"])("takes %s for the journal", (journal) =>
    expect(parseCollectorConfig(`[logs]\njournal = ${JSON.stringify(journal)}\n`, "test").logs.journal).toBe(journal),
  );
});

describe("the node's token", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keepwatch-config-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** A configuration whose token is in a file with this text; undefined: there is no such file. */
  function configWith(text: string | undefined): string {
    if (text !== undefined) writeFileSync(join(dir, "token"), text);
    writeFileSync(join(dir, "collector.toml"), `[server]\ntoken_file = "${join(dir, "token")}"\n`);
    return join(dir, "collector.toml");
  }

  test("is read from a file of its own, and never shown", async () => {
    const config = await loadCollectorConfig(configWith("s3cret-of-lb1\n"));
    expect(config.server.token).toBe("s3cret-of-lb1");
    expect(JSON.stringify(shownConfig(config))).not.toContain("s3cret");
  });

  test.each([
    ["empty", ""],
    ["two lines long", "s3cret-of-lb1\ns3cret-of-lb2\n"],
  ])("in a file that is %s is refused, without a word of it", async (_what, text) => {
    const refused = loadCollectorConfig(configWith(text));
    await expect(refused).rejects.toThrow(`${join(dir, "token")} holds no token`);
    await expect(refused).rejects.not.toThrow(/s3cret/);
  });

  test("in a file that is not there is told with the file's path", async () => {
    await expect(loadCollectorConfig(configWith(undefined))).rejects.toThrow(`${join(dir, "token")} cannot be read`);
  });
});
