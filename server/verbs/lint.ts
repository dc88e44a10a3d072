import { parseRelease } from "../../collector/conf/version.ts";
import { OperatorError } from "../../collector/core/errors.ts";
import { explain } from "../lint/explain.ts";
import { printJson } from "../lint/json.ts";
import { exitStatusOf, lint } from "../lint/lint.ts";
import { printText } from "../lint/text.ts";

export interface LintOptions {
  readonly format: string;
  readonly color: string;
  readonly options?: string;
  readonly keepalivedVersion?: string;
  readonly configId?: string;
  readonly root?: string;
  readonly explain?: string;
}

/** `keepwatch lint`: exit status 0 nothing worse than a hint, 1 problems, 2 usage or an input that cannot be read. */
export function lintVerb(specs: readonly string[], options: LintOptions): void {
  const format = oneOf("--format", options.format, ["text", "json"]);
  const color = oneOf("--color", options.color, ["auto", "always", "never"]);
  if (options.explain !== undefined) {
    process.stdout.write(explain(options.explain));
    return;
  }
  const release = options.keepalivedVersion === undefined ? undefined : releaseNamed(options.keepalivedVersion);
  const report = lint({
    specs,
    ...(options.options === undefined ? {} : { optionsFile: options.options }),
    ...(release === undefined ? {} : { release }),
    ...(options.configId === undefined ? {} : { configId: options.configId }),
    ...(options.root === undefined ? {} : { root: options.root }),
  });
  for (const error of report.errors) process.stderr.write(`keepwatch: ${error.toLine()}\n`);
  if (format === "json") process.stdout.write(printJson(report));
  else if (report.nodes.length > 0) process.stdout.write(printText(report, { colour: wantsColour(color) }));
  process.exitCode = exitStatusOf(report);
}

function wantsColour(color: "auto" | "always" | "never"): boolean {
  if (color !== "auto") return color === "always";
  // no-color.org: any value but the empty one.
  return process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

function releaseNamed(text: string): ReturnType<typeof parseRelease> & object {
  const release = parseRelease(text);
  if (release) return release;
  throw new OperatorError("USAGE", `--keepalived-version ${text} is not a release`, {
    remedy: "Give it as keepalived -v tells it, for example 2.2.7",
  });
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new OperatorError("USAGE", `${option} ${text} is not known`, { remedy: `Choose one of ${known.join(", ")}` });
}
