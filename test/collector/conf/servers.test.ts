import { describe, expect, test } from "vitest";
import { modelOf } from "../../../collector/conf/model.ts";
import type { Checker, VirtualServer } from "../../../collector/conf/model/server-types.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";

const PATH = "/etc/keepalived/keepalived.conf";

function servers(text: string, release: Release = NEWEST_RELEASE): readonly VirtualServer[] {
  const files = { read: (path: string) => (path === PATH ? text : { unreadable: "-" }), glob: () => [] };
  return modelOf(parseConf(PATH, files, "lb1", { release }), { release }).running.virtualServers;
}

/** A checker in a real server of a virtual server, each with lines of its own. */
function checker(
  block: string,
  {
    virtual = "",
    real = "",
    before = "",
    release = NEWEST_RELEASE,
  }: Partial<Record<"virtual" | "real" | "before", string>> & { release?: Release } = {},
): Checker | undefined {
  return servers(
    `${before}\nvirtual_server 10.99.0.100 80 {\n protocol TCP\n ${virtual}\n real_server 10.99.0.11 8080 {\n ${real}\n ${block}\n }\n}\n`,
    release,
  )[0]?.realServers[0]?.checkers[0];
}

describe("a checker's schedule comes from itself, its real server, its virtual server, or the default", () => {
  const us = (seconds: number): number => seconds * 1e6;
  const DEFAULTS = {
    delayLoopUs: us(60),
    warmupUs: us(60),
    retry: 1,
    delayBeforeRetryUs: us(1),
    connectTimeoutUs: us(5),
    alpha: false,
    logAllFailures: false,
  };

  test.each<[what: string, block: string, around: Parameters<typeof checker>[1], expected: Partial<Checker>]>([
    ["defaults of TCP_CHECK", "TCP_CHECK {\n}", {}, DEFAULTS],
    ["defaults of PING_CHECK", "PING_CHECK {\n}", {}, DEFAULTS],
    ["defaults of UDP_CHECK", "UDP_CHECK {\n}", {}, DEFAULTS],
    ["defaults of SMTP_CHECK", "SMTP_CHECK {\n}", {}, DEFAULTS],
    ["HTTP_GET waits 3 s", "HTTP_GET {\n url {\n path /\n }\n }", {}, { ...DEFAULTS, delayBeforeRetryUs: us(3) }],
    [
      "DNS_CHECK tries 4 times, a loop apart",
      "DNS_CHECK {\n}",
      {},
      { ...DEFAULTS, retry: 3, delayBeforeRetryUs: us(60) },
    ],
    ["DNS_CHECK waits its own loop", "DNS_CHECK {\n delay_loop 7\n}", {}, { delayBeforeRetryUs: us(7) }],
    ["MISC_CHECK is not tried again", "MISC_CHECK {\n misc_path /bin/true\n}", {}, { ...DEFAULTS, retry: 0 }],
    [
      "the virtual server's",
      "TCP_CHECK {\n}",
      { virtual: "delay_loop 6\n retry 4\n delay_before_retry 2\n connect_timeout 3\n warmup 0\n alpha" },
      { delayLoopUs: us(6), retry: 4, delayBeforeRetryUs: us(2), connectTimeoutUs: us(3), warmupUs: 0, alpha: true },
    ],
    [
      "the real server's over it",
      "TCP_CHECK {\n}",
      { virtual: "delay_loop 6\n retry 4\n alpha", real: "delay_loop 5\n retry 2\n alpha no" },
      { delayLoopUs: us(5), retry: 2, alpha: false, warmupUs: us(5) },
    ],
    [
      "its own over both",
      "TCP_CHECK {\n delay_loop 1.5\n retry 0\n warmup 0.25\n}",
      { virtual: "delay_loop 6\n retry 4", real: "delay_loop 5" },
      { delayLoopUs: us(1.5), retry: 0, warmupUs: us(0.25) },
    ],
    ["0 retries are refused around it", "TCP_CHECK {\n}", { virtual: "retry 0" }, { retry: 1 }],
    ["an inherited retry counts for DNS_CHECK too", "DNS_CHECK {\n}", { virtual: "retry 1" }, { retry: 1 }],
    ["nb_get_retry is an old name", "HTTP_GET {\n nb_get_retry 5\n url {\n path /\n }\n }", {}, { retry: 5 }],
    [
      "log_all_failures of all",
      "TCP_CHECK {\n}",
      { before: "global_defs {\n checker_log_all_failures\n}" },
      { logAllFailures: true },
    ],
    [
      "and not of this one",
      "TCP_CHECK {\n log_all_failures no\n}",
      { before: "global_defs {\n checker_log_all_failures\n}" },
      { logAllFailures: false },
    ],
    [
      "1.3.6 has no delay_loop in a checker",
      "TCP_CHECK {\n delay_loop 5\n}",
      { release: [1, 3, 6], virtual: "delay_loop 6" },
      { delayLoopUs: us(6) },
    ],
  ])("%s", (_what, block, around, expected) => {
    expect(checker(block, around)).toMatchObject(expected);
  });
});

