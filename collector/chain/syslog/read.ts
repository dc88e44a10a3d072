import type { ChainTree } from "../files.ts";
import type { SyslogLine, SyslogRules } from "./line.ts";
import { LegacyRules } from "./rsyslog.ts";
import { readSyslogNg } from "./syslog-ng.ts";

/** Reads the rules of whichever syslog daemon the node has; undefined when there is none. */
export function readSyslog(tree: ChainTree, line: SyslogLine): SyslogRules | undefined {
  if (tree.isFile("/etc/rsyslog.conf")) return new LegacyRules(tree, line, "rsyslog").result("/etc/rsyslog.conf");
  if (tree.isFile("/etc/syslog-ng/syslog-ng.conf")) return readSyslogNg(tree, line, "/etc/syslog-ng/syslog-ng.conf");
  if (tree.isFile("/etc/syslog.conf")) return new LegacyRules(tree, line, "syslogd").result("/etc/syslog.conf");
  return undefined;
}
