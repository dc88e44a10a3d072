import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ALL_CODES } from "../../collector/conf/codes/registry.ts";
import { OperatorError } from "../../collector/core/errors.ts";

/** The page of the codes, in the source tree and in the package alike. */
const PAGE = fileURLToPath(new URL("../../../collector/conf/codes/README.md", import.meta.url));

/** The section of a code's page. */
export function explain(code: string): string {
  const wanted = code.trim().toLowerCase();
  if (!ALL_CODES.some((row) => row.code === wanted)) {
    const near = ALL_CODES.map((row) => row.code)
      .filter((one) => one.includes(wanted) || wanted.includes(one))
      .slice(0, 5);
    throw new OperatorError("USAGE", `there is no code ${JSON.stringify(code)}`, {
      remedy: near.length > 0 ? `Perhaps ${near.join(", ")}` : "The report names the code of each finding",
    });
  }
  const page = readFileSync(PAGE, "utf8");
  const from = page.indexOf(`\n## ${wanted}\n`) + 1;
  const to = page.indexOf("\n## ", from);
  return page.slice(from, to < 0 ? undefined : to + 1);
}
