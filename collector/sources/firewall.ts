import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { normaliseAddress } from "../core/address.ts";
import type { Family } from "../events/event.ts";

/** How long nft may take, milliseconds. */
const NFT_MS = 2_000;
/** An instance has at most some hundred addresses. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
/** nft joins its arguments and reads them as commands: what is no plain name never reaches it. */
const NAME = /^[A-Za-z_][\w.-]{0,63}$/;

/** Runs nft with arguments. */
export type Nft = (args: readonly string[]) => Pick<SpawnSyncReturns<string>, "status" | "stdout" | "stderr">;

/**
 * Addresses in the set `vips` of a table of nftables, from and to which keepalived drops packets.
 * @param table  its name
 * @returns undefined when it cannot be seen: no nft, or no CAP_NET_ADMIN
 */
export function droppedAddresses(family: Family, table: string, nft: Nft = runNft): ReadonlySet<string> | undefined {
  if (!NAME.test(table)) return undefined;
  const { status, stdout, stderr } = nft(["-j", "list", "set", family === "ipv6" ? "ip6" : "ip", table, "vips"]);
  if (status === 0) return addressesIn(stdout);
  return /No such file or directory/.test(stderr ?? "") ? new Set() : undefined;
}

const runNft: Nft = (args) =>
  spawnSync("nft", args, {
    encoding: "utf8",
    timeout: NFT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, LC_ALL: "C", PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` },
  });

/** @param json  as `nft -j list set` prints it @returns undefined when it is no such thing */
function addressesIn(json: string): ReadonlySet<string> | undefined {
  let found: unknown;
  try {
    found = JSON.parse(json);
  } catch {
    return undefined;
  }
  const addresses = new Set<string>();
  for (const item of listOf(found, "nftables"))
    for (const element of listOf(property(item, "set"), "elem")) {
      // With a counter an element is an object.
      const value = typeof element === "object" ? property(property(element, "elem"), "val") : element;
      const address = typeof value === "string" ? normaliseAddress(value) : undefined;
      if (address !== undefined) addresses.add(address);
    }
  return addresses;
}

function property(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? (of as Readonly<Record<string, unknown>>)[name] : undefined;
}

function listOf(of: unknown, name: string): readonly unknown[] {
  const list = property(of, name);
  return Array.isArray(list) ? list : [];
}
