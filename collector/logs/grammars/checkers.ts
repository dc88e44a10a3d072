import type { Checker, EventBody } from "../../events/event.ts";
import { type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { cut } from "../text.ts";
import { address, between, count, errno, known, MESSAGE_MAX, service } from "./fields.ts";
import { problem } from "./rows.ts";

/** What the health checkers find, and what keeps them from finding anything. */

interface Finding {
  readonly checker: Checker;
  readonly outcome: "success" | "failure" | "down";
  readonly reason?: string;
}

interface FindingRow extends Pick<LineGrammar, "id" | "source" | "since" | "samples" | "templates"> {
  readonly until?: string;
  readonly finds: Finding | ((words: Words, message: string) => Finding);
}

/** 1.x numbers the urls of a checker instead of naming them. */
const isNumber = (url: string): boolean => /^\d+$/.test(url);

/** Of a line that names its service, which must be one. */
const finding = ({ finds, ...row }: FindingRow): LineGrammar => ({
  ...row,
  toEvent: (words, { message }) => {
    const of = service(words, "service");
    if (of === undefined) return UNRECOGNISED;
    const url = words.text("url");
    return {
      kind: "check.result",
      ...(typeof finds === "function" ? finds(words, message) : finds),
      service: of,
      ...known({
        virtualServer: service(words, "vs"),
        retries: count(words, "retries"),
        status: between(words, "status", 0, 999),
        url: url === "" || isNumber(url) ? undefined : cut(url, MESSAGE_MAX),
        urlIndex: isNumber(url) ? count(words, "url") : undefined,
        connectTo: service(words, "to"),
        digest: cut(words.text("digest"), 64) || undefined,
        phase: cut(/^Timeout (.{1,64}?),? (?:timeout )?server /.exec(message)?.[1] ?? "", 64) || undefined,
      }),
    };
  },
});

const RETRIES_USED = /^ after \d+ (?:retry|retries)$|^ with retry disabled$|^$/;
const numberIn = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

const MISC_OUTCOMES: Readonly<Record<string, Finding["outcome"]>> = {
  succeeded: "success",
  success: "success",
  failed: "down",
  "timed out": "down",
};

/** `failed on retry 1/2`, `timed out`, `succeeded`, in front of what ended the script. */
function misc(words: Words): EventBody {
  const result = words.text("result");
  const said = Object.keys(MISC_OUTCOMES).find((outcome) => result.startsWith(outcome));
  if (said === undefined) return UNRECOGNISED;
  const outcome = MISC_OUTCOMES[said] ?? "down";
  const isLast = outcome === "success" || RETRIES_USED.test(result.slice(said.length));
  const retries = / after (\d{1,9}) retr/.exec(result)?.[1];
  const [, retry, retriesMax] = / on retry (\d{1,9})\/(\d{1,9})/.exec(result) ?? [];
  const willDo = /, will do (\d{1,9}) retr/.exec(result)?.[1];
  const script = words.text("script");
  return {
    kind: "check.result",
    checker: "MISC",
    outcome: isLast ? outcome : "failure",
    script: cut(script, MESSAGE_MAX),
    ...known({
      service: service(words, "service"),
      address: address(words, "address"),
      virtualServer: service(words, "vs"),
      reason: said === "timed out" ? "timeout" : undefined,
      retries: numberIn(retries),
      retry: numberIn(retry),
      retriesMax: result.includes(" with retry disabled") ? 0 : numberIn(retriesMax ?? willDo),
      status: between(words, "status", 0, 255),
      signal: between(words, "signal", 1, 64),
    }),
  };
}

const DNS_REASONS: readonly (readonly [RegExp, string])[] = [
  [/timeout/, "timeout"],
  [/unreachable/, "unreachable"],
  [/connection/, "connect"],
  [/rcode/, "status"],
  [/read|datagram|write/, "transfer"],
];

/** DNS_CHECK writes all it has to say behind one prefix. */
function dns(words: Words, message: string): EventBody {
  const of = service(words, "service");
  const detail = words.text("detail");
  if (of === undefined) return UNRECOGNISED;
  const reason = DNS_REASONS.find(([pattern]) => pattern.test(detail))?.[1];
  if (/Rescheduling|CLOEXEC/.test(detail) || reason === undefined)
    return { kind: "check.error", code: "dns", message: cut(message, MESSAGE_MAX), service: of };
  const retries = / after (\d{1,9}) retries$/.exec(detail)?.[1];
  return {
    kind: "check.result",
    checker: "DNS",
    outcome: retries === undefined ? "failure" : "down",
    service: of,
    reason,
    ...known({ retries: numberIn(retries), status: numberIn(/\(rcode = (\d{1,3})\)/.exec(detail)?.[1]) }),
  };
}

export const checkerGrammars: readonly LineGrammar[] = [
  finding({
    id: "check.result.success",
    source: "check/check_smtp.c, check/check_http.c, check/check_tcp.c, check/check_ping.c",
    since: "1.2.2",
    samples: [
      "TCP connection to [10.99.0.12]:tcp:80 success.",
      "Remote Web server [10.99.0.12]:80 succeed on service.",
      "Remote SMTP server [10.99.0.12:25] succeed on service.",
      "ICMP connection to [10.99.0.12]:tcp:80 success.",
      "UDP connection to [10.99.0.12]:udp:53 success.",
    ],
    templates: [
      "TCP connection to {service} success.",
      "Remote Web server {service} succeed on service.",
      "Remote SMTP server {service} succeed on service.",
      "ICMP connection to {service} success.",
      "UDP connection to {service} success.",
    ],
    finds: (_words, message) => ({ checker: checkerOf(message), outcome: "success" }),
  }),
  finding({
    // One url of several: the checker goes on to the next.
    id: "check.result.url",
    source: "check/check_http.c",
    since: "1.2.2",
    samples: [
      "HTTP status code success to [10.99.0.12]:80 url(1).",
      "MD5 digest success to [10.99.0.12]:tcp:80 url(/health)",
      "Regex match success to [10.99.0.12]:tcp:80 url(2).",
      "HTTP success to [10.99.0.12]:tcp:80 url(/)",
    ],
    templates: ["HTTP status code", "MD5 digest", "HTTP", "Regex match", "HTTP status code and regex match"].flatMap(
      (what) => [`${what} success to {service} url({url}).`, `${what} success to {service} url({url})`],
    ),
    finds: (_words, message) => ({ checker: "HTTP", outcome: "success", reason: httpReason(message) }),
  }),
  finding({
    id: "check.result.failure.connection",
    source: "check/check_tcp.c, check/check_ping.c, check/check_udp.c",
    since: "1.2.2",
    samples: [
      "TCP connection to [10.99.0.12]:80 failed !!!",
      "TCP connection to [10.99.0.12]:tcp:80 failed.",
      "TCP connection to [10.99.0.12]:tcp:80 timeout.",
      "ICMP connection to address [10.99.0.12]:tcp:80 timeout.",
      "UDP check to [10.99.0.12]:udp:53 reply data mismatch.",
    ],
    templates: [
      "TCP connection to {service} failed !!!",
      "TCP connection to {service} failed.",
      "TCP connection to {service} timeout.",
      "TCP connection to {service} timedout.",
      "ICMP connection to address {service} timeout.",
      "ICMP connection to {service} of {vs} failed.",
      "UDP connection to {service} failed.",
      "UDP check to {service} reply data mismatch.",
    ],
    finds: (_words, message) => ({
      checker: checkerOf(message),
      outcome: "failure",
      reason: /timeout\.$|timedout\.$/.test(message) ? "timeout" : message.endsWith("mismatch.") ? "reply" : "connect",
    }),
  }),
  finding({
    id: "check.result.failure.http",
    source: "check/check_http.c",
    since: "1.2.2",
    samples: [
      "Timeout connect, timeout server [10.99.0.12]:80.",
      "HTTP status code error to [10.99.0.12]:80 url(/), status_code [503].",
      "MD5 digest error to [10.99.0.12]:80 url[/], MD5SUM [d41d8cd98f00b204e9800998ecf8427e].",
      "Read error with server [10.99.0.12]:80: Connection reset by peer",
      "HTTP status code error to server [10.99.0.12]:tcp:80.",
      "HTTP/SSL_CHECK - network unreachable server [10.99.0.12]:tcp:443.",
      "SSL handshake/communication error connecting to server (openssl errno: 1) [10.99.0.12]:443.",
    ],
    templates: [
      "Timeout {what} server {service}.",
      "Timeout HTTP read server {service}.",
      "Timeout WEB read server {service}.",
      "Timeout WEB write server {service}.",
      "Timeout connecting server {service}.",
      "Timeout SSL read server {service}.",
      "HTTP status code error to {service} url({url}), status_code [{status:d}].",
      "HTTP status code error to server {service}.",
      "MD5 digest error to {service} url[{url}], MD5SUM [{digest}].",
      "MD5 digest error to server {service}.",
      "Regex match failed server {service}.",
      "Read, no data received from  server {service}.",
      "Read error with server {service}: {*error}",
      "Read error with server {service}.",
      "Cannot send get request to {service}.",
      "Cannot send get request to server {service}.",
      "Error connecting server {service}.",
      "Connection failed server {service}.",
      "HTTP_CHECK - network unreachable server {service}.",
      "HTTP/SSL_CHECK - network unreachable server {service}.",
      "SSL handshake/communication error connecting to server (openssl errno: {*errno}) {service}.",
      "SSL handshake/communication error connecting to server {service}.",
      "SSL read error from server {service}.",
    ],
    finds: (_words, message) => ({
      checker: message.startsWith("SSL") || message.startsWith("Timeout SSL") ? "SSL" : "HTTP",
      outcome: "failure",
      reason: httpReason(message),
    }),
  }),
  finding({
    // Logged when its retries are used up, or for every try with log_all_failures: the line does not say which.
    id: "check.result.failure.smtp",
    source: "check/check_smtp.c",
    since: "1.2.13",
    samples: ["SMTP_CHECK Read timeout from server [10.99.0.12]:25"],
    templates: [
      "SMTP_CHECK Read timeout from server {service}",
      "SMTP_CHECK Read failure from server {service}",
      "SMTP_CHECK Write timeout to server {service}",
      "SMTP_CHECK Write failure to server {service}",
      "SMTP_CHECK Bad greeting banner from server {service}",
      "SMTP_CHECK Bad HELO response from server {service}",
      "SMTP_CHECK Error connecting to server {service}",
      "SMTP_CHECK Connection timeout to server {service}",
      "SMTP_CHECK Unknown connection error to server {service}",
      "SMTP_CHECK Could not connect to server {service}",
    ],
    finds: (_words, message) => ({
      checker: "SMTP",
      outcome: "failure",
      reason: /timeout/.test(message)
        ? "timeout"
        : /Bad/.test(message)
          ? "status"
          : /onnect/.test(message)
            ? "connect"
            : "transfer",
    }),
  }),
  finding({
    id: "check.result.failure.smtp-unreachable",
    source: "check/check_smtp.c",
    since: "2.0.14",
    samples: ["SMTP_CHECK Network unreachable for server 10.99.0.12 - real server [10.99.0.12]:25"],
    templates: ["SMTP_CHECK Network unreachable for server {to} - real server {service}"],
    finds: { checker: "SMTP", outcome: "failure", reason: "unreachable" },
  }),
  finding({
    id: "check.result.down",
    source: "check/check_http.c, check/check_tcp.c, check/check_ping.c, check/check_udp.c",
    since: "1.2.2",
    samples: [
      "Check on service [10.99.0.12]:80 failed after 3 retry.",
      "TCP_CHECK on service [10.99.0.12]:tcp:80 failed after 1 retries.",
      "SSL_CHECK on service [10.99.0.12]:tcp:443 failed after 3 retries.",
      "ICMP CHECK on service [10.99.0.12]:tcp:80 of [10.99.0.100]:tcp:80 failed after 3 retries.",
      "UDP_CHECK on service [10.99.0.12]:udp:53 failed.",
    ],
    templates: [
      "Check on service {service} failed after {retries:d} retry.",
      "Check on service {service} failed after {retries:d} retries.",
      "Check on service {service} failed.",
      "HTTP_CHECK on service {service} failed after {retries:d} retry.",
      ...["TCP", "HTTP", "SSL", "UDP"].flatMap((checker) => [
        `${checker}_CHECK on service {service} failed after {retries:d} retries.`,
        `${checker}_CHECK on service {service} failed.`,
      ]),
      "ICMP CHECK on service {service} of {vs} failed after {retries:d} retries.",
      "ICMP CHECK on service {service} failed.",
    ],
    finds: (_words, message) => ({ checker: checkerOf(message), outcome: "down" }),
  }),
  {
    id: "check.result.misc",
    source: "check/check_misc.c",
    since: "1.2.2",
    samples: [
      "Misc check to [10.99.0.12] for [/usr/local/bin/check] success.",
      "Misc check to [10.99.0.12] for [/usr/local/bin/check] failed (exited with status 2).",
      "Misc check for [[10.99.0.12]:tcp:80 VS [10.99.0.100]:tcp:80] by [/usr/local/bin/check] failed after 1 retry (exited with status 2).",
      "Misc check for [[10.99.0.12]:tcp:80 VS [10.99.0.100]:tcp:80] by [/usr/local/bin/check] timed out on retry 1/2.",
    ],
    templates: [
      "Misc check to [{address}] for [{script}] timed out",
      "Misc check to [{address}] for [{script}] {result}.",
      "Misc check to [{address}] for [{script}] {result} (exited with status {status:d}).",
      "Misc check to [{address}] for [{script}] {result} (due to signal {signal:d}).",
      "Misc check for [{service} VS {vs}] by [{script}] {result}.",
      "Misc check for [{service} VS {vs}] by [{script}] {result} (exited with status {status:d}).",
      "Misc check for [{service} VS {vs}] by [{script}] {result} (due to signal {signal:d}).",
    ],
    wordsDecide: true,
    toEvent: (words, { message }) =>
      misc(
        message.endsWith("timed out")
          ? { ...words, text: (hole) => (hole === "result" ? "timed out" : words.text(hole)) }
          : words,
      ),
  },
  {
    id: "check.result.dns",
    source: "check/check_dns.c",
    since: "1.3.0",
    samples: [
      "DNS_CHECK ([10.99.0.12]:udp:53) read timeout from socket after 3 retries",
      "DNS_CHECK ([10.99.0.12]:53) failed to create socket. Rescheduling.",
    ],
    templates: ["DNS_CHECK ({service}) {detail}"],
    wordsDecide: true,
    toEvent: (words, { message }) => dns(words, message),
  },
  {
    id: "check.result.bfd",
    source: "check/check_bfd.c",
    since: "2.0.0",
    samples: ["BFD check of [bfd1] RS([10.99.0.12]:tcp:80) is DOWN"],
    templates: ["BFD check of [{bfd}] RS({service}) is UP", "BFD check of [{bfd}] RS({service}) is DOWN"],
    toEvent: (words, { message }) => {
      const of = service(words, "service");
      return of === undefined
        ? UNRECOGNISED
        : {
            kind: "check.result",
            checker: "BFD",
            outcome: message.endsWith("UP") ? "success" : "down",
            service: of,
          };
    },
  },
  {
    id: "ipvs.error",
    source: "check/ipvswrapper.c, check/libipvs.c",
    since: "1.2.2",
    samples: [
      "IPVS: Service already exists",
      "IPVS (cmd 1159, errno 17): Destination already exists",
      "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17)",
    ],
    templates: [
      "IPVS : {error}",
      "IPVS: {error}",
      "IPVS (cmd {command:d}, errno {errno:d}): {error}",
      "IPVS cmd {command}({number:d}) error: {error}({errno:d}){*cause}",
      "Failed to set ipvs timeouts",
      "Failed to get IPVS timeouts",
    ],
    toEvent: (words, { message }) => {
      const command = words.text("command");
      return {
        kind: "ipvs.error",
        message: cut(message, MESSAGE_MAX),
        ...known({
          command: command === "" ? undefined : cut(command, 64),
          commandNumber: count(words, "number"),
          errno: errno(words),
        }),
      };
    },
  },
  problem("check.error")({
    code: "rescheduled",
    source: "check/check_http.c, check/check_smtp.c, check/check_tcp.c, check/check_ping.c",
    since: "1.2.3",
    templates: [
      "WEB connection fail to create socket. Rescheduling.",
      "WEB socket bind failed. Rescheduling",
      "SMTP_CHECK connection failed to create socket. Rescheduling.",
      "SMTP_CHECK socket bind failed. Rescheduling.",
      "TCP connect fail to create socket. Rescheduling.",
      "TCP socket bind failed. Rescheduling.",
      "ICMP{*family} connect fail to create socket. Rescheduling.",
      "UDP connect fail to create socket. Rescheduling.",
    ],
  }),
  problem("check.error")({
    code: "tls-context",
    source: "check/check_ssl.c",
    since: "1.2.2",
    templates: [
      "SSL error : Cant load certificate file...",
      "SSL error : Cant load key file...",
      "SSL error : Cant load CA file...",
      "Error Initialize SSL, ctx Instance",
      "  SSL  keyfile:{*path}",
      "  SSL password:{*}",
      "  SSL   cafile:{*path}",
      "Terminate...",
      "OPENSSL_init_crypto failed",
      "SSL error: cannot create new SSL context",
    ],
  }),
  problem("check.error")({
    code: "tls",
    source: "check/check_ssl.c",
    since: "1.2.2",
    templates: [
      "  SSL error: (zero return)",
      "  SSL error: (read error)",
      "  SSL error: (write error)",
      "  SSL error: (connect error)",
      "  SSL error: (X509 lookup error)",
      "  SSL error: (syscall error)",
      "  SSL error: ({*error})",
      "SSL error '{*}' at {*}:{*} ({*}) data '{*}' flags 0x{*}",
      "Unable to establish ssl connection - SSL_new() failed",
      "Unable to establish ssl connection - BIO_new_socket() failed",
    ],
  }),
  problem("check.error")({
    code: "regex-match",
    source: "check/check_http.c",
    since: "2.0.7",
    templates: [
      "Regex partial match preserve too large - discarding",
      "String did not match the regex pattern",
      "Something was null in regex match",
      "A bad option was passed to regex",
      "Magic number bad (compiled regex corrupt?)",
      "Regex an out of memory",
      "Unknown regex error {*value}",
      "Too many substrings found",
    ],
  }),
  problem("check.error")({
    code: "content-length",
    source: "check/check_http.c",
    since: "1.4.2",
    templates: [
      "http_check for RS {service} VS {virtualServer} url {*url}: content_length ({*expected}) does not match received bytes ({*length})",
    ],
  }),
  problem("check.error")({
    code: "smtp-overflow",
    source: "check/check_smtp.c",
    since: "1.2.2",
    templates: [
      "SMTP_CHECK Buffer overflow reading from server {service}. Increase SMTP_BUFF_MAX in smtp_check.h",
      "SMTP_CHECK Buffer overflow reading from server {service}. Increase SMTP_BUFF_MAX in check_smtp.h",
    ],
  }),
  problem("check.error")({
    code: "smtp-unknown",
    source: "check/check_smtp.c",
    since: "1.2.2",
    until: "2.0.13",
    templates: ["SMTP_CHECK Unknown error"],
  }),
  problem("check.error")({
    code: "icmp",
    source: "check/check_ping.c",
    since: "2.1.0",
    templates: [
      "Write {*keyword} failed - errno {*errno}",
      "Write {*keyword} wrote {*length} bytes instead of {*expected}",
      "send ICMP packet fail",
      "recv ICMP packet error",
      "Error, got short ICMP packet, {*length} bytes",
      "Got ICMP packet with type 0x{*value}",
      "send ICMPv6 packet fail - errno {*errno}",
      "recv ICMPv6 packet error",
      "Error, got short ICMPv6 packet, {*length} bytes",
      "Got ICMPv6 packet with type 0x{*value}",
      "Ping reply expected seq no {*expected}, received {*value}",
      "unexpected ping check receive packet",
      "setsockopt SO_RCVBUF for socket {*fd} failed ({*errno}) - {*error}",
      "Checker can't bind to device {*interface}: {*error}",
      "bind failed. errno: {*errno}, error: {*error}",
    ],
  }),
  problem("check.error")({
    code: "ipvs-library",
    source: "check/libipvs.c, check/check_api.c, check/ipvswrapper.c",
    since: "2.1.0",
    templates: [
      "ipvs_talk() called with unknown command {*command}",
      "Setting err_cb failed",
      "Setting libnl callback function failed",
      "BUG: checker_set_dst_port() in/in6 port offsets differ",
      "ipvs_services_parse_cb get->user.num_services = {*value} != 0",
    ],
  }),
  problem("check.error")({
    code: "misc-script-lost",
    source: "check/check_misc.c",
    since: "2.0.19",
    templates: [
      "Misc script {*script} child (PID {*childPid}) lost",
      "Misc script {*script} child (PID {*childPid}) lost, register checker again",
    ],
  }),
  problem("check.error")({
    code: "unknown-protocol",
    source: "include/check_data.h",
    since: "2.2.2",
    templates: [
      "Unknown protocol {*value} at {*}:{*} in {*}",
      "Unknown protocol {*value} in protocol_to_index() called from {*} at {*}:{*}",
    ],
  }),
];

/** The checker by the first word of its lines. */
function checkerOf(message: string): Checker {
  if (message.startsWith("Remote Web") || message.startsWith("HTTP")) return "HTTP";
  if (message.startsWith("Remote SMTP")) return "SMTP";
  if (message.startsWith("TCP")) return "TCP";
  if (message.startsWith("ICMP")) return "PING";
  if (message.startsWith("UDP")) return "UDP";
  return message.startsWith("SSL") ? "SSL" : "service";
}

const HTTP_REASONS: readonly (readonly [RegExp, string])[] = [
  [/^Timeout|timeout/, "timeout"],
  [/unreachable/, "unreachable"],
  [/status code/, "status"],
  [/digest/, "digest"],
  [/^Regex/, "regex"],
  [/no data/, "no-data"],
  [/handshake/, "tls"],
  [/onnect/, "connect"],
  [/get request|ead error/, "transfer"],
];
const httpReason = (message: string): string => HTTP_REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? "http";
