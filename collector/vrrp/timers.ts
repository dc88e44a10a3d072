import { US_PER_SECOND } from "../core/time.ts";

/** Version of the protocol: 2 (RFC 3768) or 3 (RFC 9568). */
export type VrrpVersion = 2 | 3;

/**
 * How much longer than a whole number of intervals a backup waits, in microseconds; the lower its priority, the longer.
 * Version 2 does not scale it with the interval. Integer divisions in keepalived's order (2.2.7, VRRP_TIMER_SKEW_CALC).
 * @param priority    1..255; the effective one, and the address owner (255) in its turn waits 3906 µs
 * @param intervalUs  advert interval of the master
 */
export function skewUs(version: VrrpVersion, priority: number, intervalUs: number): number {
  if (version === 2) return Math.floor(((256 - priority) * US_PER_SECOND) / 256);
  return Math.floor(((256 - priority) * Math.floor(intervalUs / 10_000) * 625) / 16);
}

/**
 * How long a backup hears nothing before it takes over, in microseconds.
 * @param adverts  down_timer_adverts, 3 unless configured otherwise: keepalived counts it, not the RFC's fixed three
 * @see RFC 3768 section 6.1, RFC 9568 section 6.1 (Active_Down_Interval)
 */
export function masterDownUs(version: VrrpVersion, priority: number, intervalUs: number, adverts = 3): number {
  return adverts * intervalUs + skewUs(version, priority, intervalUs);
}
