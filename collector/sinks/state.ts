import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Static } from "typebox";
import { checkerOf, Type } from "../core/schema.ts";
import { replaceFile, syncDir, writeAt } from "./files.ts";

const Sequence = Type.Integer({ minimum: 0 });
const BySeries = Type.Object({ events: Sequence, adverts: Sequence });

/** What is to be sent once more, as another store than before answers. */
const Again = Type.Object({
  /** All that was acknowledged up to this batch. */
  upTo: Sequence,
  /** Up to which batch of each series that is done. */
  done: BySeries,
  /** Events so far, and of those the ones that the store did not have. */
  sent: Type.Integer({ minimum: 0 }),
  missing: Type.Integer({ minimum: 0 }),
});
export type Again = Static<typeof Again>;

/** What must outlive the segments it came from. */
const SpoolState = Type.Object({
  /** Records from this sequence on are newer than this file: their positions count. */
  next: Sequence,
  acknowledged: Sequence,
  positions: Type.Record(Type.String(), Type.String()),
  losses: Type.Array(
    Type.Object({
      id: Type.String(),
      reason: Type.String(),
      events: Type.Optional(Type.Number()),
      from: Type.Optional(Type.Number()),
      to: Type.Optional(Type.Number()),
    }),
  ),
  /** Which store acknowledged last, where it says so. */
  incarnation: Type.Optional(Type.String()),
  again: Type.Optional(Again),
  /** Up to which batch what was acknowledged is kept no more. Absent: a release wrote this that kept nothing. */
  gone: Type.Optional(BySeries),
});
export type SpoolState = Static<typeof SpoolState>;

const checker = checkerOf(SpoolState);
const EMPTY: SpoolState = { next: 1, acknowledged: 0, positions: {}, losses: [], gone: { events: 0, adverts: 0 } };

/** @returns undefined when there is a state file and it makes no sense */
export async function readState(dir: string): Promise<SpoolState | undefined> {
  let text: string;
  try {
    text = await readFile(join(dir, "state.json"), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return EMPTY;
    throw error;
  }
  try {
    const state: unknown = JSON.parse(text);
    return checker.Check(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

export async function writeState(
  dir: string,
  state: Omit<SpoolState, "losses"> & { readonly losses: readonly object[] },
): Promise<void> {
  await replaceFile(join(dir, "state.json"), JSON.stringify(state));
  await syncDir(dir);
}

/** The collector's own identity, made with its spool. One that was damaged is made anew: the server then takes it for a new spool. */
export async function readOrMakeId(dir: string): Promise<string> {
  const path = join(dir, "id");
  const known = await readFile(path, "utf8").catch(() => "");
  if (/^[0-9a-f]{32}\n$/.test(known)) return known.trim();
  const id = randomBytes(16).toString("hex");
  await replaceFile(path, `${id}\n`);
  await syncDir(dir);
  return id;
}

const ACK_BYTES = 12;

/**
 * The last acknowledged sequence, written in place and not synced: it outlives the process. After a power cut an older
 * one may stand there, or none that is sound, and some batches are sent once more.
 */
export class AckFile {
  private readonly file: FileHandle;

  private constructor(file: FileHandle) {
    this.file = file;
  }

  static async open(path: string): Promise<AckFile> {
    return new AckFile(await open(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  }

  async read(): Promise<number> {
    const { buffer, bytesRead } = await this.file.read(Buffer.alloc(ACK_BYTES), 0, ACK_BYTES, 0);
    const sound = bytesRead === ACK_BYTES && crc32(buffer.subarray(0, 8)) === buffer.readUInt32BE(8);
    return sound ? Number(buffer.readBigUInt64BE(0)) : 0;
  }

  write(sequence: number): Promise<void> {
    const bytes = Buffer.alloc(ACK_BYTES);
    bytes.writeBigUInt64BE(BigInt(sequence), 0);
    bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
    return writeAt(this.file, bytes, 0);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
