import { modelOf, type ModelOptions } from "../../collector/conf/model.ts";
import type { Running } from "../../collector/conf/model/types.ts";
import { parseConf } from "../../collector/conf/parser.ts";

/** What keepalived makes of a configuration in one file. */
export function runningOf(text: string, options: ModelOptions = { release: [2, 2, 7] }): Running {
  const files = {
    read: (path: string) => (path === "/k.conf" ? text : { unreadable: "no such file" }),
    glob: () => [],
  };
  return modelOf(parseConf("/k.conf", files, "r1"), options).running;
}
