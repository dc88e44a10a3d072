import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";

/** Numbers of keepalived's lines in a folder's files, compressed ones too. */
export async function diskNumbers(dir: string): Promise<ReadonlySet<number>> {
  const numbers = new Set<number>();
  for (const name of await readdir(dir)) {
    const file = createReadStream(join(dir, name));
    for await (const line of createInterface({ input: name.endsWith(".gz") ? file.pipe(createGunzip()) : file })) {
      const number = /numbered line (\d+)$/.exec(line)?.[1];
      if (number !== undefined) numbers.add(Number(number));
    }
  }
  return numbers;
}
