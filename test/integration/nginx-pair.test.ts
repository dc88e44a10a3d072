import { describe, expect, test } from "vitest";
import type { LabResult } from "../../server/lab/lab.ts";
import { checkLabCanRun } from "../../server/lab/programs.ts";
import { nginxPair, nginxPairStrict } from "../../server/lab/scenarios/nginx-pair.ts";
import { keepwatch } from "../support/process.ts";

const reason = await checkLabCanRun(nginxPair).then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the classic pair: ${reason}\n\n`);

async function play(scenario: string): Promise<{ result: LabResult; said: string }> {
  const { status, stdout, stderr } = await keepwatch(["lab", scenario, "--json"], { timeoutMs: 280_000 });
  expect(status, stdout + stderr).toBe(0);
  return { result: JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as LabResult, said: stdout };
}

/** What the client saw, by deed. */
const views = (said: string): string[] => [...said.matchAll(/client, (.*)$/gm)].map(([, view]) => view ?? "");

describe.skipIf(reason !== undefined)("the classic pair", () => {
  test("every deed is on the timeline with its cause, and what the client saw of it is told", async () => {
    const { result, said } = await play(nginxPair.name);
    expect(result.verdict.lines.filter((line) => /^(MISSED|WRONG|FALSE|INVENTED)/.test(line))).toEqual([]);
    expect(views(said)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^nginx is killed on lb1: [1-9]\d* of \d+ requests failed, longest outage \d+ ms/),
        expect.stringMatching(/^nginx is killed on the backend web1: /),
        expect.stringMatching(/^a new page is put on web2 alone: .*2 different pages$/),
        expect.stringMatching(/^a broken configuration is started on lb1: /),
      ]),
    );
    // Both kinds of mail come by the settings of the nodes' own keepalived.conf.
    expect(new Set(result.mails.map(({ subject }) => /^\[\w+\]/.exec(subject)?.[0]))).toEqual(
      new Set(["[lb1]", "[lb2]", "[keepwatch]"]),
    );
    expect(said).toMatch(/lb1: the start reported success, and said: Starting keepalived: keepalived\./);
  }, 300_000);

  test("with vrrp_strict the addresses answer nobody, and keepwatch says so from the start", async () => {
    const { result } = await play(nginxPairStrict.name);
    expect(result.verdict.lines.filter((line) => /^(MISSED|WRONG|FALSE|INVENTED)/.test(line))).toEqual([]);
  }, 300_000);
});