describe("what a checker looks at", () => {
  const to = {
    address: "10.99.0.11",
    port: 8080,
    bindAddress: undefined,
    bindPort: undefined,
    bindInterface: undefined,
    fwmark: 0,
  };
  const url = {
    path: "/",
    digest: undefined,
    statusCodes: [],
    virtualhost: undefined,
    serverName: undefined,
    regex: undefined,
  };
  const http = { kind: "http", to, tls: false, protocol: "1.0", fastRecovery: false, urls: [url] };
  const get = (lines: string, ofUrl = ""): string => `HTTP_GET {\n ${lines}\n url {\n path /\n ${ofUrl}\n }\n }`;

  test.each<[what: string, block: string, around: Parameters<typeof checker>[1], check: unknown]>([
    ["TCP_CHECK: the real server", "TCP_CHECK {\n}", {}, { kind: "tcp", to }],
    [
      "not a port that only NAT could have",
      "TCP_CHECK {\n}",
      { virtual: "lb_kind DR" },
      { kind: "tcp", to: { ...to, port: 80 } },
    ],
    [
      "or another place",
      "TCP_CHECK {\n connect_ip 2001:DB8:0::5\n connect_port 81\n bindto 2001:db8::6\n bind_port 999\n bind_if eth9\n fwmark 7\n}",
      {},
      {
        kind: "tcp",
        to: {
          address: "2001:db8::5",
          port: 81,
          bindAddress: "2001:db8::6",
          bindPort: 999,
          bindInterface: "eth9",
          fwmark: 7,
        },
      },
    ],
    ["bindto of another family is ignored", "TCP_CHECK {\n bindto 2001:db8::6\n}", {}, { kind: "tcp", to }],
    ["a plain url", get(""), {}, http],
    [
      "protocol and fast recovery",
      get("http_protocol 1.0c\n fast_recovery"),
      {},
      { ...http, protocol: "1.0C", fastRecovery: true },
    ],
    [
      "a digest in small letters",
      get("", "digest 9B3A0C85A887A256D6939DA88AABD8CD"),
      {},
      { ...http, urls: [{ ...url, digest: "9b3a0c85a887a256d6939da88aabd8cd" }] },
    ],
    ["a digest of the wrong length is none", get("", "digest 9b3a"), {}, http],
    [
      "codes and ranges",
      get("", "status_code 200 301-303 404"),
      {},
      {
        ...http,
        urls: [
          {
            ...url,
            statusCodes: [
              [200, 200],
              [301, 303],
              [404, 404],
            ],
          },
        ],
      },
    ],
    [
      "one code up to 2.0.16",
      get("", "status_code 404"),
      { release: [2, 0, 16] },
      { ...http, urls: [{ ...url, statusCodes: [[404, 404]] }] },
    ],
    [
      "a regex",
      get("", 'regex "a b"\n regex_no_match\n regex_options caseless dotall\n regex_min_offset 3\n regex_max_offset 9'),
      {},
      {
        ...http,
        urls: [
          {
            ...url,
            regex: { pattern: "a b", noMatch: true, options: ["caseless", "dotall"], minOffset: 3, maxOffset: 9 },
          },
        ],
      },
    ],
    ["no regex before 2.0.7", get("", "regex a"), { release: [2, 0, 6] }, http],
    [
      "the virtual server's host name",
      get(""),
      { virtual: "virtualhost vs.example" },
      { ...http, urls: [{ ...url, virtualhost: "vs.example" }] },
    ],
    [
      "the real server's over it",
      get(""),
      { virtual: "virtualhost vs.example", real: "virtualhost rs.example" },
      { ...http, urls: [{ ...url, virtualhost: "rs.example" }] },
    ],
    [
      "the checker's over it",
      get("virtualhost c.example"),
      { real: "virtualhost rs.example" },
      { ...http, urls: [{ ...url, virtualhost: "c.example" }] },
    ],
    [
      "the url's over all",
      get("virtualhost c.example", "virtualhost u.example"),
      {},
      { ...http, urls: [{ ...url, virtualhost: "u.example" }] },
    ],
    [
      "a name in the handshake, when asked for",
      get("enable_sni", "virtualhost u.example").replace("HTTP_GET", "SSL_GET"),
      {},
      { ...http, tls: true, urls: [{ ...url, virtualhost: "u.example", serverName: "u.example" }] },
    ],
    [
      "not the real server's",
      get("enable_sni").replace("HTTP_GET", "SSL_GET"),
      { real: "virtualhost rs.example" },
      { ...http, tls: true, urls: [{ ...url, virtualhost: "rs.example" }] },
    ],
    [
      "SMTP_CHECK: port 25",
      "SMTP_CHECK {\n}",
      {},
      { kind: "smtp", heloName: "smtpchecker.keepalived.org", hosts: [{ ...to, port: 25 }] },
    ],
    [
      "or its hosts",
      "SMTP_CHECK {\n helo_name lb1\n host {\n connect_port 2525\n }\n host {\n connect_ip 10.99.0.12\n }\n }",
      {},
      {
        kind: "smtp",
        heloName: "lb1",
        hosts: [
          { ...to, port: 2525 },
          { ...to, address: "10.99.0.12", port: 25 },
        ],
      },
    ],
    [
      "DNS_CHECK: the root's SOA, port 53",
      "DNS_CHECK {\n}",
      {},
      { kind: "dns", to: { ...to, port: 53 }, type: "SOA", name: "." },
    ],
    [
      "or what is named",
      "DNS_CHECK {\n connect_port 5353\n type AAAA\n name www.example.org\n}",
      {},
      { kind: "dns", to: { ...to, port: 5353 }, type: "AAAA", name: "www.example.org" },
    ],
    [
      "UDP_CHECK",
      "UDP_CHECK {\n}",
      {},
      { kind: "udp", to, payload: undefined, requireReply: false, reply: [], minReplyLength: 0, maxReplyLength: 255 },
    ],
    [
      "hexadecimal in free form",
      "UDP_CHECK {\n payload Ab12f 3 456\n require_reply 0X Xf\n min_reply_length 2\n max_reply_length 9\n}",
      {},
      {
        kind: "udp",
        to,
        payload: [0xab, 0x12, 0x0f, 0x03, 0x45, 0x06],
        requireReply: true,
        reply: [
          { value: 0, mask: 0xf0 },
          { value: 0x0f, mask: 0x0f },
        ],
        minReplyLength: 2,
        maxReplyLength: 9,
      },
    ],
    [
      "MISC_CHECK: the virtual server's loop as its time",
      'MISC_CHECK {\n misc_path "/usr/bin/check -a b"\n misc_dynamic\n user nobody nogroup\n}',
      { virtual: "delay_loop 9" },
      {
        kind: "misc",
        command: { event: "misc_path", words: ["/usr/bin/check", "-a", "b"], user: "nobody nogroup" },
        timeoutUs: 9e6,
        dynamic: true,
      },
    ],
    [
      "FILE_CHECK: the file's weight",
      "FILE_CHECK {\n track_file F\n}",
      { before: "track_file F {\n file /run/f\n weight 5\n}" },
      { kind: "file", file: "F", path: "/run/f", weight: 5, reverse: false },
    ],
    [
      "or its own",
      "FILE_CHECK {\n track_file F\n weight -200 reverse\n}",
      { before: "track_file F {\n file /run/f\n weight 5\n}" },
      { kind: "file", file: "F", path: "/run/f", weight: -200, reverse: true },
    ],
    [
      "BFD_CHECK",
      "BFD_CHECK {\n name B\n}",
      { before: "bfd_instance B {\n neighbor_ip 10.0.0.1\n}" },
      { kind: "bfd", bfd: "B" },
    ],
  ])("%s", (_what, block, around, check) => {
    expect(checker(block, around)?.check).toEqual(check);
  });

  test.each<[what: string, block: string, around?: Parameters<typeof checker>[1]]>([
    ["HTTP_GET without url", "HTTP_GET {\n}"],
    ["HTTP_GET with a url without path", "HTTP_GET {\n url {\n digest 9b3a0c85a887a256d6939da88aabd8cd\n }\n }"],
    ["a link-local target without interface", "TCP_CHECK {\n connect_ip fe80::1\n}"],
    ["MISC_CHECK without command", "MISC_CHECK {\n}"],
    ["FILE_CHECK of an unknown file", "FILE_CHECK {\n track_file F\n}"],
    ["BFD_CHECK of an unknown session", "BFD_CHECK {\n name B\n}"],
    ["PING_CHECK before 2.1", "PING_CHECK {\n}", { release: [2, 0, 20] }],
  ])("%s is dropped", (_what, block, around) => {
    expect(checker(block, around)).toBeUndefined();
  });
});

