import { createHash, timingSafeEqual } from "node:crypto";

/** Whoever has one of the tokens. The configuration holds their SHA-256 only; they are compared in constant time, hash with hash. */
export function tokenReader<T extends { readonly sha256: string }>(
  tokens: readonly T[],
): (authorization: string | undefined) => readonly T[] {
  const known = tokens.map((entry) => ({ entry, hash: Buffer.from(entry.sha256, "hex") }));
  return (authorization) => {
    const token = /^Bearer (\S{1,512})$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return [];
    const hash = createHash("sha256").update(token).digest();
    return known.filter((candidate) => timingSafeEqual(candidate.hash, hash)).map(({ entry }) => entry);
  };
}
