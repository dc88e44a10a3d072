import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readInputs } from "../../collector/offline/inputs.ts";
import { analyze } from "../../server/analyze/analyze.ts";
import { isIncident } from "../../server/lab/compare.ts";
import type { LabResult } from "../../server/lab/lab.ts";
import { checkLabCanRun } from "../../server/lab/programs.ts";
import { keepwatch, keepwatchBin, Running, runToEnd } from "../support/process.ts";

/** Real daemons, real namespaces: only root can build them. */
const reason = await checkLabCanRun().then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the whole laboratory: ${reason}\n\n`);

const recording = mkdtempSync(join(tmpdir(), "keepwatch-recording-"));
afterAll(() => rmSync(recording, { recursive: true, force: true }));

async function namespaces(): Promise<string[]> {
  const { stdout } = await runToEnd("ip", ["netns", "list"]);
  return stdout.split("\n").filter((name) => name.startsWith("kw"));
}

describe.skipIf(reason !== undefined)("keepwatch lab", () => {
  test.each(["failover", "flapping", "startup-failure"])(
    "%s: what was found agrees with what was done",
    async (scenario) => {
      const { status, stdout, stderr } = await keepwatch(["lab", scenario], { timeoutMs: 180_000 });
      expect(status, stdout + stderr).toBe(0);
    },
    200_000,
  );

  test("split-brain: live and from the recording alike, the one incident is found within 1.5 s of the truth", async () => {
    const { status, stdout, stderr } = await keepwatch(["lab", "split-brain", "--record", recording, "--json"], {
      timeoutMs: 180_000,
    });
    expect(status, stdout + stderr).toBe(0);
    const live = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Pick<LabResult, "incidents" | "expected">;

    const files = readdirSync(recording).flatMap((node) =>
      readdirSync(join(recording, node)).map((file) => `${node}=${join(recording, node, file)}`),
    );
    const inputs = await readInputs(files, { cluster: "lab", zone: "UTC", now: Date.now() * 1000 });
    expect(inputs.inputs.filter((input) => input.error !== undefined)).toEqual([]);
    const offline = analyze(inputs, { adverts: false });

    const told = (incidents: LabResult["incidents"]) =>
      incidents.map(({ kind, certainty, severity, cluster, subject, status }) => ({
        kind,
        certainty,
        severity,
        cluster,
        subject,
        status,
      }));
    expect(told(offline.incidents)).toEqual(told(live.incidents.filter((incident) => incident.status !== "withdrawn")));
    for (const [i, { start, end }] of live.expected.filter(isIncident).entries()) {
      expect(Math.abs((offline.incidents[i]?.start ?? 0) - start)).toBeLessThan(1_500_000);
      expect(Math.abs((offline.incidents[i]?.end ?? 0) - (end ?? 0))).toBeLessThan(1_500_000);
    }
  }, 200_000);

  test("an interrupted laboratory leaves no namespace, no process and no folder behind", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("keepwatch-lab-"));
    const lab = new Running(process.execPath, [keepwatchBin, "lab", "split-brain"]);
    await lab.printed(/truth: lb1 holds/, 60_000);
    const mine = `kw${lab.child.pid}-`;
    expect((await namespaces()).filter((name) => name.startsWith(mine)).length).toBe(4);
    await lab.end("SIGINT");
    expect((await namespaces()).filter((name) => name.startsWith(mine))).toEqual([]);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("keepwatch-lab-"))).toEqual(before);
    const { stdout } = await runToEnd("ps", ["-eo", "args"]);
    expect(stdout).not.toContain(mine);
  }, 120_000);
});
