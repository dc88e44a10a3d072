import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ChainFiles } from "../chain/files.ts";
import { messageOf } from "../core/errors.ts";

/** Largest file read, bytes: units, rules and configurations are small. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The files of this machine, or of a copied tree.
 * @param root  folder that stands for `/`: an operator's copy that holds at least etc/
 */
export function systemChainFiles(root = "/"): ChainFiles {
  const base = root.replace(/\/+$/, "");
  return {
    read(path) {
      try {
        const stat = lstatSync(base + path);
        if (!stat.isFile()) return { unreadable: `${path} is not a regular file` };
        if (stat.size > FILE_BYTES_MAX) return { unreadable: `${path} is larger than ${FILE_BYTES_MAX} bytes` };
        return readFileSync(base + path, "utf8");
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        if (code === "ENOENT") return { unreadable: `${path} does not exist` };
        if (code === "EACCES") return { unreadable: `no permission to read ${path}` };
        return { unreadable: messageOf(error) };
      }
    },
    stat(path) {
      try {
        const stat = lstatSync(base + path);
        const kind = stat.isFile()
          ? "file"
          : stat.isDirectory()
            ? "directory"
            : stat.isSymbolicLink()
              ? "link"
              : "other";
        return { kind, mode: stat.mode & 0o7777, size: stat.size, mtimeUs: Math.floor(stat.mtimeMs * 1000) };
      } catch {
        return undefined;
      }
    },
    readlink(path) {
      try {
        return readlinkSync(base + path);
      } catch {
        return undefined;
      }
    },
    list(path) {
      try {
        return readdirSync(base === "" ? path : base + path);
      } catch {
        return [];
      }
    },
  };
}
