import { closeSync, openSync, readSync, statSync } from "node:fs";
import { OperatorError } from "../core/errors.ts";
import type { AdvertScanner } from "../pcap/advert-scan.ts";
import { bytesOf, readHead } from "./bytes.ts";
import { packingIn } from "./identify.ts";

/**
 * Feeds a capture to a scanner; `.gz` and `.zst` too.
 * @returns what is wrong with the file, when something is: what stands before it was read
 * @throws OperatorError when it cannot be read at all
 */
export async function scanCapture(path: string, scanner: AdvertScanner): Promise<string | undefined> {
  const isPlain = packingIn(await readHead(path)) === undefined && statSync(path).isFile();
  if (isPlain) readWhole(path, scanner);
  else for await (const chunk of bytesOf(path)) scanner.push(chunk);
  return scanner.end();
}

/** Straight into the scanner's memory. */
function readWhole(path: string, scanner: AdvertScanner): void {
  try {
    const file = openSync(path, "r");
    try {
      for (;;) {
        const count = readSync(file, scanner.room());
        if (count === 0) return;
        scanner.filled(count);
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new OperatorError("INPUT_UNREADABLE", `${path} cannot be read`, { cause });
  }
}
