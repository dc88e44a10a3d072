import type { AddressInfo } from "node:net";
import { hostname, userInfo } from "node:os";
import { type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { MailSettings } from "../../../collector/events/event.ts";
import { mailReceiver } from "../../../server/alert/notifiers/mail.ts";
import type { Incident } from "../../../server/detect/incident.ts";
import { change, eventually, ManualTime, type MemoryStore, resolved, rig, splitBrain, T0 } from "./support.ts";

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly source: string;
  readonly mail: ParsedMail;
}

type Stage = "MAIL" | "RCPT" | "DATA";
interface Refusal {
  readonly stage: Stage;
  readonly code: number;
  /** Only this recipient. */
  readonly address?: string;
}

/** A mail server on loopback. Each session takes one refusal from the list, until there are none. */
async function mailServer(disabledCommands = ["AUTH", "STARTTLS"]) {
  const received: Received[] = [];
  const refusals: Refusal[] = [];
  let sessions = 0;
  const refusal = (stage: Stage, address?: string): Error | undefined => {
    const [next] = refusals;
    if (next?.stage !== stage || (next.address !== undefined && next.address !== address)) return undefined;
    refusals.shift();
    return Object.assign(new Error("not now"), { responseCode: next.code });
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands,
    onConnect: (_session, done) => {
      sessions += 1;
      done();
    },
    onMailFrom: (_address, _session, done) => done(refusal("MAIL")),
    onRcptTo: ({ address }, _session, done) => done(refusal("RCPT", address)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const error = refusal("DATA");
        if (error) return done(error);
        const source = Buffer.concat(chunks).toString("utf8");
        const { mailFrom, rcptTo } = session.envelope;
        void simpleParser(source).then((mail) => {
          received.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            secure: session.secure,
            source,
            mail,
          });
          done();
        });
      });
    },
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.server.address() as AddressInfo;
  const close = () => new Promise<void>((done) => server.close(done));
  return { port, received, refusals, close, sessions: () => sessions };
}

let mx: Awaited<ReturnType<typeof mailServer>>;
beforeEach(async () => {
  mx = await mailServer();
});
afterEach(() => mx.close());

const settings = (more: Partial<MailSettings> = {}): MailSettings => ({
  to: ["oncall@example.org", "noc@example.org"],
  from: "lb@example.org",
  host: "127.0.0.1",
  port: mx.port,
  connectTimeoutSeconds: 30,
  ...more,
});

const notSent = (store: MemoryStore) => store.outcome.filter((row) => !row.endsWith(" sent"));

