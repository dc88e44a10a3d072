import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { lineOfKey } from "../../../collector/core/settings.ts";
import { OperatorError } from "../../../collector/core/errors.ts";
import { isLoopback, loadServerConfig, parseServerConfig } from "../../../server/config.ts";

const fixtures = join(import.meta.dirname, "fixtures");

/** One mistake a file, and what its author is told. */
const MISTAKES: Readonly<Record<string, RegExp>> = {
  syntax: /syntax\.toml:2:8: /,
  "unknown-table": /line 4: lisen is not a key of the server's configuration/,
  "unknown-key": /line 3: storage\.memory is not a key of the server's configuration/,
  "port-range": /line 3: listen\.port must be <= 65535/,
  "port-type": /line 2: listen\.port must be integer/,
  "open-without-tokens": /listen\.host 0\.0\.0\.0 can be reached from other machines, so ingest\.tokens must say who/,
  "token-not-a-hash": /line 10: ingest\.tokens\.1\.sha256 must match pattern/,
  "path-and-url": /storage\.path and storage\.url exclude each other/,
  "sql-open": /with sql\.enabled api\.tokens must say who may ask/,
  "password-without-url": /storage\.user and storage\.password need storage\.url/,
  "url-with-password": /storage\.url has a user name or password in it/,
  "url-scheme": /line 2: storage\.url must match pattern/,
  "database-name": /line 3: storage\.database must match pattern/,
  "retention-zero": /line 2: storage\.adverts_days must be >= 1/,
  "detection-range": /line 2: detection\.silent_after_seconds must be >= 1/,
  "flapping-thresholds":
    /detection\.flapping\.close_at 1500 must be below detection\.flapping\.open_at 1000.*open_at 1000 must be above twice detection\.flapping\.penalty 1000/,
  "syslog-open":
    /syslog\.udp\.host 0\.0\.0\.0 can be reached from other machines, so syslog\.allow must say who may send/,
  "syslog-allow": /syslog\.allow\.1 "192\.0\.2\.0\/33": the length of the prefix is 0 to 32/,
  "syslog-names-without-authority": /syslog\.tls\.client_names needs syslog\.tls\.client_ca_file/,
  "otlp-zone": /otlp\.zone "Mars\/Base" is not a time zone/,
  "syslog-zone": /syslog\.zone "Mars\/Base" is not a time zone/,
  "nodes-of-nobody": /nodes\.0 has neither called nor from/,
  "public-url": /line 1: public_url must match pattern/,
  "webhook-secret": /line 12: alerts\.webhooks\[1\]\.secret is not "whsec_"/,
  "webhook-key": /line 2: alerts\.retries is not a setting/,
};

describe("a configuration with a mistake", () => {
  test.each(Object.entries(MISTAKES))("is refused in one sentence that names the place: %s", async (name, told) => {
    const path = join(fixtures, `${name}.toml`);
    const error: unknown = await loadServerConfig(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OperatorError);
    const line = (error as OperatorError).toLine();
    expect(line).toMatch(told);
    expect(line).toContain(`${name}.toml`);
    expect(line).not.toMatch(/hunter2|plain-token|\n/);
  });

  test("has a row here for each of the fixtures", () => {
    expect(readdirSync(fixtures).sort()).toEqual(
      Object.keys(MISTAKES)
        .sort()
        .map((name) => `${name}.toml`),
    );
  });

  test("that cannot be read is named", async () => {
    await expect(loadServerConfig(join(fixtures, "none.toml"))).rejects.toMatchObject({ code: "CONFIG_UNREADABLE" });
  });

  test("is told all its faults at once", () => {
    expect(() => parseServerConfig("nonsense = 1\n[listen]\nport = -1", "x.toml")).toThrow(
      /listen\.port.*; .*nonsense|nonsense.*; .*listen\.port/,
    );
  });
});

describe("a configuration", () => {
  test("needs nothing: loopback, an embedded store in the working folder, mail as keepalived.conf says", async () => {
    expect(await loadServerConfig(undefined)).toMatchObject({
      listen: { host: "127.0.0.1", port: 8080 },
      storage: { path: "keepwatch-data/store", memory_mib: 700, adverts_days: 7, events_days: 400 },
      ingest: { tokens: [] },
      detection: { silentAfterUs: 10_000_000, startDeadlineUs: 30_000_000, eventsAtHand: 200_000 },
      alerts: { mailFromKeepalivedConf: true, webhooks: [] },
    });
  });

  test("bounds what the detectors keep at hand", () => {
    expect(parseServerConfig("[detection]\nevents_at_hand = 20_000", "x.toml").detection.eventsAtHand).toBe(20_000);
    for (const wrong of ["10", "2_000_001"])
      expect(() => parseServerConfig(`[detection]\nevents_at_hand = ${wrong}`, "x.toml")).toThrow(
        /detection\.events_at_hand/,
      );
  });

  test("is overridden by the command line", () => {
    const { listen } = parseServerConfig("[listen]\nport = 1", "x.toml", { listen: { port: 2 } });
    expect(listen).toEqual({ host: "127.0.0.1", port: 2 });
  });

  test("may listen for other machines once it says who may write", () => {
    const sha256 = "0".repeat(64);
    const text = `[listen]\nhost = "0.0.0.0"\n[[ingest.tokens]]\nnode = "lb1"\nsha256 = "${sha256}"`;
    expect(parseServerConfig(text, "x.toml").ingest.tokens).toEqual([{ node: "lb1", sha256 }]);
  });

  test("never prints the store's password", () => {
    const config = parseServerConfig('[storage]\nurl = "http://db:8123"\nuser = "kw"\npassword = "hunter2"', "x.toml");
    expect(config.storage.path).toBeUndefined();
    for (const printed of [JSON.stringify(config), inspect(config, { depth: 9 }), String(config.storage.password)]) {
      expect(printed).toContain("<redacted>");
      expect(printed).not.toContain("hunter2");
    }
    expect(config.storage.password?.reveal()).toBe("hunter2");
  });

  test.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["127.0.0.1.example.org", false],
    ["192.0.2.1", false],
  ])("%s is loopback: %s", (host, expected) => expect(isLoopback(host)).toBe(expected));
});

describe("the line of a key", () => {
  const text = readFileSync(join(fixtures, "webhook-secret.toml"), "utf8");
  test.each([
    ["alerts.webhooks.0.url", 6],
    ["alerts.webhooks.1.url", 11],
    ["alerts.webhooks.1.nothing", 9],
    ["alerts.mail_from_keepalived_conf", 2],
    ["alerts", 1],
    ["elsewhere.port", undefined],
  ])("%s stands on %s", (key, line) => expect(lineOfKey(text, key.split("."))).toBe(line));

  test("is found for dotted and quoted keys and inline tables", () => {
    const toml = 'listen.port = 1\n"storage" = { path = "x" }\n[ "ingest" ] # who\nin_flight_max = 3\n';
    expect([
      lineOfKey(toml, ["listen", "port"]),
      lineOfKey(toml, ["storage", "path"]),
      lineOfKey(toml, ["ingest", "in_flight_max"]),
    ]).toEqual([1, 2, 4]);
  });
});
