import type { ChildProcess } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OperatorError } from "../../collector/core/errors.ts";
import type { HostSpec, NodeSpec } from "./scenario.ts";
import { endProcess, follow, run } from "./shell.ts";

/**
 * Debian's default, as /etc/rsyslog.conf sets it up, is the classic format, one second of resolution. The other format has
 * microseconds, which the kernel takes when the program writes.
 */
const rsyslogConf = (format: "classic" | "microseconds"): string => `module(load="imuxsock")
global(workDirectory="/run")
$ActionFileDefaultTemplate ${format === "classic" ? "RSYSLOG_TraditionalFileFormat" : "RSYSLOG_FileFormat"}
*.* /var/log/messages
`;

/** Folders that every host has for itself. */
const OWN_FOLDERS = ["/var/log", "/etc/keepalived"];

/**
 * Makes a host of a network namespace: its own hostname, process table, /dev/log, /run, and the folders named.
 * Process 1 stays the shell: when it ends, the kernel ends all that runs on this host.
 */
const initScript = (dir: string, hostname: string, folders: readonly string[]): string => `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs ${dir}/dev
for device in null zero full random urandom tty; do touch ${dir}/dev/$device; mount --bind /dev/$device ${dir}/dev/$device; done
mkdir ${dir}/dev/shm
ln -s /proc/self/fd ${dir}/dev/fd
mount --move ${dir}/dev /dev
for folder in ${folders.join(" ")}; do mount --bind ${dir}/root$folder $folder; done
mount -t tmpfs tmpfs /run
hostname ${hostname}
rsyslogd -n -f ${dir}/rsyslog.conf -i /run/rsyslogd.pid &
while [ ! -S /dev/log ]; do sleep 0.05; done
echo ready
wait
`;

/** What a host is, wherever it is plugged in. */
export type HostTraits = Omit<HostSpec, "side" | "number">;

/** One host of the laboratory: real programs in namespaces of their own. */
export class LabHost {
  private readonly spec: HostTraits;
  private readonly netns: string;
  private readonly dir: string;
  private initPid = 0;
  private outer: ChildProcess | undefined;
  private readonly children: ChildProcess[] = [];

  constructor(spec: HostTraits, netns: string, dir: string) {
    this.spec = spec;
    this.netns = netns;
    this.dir = join(dir, spec.name);
  }

  get name(): string {
    return this.spec.name;
  }

  /** A file of the laboratory's own beside the host's root. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** Where a file of one of the host's own folders lies on this machine. */
  outside(path: string): string {
    return join(this.dir, "root", path);
  }

  async boot(): Promise<void> {
    const folders = [...OWN_FOLDERS, ...(this.spec.folders ?? [])];
    for (const folder of folders) await mkdir(this.outside(folder), { recursive: true });
    for (const sub of ["dev", "spool"]) await mkdir(this.path(sub), { recursive: true });
    for (const [path, text] of Object.entries(this.spec.files ?? {})) await this.write(path, text);
    await writeFile(this.path("rsyslog.conf"), rsyslogConf(this.spec.logFormat ?? "classic"));
    await writeFile(this.path("init.sh"), initScript(this.dir, this.name, folders));
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      this.outer = follow(
        "ip",
        [
          "netns",
          "exec",
          this.netns,
          "unshare",
          "--mount",
          "--uts",
          "--pid",
          "--fork",
          "--kill-child",
          "--mount-proc",
          "sh",
          this.path("init.sh"),
        ],
        (line) => (line === "ready" ? resolve() : said.push(line)),
      );
      this.outer.once("exit", () =>
        reject(new OperatorError("LAB_HOST", `host ${this.name} did not come up: ${said.join("; ")}`)),
      );
    });
    // `ip netns exec` becomes `unshare`, whose one child is the host's process 1.
    const pid = this.outer?.pid ?? 0;
    this.initPid = Number((await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ")[0]);
    for (const [command = "", ...args] of this.spec.services ?? []) await this.exec(command, ...args);
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

  /** Writes a file of one of the host's own folders. */
  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(this.outside(path)), { recursive: true });
    await writeFile(this.outside(path), text);
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

  /** Its process 1, as this machine counts. */
  get pid(): number {
    return this.initPid;
  }

  private enter(): string[] {
    if (this.initPid === 0) throw new OperatorError("LAB_HOST", `host ${this.name} is not up`);
    return ["-t", String(this.initPid), "-m", "-u", "-n", "-p", "--"];
  }
}

/** keepalived's configuration, as packaged, and its pid file. */
const CONFIG = "/etc/keepalived/keepalived.conf";
const INIT_SCRIPT = "/etc/init.d/keepalived";
/** No IPVS in many kernels: of keepalived's children only the VRRP process runs. The rest is what Debian's users set. */
const OPTIONS = ["-P", "-D"];

/** A host with a real keepalived and, beside it, a real collector. */
export class LabNode extends LabHost {
  private readonly node: Pick<NodeSpec, "keepalivedConf" | "start">;

  constructor(spec: HostTraits & Pick<NodeSpec, "keepalivedConf" | "start">, netns: string, dir: string) {
    super(spec, netns, dir);
    this.node = spec;
  }

  get configPath(): string {
    return this.outside(CONFIG);
  }

  get logPath(): string {
    return this.outside("/var/log/messages");
  }

  get capturePath(): string {
    return this.path("capture.pcap");
  }

  /** @param change  makes another text of the node's own */
  async configure(change: (text: string) => string = (text) => text): Promise<void> {
    await this.write(CONFIG, change(this.node.keepalivedConf));
  }

  /** What the starter says, if anything. Its exit status means little: that is what some scenarios are about. */
  startKeepalived(): Promise<string> {
    return this.node.start === "init-script" ? this.exec(INIT_SCRIPT, "start") : this.exec("keepalived", ...OPTIONS);
  }

  async restartKeepalived(): Promise<string> {
    if (this.node.start === "init-script") return this.exec(INIT_SCRIPT, "restart");
    await this.stopKeepalived();
    return this.startKeepalived();
  }

  reloadKeepalived(): Promise<string> {
    return this.node.start === "init-script"
      ? this.exec(INIT_SCRIPT, "reload")
      : this.exec("sh", "-c", 'kill -HUP "$(cat /run/keepalived.pid)"');
  }

  async stopKeepalived(): Promise<void> {
    await this.exec(
      "sh",
      "-c",
      'kill "$(cat /run/keepalived.pid)" && while [ -e /run/keepalived.pid ]; do sleep 0.05; done',
    );
  }
}
