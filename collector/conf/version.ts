/** A release of keepalived, comparable: `compareReleases`. */
export type Release = readonly [major: number, minor: number, patch: number];

/** The newest release this knowledge covers: what is assumed where nothing says which one runs. */
export const NEWEST_RELEASE: Release = [2, 4, 3];

/** @returns undefined when the text is not `N.N`, `N.N.N`, or one with a `v` before it or a distribution's suffix behind it */
export function parseRelease(text: string): Release | undefined {
  const match = /^v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?![\d.])/.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

/** Negative when `a` is older than `b`. */
export function compareReleases(a: Release, b: Release): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
