import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { OperatorError } from "../core/errors.ts";

/** Folders held by this process: its own pid in a lock file says nothing. */
const held = new Set<string>();

interface Owner {
  readonly pid: number;
  /** When the process started, in clock ticks since boot: a pid alone is used again. Undefined where there is no /proc. */
  readonly started: string | undefined;
}

/**
 * Takes a folder for this process alone.
 * @returns how to give it free
 * @throws OperatorError when a living process has it
 */
export async function lockFolder(dir: string): Promise<() => Promise<void>> {
  const folder = resolve(dir);
  const path = join(folder, "lock");
  if (held.has(folder)) throw inUse(dir, process.pid);
  held.add(folder);
  try {
    await take(dir, path);
  } catch (error) {
    held.delete(folder);
    throw error;
  }
  return async () => {
    await rm(path, { force: true });
    held.delete(folder);
  };
}

async function take(dir: string, path: string): Promise<void> {
  const own = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) });
  const written = `${path}.${process.pid}.new`;
  await writeFile(written, own, { mode: 0o600 });
  try {
    await linkAs(dir, path, written);
  } finally {
    await rm(written, { force: true });
  }
}

async function linkAs(dir: string, path: string, written: string): Promise<void> {
  // A lock left by a crash is moved away and tried again; a rival may be as quick, hence more than one round.
  for (let rounds = 0; rounds < 5; rounds++) {
    try {
      // Linked, not written in place: whoever sees the lock sees all of it.
      await link(written, path);
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const seen = await readFile(path, "utf8").catch(() => "");
    const owner = parseOwner(seen);
    if (owner && (await isAlive(owner))) throw inUse(dir, owner.pid);
    await moveAway(path, seen);
  }
  throw inUse(dir, undefined);
}

/** Removes the lock that was seen, and no other that has come in its place since. */
async function moveAway(path: string, seen: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readFile(aside, "utf8").catch(() => "");
  if (moved === seen) await rm(aside, { force: true });
  else await rename(aside, path);
}

async function isAlive({ pid, started }: Owner): Promise<boolean> {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const now = await startOf(pid);
  return started === undefined || now === undefined || started === now;
}

/** Field 22 of /proc/PID/stat; the second field may hold spaces and brackets. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function parseOwner(text: string): Owner | undefined {
  try {
    const written: unknown = JSON.parse(text);
    const { pid, started } = (typeof written === "number" ? { pid: written } : written) as Partial<Owner>;
    return typeof pid === "number" && pid > 0 ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

function inUse(dir: string, pid: number | undefined): OperatorError {
  return new OperatorError(
    "SPOOL_IN_USE",
    `the spool ${dir} is in use${pid === undefined ? "" : ` by process ${pid}`}`,
    {
      remedy: "Stop that collector, or give this one a spool.dir of its own",
    },
  );
}
