import type { Static, TObject } from "typebox";
import { Type } from "../core/schema.ts";
import {
  Address,
  DaemonT,
  Errno,
  FamilyT,
  Name,
  opt,
  Pid,
  Priority,
  Service,
  Signal,
  text,
  Unsigned32,
  Vrid,
} from "./scalars.ts";

/**
 * What a message of keepalived names besides its words: one field for each sort of thing, under one name in all kinds of
 * events. They are filled by what the holes of the grammar's templates are called. Each is absent where the line does not
 * name such a thing, or holds what cannot be one.
 */
export const DETAILS = {
  // --- who ---------------------------------------------------------------------------------------------------------
  /** A VRRP instance. */
  instance: opt(Name),
  /** The other one, where two are at odds. */
  otherInstance: opt(Name),
  /** A sync group, a track group, a virtual server group. */
  group: opt(Name),
  interface: opt(Name),
  vrid: opt(Vrid),
  family: opt(FamilyT),
  address: opt(Address),
  /** The other one, where two are compared. */
  otherAddress: opt(Address),
  bfd: opt(Name),
  /** A tracked process, by the name of its track_process block or its own. */
  process: opt(Name),
  /** A track_file block. */
  trackFile: opt(Name),
  virtualServer: opt(Service),
  realServer: opt(Service),
  /** A server where the line does not say whose it is. */
  service: opt(Service),
  /** A script: its name, or its command line. */
  script: opt(text(1024)),
  daemon: opt(DaemonT),
  /** A process keepalived made, or is signalled by. */
  childPid: opt(Pid),
  user: opt(Name),
  userGroup: opt(Name),
  uid: opt(Unsigned32),
  gid: opt(Unsigned32),
  // --- what --------------------------------------------------------------------------------------------------------
  /** The word of the configuration, the option or the parameter that the message is about. */
  keyword: opt(text(255)),
  /** What was given for it, as written. */
  value: opt(text(1024)),
  /** What it should have been. */
  expected: opt(text(255)),
  /** What keepalived takes instead. */
  used: opt(text(1024)),
  minimum: opt(Type.Number()),
  maximum: opt(Type.Number()),
  weight: opt(Type.Integer()),
  priority: opt(Priority),
  /** How many. */
  count: opt(Type.Integer()),
  /** In bytes; of what stands in the configuration, in characters. */
  length: opt(Type.Integer({ minimum: 0 })),
  /** Place in a text, in characters, or the number of a word. */
  offset: opt(Type.Integer({ minimum: 0 })),
  /** A virtual_ipaddress_excluded. */
  excluded: opt(Type.Boolean()),
  path: opt(text(4096)),
  url: opt(text(1024)),
  /** What a tracked file holds. */
  status: opt(Type.Integer()),
  /** Number of a packet or a request. */
  sequence: opt(Type.Integer()),
  // --- what came of it -----------------------------------------------------------------------------------------------
  errno: opt(Errno),
  /** The words for it, of the C library or of keepalived. */
  error: opt(text(255)),
  /** Why, in keepalived's words. */
  cause: opt(text(255)),
  /** What keepalived does about it, in its words. */
  effect: opt(text(255)),
  /** What is done, in its words: `setting`, `removing`, … */
  action: opt(text(64)),
  state: opt(text(64)),
  from: opt(text(255)),
  to: opt(text(255)),
  signal: opt(Signal),
  /** Exit status of a process, or the wait status that holds it. */
  exitStatus: opt(Type.Integer()),
  /** A file descriptor. */
  fd: opt(Type.Integer()),
  /** A request, a command, or the number of one. */
  command: opt(text(64)),
  delayUs: opt(Type.Integer({ minimum: 0, description: "microseconds" })),
  userUs: opt(Type.Integer({ minimum: 0, description: "CPU time in user mode, microseconds" })),
  systemUs: opt(Type.Integer({ minimum: 0, description: "CPU time in the kernel, microseconds" })),
  childrenUserUs: opt(
    Type.Integer({ minimum: 0, description: "CPU time of ended children in user mode, microseconds" }),
  ),
  childrenSystemUs: opt(
    Type.Integer({ minimum: 0, description: "CPU time of ended children in the kernel, microseconds" }),
  ),
  /** Of the kernel, or of what keepalived was built with. */
  version: opt(text(255)),
  /** Netlink's address of a socket, mostly the process's id. */
  portId: opt(Unsigned32),
  /** The kernel that runs: its name, release and build. */
  system: opt(text(255)),
} as const;

export type Details = Static<TObject<typeof DETAILS>>;
export type DetailField = keyof Details;
