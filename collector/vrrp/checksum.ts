/** Sum of 16-bit big-endian words, an odd last byte padded with zero. */
export function sum16(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

/** Whether a sum that includes the checksum field comes out right (RFC 1071). */
export function isZeroSum(sum: number): boolean {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded === 0xffff;
}

/** The pseudo header's share (RFC 9568 section 5.2.8; RFC 8200 section 8.1 for IPv6). */
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  return sum16(destination, sum16(source)) + protocol + (length & 0xffff) + (length >>> 16);
}
