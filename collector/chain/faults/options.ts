import { visible } from "../located.ts";
import { isSince, type OptionFault } from "../options.ts";
import { type Fault, type View, execStart, fault, releaseOf, used } from "./fault.ts";

/** The command line. */

export function* optionFaults(view: View): Iterable<Fault> {
  const { options, release } = view.chain;
  for (const one of options.faults) yield* optionFault(view, one);
  const extra = options.faults.filter(({ kind }) => kind === "unexpected-argument");
  const [first] = extra;
  if (first)
    yield fault(
      "argument_unexpected",
      `${visible(extra.map(({ written }) => written).join(" "))}: ${extra.length === 1 ? "this word belongs" : "these words belong"} to no option, and keepalived passes over ${extra.length === 1 ? "it" : "them"}`,
      first.word.at ?? execStart(view),
    );
  for (const { option, written, word } of options.uses) {
    const at = word.at ?? execStart(view);
    const what = ENDS_START[option];
    if (what !== undefined) yield fault("option_ends_start", `${written} ${what}: the daemon is never started`, at);
  }
  const { invalid, name } = view.chain.log.facility;
  if (invalid)
    yield fault(
      "option_value_ignored",
      `${invalid.written} ${visible(invalid.value ?? "")} is no facility of keepalived ${releaseOf(view)}, which logs to ${name}`,
      invalid.word.at ?? execStart(view),
      isSince("2.2.5", release)
        ? "Give 0 to 7, local0 to local7, user or daemon"
        : "Give a digit from 0 to 7: names came with 2.2.5",
    );
  const umask = used(view, "umask");
  if (umask && !/^0?[0-7]{1,3}$/.test(umask.value ?? ""))
    yield fault(
      "option_value_ignored",
      `${umask.written} ${visible(umask.value ?? "")} is no umask, and is not taken`,
      umask.word.at ?? execStart(view),
      "Give an octal number, such as 077",
    );
  const file = used(view, "use-file");
  if (file && !(file.value ?? "").startsWith("/"))
    yield fault(
      "config_path_relative",
      `${file.written} ${visible(file.value ?? "")} is relative, and is looked for in ${view.chain.workingDirectory} at the start${used(view, "dont-fork") ? "" : " and in / at a reload"}`,
      file.word.at ?? execStart(view),
      `Give ${view.chain.configuration.path}`,
    );
  const namespace = used(view, "namespace");
  if (
    namespace &&
    view.facts.isLive &&
    !view.tree.exists(`/run/netns/${namespace.value ?? ""}`) &&
    !view.tree.exists(`/var/run/netns/${namespace.value ?? ""}`)
  )
    yield fault(
      "namespace_missing",
      `network namespace ${visible(namespace.value ?? "")} does not exist`,
      namespace.word.at ?? execStart(view),
    );
  const keeps = used(view, "dont-release-vrrp");
  if (keeps)
    yield fault(
      "addresses_kept_on_stop",
      `${keeps.written} leaves the virtual addresses on this node when keepalived stops`,
      keeps.word.at ?? execStart(view),
    );
}

function* optionFault(view: View, { kind, written, word, why }: OptionFault): Iterable<Fault> {
  const at = word.at ?? execStart(view);
  const option = visible(written);
  const ends = isSince("1.4.1", view.chain.release)
    ? "exits with 1"
    : isSince("1.2.9", view.chain.release)
      ? "exits with 0"
      : "ignores it and everything behind it";
  switch (kind) {
    case "unknown":
      yield fault(
        "option_unknown",
        `keepalived ${releaseOf(view)} does not know ${option}${why === undefined ? "" : ` (${why})`}, and ${ends}`,
        at,
      );
      return;
    case "ambiguous":
      yield fault(
        "option_unknown",
        `${option} may be several options, and keepalived ${ends}`,
        at,
        "Write the option's whole name",
      );
      return;
    case "unwanted-value":
      yield fault(
        "option_unknown",
        `${option} takes no value, and keepalived ${ends}`,
        at,
        `Write ${option} without a value`,
      );
      return;
    case "missing-value":
      yield fault("option_missing_value", `${option} needs a value, and has none: keepalived ${ends}`, at);
      return;
    case "unexpected-argument":
      // All of them are one finding.
      return;
  }
}

/** What an option does instead of starting the daemon. */
export const ENDS_START: Readonly<Record<string, string>> = {
  "config-test": "only checks the configuration",
  version: "prints the version",
  help: "prints the options",
  signum: "prints a signal's number",
  genhash: "is the genhash tool",
};
