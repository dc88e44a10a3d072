import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { FINGERPRINT_BYTES, fingerprintOf } from "../core/fingerprint.ts";
import { type Packing, packingOf, unpackedFrom } from "./packed.ts";

/** A file that may be the log under another name. */
export interface Sibling {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly packing: Packing | undefined;
  /** undefined while its first line is not complete, or when it cannot be read. */
  readonly fingerprint: string | undefined;
}

/** How many files beside the log are looked at: a folder with more is no log rotation. */
const SIBLINGS_MAX = 5_000;
/** How often the folder is listed until two listings agree, and how long between: logrotate may be at work. */
const LISTINGS_MAX = 50;
const LISTING_PAUSE_MS = 5;
/** Most files that are named when something is missing. */
const FAULTS_TOLD = 3;

/** What log rotation leaves beside a log: `.1`, `-20260305`, `.2.gz` and the like. */
export class RotatedFiles {
  private readonly path: string;
  /** Fingerprints of files as they were when last looked at: to unpack the head of each at every look would be much. */
  private prints = new Map<string, string | undefined>();

  /** Files that could not be looked into at the last look, and why. */
  private readonly faults = new Map<string, string>();

  constructor(path: string) {
    this.path = path;
  }

  /** Which rotated files could not be looked into, and why: what is missing may be in one of them. Empty when there are none. */
  unreadable(): string {
    return [...this.faults]
      .slice(0, FAULTS_TOLD)
      .map(([path, why]) => `; ${path} cannot be read: ${why}`)
      .join("");
  }

  /**
   * The file with this fingerprint and all that came after it, oldest first, each stream once. Undefined when there is none
   * with it, or when the folder does not come to rest.
   */
  async since(fingerprint: string): Promise<readonly Sibling[] | undefined> {
    let before = "";
    for (let listing = 0; listing < LISTINGS_MAX; listing++) {
      if (listing > 1) await new Promise((resolve) => setTimeout(resolve, LISTING_PAUSE_MS));
      const siblings = await this.list();
      // Not the sizes: a file that was renamed is written to until its writer hears of it.
      const now = JSON.stringify(siblings.map(({ path, inode, fingerprint: print }) => [path, inode, print]));
      if (now === before) return sinceIn(siblings, fingerprint);
      before = now;
    }
    return undefined;
  }

  private async list(): Promise<Sibling[]> {
    const prints = new Map<string, string | undefined>();
    this.faults.clear();
    const found: Sibling[] = [];
    for (const path of await namesBeside(this.path)) {
      const file = await this.look(path);
      if (!file) continue;
      prints.set(keyOf(file), file.fingerprint);
      found.push(file);
    }
    this.prints = prints;
    return inOrder(found, this.path);
  }

  private async look(path: string): Promise<Sibling | undefined> {
    const packing = packingOf(path);
    const stats = await stat(path).catch(() => undefined);
    const known = stats && this.prints.get(keyOf({ inode: stats.ino, size: stats.size, mtimeMs: stats.mtimeMs }));
    if (stats && known !== undefined)
      return { path, packing, inode: stats.ino, size: stats.size, mtimeMs: stats.mtimeMs, fingerprint: known };
    let handle: FileHandle | undefined;
    try {
      // By the handle alone: between two calls the name may go to another file.
      handle = await open(path, "r");
      const opened = await handle.stat();
      if (!opened.isFile()) return undefined;
      const { ino: inode, size, mtimeMs } = opened;
      const fingerprint = await (packing ? fingerprintOfPacked(handle, packing) : fingerprintOfHandle(handle)).catch(
        (error: unknown) => {
          this.faults.set(path, messageOf(error));
          return undefined;
        },
      );
      return { path, packing, inode, size, mtimeMs, fingerprint };
    } catch (error) {
      if (!isGone(error)) this.faults.set(path, messageOf(error));
      return undefined;
    } finally {
      await handle?.close().catch(() => undefined);
    }
  }
}

const keyOf = ({ inode, size, mtimeMs }: Pick<Sibling, "inode" | "size" | "mtimeMs">): string =>
  `${inode} ${size} ${mtimeMs}`;

function sinceIn(siblings: readonly Sibling[], fingerprint: string): Sibling[] | undefined {
  // delaycompress leaves `.1` beside its `.1.gz` for a moment: the same stream is read once.
  const once = siblings.filter(
    (sibling, i) => siblings.findIndex((other) => other.fingerprint === sibling.fingerprint) === i,
  );
  const first = once.findIndex((sibling) => sibling.fingerprint === fingerprint);
  return first < 0 ? undefined : once.slice(first).filter((sibling) => sibling.fingerprint !== undefined);
}

async function namesBeside(path: string): Promise<string[]> {
  const name = basename(path);
  return (await readdir(dirname(path)).catch((): string[] => []))
    .filter((other) => other.startsWith(`${name}.`) || other.startsWith(`${name}-`))
    .slice(0, SIBLINGS_MAX)
    .map((other) => join(dirname(path), other));
}

/** Oldest first. */
function inOrder(found: readonly Sibling[], path: string): Sibling[] {
  const numbers = new Map(found.map((file) => [file, numberOf(file.path.slice(path.length))]));
  const numbered = found.every((file) => numbers.get(file) !== undefined);
  return [...found].sort(
    (a, b) =>
      // The number tells the order where there is one: compressed files may have whole seconds only.
      (numbered ? (numbers.get(b) ?? 0) - (numbers.get(a) ?? 0) : a.mtimeMs - b.mtimeMs) ||
      Number(a.packing !== undefined) - Number(b.packing !== undefined) ||
      (a.path < b.path ? -1 : 1),
  );
}

/** Of `.7` and `.7.gz`. */
function numberOf(ending: string): number | undefined {
  const digits = /^\.(\d{1,9})(\.(gz|xz|bz2|zst))?$/.exec(ending)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Fingerprint of a compressed file's content. */
async function fingerprintOfPacked(handle: FileHandle, packing: Packing): Promise<string | undefined> {
  let head: Buffer = Buffer.alloc(0);
  for await (const chunk of unpackedFrom(handle, packing)) {
    head = Buffer.concat([head, chunk]);
    if (head.length >= FINGERPRINT_BYTES) break;
  }
  return fingerprintOf(head);
}

/** Opens the file that was listed, unless another has its name by now. */
export async function openSibling({ path, inode }: Sibling): Promise<FileHandle | undefined> {
  const handle = await open(path, "r").catch(() => undefined);
  if (!handle) return undefined;
  const stats = await handle.stat().catch(() => undefined);
  if (stats?.ino === inode) return handle;
  await handle.close();
  return undefined;
}

export async function fingerprintOfHandle(handle: FileHandle): Promise<string | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(FINGERPRINT_BYTES), 0, FINGERPRINT_BYTES, 0);
  return fingerprintOf(buffer.subarray(0, bytesRead));
}

const isGone = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
