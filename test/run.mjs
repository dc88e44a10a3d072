// `npm test`: sets up all it needs, then runs the tests. Arguments go to vitest: `npm test -- test/server`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, checkNode, installPackages, must, root } from "../server/bootstrap.mjs";

/** Programs the tests hold keepwatch against, and the Debian packages that bring them. */
const PROGRAMS = {
  keepalived: "keepalived",
  tcpdump: "tcpdump",
  tshark: "tshark",
  rsyslogd: "rsyslog",
  "lmnsd_gtls.so": "rsyslog-gnutls",
  "lmnsd_ossl.so": "rsyslog-openssl",
  logrotate: "logrotate",
  "mkfs.ext4": "e2fsprogs",
  ip: "iproute2",
  nft: "nftables",
  nginx: "nginx-light",
  killall: "psmisc",
  chromium: "chromium",
  unshare: "util-linux",
  zstd: "zstd",
  xz: "xz-utils",
  bzip2: "bzip2",
  openssl: "openssl",
  dnsmasq: "dnsmasq-base",
  socat: "socat",
  ping: "iputils-ping",
  pcre2test: "pcre2-utils",
  "prometheus-alertmanager": "prometheus-alertmanager",
  exim4: "exim4-daemon-light",
  promtool: "prometheus",
};

checkNode();
installPackages();
installPrograms();
build();
const { status } = spawnSync(join(root, "node_modules/.bin/vitest"), ["run", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);

function installPrograms() {
  const missing = Object.keys(PROGRAMS).filter((program) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => PROGRAMS[program]))];
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    process.stderr.write(
      `NOT INSTALLED: ${missing.join(", ")}. The tests that need them will be skipped. As root on Debian: apt-get install --no-install-recommends ${packages.join(" ")}\n`,
    );
    return;
  }
  process.stderr.write(`installing from Debian: ${packages.join(" ")} …\n`);
  process.env.DEBIAN_FRONTEND = "noninteractive";
  must("apt-get", ["update", "-qq"], "apt-get update");
  must("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], "apt-get install");
}

/** A program, or a module of rsyslog's. */
function isInstalled(program) {
  const looks = `command -v ${program} || test -x /usr/sbin/${program} || ls /usr/lib/*/rsyslog/${program}`;
  return spawnSync("sh", ["-c", looks]).status === 0;
}
