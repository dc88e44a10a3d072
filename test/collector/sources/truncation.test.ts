import { describe, expect, test } from "vitest";
import { destroyedAt, type Seam } from "../../../collector/sources/truncation.ts";

const S = 1_000_000;
/** A log of 100 s and 4 MB, so 40 bytes a millisecond, of which all was read that the copy has. */
const seam: Seam = {
  size: 4_000_000,
  beganUs: 0,
  copiedUs: 100 * S,
  readBytes: 4_000_000,
  readUs: 100 * S,
  foundUs: 100 * S + 5_000,
  newestTs: 100 * S,
};

describe("what copytruncate destroys is estimated", () => {
  test.each<[string, Partial<Seam>, number, number]>([
    ["by when the file was found truncated", {}, 101 * S, 200],
    ["by the next line, when that is earlier", { foundUs: 100 * S + 50_000 }, 100 * S + 20_000, 800],
    [
      "from the last look on, when that saw more than was copied",
      { readBytes: 4_000_100, readUs: 100 * S + 3_000 },
      101 * S,
      81,
    ],
    ["by a second, when nobody looked", { foundUs: 4_000 * S }, 3_000 * S, 40_000],
    ["to a line for a log that is hardly written to", { size: 4_000, foundUs: 200 * S }, 150 * S, 40],
    ["to nothing when that is unlikely", { size: 200, readBytes: 200, foundUs: 200 * S }, 150 * S, 0],
    ["by how long a line may wait to be written, when it is older than the copy", { foundUs: 101 * S }, 99 * S, 200],
  ])("%s", (_name, change, nextTs, bytes) => {
    const changed = { ...seam, ...change };
    expect(destroyedAt({ ...changed, readBytes: change.readBytes ?? 0 }, nextTs)).toBe(bytes);
  });
});