describe("zero set-up mail", () => {
  test("goes to keepalived.conf's addresses, from its sender, through its server", async () => {
    const { alerter, store } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => notSent(store).length === 0);
    const [{ from, to, mail }] = mx.received as [Received];
    expect(from).toBe("lb@example.org");
    expect(to).toEqual(["noc@example.org", "oncall@example.org"]);
    expect(mail.from?.value).toEqual([{ name: "keepwatch", address: "lb@example.org" }]);
    expect(mail.subject).toBe(
      "[keepwatch] CRITICAL split-brain default/ipv4/51: lb1 and lb2 have both acted as master of VRID 51 since 10:00:10.",
    );
    expect(mail.headers.get("auto-submitted")).toBe("auto-generated");
    expect(mail.date?.getTime()).toBe(T0 / 1000);
    expect(store.saved[0]?.target).toBe(`noc@example.org, oncall@example.org via 127.0.0.1:${mx.port}`);
  });

  test("says when, who, why, on what evidence, and where to look", async () => {
    const { alerter, store } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => notSent(store).length === 0);
    await expect(mx.received[0]?.mail.text).toMatchFileSnapshot("./golden/split-brain.opened.mail.txt");
    await expect(mx.received[0]?.mail.html).toMatchFileSnapshot("./golden/split-brain.opened.mail.html");
  });

  test("threads the end of an incident under its opening", async () => {
    const { alerter, store } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", { ...splitBrain, certainty: "suspected" }));
    await alerter.notify(change("certainty-raised", splitBrain));
    await alerter.notify(change("resolved", resolved(splitBrain)));
    await eventually(() => notSent(store).length === 0);
    const [opening, raised, end] = mx.received.map(({ mail }) => mail) as [ParsedMail, ParsedMail, ParsedMail];
    expect(opening.messageId).toBe(`<${[...store.rows.keys()][0]}@example.org>`);
    expect(opening.inReplyTo).toBeUndefined();
    for (const mail of [raised, end])
      expect(mail).toMatchObject({ inReplyTo: opening.messageId, references: opening.messageId });
    expect(new Set(mx.received.map(({ mail }) => mail.messageId)).size).toBe(3);
    expect(end.subject).toMatch(/^\[keepwatch\] RESOLVED split-brain /);
  });

  test("is sent once when several nodes of the cluster say the same", async () => {
    const reordered = settings({ to: ["noc@example.org", "On Call <oncall@example.org>"] });
    const { alerter, store } = rig({ mail: [settings(), reordered] });
    await alerter.notify(change("opened", splitBrain));
    expect(store.rows.size).toBe(1);
    await eventually(() => notSent(store).length === 0);
    expect(mx.received).toHaveLength(1);
  });

  test("comes from user@host when there is no notification_email_from", async () => {
    const { from: _, ...rest } = settings();
    const { alerter, store } = rig({ mail: [rest] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => notSent(store).length === 0);
    expect(mx.received[0]?.from).toBe(`${userInfo().username}@${hostname()}`);
  });

  test("may go to a user of the mail server itself, who has no domain", () => {
    expect(mailReceiver(settings({ to: ["root"] }))).toMatchObject({ to: ["root"] });
  });

  test("is encrypted where the server offers it, whoever signed its certificate", async () => {
    // smtp-server warns that its own certificate is known to all: such a one is what this is about.
    const warned = vi.spyOn(console, "error").mockReturnValue();
    const encrypting = await mailServer(["AUTH"]);
    warned.mockRestore();
    const { alerter, store } = rig({ mail: [settings({ port: encrypting.port })] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => notSent(store).length === 0);
    expect(encrypting.received[0]?.secure).toBe(true);
    await encrypting.close();
  });

  test.each([
    ["nothing below a warning", {}, "info", 0],
    ["a warning", {}, "warning", 1],
    ["everything, when the operator says so", { mail_min_severity: "info" }, "info", 1],
  ] as const)("mails %s", async (_, alerts, severity, mails) => {
    const { alerter, store } = rig({ alerts, mail: [settings()] });
    await alerter.notify(change("opened", { ...splitBrain, severity }));
    expect(store.rows.size).toBe(mails);
  });

  test("is off when the operator turns it off", async () => {
    const { alerter, store, logged } = rig({ alerts: { mail_from_keepalived_conf: false }, mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    expect(store.rows.size).toBe(0);
    expect(logged).toEqual([]);
  });

  test.each([
    ["no smtp_server", { host: "" }, "there is no smtp_server"],
    ["no addresses", { to: [] }, "notification_email names no usable address"],
    ["an smtp_server that is none", { host: "mx\r\nDATA" }, "smtp_server is not a host name or address"],
  ])("with %s is not recorded, and that is said once", async (_, broken, why) => {
    const { alerter, store, logged } = rig({ mail: [settings(broken)] });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("opened", { ...splitBrain, id: "another" }));
    expect(store.rows.size).toBe(0);
    expect(logged).toEqual([`warn: incidents of cluster "default" are not mailed: ${why}`]);
  });
});

describe("a mail server's refusal", () => {
  test.each([
    ["MAIL", 451],
    ["RCPT", 450],
    ["DATA", 451],
  ] as const)("of %s with %d is temporary: the mail is sent later, once, with the same id", async (stage, code) => {
    mx.refusals.push({ stage, code, ...(stage === "RCPT" ? { address: "noc@example.org" } : {}) });
    if (stage === "RCPT") mx.refusals.push({ stage, code, address: "oncall@example.org" });
    const { alerter, store, time } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)).toMatchObject({ status: "pending", attempts: 1, nextAttemptTs: T0 + 5_000_000 });
    expect(store.saved.at(-1)?.lastError).toContain(`${code} not now`);
    await time.advance(5000);
    await eventually(() => notSent(store).length === 0);
    expect(mx.received.map(({ mail }) => mail.messageId)).toEqual([`<${store.saved[0]?.id}@example.org>`]);
  });

  test.each(["MAIL", "DATA"] as const)("of %s with 550 is final", async (stage) => {
    mx.refusals.push({ stage, code: 550 });
    const { alerter, store, time } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.saved.at(-1)?.status === "failed");
    expect(store.saved.at(-1)).toMatchObject({ attempts: 1 });
    expect(store.saved.at(-1)?.lastError).toContain("550 not now");
    expect(time.waiting).toBe(0);
  });

  test("of one address among others is told, and does not mail the others again", async () => {
    mx.refusals.push({ stage: "RCPT", code: 550, address: "oncall@example.org" });
    const { alerter, store } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.saved.at(-1)?.status === "sent");
    expect(mx.received[0]?.to).toEqual(["noc@example.org"]);
    expect(store.saved.at(-1)?.lastError).toContain("not accepted for oncall@example.org: 550 not now");
  });

  test("to connect is temporary", async () => {
    const gone = await mailServer();
    await gone.close();
    const { alerter, store, time } = rig({ mail: [settings({ port: gone.port })] });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)?.lastError).toContain("ECONNREFUSED");
  });
});

