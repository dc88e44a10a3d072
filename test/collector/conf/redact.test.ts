import { expect, test } from "vitest";
import { modelOf } from "../../../collector/conf/model.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import type { Release } from "../../../collector/conf/version.ts";

const RELEASES: readonly Release[] = [
  [1, 3, 5],
  [2, 0, 20],
  [2, 2, 7],
  [2, 4, 3],
];
const instance = (line: string): string =>
  `vrrp_instance VI_1 {\n  interface eth0\n  authentication {\n    auth_type PASS\n    ${line}\n  }\n}`;

test.each([
  ["two definitions", `$A=hunter22\n$B=other333\n${instance("auth_pass $A$B")}`],
  ["a definition that is not there, and one", `$A=hunter22\n${instance("auth_pass $B$A")}`],
  ["a definition of a definition", `$B=hunter22\n$A=$B\n${instance("auth_pass $A$C")}`],
  ["a definition of several lines", `$PASSWORD=\\\n  hunter22\n${instance("auth_pass $PASSWORD")}`],
  ["a broken line", instance("auth_pass\n    hunter22")],
  ["a misspelt keyword", instance("auth_pas hunter22")],
])("no diagnostic shows a part of a password: %s", (_name, text) => {
  for (const release of RELEASES) {
    const files = { read: () => text, glob: () => [] };
    const { diagnostics } = modelOf(parseConf("/k.conf", files, "lb1", { release }), { release });
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(JSON.stringify(diagnostics)).not.toMatch(/hunter22|other333/);
  }
});
