import { codeOf, severityOf } from "../conf/codes/registry.ts";
import type { ChainDiagnostic } from "./chain.ts";
import { configurationFaults, subsystemFaults } from "./faults/configuration.ts";
import { fault, type Fault, type View } from "./faults/fault.ts";
import { environmentFaults, scriptFaults, unitFaults } from "./faults/launch.ts";
import { logFaults } from "./faults/log.ts";
import { optionFaults } from "./faults/options.ts";
import { daemonFaults, pidFileFaults } from "./faults/processes.ts";

/** Most diagnostics of one kind: an environment file of a million words is not worth a million lines. */
const SAME_CODE_MAX = 20;
const TEXT_MAX = 1024;

/** Everything on the chain that starts nothing, reads something else, or logs nowhere. */
export function diagnose(view: View): ChainDiagnostic[] {
  const counts = new Map<string, number>();
  const found: ChainDiagnostic[] = [];
  for (const { code, message, at, fix = codeOf(code).fix } of faultsOf(view)) {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    if (count > SAME_CODE_MAX) continue;
    found.push({
      code,
      severity: severityOf(code, view.chain.release),
      message: message.slice(0, TEXT_MAX),
      fix: fix.slice(0, TEXT_MAX),
      ...(at === undefined ? {} : { at }),
    });
  }
  return found;
}

function* faultsOf(view: View): Iterable<Fault> {
  const { launcher, argvFrom } = view.chain;
  if (launcher.kind === "systemd") yield* unitFaults(view, launcher);
  else if (launcher.kind === "script") yield* scriptFaults(view, launcher.script);
  else if (argvFrom === "nothing")
    yield fault("unit_not_found", "no systemd unit and no start script for keepalived was found");
  yield* environmentFaults(view);
  yield* optionFaults(view);
  yield* configurationFaults(view);
  yield* subsystemFaults(view);
  yield* logFaults(view);
  yield* daemonFaults(view);
  yield* pidFileFaults(view);
}