describe("hostile text", () => {
  const eve = "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>\r\n.\r\nMAIL FROM:<eve@example.org>";

  test("in an incident neither adds a header nor a recipient nor a mail nor markup", async () => {
    const hostile: Incident = {
      ...splitBrain,
      id: eve,
      cluster: eve,
      summary: eve,
      subject: { router: eve, instance: eve, nodes: [eve] },
      cause: { code: eve, text: eve },
      evidence: [{ eventId: "e", node: eve, source: "log", ts: T0, text: eve, line: eve }],
    };
    const { alerter, store } = rig({ mail: [settings()] });
    await alerter.notify(change("opened", hostile));
    await eventually(() => notSent(store).length === 0);
    expect(mx.sessions()).toBe(1);
    const [{ to, mail, source }] = mx.received as [Received];
    expect(to).toEqual(["noc@example.org", "oncall@example.org"]);
    expect(mail.bcc).toBeUndefined();
    expect(source).not.toMatch(/^Bcc:/im);
    expect(mail.subject).toContain("x Bcc: eve@example.org <script>");
    expect(mail.html).not.toContain("<script>");
  });

  test.each([
    ["a line break", "ops@example.org\r\nBcc: eve@example.org"],
    ["a second address", "ops@example.org, eve@example.org"],
    ["a bracket", "ops@example.org>\r\nRCPT TO:<eve@example.org"],
    ["a blank", "ops @example.org"],
    ["nothing", ""],
  ])("an address with %s is left out", (_, address) => {
    expect(mailReceiver(settings({ to: [address, "good@example.org"] }))).toMatchObject({ to: ["good@example.org"] });
    expect(mailReceiver(settings({ from: address }))).toMatchObject({ from: undefined });
  });
});

describe("after a restart", () => {
  const refusedOnce = async () => {
    mx.refusals.push({ stage: "MAIL", code: 451 });
    const first = rig({ mail: [settings()] });
    await first.alerter.notify(change("opened", splitBrain));
    await eventually(() => first.time.waiting === 1);
    await first.alerter.stop();
    return first.store;
  };

  test("a mail that was pending is sent once the configuration is known, under the same id", async () => {
    const store = await refusedOnce();
    let known: readonly MailSettings[] = [];
    const { alerter, time } = rig({ store, incident: () => splitBrain, mailSettings: () => known });
    await alerter.start();
    await time.advance(5000);
    await eventually(() => store.saved.at(-1)?.attempts === 2);
    expect(store.saved.at(-1)?.lastError).toContain("no keepalived.conf of the cluster names these addresses");
    known = [settings()];
    await time.advance(300_000);
    await eventually(() => notSent(store).length === 0);
    expect(mx.received[0]?.mail.messageId).toBe(`<${store.saved[0]?.id}@example.org>`);
  });

  test("a mail that was sent is not sent again when the incident is found again", async () => {
    const first = rig({ mail: [settings()] });
    await first.alerter.notify(change("opened", splitBrain));
    await eventually(() => notSent(first.store).length === 0);
    await first.alerter.stop();
    const second = rig({ store: first.store, mail: [settings()], time: new ManualTime(T0 + 60_000_000) });
    await second.alerter.start();
    await second.alerter.notify(change("opened", { ...splitBrain, revision: 3 }));
    expect(second.alerter.counts()).toMatchObject({ waiting: 0, sending: 0 });
    expect(first.store.rows.size).toBe(1);
    expect(mx.sessions()).toBe(1);
  });
});

describe("a mail server that is configured", () => {
  const alerts = (more: Record<string, unknown>) => ({
    mail_from_keepalived_conf: false,
    receivers: [
      {
        name: "desk",
        type: "mail",
        host: "127.0.0.1",
        port: mx.port,
        to: ["desk@example.org"],
        from: "kw@example.org",
        ...more,
      },
    ],
  });

  test("gets one threaded conversation an incident", async () => {
    const { alerter, store } = rig({ alerts: alerts({}) });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("resolved", resolved(splitBrain)));
    await eventually(() => notSent(store).length === 0);
    const [opening, end] = mx.received.map(({ mail }) => mail) as [ParsedMail, ParsedMail];
    expect(mx.received[0]?.to).toEqual(["desk@example.org"]);
    expect(end.inReplyTo).toBe(opening.messageId);
    expect(store.outcome).toEqual(["opened mail:desk sent", "resolved mail:desk sent"]);
  });

  test("that offers no encryption where it is required gets nothing, not even the name", async () => {
    const { alerter, store } = rig({ alerts: alerts({ tls: "required", user: "kw", password: "hunter2" }) });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.saved.some(({ attempts }) => attempts === 1));
    expect(store.saved.at(-1)).toMatchObject({ status: "pending" });
    expect(store.saved.at(-1)?.lastError).toMatch(/STARTTLS|TLS/i);
    expect(JSON.stringify(store.saved)).not.toContain("hunter2");
    expect(mx.received).toEqual([]);
  });

  test("whose certificate nobody vouches for gets no password", async () => {
    const secure = await mailServer([]);
    const { alerter, store } = rig({
      alerts: alerts({ port: secure.port, tls: "required", user: "kw", password: "hunter2" }),
    });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.saved.some(({ attempts }) => attempts === 1));
    expect(store.saved.at(-1)?.lastError).toMatch(/certificate/i);
    expect(secure.received).toEqual([]);
    await secure.close();
  });
});
