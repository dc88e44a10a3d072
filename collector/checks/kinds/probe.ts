import type { Checker } from "../../conf/model/server-types.ts";
import type { Release } from "../../conf/version.ts";
import type { ProbeResult } from "../checker.ts";
import { probeDns } from "./dns.ts";
import { probeHttp } from "./http.ts";
import { probeMisc } from "./misc.ts";
import { probePing } from "./ping.ts";
import { probeSmtp } from "./smtp.ts";
import { probeTcp } from "./tcp.ts";
import { probeUdp } from "./udp.ts";

/** What one probe found, and what is worth telling of it. */
export interface Probed {
  readonly result: ProbeResult;
  /** HTTP status, DNS response code, exit status. */
  readonly status?: number;
  readonly url?: string;
  /** What a MISC_CHECK with misc_dynamic makes of the server's weight: to be added to the configured one. */
  readonly added?: number;
}

export interface ProbeRequest {
  readonly checker: Checker;
  /** Which of its urls or hosts. */
  readonly target: number;
  /** The checker holds its server for up. */
  readonly isUp: boolean;
  /** The configured weight of its server. */
  readonly weight: number;
  readonly release: Release;
}

export interface ProbeOptions {
  /** Oldest TLS that keepalived's own OpenSSL takes on this node. */
  readonly tlsMin: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

/** Makes one probe, and always comes to an end: within three times the checker's connect_timeout, or its misc_timeout. */
export async function probe(request: ProbeRequest, options: ProbeOptions, signal: AbortSignal): Promise<Probed> {
  const { check, connectTimeoutUs } = request.checker;
  const ms = Math.max(1, Math.round(connectTimeoutUs / 1000));
  switch (check.kind) {
    case "tcp":
      return { result: await probeTcp(check.to, ms, signal) };
    case "http":
      return probeHttp(check, request, { ms, tlsMin: options.tlsMin, signal });
    case "smtp":
      return probeSmtp(check.hosts[request.target], check.heloName, ms, signal);
    case "dns":
      return probeDns(check, ms, signal);
    case "udp":
      return { result: await probeUdp(check, ms, signal) };
    case "ping":
      return { result: await probePing(check.to, ms, signal) };
    case "misc":
      return probeMisc(check, request.weight, signal);
    case "file":
    case "bfd":
      return { result: { kind: "unable", why: "it is not probed" } };
  }
}
