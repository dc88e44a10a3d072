import { expect, test } from "vitest";
import { clockOffsetMs } from "../../web/clock.ts";

const HEADER = "Tue, 24 Nov 2026 10:53:34 GMT";
const SERVER = Date.parse(HEADER);

test.each([
  ["agrees within the header's second", HEADER, SERVER + 999, 0],
  ["agrees when the answer took two seconds", HEADER, SERVER + 2_500, 0],
  ["is a minute ahead", HEADER, SERVER + 500 - 60_000, 60_000],
  ["is an hour behind", HEADER, SERVER + 500 + 3_600_000, -3_600_000],
  ["is not known without a header", null, SERVER, 0],
  ["is not known from nonsense", "yesterday", SERVER, 0],
])("the server's clock %s", (_name, header, browserMs, offset) => {
  expect(clockOffsetMs(header, browserMs)).toBe(offset);
});
