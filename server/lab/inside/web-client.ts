/** Started by the laboratory on its client host: asks a URL again and again, on a new connection each, and prints each outcome as a JSON line. */
import { createHash } from "node:crypto";
import { get } from "node:http";
import type { Answer } from "../client-view.ts";

const [, , url = "", everyMs = "50", timeoutMs = "1000"] = process.argv;
/** More of a page than this is not read. */
const PAGE_BYTES_MAX = 65_536;

function ask(): void {
  const sentTs = Date.now() * 1000;
  let isTold = false;
  const tell = (outcome: Omit<Answer, "sentTs" | "endedTs">): void => {
    if (isTold) return;
    isTold = true;
    process.stdout.write(`${JSON.stringify({ sentTs, endedTs: Date.now() * 1000, ...outcome } satisfies Answer)}\n`);
  };
  const request = get(url, { agent: false, signal: AbortSignal.timeout(Number(timeoutMs)) }, (response) => {
    const hash = createHash("md5");
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > PAGE_BYTES_MAX) request.destroy(new Error("the page is too long"));
      else hash.update(chunk);
    });
    response.on("error", (error) => tell({ status: null, error: reasonOf(error) }));
    response.on("end", () =>
      tell({
        status: response.statusCode ?? 0,
        page: hash.digest("hex"),
        ...header(response.headers["x-node"], "node"),
        ...header(response.headers["x-backend"], "backend"),
      }),
    );
  });
  request.on("error", (error) => tell({ status: null, error: reasonOf(error) }));
}

function header(value: string | string[] | undefined, name: "node" | "backend"): Partial<Record<typeof name, string>> {
  return typeof value === "string" ? { [name]: value } : {};
}

function reasonOf(error: Error): string {
  if (error.name === "AbortError" || error.name === "TimeoutError") return "no answer in time";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

setInterval(ask, Number(everyMs));
