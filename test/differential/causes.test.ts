import { describe, expect, test } from "vitest";
import { checkLabCanRun } from "../../server/lab/programs.ts";
import { causeScenarios } from "../../server/lab/scenarios/causes.ts";
import { limited } from "../support/limited.ts";
import { keepwatch } from "../support/process.ts";

/**
 * Real daemons that lose their one master, or do not start, in one way each: what keepwatch names as the cause must be what was done.
 *
 * `npm run differential -- causes` plays all of them and prints what was found; otherwise a few are played.
 */
const isWhole = process.env["KEEPWATCH_DIFFERENTIAL"] === "all";
const FEW = ["filtered", "auth-mismatch", "killed"];
const DEADLINE_MS = 240_000;
/** Laboratories at a time: each has a server, and its daemons must not be late. */
const PARALLEL = 2;
const limit = limited(() => PARALLEL);

const played = causeScenarios.filter(({ name }) => isWhole || FEW.includes(name));
const needed = played.flatMap(({ programs = [] }) => programs);
const reason = await checkLabCanRun({ programs: needed }).then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the causes found with real daemons: ${reason}\n\n`);

describe.skipIf(reason !== undefined)("the cause that is found is what was done", () => {
  test.concurrent.each(played.map(({ name, about }) => [name, about] as const))(
    "%s: %s",
    async (name) => {
      const { status, stdout, stderr } = await limit(() => keepwatch(["lab", name], { timeoutMs: DEADLINE_MS }));
      if (isWhole) {
        const verdict = `${stdout}\n${stderr}`
          .split("\n")
          .filter((line) => /^(?:FOUND|WRONG|MISSED|INVENTED|ALSO|TRUE|FALSE)\b/.test(line));
        process.stdout.write(`${name}\n${verdict.map((line) => `  ${line.slice(0, 160)}\n`).join("")}`);
      }
      expect(status, stdout + stderr).toBe(0);
    },
    // Those before it count, too.
    played.length * DEADLINE_MS,
  );
});
