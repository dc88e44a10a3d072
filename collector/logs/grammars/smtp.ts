import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { between, known, service } from "./fields.ts";

/** keepalived's alert mails: delivered, or not and why. */

interface Failure extends Pick<LineGrammar, "source" | "since" | "templates"> {
  readonly reason: string;
  readonly until?: string;
  readonly sample: string;
}

/** The server by its address and port, as a service is named; a line that names none is about the one that is configured. */
const failed = ({ reason, sample, ...row }: Failure): LineGrammar => ({
  id: `mail.failed.${reason}`,
  ...row,
  samples: [sample],
  toEvent: (words) => {
    const command = words.text("command");
    return {
      kind: "mail.failed",
      reason,
      ...known({
        server: service(words, "server"),
        command: command === "" ? undefined : cut(command, 16),
        status: between(words, "status", 0, 999),
      }),
    };
  },
});

export const smtpGrammars: readonly LineGrammar[] = [
  {
    id: "mail.sent",
    source: "core/smtp.c",
    since: "1.2.2",
    samples: ["SMTP alert successfully sent."],
    templates: ["SMTP alert successfully sent."],
    toEvent: () => ({ kind: "mail.sent" }),
  },
  failed({
    reason: "connect",
    source: "core/smtp.c",
    since: "1.2.2",
    sample: "SMTP connection ERROR to [10.99.0.25]:25.",
    templates: ["SMTP connection ERROR to {server}.", "SMTP connect fail to create socket."],
  }),
  failed({
    reason: "timeout",
    source: "core/smtp.c",
    since: "1.2.2",
    sample: "Timeout connecting SMTP server [10.99.0.25]:25.",
    templates: [
      "Timeout connecting SMTP server {server}.",
      "Timeout opening connection to remote SMTP server {server}.",
      "Timeout reading data to remote SMTP server {server}.",
      "Timeout sending data to remote SMTP server {server}.",
    ],
  }),
  failed({
    reason: "transfer",
    source: "core/smtp.c",
    since: "1.2.2",
    sample: "Remote SMTP server [10.99.0.25]:25 has closed the connection.",
    templates: [
      "Error reading data from remote SMTP server {server}.",
      "Can not read data from remote SMTP server {server}.",
      "Can not send data to remote SMTP server {server}.",
      "Cannot send data to remote SMTP server {server}.",
      "Received buffer from remote SMTP server {server} overflow our get read buffer length.",
      "Remote SMTP server {server} has closed the connection.",
      "smtp fd {fd:d} returned write error",
      "smtp fd {fd:d} returned read error",
    ],
  }),
  failed({
    reason: "refused",
    source: "core/smtp.c",
    since: "1.2.2",
    sample: "Error processing RCPT cmd on SMTP server [10.99.0.25]:25. SMTP status code = 550",
    templates: [
      // No blank up to 1.2.13.
      "Error connecting SMTP server{server}. SMTP status code = {status:d}",
      "Error connecting SMTP server {server}. SMTP status code = {status:d}",
      "Error processing {command} cmd on SMTP server {server}. SMTP status code = {status:d}",
    ],
  }),
];
