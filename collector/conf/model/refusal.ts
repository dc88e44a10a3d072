import type { FileFacts, NodeFacts } from "../facts.ts";
import { compareReleases, type Release } from "../version.ts";
import type { Command, Globals } from "./types.ts";

/** Why keepalived will not run a command, as far as is known about the node. (keepalived 2.2.7, lib/notify.c) */
export interface Refusal {
  readonly why: "missing" | "type" | "not-executable" | "unsafe" | "user";
  readonly message: string;
}

export interface ScriptContext {
  readonly globals: Globals;
  readonly facts: NodeFacts;
  readonly release: Release;
}

export const DEFAULT_SCRIPT_USER = "keepalived_script";
const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Before, scripts ran as root when there was no user of that name. */
const NEEDS_USER_SINCE: Release = [2, 2, 5];

export function refusalOf(command: Command, context: ScriptContext): Refusal | undefined {
  const program = command.words[0];
  if (program === undefined) return undefined;
  return refusedUser(command, context) ?? refusedFile(program, context, isRoot(command, context));
}

/** `USER` or `USER GROUP` that a command runs as. */
export function userOf({ user }: Command, { globals, facts }: ScriptContext): string {
  return user ?? globals.scriptUser ?? (facts.users?.has(DEFAULT_SCRIPT_USER) ? DEFAULT_SCRIPT_USER : "root");
}

function isRoot(command: Command, context: ScriptContext): boolean {
  return ["root", "0"].includes(userOf(command, context).split(" ")[0] ?? "");
}

function refusedUser(command: Command, context: ScriptContext): Refusal | undefined {
  const { globals, facts, release } = context;
  if (!facts.users) return undefined;
  const named = command.user ?? globals.scriptUser;
  if (named === undefined) {
    const needsUser = globals.scriptSecurity && compareReleases(release, NEEDS_USER_SINCE) >= 0;
    return needsUser && !facts.users.has(DEFAULT_SCRIPT_USER)
      ? {
          why: "user",
          message: `enable_script_security is set, script_user is not, and there is no user ${DEFAULT_SCRIPT_USER}`,
        }
      : undefined;
  }
  const [user = "", group] = named.split(" ");
  if (!/^\d+$/.test(user) && !facts.users.has(user)) return { why: "user", message: "its user does not exist here" };
  return group !== undefined && facts.groups && !/^\d+$/.test(group) && !facts.groups.has(group)
    ? { why: "user", message: "its group does not exist here" }
    : undefined;
}

/** A name without a slash is looked up in PATH. @returns undefined when it is not there */
export function resolveProgram(program: string, stat: NonNullable<NodeFacts["stat"]>): string | undefined {
  if (program.includes("/")) return stat(program) ? program : undefined;
  return PATH.map((folder) => `${folder}/${program}`).find((path) => stat(path)?.kind === "file");
}

function refusedFile(program: string, { facts, globals }: ScriptContext, asRoot: boolean): Refusal | undefined {
  if (!facts.stat) return undefined;
  const path = resolveProgram(program, facts.stat);
  const file = path === undefined ? undefined : facts.stat(path);
  if (path === undefined || !file) return { why: "missing", message: "it does not exist here" };
  if (file.kind !== "file") return { why: "type", message: `${path} is no file` };
  if ((file.mode & 0o111) === 0 || (!asRoot && file.uid === 0 && (file.mode & 0o011) === 0))
    return { why: "not-executable", message: `${path} is not executable${asRoot ? "" : " for its user"}` };
  const unsafe = globals.scriptSecurity && asRoot ? unsafePart(path, facts.stat) : undefined;
  return unsafe === undefined
    ? undefined
    : { why: "unsafe", message: `it would run as root, and others than root can change ${unsafe}` };
}

/** The first part of a path that someone else than root can write: there they can put another program. */
export function unsafePart(path: string, stat: NonNullable<NodeFacts["stat"]>): string | undefined {
  const parts = path.split("/").filter(Boolean);
  const paths = ["/", ...parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`)];
  return paths.find((one) => {
    const facts = stat(one);
    return facts !== undefined && isWritable(facts);
  });
}

/** In a folder with the sticky bit, such as /tmp, others cannot replace what is not theirs. */
function isWritable({ kind, mode, uid, gid }: FileFacts): boolean {
  if (uid !== 0) return true;
  if (kind === "directory" && (mode & 0o1000) !== 0) return false;
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== undefined && gid !== 0);
}
