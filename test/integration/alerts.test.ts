import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readInputs } from "../../collector/offline/inputs.ts";
import { pushReplay } from "../../server/replay/push.ts";
import { eventually, keepwatchBin, root, Running } from "../support/process.ts";

/** From the node's own keepalived.conf to a mailbox, and to a signed webhook: the recorded incident through a real server. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-alerts-"));
const secret = `whsec_${Buffer.from("a secret of twenty-four b").toString("base64")}`;
const mails: { to: string[]; mail: ParsedMail }[] = [];
const hooks: { status: string; labels: Record<string, string> }[] = [];
let smtp: SMTPServer;
let receiver: Server;
let server: Running;

beforeAll(async () => {
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      simpleParser(stream).then((mail) => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), mail });
        done();
      }, done);
    },
  });
  smtp.listen(0, "127.0.0.1");
  await once(smtp.server, "listening");
  receiver = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const payload = new Webhook(secret).verify(Buffer.concat(chunks), req.headers as Record<string, string>) as {
        status: string;
        alerts: { labels: Record<string, string> }[];
      };
      hooks.push({ status: payload.status, labels: payload.alerts[0]?.labels ?? {} });
      res.writeHead(204).end();
    });
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const hookPort = (receiver.address() as AddressInfo).port;
  writeFileSync(
    join(dir, "server.toml"),
    `[listen]\nport = 0\n[storage]\npath = "${join(dir, "store")}"\n[[alerts.webhooks]]\nname = "test"\nurl = "http://127.0.0.1:${hookPort}/hook"\nsecret = "${secret}"\n`,
  );
  server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")]);
}, 60_000);

afterAll(async () => {
  await server.end();
  smtp.close();
  receiver.close();
  rmSync(dir, { recursive: true, force: true });
});

test("the split-brain and its end reach the notification_email of the nodes' own keepalived.conf, and the webhook", async () => {
  const smtpPort = (smtp.server.address() as AddressInfo).port;
  cpSync(join(root, "server/demo/recording"), join(dir, "recording"), { recursive: true });
  for (const node of ["lb1", "lb2"]) {
    const conf = join(dir, "recording", node, "keepalived.conf");
    writeFileSync(
      conf,
      readFileSync(conf, "utf8").replace(
        "global_defs {",
        `global_defs {\n notification_email {\n  ops@example.org\n  second@example.org\n }\n notification_email_from lb@example.org\n smtp_server 127.0.0.1 ${smtpPort}\n smtp_connect_timeout 5\n`,
      ),
    );
  }
  const files = readdirSync(join(dir, "recording")).flatMap((node) =>
    readdirSync(join(dir, "recording", node)).map((file) => `${node}=${join(dir, "recording", node, file)}`),
  );
  const { events, inputs } = await readInputs(files, { cluster: "alerts", zone: "UTC", now: Date.now() * 1000 });
  expect(inputs.filter(({ error }) => error !== undefined)).toEqual([]);
  const [, url = ""] = await server.printed(/timeline at (http:\S+)/);
  // All of it lies in the past: sent at once.
  await pushReplay(events, {
    url,
    signal: new AbortController().signal,
    onBatch: () => undefined,
    onTrouble: (why) => expect.fail(why),
    speed: 1,
    pastUs: 3_600_000_000,
  });

  await eventually("two mails", async () => (mails.length >= 2 ? true : undefined));
  await eventually("two webhooks", async () => (hooks.length >= 2 ? true : undefined));
  expect(hooks.map(({ status }) => status)).toEqual(["firing", "resolved"]);
  expect(hooks[0]?.labels).toMatchObject({ alertname: "split-brain", cluster: "alerts", severity: "critical" });
  expect(mails.map(({ to }) => to)).toEqual([
    ["ops@example.org", "second@example.org"],
    ["ops@example.org", "second@example.org"],
  ]);
  const [opened, resolved] = mails.map(({ mail }) => mail);
  expect(opened?.from?.text).toContain("lb@example.org");
  expect(opened?.subject).toContain("split-brain");
  expect(opened?.text).toContain("lb1 and lb2");
  expect(resolved?.references).toContain(opened?.messageId);
  // What arrived is recorded as sent a moment later.
  const deliveries = await eventually("their outcomes", async () => {
    const rows = (await (await fetch(`${url}api/v1/deliveries`)).json()) as { status: string }[];
    return rows.some(({ status }) => status === "pending") ? undefined : rows;
  });
  expect(deliveries.map(({ status }) => status)).toEqual(["sent", "sent", "sent", "sent"]);
}, 90_000);
