import type { ValueMapping } from "@grafana/grafana-foundation-sdk/dashboard";

const named = (names: Readonly<Record<string, readonly [string, string]>>): ValueMapping[] => [
  {
    type: "value" as Extract<ValueMapping, { type: "value" }>["type"],
    options: Object.fromEntries(
      Object.entries(names).map(([value, [text, color]], index) => [value, { text, color, index }]),
    ),
  } as ValueMapping,
];

/** keepalived's numbers, which its exporters use, and its words, which the store has. */
export const VRRP_STATES = named({
  "0": ["INIT", "gray"],
  "1": ["BACKUP", "blue"],
  "2": ["MASTER", "green"],
  "3": ["FAULT", "red"],
  INIT: ["INIT", "gray"],
  BACKUP: ["BACKUP", "blue"],
  MASTER: ["MASTER", "green"],
  FAULT: ["FAULT", "red"],
});
export const SERVER_STATES = named({ "0": ["down", "red"], "1": ["up", "green"] });
