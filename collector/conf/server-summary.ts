import type { ConfiguredService } from "../events/event.ts";
import type { VirtualServerSummary } from "./cluster.ts";
import type { VirtualServer } from "./model/types.ts";

/** What tells one virtual server of a node from another. */
export const serverName = ({ name, protocol, kind }: VirtualServer): string =>
  kind === "address" ? `${name} ${protocol}` : name;

/** What the nodes of a pair must have in common of a virtual server. */
export function summaryOf(server: VirtualServer): VirtualServerSummary {
  const settings = new Map<string, string>([
    ["lb_algo", server.scheduler],
    ["lb_kind", server.method],
    ["delay_loop", `${server.delayLoopUs / 1e6} s`],
    ["quorum", String(server.quorum)],
    ["hysteresis", String(server.hysteresis)],
    ["sorry_server", server.sorryServer ?? "none"],
    ["persistence_timeout", server.persistenceUs === undefined ? "none" : `${server.persistenceUs / 1e6} s`],
  ]);
  for (const { address, port, weight, checkers } of server.realServers)
    settings.set(
      `real_server ${address}${port === undefined ? "" : ` ${port}`}`,
      `weight ${weight}, ${checkers.map(({ kind }) => kind).join(" and ") || "no checker"}`,
    );
  return { file: server.at.file, line: server.at.line, settings };
}

/** Most settings of all virtual servers that are told with a configuration: beyond that only the names are. */
const SETTINGS_MAX = 20_000;
const VALUE_MAX_CHARS = 255;

/** The same for an event; undefined where that would be too much for one. */
export function configuredServices(servers: readonly VirtualServer[]): ConfiguredService[] | undefined {
  const services = servers.map((server): ConfiguredService => {
    const { file, line, settings } = summaryOf(server);
    return {
      name: serverName(server).slice(0, VALUE_MAX_CHARS),
      file: file.slice(0, 4096),
      line,
      settings: [...settings].map(([of, is]) => ({
        of: of.slice(0, VALUE_MAX_CHARS),
        is: is.slice(0, VALUE_MAX_CHARS),
      })),
    };
  });
  const count = services.reduce((sum, { settings }) => sum + settings.length, 0);
  return services.length > 0 && count <= SETTINGS_MAX ? services : undefined;
}
