import type { SchemaChange } from "../schema.ts";
import { DURABLE } from "./0001_first_light.ts";

/** Which store this is. A store gets an id when it is made, and another one whenever a backup is restored: what was acknowledged since the backup is not in it. */
export const incarnations: readonly SchemaChange[] = [
  {
    create: "incarnations",
    columns: ["number UInt32", "id String", "sinceTs DateTime64(6) DEFAULT now64(6)"],
    orderBy: "(number, id)",
    settings: DURABLE,
  },
];
