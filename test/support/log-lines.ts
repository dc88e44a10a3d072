import fc from "fast-check";
import { allGrammars } from "../../collector/logs/grammars/all.ts";

const templates = allGrammars.flatMap((row) => row.templates);
const samples = allGrammars.flatMap((row) => row.samples);

const filler = fc.constantFrom(
  "x",
  "VI_1",
  "7",
  "-3",
  "",
  "a b",
  ", ",
  "eth0 (y)",
  "é日",
  "\ufffd",
  "1.2.3.4",
  "12x",
  "password: p",
  "a: Line 7) b",
);

/** The words of any template, with anything in its holes. */
export const filled = fc
  .tuple(fc.constantFrom(...templates), fc.array(filler, { minLength: 8, maxLength: 8 }))
  .map(([template, fills]) => {
    let i = 0;
    return template.replace(/\{[^}]*\}/g, () => fills[i++ % fills.length] ?? "");
  });
/** The same cut off, with something put in, or with the end of another one. */
export const mutated = fc
  .tuple(filled, filled, fc.nat(200), fc.nat(200), filler)
  .map(([a, b, i, j, between]) => a.slice(0, i) + between + b.slice(Math.min(j, i)));

const stamp = fc
  .tuple(
    fc.constantFrom(
      ...Array.from({ length: 8 }, () => "Nov 24 10:53"),
      "Nov  4 10:53",
      "Feb 29 23:59",
      "Mar 29 02:30",
      "Oct 25 02:59",
      "Oct 25 02:01",
      "Mär 29 02:30",
      "mar 29 02:30",
      "11月 24 10:53",
      "Tue Nov 24 10:53",
      "2026-11-24 10:53",
      "2026-10-25 02:59",
      "2026-10-25T02:01",
      "Xov 24 10:53",
      "Nov 4 10:53",
      "2026-11-24T10:53",
      "2024-02-29T23:59",
      "2023-02-29T23:59",
    ),
    fc.constantFrom(
      ":00",
      ":00",
      ":59",
      ":59",
      ":59",
      ":60",
      ":7",
      ":07",
      ":23.5",
      ":23.123456",
      ":23,123",
      ":23.1234567891",
    ),
    fc.constantFrom(
      ...Array.from({ length: 9 }, () => ""),
      "Z",
      "+00:00",
      "-0330",
      "+25:00",
      " +0100",
      " UTC",
      " 2026",
    ),
  )
  .map((parts) => parts.join(""));
const host = fc.constantFrom(
  ...Array.from({ length: 20 }, () => "lb1"),
  "10.0.0.1",
  "lb1.example.net",
  "fe80::1",
  "日本",
  "lb 1",
  "Keepalived_vrrp[15]:",
  "daemon.info",
  "local0.notice",
  "stderr",
  "",
  "a".repeat(300),
);
const tag = fc.constantFrom(
  ...Array.from({ length: 20 }, () => "Keepalived_vrrp[15]: "),
  "Keepalived[13]: ",
  "Keepalived_vrrp[15]: ",
  "Keepalived_healthcheckers[14]: ",
  "Keepalived_vrrp_blue_1[15]:",
  "Keepalived_bfd: ",
  "keepalived[1]: ",
  "keepalived_vrrp[12345678901]: ",
  "systemd[1]: keepalived ",
  "daemon.info Keepalived[13]: ",
  "Keepalived [1]: ",
  "Keepalivedx[1]: ",
  "logger: Keepalived_vrrp[15]: ",
  "kernel: Keepalived_vrrp[15]: ",
  "docker/keepalived/1[8]: Tue Mar  5 10:00:00 2024: ",
  "a/keepalived:2.0/b[8]: Tue Mar  5 10:00:00 2024: ",
  "F Tue Mar  5 10:00:00 2024: ",
  "P Keepalived[1]: ",
  "last message repeated 3 times",
  "Keepalived[13]: Last message 'x' repeated 3 times, suppressed by syslog-ng on lb1",
);
const prefix = fc.constantFrom(
  "",
  "",
  "(VI_1) ",
  "(VI_1): ",
  "VRRP_Instance(VI_1) ",
  "VRRP_Instance(VI_1): ",
  "(a b c)",
  "(ü) ",
  "(Line 6) ",
  "(/etc/k.conf: Line 12) ",
  "(VI_1)  ",
  "(",
  "message repeated 3 times: [ ",
  "Tue Mar  5 10:00:00 2024: ",
);

/** A line of a log: nearly always keepalived's, often not quite as it should be. */
export const logLine = fc
  .tuple(
    fc.constantFrom("", "", "", "<30>"),
    stamp,
    fc.constant(" "),
    host,
    fc.constant(" "),
    tag,
    prefix,
    fc.oneof(fc.constantFrom(...samples), filled, mutated),
    fc.constantFrom("", "", "", "\r", "\u0000", " Line 5) x"),
  )
  .map((parts) => parts.join(""));
