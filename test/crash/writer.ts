/**
 * `node writer.js FILE LINES_PER_SECOND EVERY FROM`: numbered lines as rsyslog writes them, one in EVERY of them keepalived's. Opens the
 * file again on SIGHUP. On SIGTERM writes a last line, tells how many there are in all, and ends.
 */
import { closeSync, openSync, writeSync } from "node:fs";

const [path = "", rate = "", every = "", from = ""] = process.argv.slice(2);
const LINES_PER_SECOND = Number(rate);
const EVERY = Number(every);
/** rsyslog's own buffer: what one write call holds, bytes. */
const WRITE_BYTES = 4096;
const TICK_MS = 2;

let fd = openSync(path, "a");
let line = Number(from);
const begun = performance.now();
const first = line;
let ending = false;
let waiting: string[] = [];
let bytes = 0;

process.on("SIGHUP", () => {
  closeSync(fd);
  fd = openSync(path, "a");
});
process.on("SIGTERM", () => (ending = true));

function flush(): void {
  const text = Buffer.from(waiting.join(""));
  for (let done = 0; done < text.length; ) done += writeSync(fd, text, done);
  waiting = [];
  bytes = 0;
}

function put(text: string): void {
  waiting.push(text);
  bytes += text.length;
  if (bytes >= WRITE_BYTES) flush();
}

const stamp = (): string => new Date().toISOString().replace("Z", "000Z");

function tick(): void {
  const due = first + Math.floor(((performance.now() - begun) / 1000) * LINES_PER_SECOND);
  const at = stamp();
  for (; line < due; line++)
    put(
      line % EVERY === 0
        ? `${at} lb1 Keepalived_vrrp[1234]: numbered line ${line}\n`
        : `${at} lb1 nginx[99]: 192.0.2.7 - - "GET /healthz HTTP/1.1" 200 ${line}\n`,
    );
  if (!ending) {
    flush();
    setTimeout(tick, TICK_MS);
    return;
  }
  const ended = Date.now();
  put(`${stamp()} lb1 Keepalived_vrrp[1234]: last line\n`);
  flush();
  closeSync(fd);
  const seconds = (performance.now() - begun) / 1000;
  process.stdout.write(
    `${JSON.stringify({ lines: line, perSecond: (line - first) / seconds, endedUs: ended * 1000 })}\n`,
  );
  process.exit(0);
}

process.stdout.write("writing\n");
tick();
