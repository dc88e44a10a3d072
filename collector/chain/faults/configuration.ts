import { visible } from "../located.ts";
import { CLASSIC_FILE, NAMES, type Fault, type View, execStart, fault } from "./fault.ts";
import { ENDS_START } from "./options.ts";

/** Which file is read, and what of it is started. */

export function* configurationFaults(view: View): Iterable<Fault> {
  if (view.chain.argvFrom === "nothing") return;
  const { configuration } = view.chain;
  const { tree, build, facts } = view;
  const place = configuration.at ?? execStart(view);
  if (configuration.unreadable !== undefined)
    yield fault(
      "config_file_missing",
      `keepalived reads ${visible(configuration.path)}, but ${configuration.unreadable}`,
      place,
    );
  if (facts.expectedFile !== undefined && !reads(view, facts.expectedFile))
    yield fault(
      "config_file_not_read",
      `${facts.expectedFile} is not read: keepalived reads ${visible(configuration.path)}`,
      { file: facts.expectedFile, line: 1, column: 1 },
      `Edit ${visible(configuration.path)}, or give -f ${facts.expectedFile}`,
    );
  const other = build.defaultFile;
  if (configuration.why === "option" && other !== facts.expectedFile && tree.exists(other) && !reads(view, other))
    yield fault(
      "config_default_not_read",
      `${other} exists, but -f makes keepalived read ${visible(configuration.path)}`,
      place,
    );
  if (
    configuration.why === "default" &&
    other !== CLASSIC_FILE &&
    CLASSIC_FILE !== facts.expectedFile &&
    tree.exists(CLASSIC_FILE) &&
    !reads(view, CLASSIC_FILE)
  )
    yield fault(
      "config_build_default",
      `this keepalived was built to read ${other}, and ${CLASSIC_FILE} exists without being read`,
      execStart(view),
    );
  if (configuration.why === "deprecated-default")
    yield fault(
      "config_deprecated_path",
      `${other} does not exist, so ${configuration.path} is read, a path that is deprecated`,
      execStart(view),
      `Move ${configuration.path} to ${other}`,
    );
}

/** Whether this file is one of those that are read, by whatever name. */
function reads(view: View, path: string): boolean {
  const { tree } = view;
  const real = tree.real(path);
  return [view.chain.configuration.path, ...view.chain.configuration.files].some(
    (one) => one === path || tree.real(one) === real,
  );
}

export function* subsystemFaults(view: View): Iterable<Fault> {
  if (view.chain.argvFrom === "nothing" || view.chain.configuration.unreadable !== undefined) return;
  if (view.chain.options.uses.some(({ option }) => ENDS_START[option] !== undefined)) return;
  const { subsystems } = view.chain;
  for (const { name, neededAt, hiddenBy } of subsystems)
    if (neededAt && hiddenBy)
      yield fault(
        "subsystem_hidden",
        `${hiddenBy.text} starts no ${NAMES[name]}, and the configuration has ${BLOCKS[name]} (${neededAt.file}:${neededAt.line})`,
        hiddenBy.at ?? execStart(view),
        `Remove ${hiddenBy.text}`,
      );
  // Without any block the configuration's own check says that there is nothing to run.
  if (subsystems.some(({ neededAt }) => neededAt) && !subsystems.some(({ runs }) => runs))
    yield fault(
      "nothing_started",
      "the options leave nothing of the configuration to start",
      subsystems.find(({ hiddenBy }) => hiddenBy)?.hiddenBy?.at ?? execStart(view),
    );
}

const BLOCKS = { vrrp: "a vrrp_instance", checkers: "a virtual_server", bfd: "a bfd_instance" } as const;
