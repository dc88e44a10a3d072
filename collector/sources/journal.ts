import { readJournalEntry } from "../logs/journal.ts";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type ChildHandle, type StartChild, startChild } from "./child.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;
const POSITION_KEY = "journal";
/** Longest entry taken, bytes; journald's own limit for a field is lower. */
const ENTRY_BYTES_MAX = 4 * 1024 * 1024;

export interface JournalOptions {
  readonly start?: StartChild;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** keepalived's entries in systemd's journal, by cursor: exactly after the last one read, also after a restart. */
export class JournalSource implements Source {
  readonly name = "journal";
  private readonly startChild: StartChild;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  private child: ChildHandle | undefined;
  private cursor: string | undefined;
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private readonly counts = { read: 0, unrecognised: 0 };
  private running: Promise<void> = Promise.resolve();

  constructor({ start, wait }: JournalOptions = {}) {
    this.startChild = start ?? startChild;
    this.wait = wait ?? waitFor;
  }

  async start(context: SourceContext): Promise<void> {
    this.cursor = context.position(POSITION_KEY);
    const why = await this.cannotRead();
    if (why !== undefined) {
      this.state = "unavailable";
      this.reason = why;
      return;
    }
    this.state = "running";
    this.reason = undefined;
    this.running = this.supervise(context);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.child?.kill("SIGTERM");
    await this.running;
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "keepalived in systemd's journal",
      state: this.state,
      ...this.counts,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  /** `journalctl` exits with 0 and says nothing of entries when there is no journal at all. */
  private async cannotRead(): Promise<string | undefined> {
    const probe = this.startChild("journalctl", ["-n", "1", "-o", "json", "--no-pager"]);
    let printed = "";
    for await (const chunk of probe.stdout) printed += String(chunk);
    const { spawnError, code, said } = await probe.ended;
    if (spawnError?.code === "ENOENT") return "journalctl is not installed: this machine has no systemd";
    if (spawnError) return `journalctl cannot be run: ${spawnError.message}`;
    if (/insufficient permissions/i.test(said))
      return "no permission to read the journal (add the user to the group systemd-journal)";
    if (code !== 0) return said.split("\n").at(-1) || `journalctl ended with status ${code}`;
    return printed.trim() === "" || /No journal files were found/i.test(said)
      ? "there is no journal on this machine"
      : undefined;
  }

  private async supervise(context: SourceContext): Promise<void> {
    for (let pause = RESTART_FIRST_MS; !this.stopping.signal.aborted; pause = Math.min(pause * 2, RESTART_MAX_MS)) {
      const from = this.cursor === undefined ? ["-n", "0"] : [`--after-cursor=${this.cursor}`];
      const child = this.startChild("journalctl", [
        "-o",
        "json",
        "-f",
        "--no-pager",
        ...from,
        ...["Keepalived", "Keepalived_vrrp", "Keepalived_healthcheckers", "Keepalived_bfd"].flatMap((tag) => [
          "-t",
          tag,
        ]),
      ]);
      this.child = child;
      let rest = "";
      for await (const chunk of child.stdout) {
        const lines = (rest + String(chunk)).split("\n");
        rest = (lines.pop() ?? "").slice(0, ENTRY_BYTES_MAX);
        await this.hand(lines, context);
        pause = RESTART_FIRST_MS;
      }
      const { code, signal, said } = await child.ended;
      if (this.stopping.signal.aborted) return;
      const why = `journalctl ended with ${signal ?? `status ${code}`} ${said}`.trim();
      if (this.reason !== why) context.log("warn", `the journal is not read: ${why}`);
      this.reason = why;
      await this.wait(pause, this.stopping.signal);
      this.reason = undefined;
    }
  }

  private async hand(lines: readonly string[], context: SourceContext): Promise<void> {
    const observations: Observation[] = [];
    for (const line of lines) {
      const seen = readJournalEntry(line);
      if (seen === undefined) continue;
      if ("fault" in seen) {
        this.counts.unrecognised += 1;
        context.log("warn", `a journal entry was passed over: ${seen.fault}`);
      } else {
        if (seen.body.kind === "log.unrecognised") this.counts.unrecognised += 1;
        this.counts.read += 1;
        this.cursor = String(seen.idParts[1]);
        observations.push(seen);
      }
    }
    if (observations.length > 0) await context.emit(observations, { key: POSITION_KEY, value: this.cursor ?? "" });
  }
}
