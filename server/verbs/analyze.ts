import { OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { isZone, ZONE_WANTED } from "../../collector/logs/zone.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { analyze } from "../analyze/analyze.ts";
import { printJson, printMarkdown, printText } from "../analyze/print.ts";

export interface AnalyzeOptions {
  readonly cluster: string;
  readonly tz?: string;
  readonly year?: number;
  readonly format: string;
  readonly adverts?: boolean;
  readonly exitCode?: boolean;
}

const PRINTERS = { text: printText, json: printJson, markdown: printMarkdown } as const;

/** `keepwatch analyze`: exit status 0, 1 with `--exit-code` when an incident is found, 2 when an input cannot be read. */
export async function analyzeVerb(paths: readonly string[], options: AnalyzeOptions): Promise<void> {
  if (!isFormat(options.format))
    throw new OperatorError("USAGE", `--format ${options.format} is not known`, {
      remedy: `Choose one of ${Object.keys(PRINTERS).join(", ")}`,
    });
  const zone = options.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!isZone(zone))
    throw new OperatorError("USAGE", `--tz ${zone} is not a time zone`, {
      remedy: ZONE_WANTED,
    });
  const inputs = await readInputs(paths, {
    cluster: options.cluster,
    zone,
    now: systemClock.epoch(),
    ...(options.year === undefined ? {} : { year: options.year }),
  });
  const analysis = analyze(inputs, { adverts: options.adverts === true });
  process.stdout.write(PRINTERS[options.format](analysis));
  for (const { path, error } of inputs.inputs)
    if (error !== undefined) process.stderr.write(`keepwatch: ${path}: ${error}\n`);
  if (inputs.inputs.some((input) => input.error !== undefined)) process.exitCode = 2;
  else if (options.exitCode && analysis.incidents.length > 0) process.exitCode = 1;
}

function isFormat(text: string): text is keyof typeof PRINTERS {
  return Object.hasOwn(PRINTERS, text);
}
