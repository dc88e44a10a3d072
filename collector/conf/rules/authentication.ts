import { entriesOf, last, valueOf } from "../model/read.ts";
import { compareReleases } from "../version.ts";
import type { Conf, Finding, Rule } from "./rule.ts";

/** Authentication that is not used, or not as it is written. No message ever holds a password. */

const PASSWORD_BYTES = 8;
const AUTH_HMAC_SINCE = [2, 4, 0] as const;

function* dropped({ instances }: Conf): Iterable<Finding> {
  for (const { block, nodes, value } of instances) {
    const lines = entriesOf(nodes, "authentication");
    const type = lines.findLast(
      ({ keyword, values }) => keyword.text === "auth_type" && ["PASS", "AH"].includes(values[0]?.text ?? ""),
    );
    const instance = value.name;
    const unauthenticated = `vrrp_instance ${instance} sends and accepts adverts without authentication`;
    const password = valueOf(lines, "auth_pass");
    if (!type) {
      if (password !== undefined && !last(lines, "auth_type"))
        yield {
          code: "auth_no_type",
          at: last(lines, "auth_pass")?.keyword.at ?? block.keyword.at,
          message: `auth_pass without auth_type: ${unauthenticated}`,
          instance,
        };
      continue;
    }
    const name = type.values[0]?.text ?? "";
    const found = (code: string, message: string): Finding => ({ code, at: type.keyword.at, message, instance });
    if (password === undefined) yield found("auth_no_password", `auth_type without auth_pass: ${unauthenticated}`);
    else if (value.version === 3) yield found("auth_v3_ignored", `version 3 has no authentication: ${unauthenticated}`);
    else if (value.strict) yield found("auth_strict_ignored", `strict mode has no authentication: ${unauthenticated}`);
    else if (value.family === "ipv6")
      yield name === "AH"
        ? found("auth_ah_ipv6", `AH cannot be used with IPv6: ${unauthenticated}`)
        : found("auth_ipv6", `adverts over IPv6 have no room for a password: ${unauthenticated}`);
    else if (name === "AH" && value.configuredState === "MASTER" && value.priority !== 255)
      yield found(
        "auth_ah_master",
        `AH does not go with state MASTER: vrrp_instance ${instance} starts as BACKUP, with priority ${value.priority}`,
      );
  }
}

function* truncated({ instances }: Conf): Iterable<Finding> {
  for (const { nodes, value } of instances) {
    const line = last(entriesOf(nodes, "authentication"), "auth_pass");
    const bytes = Buffer.byteLength(line?.values[0]?.text ?? "");
    if (line && bytes > PASSWORD_BYTES)
      yield {
        code: "auth_pass_truncated",
        at: line.keyword.at,
        message: `only the first ${PASSWORD_BYTES} of its ${bytes} characters count`,
        instance: value.name,
      };
  }
}

function* hmacAndPassword({ instances, release }: Conf): Iterable<Finding> {
  for (const { nodes, value } of instances) {
    const line = last(nodes, "auth_hmac");
    if (!line) continue;
    const keys = (line.children ?? []).filter(({ keyword }) => keyword.text === "key");
    const active = valueOf(line.children ?? [], "active_key");
    const instance = value.name;
    if (compareReleases(release, AUTH_HMAC_SINCE) < 0) continue;
    if (last(nodes, "authentication"))
      yield {
        code: "auth_hmac",
        at: last(nodes, "authentication")?.keyword.at ?? line.keyword.at,
        message: `authentication is dropped beside auth_hmac in vrrp_instance ${instance}: a peer without auth_hmac refuses its adverts`,
        instance,
      };
    if (active !== undefined && !keys.some(({ values }) => values[0]?.text === active))
      yield {
        code: "auth_hmac",
        at: last(line.children ?? [], "active_key")?.keyword.at ?? line.keyword.at,
        message: `active_key names no key of vrrp_instance ${instance}: auth_hmac is switched off`,
        fix: "Name the id of one of the keys",
        instance,
      };
  }
}

export const authenticationRules: readonly Rule[] = [dropped, truncated, hmacAndPassword];
