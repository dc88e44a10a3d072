import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Namespace } from "./namespace.ts";

const BURIED_MS = 20_000;

/** A real keepalived in a network namespace, with its files in a folder of its own. Only VRRP: this kernel may have no IPVS. */
export class RealKeepalived {
  readonly namespace: Namespace;
  readonly folder = mkdtempSync(join(tmpdir(), "kwt-keepalived-"));
  readonly configPath = join(this.folder, "keepalived.conf");
  readonly logPath = join(this.folder, "log");
  readonly pidFiles = {
    parent: join(this.folder, "keepalived.pid"),
    vrrp: join(this.folder, "vrrp.pid"),
    checkers: join(this.folder, "checkers.pid"),
    bfd: join(this.folder, "bfd.pid"),
  };
  private readonly detail: readonly string[];
  private child: ChildProcess | undefined;

  /** @param detail  options that say how much it logs */
  constructor(namespace: Namespace, config: string, detail: readonly string[] = ["-D"]) {
    this.namespace = namespace;
    this.detail = detail;
    this.configure(config);
    writeFileSync(this.logPath, "");
  }

  configure(text: string): void {
    writeFileSync(this.configPath, text);
  }

  start(...options: readonly string[]): void {
    const { parent, vrrp, checkers, bfd } = this.pidFiles;
    const files = ["-f", this.configPath, "-p", parent, "-r", vrrp, "-c", checkers, "-b", bfd];
    const log = openSync(this.logPath, "a");
    // Its own process group, so that all of it can be killed at once; `ip netns exec` becomes keepalived.
    this.child = spawn(
      "ip",
      [
        "netns",
        "exec",
        this.namespace.name,
        "keepalived",
        "--dont-fork",
        "--log-console",
        ...this.detail,
        "-P",
        ...files,
        ...options,
      ],
      { stdio: ["ignore", log, log], detached: true, env: { ...process.env, TMPDIR: this.folder } },
    );
    closeSync(log);
  }

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error("keepalived was not started");
    return this.child.pid;
  }

  get vrrpPid(): number {
    return Number(readFileSync(this.pidFiles.vrrp, "utf8"));
  }

  log(): string {
    return readFileSync(this.logPath, "utf8");
  }

  /** Waits for a line of its log. */
  async says(line: RegExp, timeoutMs = 15_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!line.test(this.log())) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${line} in\n${this.log()}`);
      await sleep(50);
    }
  }

  /** In order: priority 0 is sent, the addresses are taken off. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** All of it at once, as an out-of-memory killer or a container's end: the addresses stay. */
  async killGroup(): Promise<void> {
    const gone = this.gone();
    const child = existsSync(this.pidFiles.vrrp) ? this.vrrpPid : 0;
    process.kill(-this.pid, "SIGKILL");
    await gone;
    // Until the host's first process has buried the child, its pid file makes keepalived say that it is already running.
    const deadline = performance.now() + BURIED_MS;
    while (child > 0 && existsSync(`/proc/${child}`) && performance.now() < deadline) await sleep(20);
  }

  async remove(): Promise<void> {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
      // A frozen child hears no SIGTERM.
      await this.killGroup();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const gone = this.gone();
    process.kill(this.pid, signal);
    await gone;
  }

  private async gone(): Promise<void> {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
  }
}

/** One multicast instance on eth0, as every tutorial has it. */
export const instanceConf = (priority: number, more = ""): string => `global_defs {
    router_id lb
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority ${priority}
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass k33pw4tc
    }
    virtual_ipaddress {
        10.99.0.100/24
    }
${more}}
`;
