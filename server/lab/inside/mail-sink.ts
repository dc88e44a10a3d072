/** Started by the laboratory on its mail host: takes every mail, and prints of each who it is from and to and its subject, as a JSON line. */
import { SMTPServer } from "smtp-server";
import type { MailReceipt } from "../mail.ts";
import { subjectOf } from "../mail.ts";

const [, , host = "127.0.0.1", port = "25"] = process.argv;
const MAIL_BYTES_MAX = 1_048_576;

const server = new SMTPServer({
  // keepalived speaks plain SMTP and logs in nowhere.
  disabledCommands: ["AUTH", "STARTTLS"],
  authOptional: true,
  size: MAIL_BYTES_MAX,
  disableReverseLookup: true,
  onData(stream, { envelope }, done) {
    const chunks: Buffer[] = [];
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAIL_BYTES_MAX) chunks.push(chunk);
    });
    stream.on("end", () => {
      const receipt: MailReceipt = {
        receivedTs: Date.now() * 1000,
        from: envelope.mailFrom ? envelope.mailFrom.address : "",
        to: envelope.rcptTo.map(({ address }) => address),
        subject: subjectOf(Buffer.concat(chunks).toString("utf8")),
      };
      process.stdout.write(`${JSON.stringify(receipt)}\n`);
      done();
    });
  },
});
server.on("error", (error: Error) => process.stderr.write(`${error.message}\n`));
server.listen(Number(port), host, () => process.stdout.write('"ready"\n'));