describe("a virtual server", () => {
  test("has a sorry server, quorum commands and omega", () => {
    const [server] = servers(
      'virtual_server fwmark 7 {\n omega\n quorum_up "/bin/up a"\n quorum_down /bin/down root\n sorry_server 10.99.0.99 81\n sorry_server_inhibit\n real_server 10.99.0.11 80 {\n notify_up /bin/rs\n }\n}\n',
    );
    expect(server).toMatchObject({
      kind: "fwmark",
      fwmark: 7,
      omega: true,
      sorry: { address: "10.99.0.99", port: 81, inhibit: true },
      quorumUp: { words: ["/bin/up", "a"] },
      quorumDown: { words: ["/bin/down"], user: "root" },
      realServers: [{ notify: [{ event: "notify_up", words: ["/bin/rs"] }] }],
    });
  });

  test("of a group has the group's entries", () => {
    const [server] = servers(
      "virtual_server_group web {\n 10.99.0.100 80\n 10.99.1.1-9 80\n 2001:DB8::1/126 80\n fwmark 3\n nonsense\n}\nvirtual_server group web {\n real_server 10.99.0.11 80 {\n }\n}\n",
    );
    expect(server).toMatchObject({
      group: "web",
      groupEntries: [
        { kind: "address", first: "10.99.0.100", last: undefined, port: 80 },
        { kind: "address", first: "10.99.1.1", last: "9", port: 80 },
        { kind: "address", first: "2001:db8::1", last: "126", port: 80 },
        { kind: "fwmark", fwmark: 3 },
      ],
    });
  });
});
