import { spawnSync } from "node:child_process";

/** What is compared with Wireshark's reading; the password is not among it. */
export const FIELDS = [
  "frame.number",
  "frame.time_epoch",
  "ip.src",
  "ipv6.src",
  "ip.dst",
  "ipv6.dst",
  "ip.ttl",
  "ipv6.hlim",
  "vrrp.version",
  "vrrp.virt_rtr_id",
  "vrrp.prio",
  "vrrp.addr_count",
  "vrrp.adver_int",
  "vrrp.short_adver_int",
  "vrrp.auth_type",
  "vrrp.ip_addr",
  "vrrp.ipv6_addr",
  "vrrp.checksum.status",
  "ah.next_header",
  "sll.pkttype",
  "sll.ifindex",
] as const;

export type TsharkRow = Readonly<Record<(typeof FIELDS)[number], string>>;

export const tsharkIsInstalled = (): boolean => spawnSync("tshark", ["--version"]).status === 0;

/** `tshark -T fields`, one line a frame. */
export function runTshark(path: string): string {
  const { stdout, stderr, status } = spawnSync(
    "tshark",
    ["-r", path, "-T", "fields", ...FIELDS.flatMap((field) => ["-e", field])],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`tshark could not read ${path}: ${stderr}`);
  return stdout;
}

export const parseTshark = (text: string): TsharkRow[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const values = line.split("\t");
      return Object.fromEntries(FIELDS.map((field, at) => [field, values[at] ?? ""])) as TsharkRow;
    });
