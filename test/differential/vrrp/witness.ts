import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createPcapParser, dataOf } from "../../../collector/pcap/reader.ts";
import { CAPTURE_FILTER } from "../../../collector/sources/capture.ts";
import { parseMonitorLine, parseSnapshot } from "../../../collector/sources/addresses.ts";
import type { LabHost } from "../../../server/lab/host.ts";
import { endProcess, follow, run } from "../../../server/lab/shell.ts";
import type { Evidence, Timed } from "./recording.ts";

/** Microseconds since the epoch, as finely as a process can tell. */
export const nowUs = (): number => Math.round((performance.timeOrigin + performance.now()) * 1_000);

/** How long a witness may take to say that it listens, milliseconds. */
const LISTEN_DEADLINE_MS = 10_000;
const SETTLE_MS = 5;
/** What is captured and printed when a recording ends is read within this, milliseconds. */
const DRAIN_MS = 100;

/** Watches one node from outside of its keepalived: what its interfaces carry, its links and its addresses. */
export class Witness {
  readonly evidence: Timed<Evidence>[] = [];
  private readonly host: LabHost;
  private readonly children: ChildProcess[] = [];
  private names = new Map<number, string>();

  constructor(host: LabHost) {
    this.host = host;
  }

  /** Resolves when nothing escapes it any more. */
  async begin(): Promise<void> {
    await Promise.all([this.capture(), this.monitor()]);
  }

  async end(): Promise<void> {
    await sleep(DRAIN_MS);
    await Promise.all(this.children.map((child) => endProcess(child)));
  }

  see(what: Evidence, at = nowUs()): void {
    this.evidence.push({ at, what });
  }

  private async capture(): Promise<void> {
    const options = "-i any -n -U --immediate-mode --time-stamp-precision=nano -s 1600 -w -".split(" ");
    const child = spawn("nsenter", [...this.net(), "tcpdump", ...options, CAPTURE_FILTER], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.children.push(child);
    const parser = createPcapParser();
    let listens = false;
    child.stdout.on("data", (chunk: Buffer) => {
      listens = true;
      for (const packet of parser.push(chunk)) {
        const data = dataOf(packet);
        this.see({ kind: "frame", interface: this.nameOf(data), hex: data.toString("hex") }, packet.tsUs ?? 0);
      }
    });
    await until(() => listens, "tcpdump listens");
  }

  /** The index of its interface stands in a cooked frame (SLL2). */
  private nameOf(frame: Uint8Array): string {
    const index = Buffer.from(frame).readUInt32BE(4);
    if (!this.names.has(index)) this.names = interfacesOf(this.host.pid);
    return this.names.get(index) ?? `if${index}`;
  }

  private async monitor(): Promise<void> {
    const command = [...this.net(), "ip", "-o", "-ts", "monitor", "address", "link"];
    const links = new Map<string, boolean>();
    const child = follow(
      "nsenter",
      command,
      (line) => {
        const change = parseMonitorLine(line);
        if (change === undefined || change === "unrecognised") return;
        const { ts, body } = change;
        if (body.kind === "kernel.link") {
          if (links.get(body.interface) === body.up) return;
          links.set(body.interface, body.up);
          this.see({ kind: "link", interface: body.interface, up: body.up }, ts);
        } else
          this.see(
            {
              kind: "address",
              interface: body.interface,
              address: body.address,
              present: body.kind === "kernel.address-added",
            },
            ts,
          );
      },
      { ...process.env, TZ: "UTC" },
    );
    this.children.push(child);
    await until(() => isBoundToNetlink(child.pid ?? 0), "ip monitor listens");
    const snapshot = parseSnapshot(await run("nsenter", [...this.net(), "ip", "-j", "address", "show"]));
    if (!snapshot) throw new Error("`ip -j address show` printed no JSON");
    for (const [nic, up] of snapshot.links) {
      links.set(nic, up);
      this.see({ kind: "link", interface: nic, up });
    }
    for (const { interface: nic, address } of snapshot.addresses)
      this.see({ kind: "address", interface: nic, address, present: true });
  }

  private net(): string[] {
    return ["-t", String(this.host.pid), "-n", "--"];
  }
}

/** Looks until it is so. @throws Error when it never is */
export async function until(isSo: () => boolean, what: string, deadlineMs = LISTEN_DEADLINE_MS): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs / 1_000} s: ${what}`);
    await sleep(SETTLE_MS);
  }
}

/** A host's interfaces by index, as its own /sys has them. */
function interfacesOf(pid: number): Map<number, string> {
  const folder = `/proc/${pid}/root/sys/class/net`;
  return new Map(readdirSync(folder).map((name) => [Number(readText(`${folder}/${name}/ifindex`)), name]));
}

function isBoundToNetlink(pid: number): boolean {
  return readText(`/proc/${pid}/net/netlink`)
    .split("\n")
    .some((line) => {
      const [, , port, groups = "0"] = line.trim().split(/\s+/);
      return Number(port) === pid && Number.parseInt(groups, 16) > 0;
    });
}

/** Empty when it is gone. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
