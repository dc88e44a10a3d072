import { readFile } from "node:fs/promises";

/**
 * Datagrams that the kernel dropped since our socket was opened, because there was no room for them: the last column of /proc/net/udp.
 * @returns undefined where the kernel does not tell
 */
export async function kernelDrops(port: number): Promise<number | undefined> {
  const tables = await Promise.all(
    ["/proc/net/udp", "/proc/net/udp6"].map((path) => readFile(path, "utf8").catch(() => undefined)),
  );
  if (tables.every((table) => table === undefined)) return undefined;
  return tables.reduce((sum, table) => sum + dropsIn(table ?? "", port), 0);
}

/** @param table  `sl local_address rem_address st … drops`, addresses and ports in hexadecimal */
export function dropsIn(table: string, port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(wanted))
    .reduce((sum, columns) => sum + Number(columns.at(-1) ?? 0), 0);
}
