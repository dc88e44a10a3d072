import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Observation } from "../../../collector/events/observation.ts";
import type { ChildEnd, ChildHandle, StartChild } from "../../../collector/sources/child.ts";
import { JournalSource } from "../../../collector/sources/journal.ts";
import type { Position } from "../../../collector/sources/source.ts";

/** journalctl as a script: what each call prints and how it ends. There is no journald to ask where the tests run. */
interface Call {
  readonly lines?: readonly string[];
  readonly end?: Partial<ChildEnd>;
  /** Goes on until it is killed. */
  readonly follows?: boolean;
}

function journalctl(calls: readonly Call[]): { start: StartChild; asked: string[][] } {
  const asked: string[][] = [];
  const start: StartChild = (_command, args): ChildHandle => {
    const call = calls[asked.length] ?? { follows: true };
    asked.push([...args]);
    let kill: () => void = () => undefined;
    const killed = new Promise<void>((resolve) => {
      kill = resolve;
    });
    async function* print(): AsyncGenerator<Buffer> {
      for (const line of call.lines ?? []) yield Buffer.from(`${line}\n`);
      if (call.follows) await killed;
    }
    const stdout = Readable.from(print());
    const ended = killed.then(() => ({ code: null, signal: "SIGTERM", said: "" }) as ChildEnd);
    return {
      stdout,
      kill,
      ended: call.follows ? ended : Promise.resolve({ code: 0, signal: null, said: "", ...call.end }),
    } as ChildHandle;
  };
  return { start, asked };
}

const entry = (n: number, message: string, tag = "Keepalived_vrrp"): string =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: String(1_795_000_000_000_000 + n),
    __CURSOR: `c${n}`,
    SYSLOG_IDENTIFIER: tag,
    _PID: "7",
    MESSAGE: message,
  });

async function run(
  calls: readonly Call[],
  saved?: string,
): Promise<{ source: JournalSource; seen: Observation[]; positions: Position[]; asked: string[][]; said: string[] }> {
  const { start, asked } = journalctl(calls);
  const seen: Observation[] = [];
  const positions: Position[] = [];
  const said: string[] = [];
  const source = new JournalSource({ start, wait: async () => undefined });
  await source.start({
    emit: async (observations, position) => {
      seen.push(...observations);
      if (position) positions.push(position);
    },
    position: () => saved,
    log: (_level, message) => said.push(message),
  });
  return { source, seen, positions, asked, said };
}

const PROBE: Call = { lines: [entry(0, "x", "kernel")] };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await turn();
  expect(holds()).toBe(true);
}

describe("the journal", () => {
  test("is read from now on at first, and its place is kept with what was read", async () => {
    const { source, seen, positions, asked } = await run([
      PROBE,
      { lines: [entry(1, "(VI_1) Entering MASTER STATE"), entry(2, "(VI_1) Entering BACKUP STATE")], follows: true },
    ]);
    await until(() => seen.length === 2);
    expect(asked[1]).toContain("-n");
    expect(asked[1]?.filter((arg) => arg.startsWith("Keepalived"))).toHaveLength(4);
    expect(seen.map(({ body }) => body.kind)).toEqual(["vrrp.state", "vrrp.state"]);
    expect(positions.at(-1)).toEqual({ key: "journal", value: "c2" });
    expect(source.status()).toMatchObject({ state: "running", read: 2 });
    await source.stop();
  });

  test("goes on exactly after the entry that was read last", async () => {
    const { source, asked } = await run([PROBE, { follows: true }], "c41");
    await until(() => asked.length === 2);
    expect(asked[1]).toContain("--after-cursor=c41");
    await source.stop();
  });

  test("is read on from the last entry when journalctl ends", async () => {
    const { source, seen, asked } = await run([
      PROBE,
      { lines: [entry(1, "Stopping", "Keepalived")], end: { code: 1, said: "gone" } },
      { lines: [entry(2, "Stopping", "Keepalived")], follows: true },
    ]);
    await until(() => seen.length === 2);
    expect(asked[2]).toContain("--after-cursor=c1");
    await source.stop();
  });

  test("passes over what is no entry, and says so", async () => {
    const { source, seen, said } = await run([
      PROBE,
      { lines: ["nonsense", entry(1, "Stopping", "Keepalived")], follows: true },
    ]);
    await until(() => seen.length === 1);
    expect(said).toEqual([expect.stringContaining("a journal entry was passed over")]);
    expect(source.status().unrecognised).toBe(1);
    await source.stop();
  });

  test.each([
    [
      "there is no systemd",
      { end: { spawnError: Object.assign(new Error("spawn"), { code: "ENOENT" }) } },
      /no systemd/,
    ],
    ["there is no journal", { lines: [] }, /no journal on this machine/],
    [
      "it may not be read",
      { end: { code: 1, said: "Hint: …\nNo journal files were opened due to insufficient permissions." } },
      /systemd-journal/,
    ],
    ["something else is wrong", { end: { code: 1, said: "Failed to open: odd" } }, /Failed to open: odd/],
  ])("says so when %s", async (_name, probe, reason) => {
    const { source } = await run([probe]);
    expect(source.status()).toMatchObject({ state: "unavailable", reason: expect.stringMatching(reason) });
    await source.stop();
  });
});
