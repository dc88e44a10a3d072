/** Started by the laboratory inside the server's network namespace: prints each webhook that arrives, and when, as a JSON line. */
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const [, , host = "127.0.0.1", port = "0", secret = ""] = process.argv;
const verifier = new Webhook(secret);

createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const receivedTs = Date.now() * 1000;
    try {
      const payload = verifier.verify(Buffer.concat(chunks), req.headers as Record<string, string>);
      process.stdout.write(`${JSON.stringify({ receivedTs, payload })}\n`);
      res.writeHead(204).end();
    } catch {
      res.writeHead(401).end();
    }
  });
}).listen(Number(port), host);
