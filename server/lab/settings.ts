import { createHash } from "node:crypto";
import { SERVER_ADDRESS } from "./network.ts";

/** What the laboratory's own server and collectors are told. */

const SERVER_PORT = 8080;
export const WEBHOOK_PORT = 8081;

export function tokenOf(node: string, secret: string): string {
  return createHash("sha256").update(`${secret}/${node}`).digest("hex");
}

export interface ServerSettings {
  readonly socket: string;
  readonly store: string;
  readonly secret: string;
  readonly nodes: readonly string[];
  /** Mail by keepalived's own settings. */
  readonly mail: boolean;
}

export function serverToml({ socket, store, secret, nodes, mail }: ServerSettings): string {
  const tokens = nodes.map(
    (node) =>
      `[[ingest.tokens]]\nnode = "${node}"\nsha256 = "${createHash("sha256").update(tokenOf(node, secret)).digest("hex")}"\n`,
  );
  return `[listen]
host = "${SERVER_ADDRESS}"
port = ${SERVER_PORT}
socket = "${socket}"

[storage]
path = "${store}"

[alerts]
mail_from_keepalived_conf = ${mail}

[[alerts.webhooks]]
name = "lab"
url = "http://${SERVER_ADDRESS}:${WEBHOOK_PORT}/"
secret = "${secret}"

${tokens.join("\n")}`;
}

export function collectorToml(node: string, secret: string, spool: string): string {
  return `cluster = "lab"
node = "${node}"
heartbeat_seconds = 1

[server]
url = "http://${SERVER_ADDRESS}:${SERVER_PORT}"
token = "${tokenOf(node, secret)}"

[spool]
dir = "${spool}"

[logs]
files = ["/var/log/messages"]
journal = false
`;
}
