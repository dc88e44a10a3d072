import type { SchemaChange } from "../schema.ts";
import { DURABLE } from "./0001_first_light.ts";

/** A silence is written when it is made, and once more when it is ended before its time. */
export const silences: readonly SchemaChange[] = [
  {
    create: "silences",
    columns: ["id FixedString(32)", "revision UInt32", "silence String CODEC(ZSTD(3))"],
    newestBy: "revision",
    orderBy: "id",
    settings: DURABLE,
  },
];
