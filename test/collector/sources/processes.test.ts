import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemProcesses } from "../../../collector/sources/processes.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A /proc with the fields that are read; `rest` begins with the state. */
function proc(processes: Readonly<Record<string, { name: string; rest: string; cmdline: string }>>): string {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  folders.push(root);
  writeFileSync(join(root, "stat"), "cpu  1 2 3\nbtime 1700000000\nprocesses 9\n");
  for (const [pid, { name, rest, cmdline }] of Object.entries(processes)) {
    mkdirSync(join(root, pid));
    writeFileSync(join(root, pid, "stat"), `${pid} (${name}) ${rest}\n`);
    writeFileSync(join(root, pid, "cmdline"), cmdline);
    symlinkSync("/usr/sbin/keepalived", join(root, pid, "exe"));
  }
  return root;
}

/** Fields 3 to 22 of /proc/PID/stat: the parent is the second, the start in ticks the last. */
const fields = (state: string, parent: number, startTicks: number): string =>
  [state, parent, ...Array<number>(17).fill(0), startTicks].join(" ");

test("a process whose name holds brackets and blanks is read all the same", () => {
  const root = proc({
    "42": { name: "a) S 7 (b", rest: fields("S", 1, 250), cmdline: "/usr/sbin/keepalived\0-f\0a b\0" },
  });
  expect(systemProcesses(root)).toEqual([
    {
      pid: 42,
      parent: 1,
      name: "a) S 7 (b",
      argv: ["/usr/sbin/keepalived", "-f", "a b"],
      exe: "/usr/sbin/keepalived",
      startedUs: 1_700_000_002_500_000,
    },
  ]);
});

test("a zombie is no process that runs, and a file that is torn is passed over", () => {
  const root = proc({
    "7": { name: "keepalived", rest: fields("Z", 1, 1), cmdline: "" },
    "8": { name: "x", rest: fields("S", 1, 1), cmdline: "x\0" },
  });
  writeFileSync(join(root, "8", "stat"), "8 (torn");
  expect(systemProcesses(root)).toEqual([]);
});

test("this very process is among the machine's", () => {
  const own = systemProcesses().find(({ pid }) => pid === process.pid);
  expect(own?.parent).toBe(process.ppid);
  expect(own?.cwd).toBe(process.cwd());
});
