import { NEWEST_RELEASE, parseRelease, type Release } from "../conf/version.ts";
import { isSince } from "./options.ts";

/** What a keepalived binary says of itself: `keepalived -v`, and `keepalived -h` where the path matters. */
export interface KeepalivedBuild {
  readonly release: Release;
  /** `Config options`, e.g. `VRRP LVS BFD SYSTEMD_NOTIFY`; a `NAME=value` word is here as `NAME`. */
  readonly features: ReadonlySet<string>;
  /** The file that is read without `-f`. */
  readonly defaultFile: string;
  /** Read when that one is missing (2.2.5 on, builds with another prefix). */
  readonly deprecatedFile?: string;
  /** Directory of the pid files. */
  readonly runDir: string;
}

const CLASSIC_FILE = "/etc/keepalived/keepalived.conf";

/**
 * @param version  what `keepalived -v` prints, on stderr
 * @param help     what `keepalived -h` prints: the only place that names the default files for certain
 * @returns undefined when the text is not keepalived's
 */
export function readBuild(version: string, help = ""): KeepalivedBuild | undefined {
  const release = parseRelease(/^Keepalived v(\S{1,20})/m.exec(version)?.[1] ?? "");
  if (!release) return undefined;
  const words = (/^Config options:(.*)$/m.exec(version)?.[1] ?? "").split(/\s+/).filter(Boolean);
  const configure = /^configure options:(.*)$/m.exec(version)?.[1] ?? "";
  const option = (name: string): string | undefined => {
    const at = configure.indexOf(` --${name}=`);
    if (at < 0) return undefined;
    return (configure.slice(at + name.length + 4).split(/\s/, 1)[0] ?? "").replace(/^'|'$/g, "");
  };
  const prefix = option("prefix") ?? "/usr/local";
  const directory = (text: string): string => text.replaceAll("${prefix}", prefix).replaceAll("${sysconfdir}", sysconf);
  const sysconf: string = (option("sysconfdir") ?? "${prefix}/etc").replaceAll("${prefix}", prefix);
  const named = words.find((word) => word.startsWith("DEFAULT_CONFIG_FILE="))?.slice("DEFAULT_CONFIG_FILE=".length);
  const said = [...help.slice(0, 65_536).matchAll(/^ {2,60}(?:default|or) '([^'\n]{1,4096})'$/gm)].map(
    (match) => match[1] ?? "",
  );
  // Up to 2.1.5 the path was fixed; 2.2.0 on it follows --sysconfdir, which a plain build has below its prefix.
  const guessed =
    named === undefined
      ? isSince("2.2.0", release)
        ? `${sysconf}/keepalived/keepalived.conf`
        : CLASSIC_FILE
      : directory(named.replaceAll("$(", "${").replaceAll(")", "}"));
  const defaultFile = said[0] ?? guessed;
  const deprecatedFile =
    said[0] === undefined
      ? isSince("2.2.5", release) && guessed !== CLASSIC_FILE
        ? CLASSIC_FILE
        : undefined
      : said[1];
  const runDir = option("runstatedir") ?? (isSince("2.2.0", release) ? "/run" : "/var/run");
  return {
    release,
    features: new Set(words.map((word) => word.split("=", 1)[0] ?? "")),
    defaultFile,
    runDir: directory(runDir),
    ...(deprecatedFile === undefined || deprecatedFile === defaultFile ? {} : { deprecatedFile }),
  };
}

/** A build of which only the release is known: a distribution's, with everything usual in it. */
export function assumedBuild(release: Release = NEWEST_RELEASE): Omit<KeepalivedBuild, "features"> {
  return { release, defaultFile: CLASSIC_FILE, runDir: isSince("2.2.0", release) ? "/run" : "/var/run" };
}
