import { normaliseAddress } from "../../core/address.ts";
import { blocks, familyOf, integer, isLinkLocal, last, readValue, valueOf } from "../model/read.ts";
import { CHECKER_KEYWORDS } from "../model/checkers.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, type Rule, seconds, shown } from "./rule.ts";
import { nameOf, realServers, type Server, wordAt } from "./servers.ts";

/** Health checks that check nothing, or always fail. */

function* unchecked({ servers }: Conf): Iterable<Finding> {
  for (const server of servers)
    for (const real of realServers(server))
      if (blocks(real.children ?? [], ...CHECKER_KEYWORDS).length === 0)
        yield {
          code: "rs_unchecked",
          at: real.keyword.at,
          message: `real_server ${wordAt(real, 0)} of ${nameOf(server)} has no check: it counts as up whatever happens`,
        };
}

function* checks(conf: Conf): Iterable<Finding> {
  for (const server of conf.servers)
    for (const real of realServers(server))
      for (const check of blocks(real.children ?? [], ...CHECKER_KEYWORDS)) {
        yield* connection(real, check);
        yield* references(conf, server, check);
        yield* incomplete(check);
      }
}

/** Where a check goes to, and from where. */
function* connection(real: ConfNode, check: ConfNode): Iterable<Finding> {
  const nodes = check.children ?? [];
  const target = normaliseAddress(valueOf(nodes, "connect_ip") ?? wordAt(real, 0));
  const from = normaliseAddress(valueOf(nodes, "bindto") ?? "");
  const where = last(nodes, "connect_ip") ?? check;
  if (target !== undefined && isLinkLocal(target) && !last(nodes, "bind_if") && check.keyword.text !== "MISC_CHECK")
    yield {
      code: "ll_needs_if",
      at: where.keyword.at,
      message: `${check.keyword.text} of the link-local address ${target} has no bind_if, and is dropped: the real server counts as up, unchecked`,
    };
  if (target !== undefined && from !== undefined && familyOf(target) !== familyOf(from))
    yield {
      code: "check_bind_ignored",
      at: (last(nodes, "bindto") ?? check).keyword.at,
      message: `bindto ${from} is of another address family than ${target}, and is ignored`,
    };
  const shortest = readValue(nodes, "min_reply_length", integer(0, 65535));
  const longest = readValue(nodes, "max_reply_length", integer(0, 65535)) ?? 255;
  if (shortest !== undefined && shortest > longest)
    yield {
      code: "check_always_fails",
      at: (last(nodes, "min_reply_length") ?? check).keyword.at,
      message: `no reply is at least ${shortest} and at most ${longest} bytes long: the check always fails, and the real server is never used`,
    };
}

/** Names of a bfd_instance or a track_file, which must stand before. */
function* references({ definitions }: Conf, server: Server, check: ConfNode): Iterable<Finding> {
  const nodes = check.children ?? [];
  const [kind, keyword] =
    check.keyword.text === "BFD_CHECK"
      ? (["bfd", "name"] as const)
      : check.keyword.text === "FILE_CHECK"
        ? (["file", "track_file"] as const)
        : [undefined, ""];
  if (kind === undefined) return;
  const name = valueOf(nodes, keyword);
  const defined = name === undefined ? undefined : definitions[kind].get(name);
  if (defined && defined.index < server.index) return;
  const what = kind === "bfd" ? "bfd_instance" : "track_file";
  yield {
    code: kind === "bfd" ? "bfd_config" : "file_config",
    at: (last(nodes, keyword) ?? check).keyword.at,
    message: `this ${check.keyword.text} ${
      name === undefined ? `names no ${what}` : `names ${what} ${shown(name)}, which is not defined before it`
    }: it is dropped, and the real server counts as up, unchecked`,
  };
}

/** What a check goes by, and does not have. */
function* incomplete({ keyword, children }: ConfNode): Iterable<Finding> {
  const nodes = children ?? [];
  const found = (code: string, at: Finding["at"], message: string, fix?: string): Finding => ({
    code,
    at,
    message,
    ...(fix === undefined ? {} : { fix }),
  });
  switch (keyword.text) {
    case "MISC_CHECK":
      if (valueOf(nodes, "misc_path") === undefined)
        yield found(
          "misc_config",
          keyword.at,
          "this MISC_CHECK has no misc_path: the real server counts as up, unchecked",
        );
      return;
    case "HTTP_GET":
    case "SSL_GET":
      if (!last(nodes, "url"))
        yield found("http_no_url", keyword.at, `this ${keyword.text} has no url, and checks nothing`);
      for (const url of blocks(nodes, "url"))
        if (!last(url.children ?? [], "path"))
          yield found(
            "http_no_url",
            url.keyword.at,
            `this url of ${keyword.text} has no path, and is dropped`,
            "Give it a path",
          );
      return;
    case "SMTP_CHECK": {
      const host = last(nodes, "host");
      if (host?.children)
        yield found(
          "smtp_host_block",
          host.keyword.at,
          "the host block of SMTP_CHECK is an old form: each one becomes a check of its own",
        );
      return;
    }
    default:
      return;
  }
}

/** A failing server is found later than the checks suggest. */
function* slow({ servers }: Conf): Iterable<Finding> {
  for (const { value } of servers)
    for (const { checkers } of value.realServers)
      for (const { kind, at, connectTimeoutUs, delayLoopUs } of checkers)
        if (
          connectTimeoutUs >= delayLoopUs &&
          delayLoopUs > 0 &&
          !["MISC_CHECK", "BFD_CHECK", "FILE_CHECK"].includes(kind)
        )
          yield {
            code: "check_timeout_long",
            at,
            message: `${kind} waits ${seconds(connectTimeoutUs)} for an answer and is due every ${seconds(delayLoopUs)}: a server that hangs is found later than that`,
          };
}

/** One TLS context serves all SSL_GET checks. */
function* sslBlocks({ roots }: Conf): Iterable<Finding> {
  const [first, ...more] = blocks(roots, "SSL");
  for (const { keyword } of more)
    yield {
      code: "ssl_file_invalid",
      at: keyword.at,
      message: `an SSL block stands in line ${first?.keyword.at.line} already: nothing of it is left`,
    };
}

export const checkRules: readonly Rule[] = [unchecked, checks, slow, sslBlocks];
