import { readdirSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { ConfFiles } from "../conf/parser.ts";
import { decodeBytes } from "../conf/text.ts";

/** Largest configuration file read, bytes. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** The files of this machine, with the rules keepalived applies to them. */
export const systemConfFiles: ConfFiles = {
  read(path) {
    try {
      const stat = statSync(path);
      if (!stat.isFile()) return { unreadable: `${path} is not a regular file` };
      // keepalived 1.3.2 and newer pass such a file over, as a rule against scripts given for configurations.
      if ((stat.mode & 0o111) !== 0)
        return {
          unreadable: `${path} has an execute bit, and keepalived ignores it (chmod a-x ${path})`,
          isExecutable: true,
        };
      if (stat.size > FILE_BYTES_MAX) return { unreadable: `${path} is larger than ${FILE_BYTES_MAX} bytes` };
      return decodeBytes(readFileSync(path));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT") return { unreadable: `${path} does not exist` };
      if (code === "EACCES") return { unreadable: `no permission to read ${path}` };
      return { unreadable: messageOf(error) };
    }
  },
  glob(pattern, directory) {
    return alternatives(pattern).flatMap((one) => expand(resolve(directory, one)));
  },
};

/** `a{b,c}d` → `abd`, `acd`, as glob(3) with GLOB_BRACE. */
function alternatives(pattern: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(pattern);
  if (!match) return [pattern];
  const [, before = "", list = "", after = ""] = match;
  return list.split(",").flatMap((one) => alternatives(`${before}${one}${after}`));
}

/** Each part of the path by itself, sorted: glob(3) without a library, because the pattern's words are few. */
function expand(path: string): string[] {
  let found = ["/"];
  for (const part of path.split("/").filter(Boolean)) {
    const pattern = /[*?[]/.test(part)
      ? new RegExp(
          `^${part
            .replace(/[.+^$()|\\]/g, "\\$&")
            .replaceAll("*", ".*")
            .replaceAll("?", ".")
            .replaceAll("[!", "[^")}$`,
        )
      : undefined;
    found = found.flatMap((dir) =>
      (pattern
        ? names(dir).filter((name) => pattern.test(name) && (part.startsWith(".") || !name.startsWith(".")))
        : [part]
      ).map((name) => `${dir === "/" ? "" : dir}/${name}`),
    );
  }
  return found.filter((one) => statSync(one, { throwIfNoEntry: false }) !== undefined);
}

function names(dir: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
}
