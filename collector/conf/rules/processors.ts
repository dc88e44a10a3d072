import { blocks, integer } from "../model/read.ts";
import type { Conf, Finding, Rule } from "./rule.ts";

/** Which processors the children are held to. (keepalived 2.2.7, core/global_parser.c) */

const CHILDREN: Readonly<Record<string, string>> = {
  vrrp_cpu_affinity: "VRRP",
  checker_cpu_affinity: "checker",
  bfd_cpu_affinity: "BFD",
};
const number = integer(0, 9999);

/** What is no number at all is the keyword's fault. Without the machine nothing can be said of the others. */
function* beyond({ globals, facts: { processors } }: Conf): Iterable<Finding> {
  if (processors === undefined) return;
  for (const { keyword, values } of blocks(globals, ...Object.keys(CHILDREN))) {
    if (values.some(({ text }) => number(text) === undefined)) continue;
    const one = values.find(({ text, unknown }) => !unknown && (number(text) ?? 0) >= processors);
    if (one)
      yield {
        code: "cpu_affinity_invalid",
        at: one.at,
        message: `this machine has ${processors} processor${processors === 1 ? "" : "s"}, numbered from 0: the line is ignored, and the ${CHILDREN[keyword.text]} process runs on any of them`,
      };
  }
}

export const processorRules: readonly Rule[] = [beyond];
