import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Delivery } from "../../server/api/types.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { pushReplay } from "../../server/replay/push.ts";
import { freePorts, isInstalled } from "../collector/checks/support.ts";
import { Authority } from "../support/certificates.ts";
import { eventually, keepwatchBin, root, Running } from "../support/process.ts";

/** A real mail server, Exim, that takes mail only by STARTTLS and with a login: it keeps what it took in its queue. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-exim-"));
const running: Running[] = [];
afterAll(async () => {
  for (const program of running) await program.end("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

const spool = join(dir, "spool");
const eximConf = (port: number, cert: string, key: string): string => `spool_directory = ${spool}
log_file_path = ${spool}/log-%s
keep_environment = LD_LIBRARY_PATH
pid_file_path = ${spool}/pid
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
queue_only = true
tls_advertise_hosts = *
tls_certificate = ${cert}
tls_privatekey = ${key}
auth_advertise_hosts = \${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  accept authenticated = *
  deny message = only with a login
data:
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{keepwatch}}{eq{$auth3}{correct horse}}}}
  server_set_id = $auth2
`;

interface Queued {
  readonly messageId: string | undefined;
  readonly references: string | undefined;
  /** As Exim logged how it came: `esmtpsa` is by TLS and with a login. */
  readonly by: string | undefined;
}

function queued(): Queued[] {
  const input = join(spool, "input");
  return readdirSync(input)
    .filter((name) => name.endsWith("-H"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(input, name), "utf8");
      return {
        messageId: /Message-ID: (<.*>)/.exec(text)?.[1],
        references: /References: (<.*>)/.exec(text)?.[1],
        by: /^-received_protocol (\S+)$/m.exec(text)?.[1],
      };
    });
}

test.skipIf(!isInstalled("exim4") || process.getuid?.() !== 0)(
  "Exim gets one threaded conversation an incident, encrypted and with a login; a wrong password is told and tried again",
  async () => {
    const [port = 0] = await freePorts(1);
    const authority = new Authority(dir, "authority");
    const { cert, key } = authority.sign("mail", "localhost", "DNS:localhost,IP:127.0.0.1");
    // Exim reads them as a user of its own.
    chmodSync(dir, 0o755);
    chmodSync(key, 0o644);
    const conf = join(dir, "exim.conf");
    writeFileSync(conf, eximConf(port, cert, key), { mode: 0o644 });
    const exim = new Running("exim4", ["-C", conf, "-bdf", "-v"]);
    running.push(exim);
    await exim.printed(/daemon started/);

    const receiver = (name: string, password: string): string =>
      `[[alerts.receivers]]\nname = "${name}"\ntype = "mail"\nhost = "localhost"\nport = ${port}\ntls = "required"\nfrom = "kw@example.org"\nto = ["${name}@example.org"]\nuser = "keepwatch"\npassword = "${password}"\nkinds = ["split-brain"]\n`;
    writeFileSync(
      join(dir, "server.toml"),
      `[listen]\nport = 0\n[storage]\npath = "${join(dir, "store")}"\n[alerts]\nmail_from_keepalived_conf = false\n${receiver("desk", "correct horse")}${receiver("night", "wrong horse")}`,
    );
    const server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: authority.file },
    });
    running.push(server);
    const [, url = ""] = await server.printed(/timeline at (http:\S+)/);
    const recording = join(root, "server/demo/recording");
    const files = readdirSync(recording).flatMap((node) =>
      readdirSync(join(recording, node)).map((file) => `${node}=${join(recording, node, file)}`),
    );
    const { events } = await readInputs(files, { cluster: "exim", zone: "UTC", now: Date.now() * 1000 });
    await pushReplay(events, {
      url,
      signal: new AbortController().signal,
      onBatch: () => undefined,
      onTrouble: (why) => expect.fail(why),
      speed: 1,
      pastUs: 3_600_000_000,
    });

    const rows = await eventually("the outcomes", async () => {
      const found = (await (await fetch(`${url}api/v1/deliveries`)).json()) as Delivery[];
      const sent = found.filter(({ receiver: to, status }) => to === "mail:desk" && status === "sent");
      const tried = found.filter(({ receiver: to, attempts }) => to === "mail:night" && attempts > 0);
      return sent.length === 2 && tried.length > 0 ? found : undefined;
    });
    const [opening, end] = queued();
    expect(opening).toMatchObject({ references: undefined, by: "esmtpsa" });
    expect(end).toMatchObject({ references: opening?.messageId, by: "esmtpsa" });
    expect(queued()).toHaveLength(2);
    const refused = rows.find(({ receiver: to, attempts }) => to === "mail:night" && attempts > 0);
    expect(refused).toMatchObject({ status: "pending", lastError: expect.stringContaining("535") as unknown });
    expect(`${JSON.stringify(rows)}${server.output}`).not.toContain("horse");
  },
  90_000,
);
