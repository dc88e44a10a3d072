/** The zone that a setting means: `local` is this machine's. */
export const zoneOf = (setting: string): string =>
  setting === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : setting;
