import type { RealServer, VirtualServer } from "../conf/model/server-types.ts";
import { compareReleases, type Release } from "../conf/version.ts";

/** First release that writes a service's protocol: before it UDP reads as TCP, and so it does here. */
const PROTOCOL_SINCE: Release = [1, 4, 0];
const SUFFIXES = { TCP: "", UDP: "/udp", SCTP: "/sctp" } as const;

const suffixOf = ({ protocol }: VirtualServer, release: Release): string =>
  compareReleases(release, PROTOCOL_SINCE) < 0 ? "" : SUFFIXES[protocol];

/** The port of a real server: its own, else the virtual server's; only NAT can have another than that. */
export function portOf(virtual: VirtualServer, { method, port }: RealServer): number | undefined {
  return method === "NAT" ? (port ?? virtual.port) : (virtual.port ?? port);
}

/** A virtual server under the name that the log's events have for it. */
export function virtualServerName(virtual: VirtualServer, release: Release): string {
  if (virtual.kind === "fwmark") return `FWM ${virtual.fwmark ?? 0}`;
  const host = virtual.kind === "group" ? (virtual.group ?? "").slice(0, 200) : virtual.address;
  return `[${host}]:${virtual.port ?? 0}${suffixOf(virtual, release)}`;
}

/** A real server of it under the name that the log's events have for it. */
export function realServerName(virtual: VirtualServer, real: RealServer, release: Release): string {
  return serviceName(virtual, real.address, portOf(virtual, real), release);
}

export function serviceName(
  virtual: VirtualServer,
  address: string,
  port: number | undefined,
  release: Release,
): string {
  return `[${address}]:${port ?? 0}${suffixOf(virtual, release)}`;
}
