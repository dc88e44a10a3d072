import { blocks, flag } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, globalPlace, placeOf, type Rule } from "./rule.ts";

/** Mail: it needs somebody to write to, a server, and something that asks for it. */

/** Lines that ask for mail in so many words. */
function* askers(conf: Conf): Iterable<{ at: Finding["at"]; instance?: string }> {
  const { globals, instances, groups, servers } = conf;
  for (const keyword of ["smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker"])
    if (flag(globals, keyword)) yield { at: globalPlace(conf, keyword) };
  for (const one of instances)
    if (flag(one.nodes, "smtp_alert")) yield { at: placeOf(one, "smtp_alert"), instance: one.value.name };
  for (const one of [...groups, ...servers])
    if (flag(one.nodes, "smtp_alert")) yield { at: placeOf(one, "smtp_alert") };
}

const hasRecipient = ({ running }: Conf): boolean => (running.globals.mail?.to.length ?? 0) > 0;

const emptyLists = ({ globals }: Conf): ConfNode[] =>
  blocks(globals, "notification_email").filter(({ children }) => children?.length === 0);

function* empty(conf: Conf): Iterable<Finding> {
  for (const { keyword } of emptyLists(conf))
    yield {
      code: "email_invalid",
      at: keyword.at,
      message: `this notification_email has no address in it: ${hasRecipient(conf) ? "it adds nobody" : "no mail is ever sent"}`,
    };
}

function* neverSent(conf: Conf): Iterable<Finding> {
  const { mail } = conf.running.globals;
  const isRecipientMissing = !hasRecipient(conf) && emptyLists(conf).length === 0;
  const lacks = [
    ...(isRecipientMissing ? ["notification_email"] : []),
    ...(mail?.host === undefined ? ["smtp_server"] : []),
  ];
  if (lacks.length === 0) return;
  const [first] = askers(conf);
  if (first)
    yield {
      code: "mail_never_sent",
      ...first,
      message: `there is no ${lacks.join(" and no ")} in global_defs: no mail is ever sent`,
      fix: `Set ${lacks.join(" and ")} in global_defs`,
    };
  else if (hasRecipient(conf))
    yield {
      code: "mail_never_sent",
      at: globalPlace(conf, "notification_email"),
      message: "there is no smtp_server in global_defs: no mail is ever sent",
      fix: "Set smtp_server in global_defs",
    };
}

/** Without smtp_alert a change of an instance is told to nobody; real servers tell theirs by default. */
function* neverAsked(conf: Conf): Iterable<Finding> {
  const { globals, virtualServers } = conf.running;
  if (!globals.mail?.host || globals.mail.to.length === 0) return;
  const asks = [...askers(conf)].length > 0 || (virtualServers.length > 0 && globals.smtpAlert.realServers);
  if (!asks && conf.instances.length > 0)
    yield {
      code: "mail_never_asked",
      at: globalPlace(conf, "notification_email"),
      message: "nothing asks for mail: vrrp_instances send none without smtp_alert",
    };
}

export const mailRules: readonly Rule[] = [empty, neverSent, neverAsked];
