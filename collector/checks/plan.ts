import type { Checker, RealServer, VirtualServer } from "../conf/model/server-types.ts";
import type { Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import type { Checker as CheckerWord } from "../events/vocabulary.ts";
import { realServerName, serviceName, virtualServerName } from "./names.ts";
import type { PoolSettings } from "./pool.ts";
import { translatePcre } from "./regex.ts";

/** What the shadow does about each checker of a configuration: which it probes, which it leaves to the log, and why. */
export interface Plan {
  readonly release: Release;
  readonly pools: readonly PoolPlan[];
  /** Virtual servers that keepalived passes over, and why. */
  readonly ignored: readonly string[];
}

export interface PoolPlan {
  readonly virtual: VirtualServer;
  readonly name: string;
  readonly settings: PoolSettings;
  readonly servers: readonly ServerPlan[];
}

export interface ServerPlan {
  readonly real: RealServer;
  readonly name: string;
  /** The shortest loop of its checkers: what the load guard counts by. Microseconds. */
  readonly delayLoopUs: number;
  readonly checkers: readonly CheckerPlan[];
}

export interface CheckerPlan {
  readonly checker: Checker;
  /** As the log's events name it. */
  readonly word: CheckerWord;
  /** `log`: its verdicts are taken from what keepalived logs; `file`: from the file's number. */
  readonly by: "probe" | "log" | "file";
  /** Why it is not probed. */
  readonly why: string | undefined;
}

export interface PlanSettings {
  /** Programs of MISC_CHECKs that may be run, by path. */
  readonly scripts: readonly string[];
}

const WORDS: Readonly<Record<Checker["check"]["kind"], CheckerWord>> = {
  tcp: "TCP",
  ping: "PING",
  http: "HTTP",
  smtp: "SMTP",
  dns: "DNS",
  udp: "UDP",
  misc: "MISC",
  file: "FILE",
  bfd: "BFD",
};

export function planOf(
  { virtualServers }: Pick<Running, "virtualServers">,
  release: Release,
  settings: PlanSettings,
): Plan {
  const ignored: string[] = [];
  const pools = virtualServers.flatMap((virtual): PoolPlan[] => {
    const why = whyIgnored(virtual);
    if (why === undefined) return [poolOf(virtual, release, settings)];
    ignored.push(`virtual_server ${virtual.name}: ${why}`);
    return [];
  });
  return { release, pools, ignored };
}

function whyIgnored({ kind, address, groupEntries, realServers }: VirtualServer): string | undefined {
  if (kind === "address" && address === undefined) return "it has no address";
  if (kind === "group" && groupEntries.length === 0) return "its group has no entries";
  return realServers.length === 0 ? "it has no real server" : undefined;
}

function poolOf(virtual: VirtualServer, release: Release, settings: PlanSettings): PoolPlan {
  const servers = virtual.realServers.map((real): ServerPlan => {
    const checkers = real.checkers.map((checker) => checkerPlanOf(checker, settings));
    return {
      real,
      name: realServerName(virtual, real, release),
      delayLoopUs: Math.min(virtual.delayLoopUs, ...real.checkers.map(({ delayLoopUs }) => delayLoopUs)),
      checkers,
    };
  });
  const { quorum, hysteresis, sorry } = virtual;
  return {
    virtual,
    name: virtualServerName(virtual, release),
    servers,
    settings: {
      quorum,
      hysteresis,
      sorry: sorry && {
        name: serviceName(virtual, sorry.address, sorry.port ?? virtual.port, release),
        inhibit: sorry.inhibit,
      },
      servers: servers.map(({ name, real: { weight, inhibitOnFailure }, checkers }) => ({
        name,
        weight,
        inhibitOnFailure,
        // Of what is not probed nothing is known at the start, and nothing is held against the server.
        checkers: checkers.map(({ by, checker }) => ({ up: by !== "probe" || !checker.alpha })),
      })),
    },
  };
}

function checkerPlanOf(checker: Checker, settings: PlanSettings): CheckerPlan {
  const { check } = checker;
  const word = check.kind === "http" && check.tls ? "SSL" : WORDS[check.kind];
  if (check.kind === "file") return { checker, word, by: "file", why: undefined };
  const why = whyNotProbed(checker, settings);
  return { checker, word, by: why === undefined ? "probe" : "log", why };
}

function whyNotProbed({ check, kind }: Checker, { scripts }: PlanSettings): string | undefined {
  switch (check.kind) {
    case "bfd":
      return "a BFD session has two ends, and keepalived is one of them";
    case "file":
      return undefined;
    case "misc": {
      const [program = ""] = check.command.words;
      return scripts.includes(program) ? undefined : `${program} is not listed in checks.scripts`;
    }
    case "http":
      return regexFault(check.urls);
    case "tcp":
    case "udp":
    case "dns":
      return check.to.port === undefined ? `${kind} has no port to connect to` : undefined;
    case "smtp":
    case "ping":
      return undefined;
  }
}

function regexFault(urls: readonly { readonly regex: { pattern: string; options: readonly string[] } | undefined }[]) {
  for (const { regex } of urls) {
    const translated = regex && translatePcre(regex.pattern, regex.options);
    if (translated && "unsupported" in translated) return `its regex is unsupported: ${translated.unsupported}`;
  }
  return undefined;
}

/** For the status line: what is not probed, each with its reason. */
export function leftToLog({ pools }: Plan): string[] {
  return pools.flatMap(({ name, servers }) =>
    servers.flatMap((server) =>
      server.checkers.flatMap(({ checker, why }) =>
        why === undefined ? [] : [`${checker.kind} of ${server.name} of ${name}: ${why}`],
      ),
    ),
  );
}
