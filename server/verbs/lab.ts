import { OperatorError } from "../../collector/core/errors.ts";
import { runLab } from "../lab/lab.ts";
import type { Scenario } from "../lab/scenario.ts";
import { SCENARIOS } from "../lab/scenarios/registry.ts";

/** `keepwatch lab`: exit status 0 only when the incidents found agree with what was done to the network. */
export async function labVerb(
  name: string | undefined,
  options: { list?: boolean; record?: string; keep?: boolean; json?: boolean },
): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (options.list) {
    for (const scenario of SCENARIOS) print(`${scenario.name.padEnd(18)} ${scenario.about}`);
    return;
  }
  const chosen = name === undefined ? SCENARIOS : [scenarioNamed(name)];
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    for (const scenario of chosen) {
      const result = await runLab({
        scenario,
        say: print,
        signal: abort.signal,
        ...(options.record ? { record: options.record } : {}),
        ...(options.keep ? { keep: true } : {}),
      });
      const { verdict } = result;
      print("");
      for (const line of verdict.lines) print(line);
      print(
        `${scenario.name}: ${verdict.agrees ? "what was found agrees with what was done" : "what was found does NOT agree with what was done"}\n`,
      );
      if (options.json) print(JSON.stringify(result));
      if (!verdict.agrees) process.exitCode = 1;
    }
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found) return found;
  throw new OperatorError("USAGE", `there is no scenario ${JSON.stringify(name)}`, {
    remedy: `Choose one of ${SCENARIOS.map((s) => s.name).join(", ")}`,
  });
}
