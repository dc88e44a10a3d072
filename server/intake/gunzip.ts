import { promisify } from "node:util";
import { gunzip as gunzipCallback } from "node:zlib";

const gunzip = promisify(gunzipCallback);

/** Why a body cannot be had: it becomes larger than is taken, it is not gzip's, or it is packed in another way. */
export type GunzipFault = { readonly status: 400 | 413 | 415; readonly message: string };

/**
 * The body of a request as it was before `content-encoding`.
 * @param bytesMax  largest that is taken, decompressed
 */
export async function unpacked(
  body: Buffer,
  encoding: string | undefined,
  bytesMax: number,
): Promise<Buffer | GunzipFault> {
  if (encoding === undefined || encoding === "identity") return body;
  if (encoding !== "gzip")
    return { status: 415, message: `content-encoding ${encoding.slice(0, 40)} is not supported: send gzip or none` };
  try {
    return await gunzip(body, { maxOutputLength: bytesMax });
  } catch (error) {
    const tooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    return tooLarge
      ? { status: 413, message: `the body is larger than ${bytesMax} bytes when it is decompressed` }
      : { status: 400, message: "the body is not sound gzip data" };
  }
}
