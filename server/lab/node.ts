import type { ChildProcess } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OperatorError } from "../../collector/core/errors.ts";
import type { LabNode } from "./network.ts";
import { endProcess, follow, run } from "./shell.ts";

/** Debian's default, as /etc/rsyslog.conf sets it up: the classic format, one second of resolution. */
const RSYSLOG_CONF = `module(load="imuxsock")
global(workDirectory="/run")
$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
*.* /var/log/messages
`;

/**
 * Makes a host of a network namespace: its own hostname, process table, /dev/log, /run, /var/log and /etc/keepalived.
 * Process 1 stays the shell: when it ends, the kernel ends all that runs on this host.
 */
const initScript = (dir: string, hostname: string): string => `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs ${dir}/dev
for device in null zero full random urandom tty; do touch ${dir}/dev/$device; mount --bind /dev/$device ${dir}/dev/$device; done
mkdir ${dir}/dev/shm
ln -s /proc/self/fd ${dir}/dev/fd
mount --move ${dir}/dev /dev
mount --bind ${dir}/log /var/log
mount --bind ${dir}/etc /etc/keepalived
mount -t tmpfs tmpfs /run
hostname ${hostname}
rsyslogd -n -f ${dir}/rsyslog.conf -i /run/rsyslogd.pid &
while [ ! -S /dev/log ]; do sleep 0.05; done
echo ready
wait
`;

/** One host of the laboratory, with a real rsyslogd, a real keepalived and a real collector. */
export class LabHost {
  readonly node: LabNode;
  private readonly dir: string;
  private initPid = 0;
  private outer: ChildProcess | undefined;
  private readonly children: ChildProcess[] = [];

  constructor(node: LabNode, dir: string) {
    this.node = node;
    this.dir = join(dir, node.name);
  }

  get configPath(): string {
    return join(this.dir, "etc/keepalived.conf");
  }

  get logPath(): string {
    return join(this.dir, "log/messages");
  }

  get capturePath(): string {
    return join(this.dir, "capture.pcap");
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  async boot(): Promise<void> {
    for (const sub of ["etc", "log", "dev", "spool"]) await mkdir(join(this.dir, sub), { recursive: true });
    await writeFile(join(this.dir, "rsyslog.conf"), RSYSLOG_CONF);
    await writeFile(join(this.dir, "init.sh"), initScript(this.dir, this.node.name));
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      this.outer = follow(
        "ip",
        [
          "netns",
          "exec",
          this.node.netns,
          "unshare",
          "--mount",
          "--uts",
          "--pid",
          "--fork",
          "--kill-child",
          "--mount-proc",
          "sh",
          join(this.dir, "init.sh"),
        ],
        (line) => (line === "ready" ? resolve() : said.push(line)),
      );
      this.outer.once("exit", () =>
        reject(new OperatorError("LAB_HOST", `host ${this.node.name} did not come up: ${said.join("; ")}`)),
      );
    });
    // `ip netns exec` becomes `unshare`, whose one child is the host's process 1.
    const pid = this.outer?.pid ?? 0;
    this.initPid = Number((await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ")[0]);
  }

  /** Runs a command on the host to its end. */
  exec(command: string, ...args: readonly string[]): Promise<string> {
    return run("nsenter", [...this.enter(), command, ...args]);
  }

  /** Starts a long-running command on the host. */
  start(
    onLine: (line: string, stream: "out" | "err") => void,
    command: string,
    ...args: readonly string[]
  ): ChildProcess {
    const child = follow("nsenter", [...this.enter(), command, ...args], onLine);
    this.children.push(child);
    return child;
  }

  async writeConfig(text: string): Promise<void> {
    await writeFile(this.configPath, text);
  }

  /** As an init script starts it: into the background. What it answers is the launcher's exit status, which means little. */
  async startKeepalived(...options: readonly string[]): Promise<void> {
    await this.exec("keepalived", ...options, "-D");
  }

  async stopKeepalived(): Promise<void> {
    await this.exec(
      "sh",
      "-c",
      'kill "$(cat /run/keepalived.pid)" && while [ -e /run/keepalived.pid ]; do sleep 0.05; done',
    );
  }

  async shutDown(): Promise<void> {
    for (const child of this.children) if (child.pid !== undefined && child.exitCode === null) child.kill("SIGTERM");
    if (this.initPid > 0) {
      try {
        process.kill(this.initPid, "SIGKILL");
      } catch {
        // Gone already.
      }
    }
    if (this.outer) await endProcess(this.outer);
  }

  private enter(): string[] {
    if (this.initPid === 0) throw new OperatorError("LAB_HOST", `host ${this.node.name} is not up`);
    return ["-t", String(this.initPid), "-m", "-u", "-n", "-p", "--"];
  }
}
