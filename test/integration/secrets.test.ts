import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseServerConfig } from "../../server/config.ts";
import { openEngine } from "../../server/store/engine.ts";
import { eventually, keepwatchBin, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-secrets-"));
const running: Running[] = [];
afterAll(async () => {
  for (const program of running) await program.end("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

/** Nothing else has these letters in a row. keepalived takes 8 of a password. */
const planted = (): string => `q${randomBytes(16).toString("hex").slice(0, 7)}`;
const SECRETS = {
  authPass: planted(),
  misspelt: planted(),
  hmacKey: planted(),
  urlPassword: planted(),
  scriptPassword: planted(),
  loggedPassword: planted(),
  commented: planted(),
  defined: planted(),
  halfA: planted(),
  halfB: planted(),
  continued: planted(),
  quotedOption: planted(),
  gluedOption: planted(),
  atInUrl: planted(),
  token: `token-${planted()}`,
};

const KEEPALIVED = `# the old password was ${SECRETS.commented}
$PW=${SECRETS.defined}
$ALIAS=$PW
$A=${SECRETS.halfA}
$B=${SECRETS.halfB}
$LONG_PASSWORD=\\
    ${SECRETS.continued}
global_defs {
    router_id lb1
}
vrrp_script check_db {
    script "/usr/bin/check-db mysql://monitor:${SECRETS.scriptPassword}@192.0.2.9/app"
    interval 2
}
vrrp_script check_cache {
    script "/usr/bin/redis-cli -a ${SECRETS.quotedOption} ping"
}
vrrp_script check_mysql {
    script "/usr/bin/mysql -p${SECRETS.gluedOption} --url=mysql://u:p@${SECRETS.atInUrl}@192.0.2.9/ x"
}
vrrp_instance VI_2 {
    interface lo
    virtual_router_id 52
    authentication {
        auth_type PASS
        auth_pass $ALIAS
    }
}
vrrp_instance VI_3 {
    interface lo
    virtual_router_id 53
    authentication {
        auth_type PASS
        auth_pass $A$B
    }
}
vrrp_instance VI_1 {
    interface lo
    virtual_router_id 51
    priority 150
    authentication {
        auth_type PASS
        auth_pass ${SECRETS.authPass}
        auth_pas ${SECRETS.misspelt}
    }
    auth_hmac {
        key ${SECRETS.hmacKey}
    }
    virtual_ipaddress {
        192.0.2.100
    }
    track_script {
        check_db
    }
}
virtual_server 192.0.2.100 80 {
    delay_loop 10
    protocol TCP
    real_server 192.0.2.11 80 {
        HTTP_GET {
            url {
                path http://monitor:${SECRETS.urlPassword}@192.0.2.11/status
                status_code 200
            }
            connect_timeout 3
        }
    }
}
`;

const filesUnder = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesUnder(join(path, entry.name)) : entry.isFile() ? [join(path, entry.name)] : [],
  );

function secretsIn(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
}

/** All rows of all tables, as text: on disk they are compressed. */
async function storedText(path: string): Promise<string> {
  const client = await openEngine(parseServerConfig("", "the test", { storage: { path } }).storage);
  const read = async <T>(query: string): Promise<T[]> =>
    (await client.query({ query, format: "JSONEachRow" })).json<T>();
  try {
    const tables = await read<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = 'keepwatch' AND engine LIKE '%MergeTree'",
    );
    const rows = await Promise.all(tables.map(({ name }) => read<unknown>(`SELECT * FROM keepwatch.${name}`)));
    return JSON.stringify(rows);
  } finally {
    await client.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

test("no secret of a configuration, a log or our own is in the spool, which is the wire, in the store or in what is said", async () => {
  const [spool, store, log, conf] = ["spool", "store", "messages", "keepalived.conf"].map((name) => join(dir, name));
  if (!spool || !store || !log || !conf) throw new Error("four paths were meant");
  writeFileSync(conf, KEEPALIVED);
  writeFileSync(log, "2026-11-28T12:00:00.000000Z lb1 Keepalived_vrrp[7]: (VI_1) Entering BACKUP STATE (init)\n");
  const port = await freePort();
  writeFileSync(
    join(dir, "server.toml"),
    `[listen]\nport = ${port}\n[storage]\npath = "${store}"\n[[ingest.tokens]]\nnode = "lb1"\nsha256 = "${createHash("sha256").update(SECRETS.token).digest("hex")}"\n`,
  );
  writeFileSync(
    join(dir, "collector.toml"),
    `node = "lb1"\n[server]\nurl = "http://127.0.0.1:${port}"\ntoken = "${SECRETS.token}"\n[spool]\ndir = "${spool}"\n[logs]\nfiles = ["${log}"]\njournal = false\n[keepalived]\nconfig = "${conf}"\n[capture]\nenabled = false\n[process]\nenabled = false\n[addresses]\nenabled = false\n`,
  );
  // First without a server, so that all that would be sent lies in the spool.
  const collector = new Running(process.execPath, [keepwatchBin, "collector", "--config", join(dir, "collector.toml")]);
  running.push(collector);
  await collector.printed(/^keepwatch collector of/m);
  writeFileSync(
    log,
    `2026-11-28T12:00:01.000000Z lb1 Keepalived_vrrp[7]: (Line 14) Truncating auth_pass to 8 characters\n2026-11-28T12:00:02.000000Z lb1 Keepalived_vrrp[7]: Unknown keyword 'auth_pas ${SECRETS.loggedPassword}'\n`,
    { flag: "a" },
  );
  const spooled = await eventually("the configuration and the log in the spool", async () => {
    const text = filesUnder(spool)
      .map((path) => readFileSync(path, "latin1"))
      .join("");
    return text.includes("config.text") && text.includes("Unknown keyword") ? text : undefined;
  });
  expect(secretsIn(spooled)).toEqual([]);
  const server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")]);
  running.push(server);
  await server.printed(/timeline at/);
  await eventually("the configuration in the store", async () => {
    const url = `http://127.0.0.1:${port}/api/v1/events?limit=1000&node=lb1&kinds=config.loaded`;
    const answer = await fetch(url).catch(() => undefined);
    return ((await answer?.text()) ?? "").includes("config.loaded") ? true : undefined;
  });
  expect(await collector.end()).toBe(0);
  expect(await server.end()).toBe(0);
  const stored = await storedText(store);
  expect(stored).toContain("config.loaded");
  expect(stored).toContain("auth_pass [redacted]");
  expect(secretsIn(stored)).toEqual([]);
  expect(secretsIn(collector.output + server.output)).toEqual([]);
  const written = [...filesUnder(spool), ...filesUnder(store)].map((path) => readFileSync(path, "latin1")).join("");
  expect(secretsIn(written)).toEqual([]);
}, 180_000);
