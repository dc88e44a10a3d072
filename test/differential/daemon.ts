import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { NodeFacts } from "../../collector/conf/facts.ts";
import { systemFacts } from "../../collector/sources/node-facts.ts";

/** The files of a configuration, by their name below /etc/keepalived. */
export type CaseFiles = ReadonlyMap<string, { readonly text: Uint8Array; readonly mode: number }>;

/** How one start of the daemon went. */
export interface Start {
  /** `up`: all it read is in use; `exited`: it ended by itself; `idle`: it lives, without a child; `silent`: none of these. */
  readonly outcome: "up" | "exited" | "idle" | "silent";
  readonly lines: readonly string[];
}

/**
 * An instance without a state when the daemon is up waits for its first script, or is the owner of an address, or is none
 * at all: that it never comes is only known after a while, milliseconds.
 */
const LATE_MS = 3_000;
/** A daemon that neither runs nor ends is given up after this long, milliseconds. */
const SILENCE_MS = 15_000;

export const CONF_DIR = "/etc/keepalived";
export const HOSTNAME = "lb1";

const READY = "the host is ready";

/** A host of its own: network, mounts, processes, host name. $1 is its configuration, $2 its /tmp. */
const HOST = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount --bind "$1" ${CONF_DIR}
mount --bind "$2" /tmp
hostname ${HOSTNAME}
ip link set lo up
for i in 0 1; do
  ip link add eth$i address 02:00:00:00:00:0$i type veth peer name wire$i
  ip link set wire$i up
  ip link set eth$i up
done
ip addr add 10.99.0.1/24 dev eth0
ip addr add fd99::1/64 dev eth0 nodad
ip addr add 10.98.0.1/24 dev eth1
shift 2
# As services get by default: an endless include ends at it.
ulimit -n 1024
echo ${READY}
exec "$@"
`;

/** What the host above is, for who reads a configuration without it. Its programs and users are this machine's. */
export const FACTS: NodeFacts = {
  ...systemFacts(),
  hostname: HOSTNAME,
  interfaces: new Map([
    ["lo", { up: true, addresses: ["127.0.0.1/8", "::1/128"] }],
    ["eth0", { up: true, addresses: ["10.99.0.1/24", "fd99::1/64", "fe80::ff:fe00:0/64"] }],
    ["eth1", { up: true, addresses: ["10.98.0.1/24", "fe80::ff:fe00:1/64"] }],
    ["wire0", { up: true, addresses: [] }],
    ["wire1", { up: true, addresses: [] }],
  ]),
};

/**
 * Starts both halves of keepalived, each by itself: without IPVS in the kernel the checkers take the rest down.
 * @param hasAllStates  whether these lines tell a state of every instance that is asked for
 */
export async function startKeepalived(
  files: CaseFiles,
  hasAllStates: (lines: readonly string[]) => boolean,
): Promise<{ readonly vrrp: Start; readonly checkers: Start }> {
  const folder = mkdtempSync(join(tmpdir(), "keepwatch-differential-"));
  try {
    chmodSync(folder, 0o755);
    const conf = join(folder, "conf");
    const tmp = join(folder, "tmp");
    mkdirSync(conf);
    mkdirSync(tmp);
    for (const [name, { text, mode }] of files) {
      mkdirSync(dirname(join(conf, name)), { recursive: true });
      writeFileSync(join(conf, name), text);
      chmodSync(join(conf, name), mode);
    }
    // After `Startup complete` the states of the instances are still on their way; the answer to a signal comes behind them.
    const vrrp = await start([conf, tmp, "-P"], {
      ask: /Startup complete$/,
      up: /Printing VRRP stats for process/,
      isDone: hasAllStates,
    });
    const checkers = await start([conf, tmp, "-C"], { up: /(?:Initializing ipvs|Startup complete)$/ });
    return { vrrp, checkers };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const IDLE = /keepalived has no configuration to run$/;
/** A child that crashes is started again and again. */
const CRASH = /died: Respawning$/;

function start(
  [conf, tmp, option]: readonly [string, string, string],
  {
    ask,
    up,
    isDone = () => true,
  }: { readonly ask?: RegExp; readonly up: RegExp; readonly isDone?: (lines: readonly string[]) => boolean },
): Promise<Start> {
  const isolation = ["-n", "-m", "-p", "-u", "--fork", "--kill-child", "--mount-proc"];
  const daemon = ["keepalived", "-n", "-l", "-D", option, "-f", `${CONF_DIR}/keepalived.conf`];
  const child = spawn("unshare", [...isolation, "sh", "-c", HOST, "sh", conf, tmp, ...daemon], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    let outcome: Start["outcome"] | undefined;
    const end = (how: Start["outcome"]): void => {
      outcome ??= how;
      child.kill("SIGKILL");
    };
    let isUp = false;
    let late: NodeJS.Timeout | undefined;
    const silence = setTimeout(() => end("silent"), SILENCE_MS);
    eachLine(child, (line) => {
      if (outcome !== undefined) return;
      if (up.test(line)) {
        isUp = true;
        late = setTimeout(() => end("up"), LATE_MS);
      } else lines.push(line);
      if (isUp && isDone(lines)) end("up");
      if (ask?.test(line)) askStatistics(child);
      else if (IDLE.test(line)) end("idle");
      else if (CRASH.test(line)) end("exited");
    });
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(silence);
      clearTimeout(late);
      if (lines.shift() !== READY) return reject(new Error(`the host was not built: ${lines.join("; ")}`));
      resolve({ outcome: outcome ?? "exited", lines });
    });
  });
}

/** `unshare` has one child: the host's process 1, which became keepalived. */
function askStatistics({ pid = 0 }: ChildProcess): void {
  try {
    const keepalived = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
    if (keepalived > 0) process.kill(keepalived, "SIGUSR2");
  } catch {
    // It has ended in the meantime.
  }
}

function eachLine(child: ChildProcess, onLine: (line: string) => void): void {
  for (const pipe of [child.stdout, child.stderr]) {
    let rest = "";
    pipe?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
    });
    pipe?.on("end", () => {
      if (rest !== "") onLine(rest);
    });
  }
}
