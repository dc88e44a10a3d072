import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { crc32 } from "node:zlib";
import type { Log } from "../core/log.ts";
import { keepNewest, type OrSay, replaceFile, syncDir } from "./files.ts";
import type { Loss } from "./losses.ts";

/** Refused batches kept, with the reasons: two files each. Older ones are removed, and counted. */
const DEAD_LETTER_FILES_MAX = 1_000;
const DEAD_LETTER_BYTES_MAX = 64 * 1024 * 1024;
/** Copies of damaged segments kept. */
const QUARANTINE_FILES_MAX = 16;
const QUARANTINE_BYTES_MAX = 64 * 1024 * 1024;

/** Of a loss of which nothing is known but that it was. */
export const NOTHING_KNOWN = { events: undefined, from: undefined, to: undefined };

interface AsideOptions {
  /** The spool's folder: what is put aside is in folders of it. */
  readonly dir: string;
  readonly log: Log;
}

/** The batches that the server refused for good. */
export class DeadLetters {
  private readonly dir: string;
  private readonly log: Log;
  private readonly refused = new Set<number>();

  constructor({ dir, log }: AsideOptions) {
    this.dir = join(dir, "dead-letter");
    this.log = log;
  }

  /** Those that lie there since before the start. */
  async recall(): Promise<void> {
    const names = await readdir(this.dir).catch((): string[] => []);
    for (const name of names) if (/^\d+\.json$/.test(name)) this.note(Number.parseInt(name, 10));
  }

  has(sequence: number): boolean {
    return this.refused.has(sequence);
  }

  note(sequence: number): void {
    this.refused.add(sequence);
    const [oldest] = this.refused;
    if (this.refused.size > DEAD_LETTER_FILES_MAX && oldest !== undefined) this.refused.delete(oldest);
  }

  async keep(sequence: number, body: Buffer, reason: string): Promise<void> {
    const path = join(this.dir, String(sequence).padStart(12, "0"));
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await replaceFile(`${path}.json`, body);
    await replaceFile(`${path}.reason.txt`, `${reason}\n`);
    await syncDir(this.dir);
    const removed = await keepNewest(this.dir, DEAD_LETTER_FILES_MAX, DEAD_LETTER_BYTES_MAX);
    if (removed > 0)
      this.log("error", "too many refused batches are kept; the oldest were removed", {
        dir: this.dir,
        files: removed,
      });
  }
}

/** Keeps what was there of a damaged segment; its sound records go on. */
export async function quarantine(
  { dir: spool, log, lose, orSay }: AsideOptions & { readonly lose: (loss: Loss) => void; readonly orSay: OrSay },
  path: string,
  bytes: Buffer,
  damagedBytes: number,
): Promise<void> {
  const dir = join(spool, "quarantine");
  const name = `${basename(path, ".seg")}-${crc32(bytes).toString(16).padStart(8, "0")}.seg`;
  log("error", "a spool segment is damaged; a copy is kept, and its sound records go on", {
    path,
    damagedBytes,
    copy: join(dir, name),
  });
  lose({
    ...NOTHING_KNOWN,
    id: `damaged ${name}`,
    reason: `${damagedBytes} bytes of the spool segment ${basename(path)} were damaged on disk; a copy is ${join("quarantine", name)}`,
  });
  await orSay("a damaged spool segment could not be copied", async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeFile(join(dir, name), bytes, { mode: 0o600 });
    await keepNewest(dir, QUARANTINE_FILES_MAX, QUARANTINE_BYTES_MAX);
  });
}
