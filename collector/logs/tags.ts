import type { Daemon } from "../events/event.ts";

/**
 * Program tags: `Keepalived_vrrp`, `Keepalived_healthcheckers_<namespace>_<instance>`, …; `keepalived` is what a supervisor
 * calls it whose journal or pipe takes keepalived's console, all processes in one.
 */
const TAG = /^(?:Keepalived(?:_(vrrp|healthcheckers|bfd))?(?:_.*)?|keepalived(?:_(vrrp|healthcheckers|bfd)(?:_.*)?)?)$/;
export const CHILDREN: Readonly<Record<string, Daemon>> = {
  vrrp: "vrrp",
  healthcheckers: "checker",
  check: "checker",
  bfd: "bfd",
};
/** Whether a program tag is one of keepalived's. */
export const isKeepalived = (tag: string): boolean => TAG.test(tag);

/** The process that writes under a tag of keepalived's; undefined when the tag does not say. */
export function daemonOf(tag: string): Daemon | undefined {
  const match = TAG.exec(tag);
  if (!match || tag === "keepalived") return undefined;
  return CHILDREN[match[1] ?? match[2] ?? ""] ?? "parent";
}

/** Whose a tag is. @returns undefined when it is not keepalived's */
export const writerOf = (tag: string): { daemon: Daemon | undefined } | undefined =>
  isKeepalived(tag) ? { daemon: daemonOf(tag) } : undefined;
