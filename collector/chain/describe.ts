import type { SourceLocation } from "../core/errors.ts";
import type { CHAIN_STEPS } from "../events/vocabulary.ts";
import type { StartChain } from "./chain.ts";
import { type Located, visible } from "./located.ts";

/** One link of the chain. */
export interface ChainStep {
  readonly step: (typeof CHAIN_STEPS)[number];
  readonly text: string;
  readonly at?: SourceLocation;
}

/** The chain in a few lines, in the order in which things happen. Control characters of the files are taken out. */
export function describeChain(chain: StartChain): { readonly text: string; readonly steps: readonly ChainStep[] } {
  const steps = [...launcherSteps(chain), ...commandSteps(chain), ...resultSteps(chain)];
  const text = steps
    .map(
      ({ step, text: what, at }, i) =>
        `${i === 0 ? "" : "-> "}${step.padEnd(i === 0 ? 16 : 13)} ${what}${at ? `  (${place(at)})` : ""}`,
    )
    .join("\n");
  return { text: `${text}\n`, steps };
}

function launcherSteps({ launcher, environment, argvFrom }: StartChain): ChainStep[] {
  const steps: ChainStep[] = [];
  if (launcher.kind === "none") steps.push({ step: "unit", text: "no systemd unit and no start script" });
  else if (launcher.kind === "script") {
    const { script } = launcher;
    steps.push(withAt({ step: "script", text: visible(`${script.path} (${script.flavour})`) }, script.at));
  } else {
    const { unit, command, isAssumed } = launcher;
    const drop = unit.dropIns.length > 0 ? ` + ${unit.dropIns.join(", ")}` : "";
    const masked = unit.maskedBy === undefined ? "" : ", masked";
    const assumed = isAssumed ? ", assumed: the copy has no unit file" : "";
    steps.push(
      withAt({ step: "unit", text: visible(`${unit.path ?? unit.name}${drop}${masked}${assumed}`) }, command?.at),
    );
    if (command) steps.push({ step: "command", text: visible(`ExecStart=${wordsOf(command.words)}`) });
  }
  for (const { path, exists, at } of environment)
    steps.push({ step: "environment", text: visible(`${path}${exists ? "" : " (missing)"}`), at });
  if (argvFrom === "daemon")
    steps.push({ step: "daemon", text: "a daemon is running, and its own command line counts" });
  return steps;
}

function commandSteps({ argv, argvFrom, daemons, launcher }: StartChain): ChainStep[] {
  const steps: ChainStep[] = [];
  if (argvFrom === "nothing") steps.push({ step: "command", text: "nothing is started" });
  else {
    const places = new Set(argv.slice(1).flatMap(({ at }) => (at ? [place(at)] : [])));
    if (launcher.kind === "systemd" && launcher.command) places.delete(place(launcher.command.at));
    const from =
      argvFrom === "launcher" && places.size > 0 ? `  (words from ${[...places].slice(0, 4).join(", ")})` : "";
    steps.push({ step: "command", text: visible(`${wordsOf(argv)}${from}`) });
  }
  for (const { process, children } of daemons)
    steps.push({ step: "daemon", text: `process ${process.pid} with ${children.length} children` });
  return steps;
}

function resultSteps(chain: StartChain): ChainStep[] {
  const { configuration, configId, subsystems, log, argvFrom } = chain;
  if (argvFrom === "nothing") return [];
  const includes = configuration.files.length - 1;
  const more = includes > 0 ? ` (+ ${includes} include${includes === 1 ? "" : "s"})` : "";
  const unreadable = configuration.unreadable === undefined ? "" : ` (${configuration.unreadable})`;
  const id = configId.id === undefined ? "" : `, config id ${configId.id}`;
  const why = { option: "-f", default: "default", "deprecated-default": "deprecated default" }[configuration.why];
  const running = subsystems.filter(({ runs }) => runs).map(({ name }) => name);
  return [
    withAt(
      { step: "configuration", text: visible(`${configuration.path}${more}${unreadable} [${why}${id}]`) },
      configuration.at,
    ),
    { step: "subsystems", text: running.length === 0 ? "none" : running.join(", ") },
    ...logSteps(log),
  ];
}

function logSteps(log: StartChain["log"]): ChainStep[] {
  const steps: ChainStep[] = [];
  const { journal, syslog } = log;
  if (journal) {
    const stored = journal.dropsInfo ? "none (MaxLevelStore)" : journal.storage;
    steps.push(withAt({ step: "log", text: stored === "unknown" ? "journal" : `journal (${stored})` }, journal.at));
  }
  for (const { to, at, isCertain } of syslog?.targets ?? [])
    steps.push({
      step: "log",
      text: visible(
        `${log.facility.name}.info -> ${to}${isCertain ? "" : " (perhaps: its condition depends on the line)"}`,
      ),
      at,
    });
  if (syslog && syslog.targets.length === 0)
    steps.push({ step: "log", text: `${log.facility.name}.info -> no rule of ${syslog.daemon}` });
  if (log.usesSyslog && !syslog && !journal)
    steps.push({ step: "log", text: `${log.facility.name}.info -> syslog; no rules found` });
  for (const file of log.files) steps.push({ step: "log", text: visible(`file ${file}`) });
  if (log.usesConsole) steps.push({ step: "log", text: "stderr" });
  if (steps.length === 0) steps.push({ step: "log", text: "nowhere" });
  return steps;
}

function withAt(step: ChainStep, at: SourceLocation | undefined): ChainStep {
  return at === undefined ? step : { ...step, at };
}

function place({ file, line }: SourceLocation): string {
  return visible(`${file}:${line}`);
}

function wordsOf(words: readonly Located[]): string {
  const shown = words.slice(0, 64).map(({ text }) => (/^[\w@%+=:,./$-]+$/.test(text) ? text : JSON.stringify(text)));
  return `${shown.join(" ")}${words.length > 64 ? " …" : ""}`;
}
