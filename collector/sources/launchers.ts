import { basename } from "node:path";
import type { EventBody } from "../events/event.ts";
import { commandOf, networkNamespaceOf, processIds } from "./processes.ts";

/** Somebody who runs keepalived's start script now, and what was asked of it. */
export interface Launch {
  readonly pid: number;
  readonly body: EventBody<"process.launcher">;
}

/** Programs that start, stop and reload any service, and where in their arguments its name and what is asked stand. */
const FOR_ALL: Readonly<Record<string, "name first" | "action first">> = {
  service: "name first",
  "invoke-rc.d": "name first",
  "rc-service": "name first",
  systemctl: "action first",
};
const SERVICE = /^keepalived(?:@[\w.-]*)?(?:\.service)?$/;
const SCRIPT = /\/(?:rc\.d\/)?init\.d\/keepalived$/;
const ACTION = /^[a-z][a-z-]{1,31}$/;

/** `/bin/sh /etc/init.d/keepalived restart`, `systemctl restart keepalived` */
export function launchOf(argv: readonly string[]): EventBody<"process.launcher"> | undefined {
  const words = argv.filter((word) => !word.startsWith("-"));
  const script = words.findIndex((word) => SCRIPT.test(word));
  if (script >= 0 && script <= 1) return launch(words[script] ?? "", words[script + 1]);
  // A script that is run by its interpreter stands behind it.
  const program = words.slice(0, 2).findIndex((word) => FOR_ALL[basename(word)] !== undefined);
  if (program < 0) return undefined;
  const name = basename(words[program] ?? "");
  const [first, second] = words.slice(program + 1, program + 3);
  const [service, action] = FOR_ALL[name] === "name first" ? [first, second] : [second, first];
  return service !== undefined && SERVICE.test(service) ? launch(`${name} ${service}`, action) : undefined;
}

const launch = (command: string, action: string | undefined): EventBody<"process.launcher"> | undefined =>
  action !== undefined && ACTION.test(action)
    ? { kind: "process.launcher", command: command.slice(0, 255), action }
    : undefined;

/** All who do so in this network namespace: what a container of the same host does is not this node's. */
export function launchesNow(proc = "/proc"): Launch[] {
  const own = networkNamespaceOf("self", proc);
  return processIds(proc).flatMap((pid) => {
    const body = launchOf(commandOf(pid, proc).argv);
    if (!body) return [];
    const theirs = networkNamespaceOf(pid, proc);
    return own === undefined || theirs === undefined || own === theirs ? [{ pid, body }] : [];
  });
}
