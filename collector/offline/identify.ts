import { containerTextAt, takeContainer } from "../logs/container.ts";
import { looksLikeConsole } from "../logs/syslog.ts";
import type { Packing } from "../sources/packed.ts";

/** What an input file holds, told by its first bytes and its name. */
export type InputKind = "log" | "journal" | "pcap" | "config";

const PACKING_MAGICS: readonly (readonly [Packing, readonly number[]])[] = [
  ["gz", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bz2", [0x42, 0x5a, 0x68]],
  ["zst", [0x28, 0xb5, 0x2f, 0xfd]],
];
const CAPTURE_MAGICS = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a];

/** An entry as `journalctl -o json` writes it. */
export const JOURNAL_ENTRY = /^\s*\{.*"(__REALTIME_TIMESTAMP|__CURSOR)"/;

/** How a file is compressed, by its first bytes. */
export function packingIn(head: Uint8Array): Packing | undefined {
  return PACKING_MAGICS.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
}

/**
 * @param head  the first bytes, after decompression
 * @returns a sentence that says why it is none of them, for a file that is
 */
export function kindOf(path: string, head: Uint8Array): InputKind | { readonly refused: string } {
  const magic =
    head.length >= 4
      ? ((head[0] ?? 0) * 0x1000000 + ((head[1] ?? 0) << 16) + ((head[2] ?? 0) << 8) + (head[3] ?? 0)) >>> 0
      : 0;
  if (CAPTURE_MAGICS.includes(magic)) return "pcap";
  const text = new TextDecoder("latin1").decode(head);
  if (isJournal(text)) return "journal";
  if (
    path.endsWith(".conf") ||
    /^\s*(global_defs|vrrp_instance|vrrp_sync_group|vrrp_script|virtual_server)\b/m.test(text)
  )
    return "config";
  if (isBinary(head))
    return {
      refused: "it is a binary file: neither a log, a capture (pcap, pcapng), a journal export nor a keepalived.conf",
    };
  return "log";
}

/** Most lines are entries; the first may be torn, and the last be cut off here. */
function isJournal(text: string): boolean {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const entries = lines.filter((line) => JOURNAL_ENTRY.test(line));
  return entries.length > 0 && entries.length * 2 >= lines.length - 1;
}

/**
 * Whether something else has put an envelope of its own around what keepalived said: the journal, or the runtime of a
 * container. Its lines need not name keepalived.
 * @param head  the first bytes, after decompression
 */
export function isWrapped(head: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(head);
  return (
    isJournal(text) || text.split("\n").some((line) => takeContainer(line) !== undefined || isStampedConsole(line))
  );
}

/** `docker logs -t`: a time in front of a console, which has its own. */
const isStampedConsole = (line: string): boolean => containerTextAt(line) > 0 && looksLikeConsole(line);

/** A log may hold a torn block of NULs after a power cut; a binary file is full of bytes no text has. */
function isBinary(head: Uint8Array): boolean {
  let strange = 0;
  for (const byte of head) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) strange += 1;
  return head.length > 0 && strange > head.length * 0.3;
}

const GENERIC_NAMES =
  /^(messages|syslog|daemon\.log|daemon|keepalived\.log|keepalived|keepalived\.conf|capture|vrrp|journal)(\.|-\d|$)/;

/** Which node a file is from when nothing in it says: the folder of a file with an ordinary name, else the file's own name. */
export function nodeOfPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const base = withoutRotation(parts.at(-1) ?? path);
  const folder = parts.at(-2);
  if (GENERIC_NAMES.test(base) && folder !== undefined && !/^(log|etc|var|keepalived|tmp|\.\.)$/.test(folder))
    return folder;
  return base.replace(/\.(log|txt|json|jsonl|pcap|pcapng|conf)$/, "");
}

/** `messages.1`, `syslog.2.gz`, `messages-20261124`, `lb1.log.1`: what logrotate makes of one file is from one node. */
function withoutRotation(name: string): string {
  const base = name.replace(/\.(gz|zst|bz2|xz)$/, "");
  const rotated = /^(.+?)(?:\.\d{1,3}|-\d{8}(?:\d{2})?)$/.exec(base)?.[1];
  return rotated !== undefined && (GENERIC_NAMES.test(rotated) || rotated.endsWith(".log")) ? rotated : base;
}
