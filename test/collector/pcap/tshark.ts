import { spawnSync } from "node:child_process";
import type { EventBody } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";

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
  "ah.spi",
  "ah.sequence",
  "ieee8021ad.id",
  "vlan.id",
  "eth.src",
  "sll.src.eth",
  "sll.pkttype",
  "sll.ifindex",
  "ip.id",
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

const VIRTUAL_MAC = /^00:00:5e:00:0[12]:/;

/** The same frame, in the words of the event contract. */
export function asTsharkSays(row: TsharkRow) {
  const v2 = row["vrrp.version"] === "2";
  const ipv4 = row["ip.src"] !== "";
  const authTypes: Readonly<Record<string, string>> = { "": "none", "0": "none", "1": "pass", "2": "ah" };
  const mac = row["eth.src"] || row["sll.src.eth"];
  const ah = { spi: Number(row["ah.spi"]), sequence: Number(row["ah.sequence"]) };
  return {
    frame: Number(row["frame.number"]),
    ts: Number(BigInt(row["frame.time_epoch"].replace(".", "")) / 1000n),
    peer: row["ip.src"] || row["ipv6.src"],
    destination: row["ip.dst"] || row["ipv6.dst"],
    ttl: Number(row["ip.ttl"] || row["ipv6.hlim"]),
    family: ipv4 ? "ipv4" : "ipv6",
    version: Number(row["vrrp.version"]),
    vrid: Number(row["vrrp.virt_rtr_id"]),
    priority: Number(row["vrrp.prio"]),
    vips: (row["vrrp.ip_addr"] || row["vrrp.ipv6_addr"]).split(","),
    advertIntervalUs: v2 ? Number(row["vrrp.adver_int"]) * 1_000_000 : Number(row["vrrp.short_adver_int"]) * 10_000,
    authType: row["ah.next_header"] === "" ? authTypes[row["vrrp.auth_type"]] : "ah",
    // Wireshark 4.0 sums version 2 over IPv6 without the pseudo header that the kernel puts in: it calls all of them bad.
    checksum: row["vrrp.checksum.status"] === "1" || (v2 && !ipv4) ? "ok" : "bad",
    outgoing: row["sll.pkttype"] === "4",
    vlans: [row["ieee8021ad.id"], row["vlan.id"]].filter((id) => id !== "").join(),
    ...(row["ah.next_header"] === "" ? {} : { ah }),
    ...(ipv4 ? { ipId: Number(row["ip.id"]) } : {}),
    ...(VIRTUAL_MAC.test(mac) ? { vmac: mac } : {}),
  };
}

export function asWeSay({ ts, at, body }: Observation & { body: EventBody<"wire.advert"> }) {
  const { kind: _kind, interface: nic, checksumVariant: _variant, hmac: _hmac, ...fields } = body;
  return { frame: Number(at?.split("#")[1]), ts, ...fields, vlans: nic.split(".").slice(1).join(",") };
}
