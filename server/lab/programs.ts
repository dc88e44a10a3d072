import { OperatorError } from "../../collector/core/errors.ts";
import type { Program, Scenario } from "./scenario.ts";
import { isInstalled } from "./shell.ts";

const ALWAYS: readonly Program[] = [
  { command: "ip", debianPackage: "iproute2" },
  { command: "unshare", debianPackage: "util-linux" },
  { command: "nsenter", debianPackage: "util-linux" },
  { command: "keepalived", debianPackage: "keepalived" },
  { command: "rsyslogd", debianPackage: "rsyslog" },
  { command: "tcpdump", debianPackage: "tcpdump" },
];

/** @throws OperatorError that says what is missing, of what every scenario needs and of what this one needs besides */
export async function checkLabCanRun(scenario?: Pick<Scenario, "programs">): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new OperatorError("LAB_ROOT", "the laboratory builds network namespaces, which needs root", {
      remedy: "Run it with sudo",
    });
  const missing: string[] = [];
  for (const { command, debianPackage } of [...ALWAYS, ...(scenario?.programs ?? [])])
    if (!(await isInstalled(command))) missing.push(debianPackage);
  if (missing.length > 0) {
    const names = [...new Set(missing)].join(" ");
    throw new OperatorError("LAB_MISSING", `the laboratory needs programs that are not installed: ${names}`, {
      remedy: `apt-get install --no-install-recommends ${names}`,
    });
  }
}
