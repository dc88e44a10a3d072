/** Every query of a dashboard under this key, wherever it is in it. */
export function queriesOf(part: unknown, key: string): string[] {
  if (typeof part !== "object" || part === null) return [];
  return Object.entries(part).flatMap(([name, value]) =>
    name === key && typeof value === "string" ? [value] : queriesOf(value, key),
  );
}
