import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { scanCapture } from "../../collector/offline/capture-scan.ts";
import { AdvertScanner } from "../../collector/pcap/advert-scan.ts";
import { MasterWatch } from "../../collector/pcap/master-watch.ts";
import { StreamTally } from "../../collector/pcap/stream-tally.ts";
import { printCaptures, type ScannedCapture } from "../pcap/print.ts";

export interface PcapVerbOptions {
  readonly detect?: boolean;
  readonly format: string;
}

/** `keepwatch pcap`: exit status 0, 2 when an input cannot be read or is damaged. */
export async function pcapVerb(paths: readonly string[], options: PcapVerbOptions): Promise<void> {
  const { format } = options;
  if (format !== "text" && format !== "json")
    throw new OperatorError("USAGE", `--format ${format} is not known`, { remedy: "Choose one of text, json" });
  const captures: ScannedCapture[] = [];
  for (const path of paths) captures.push(await scan(path, options.detect ?? false));
  process.stdout.write(printCaptures(captures, format));
  for (const { path, error, counts } of captures) {
    if (error === undefined) continue;
    process.exitCode = 2;
    process.stderr.write(`keepwatch: ${counts ? `${path}: ` : ""}${error}\n`);
  }
}

async function scan(path: string, detect: boolean): Promise<ScannedCapture> {
  const scanner = new AdvertScanner((columns) => {
    tally.add(columns);
    watch?.add(columns);
  });
  const tally = new StreamTally(scanner.streams);
  const watch = detect ? new MasterWatch(scanner.streams) : undefined;
  try {
    const fault = await scanCapture(path, scanner);
    return {
      path,
      counts: scanner.counts(),
      streams: tally.counts(),
      ...(watch ? { masters: watch.report() } : {}),
      ...(fault === undefined ? {} : { error: fault }),
    };
  } catch (error) {
    return { path, error: error instanceof OperatorError ? error.toLine() : messageOf(error) };
  }
}
