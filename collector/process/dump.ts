import { type EventBody, STATES, type VrrpState } from "../events/event.ts";

/** Most instances read from a dump: a VRID each on some interfaces. */
const INSTANCES_MAX = 4_096;

/**
 * Reads keepalived's JSON dump: an array of instances (1.3.8 and newer), or from 2.2.8 on, when it is asked for, an object
 * with the array below `vrrp`. Only what is listed here is taken: the dump has the password in clear text up to 2.3.4.
 * @returns undefined when it is no such dump
 */
export function parseDump(text: string): EventBody<"dump.instance">[] | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const list = Array.isArray(json) ? json : isObject(json) && Array.isArray(json["vrrp"]) ? json["vrrp"] : undefined;
  return list?.slice(0, INSTANCES_MAX).flatMap((entry): EventBody<"dump.instance">[] => {
    const data = isObject(entry) && isObject(entry["data"]) ? entry["data"] : undefined;
    const instance = data?.["iname"];
    const state = stateOf(data?.["state"]);
    if (data === undefined || typeof instance !== "string" || instance.length > 255 || state === undefined) return [];
    const nic = data["ifp_ifname"];
    const seconds = data["last_transition"];
    return [
      {
        kind: "dump.instance",
        instance,
        state,
        ...given("wantedState", stateOf(data["wantstate"])),
        ...given("vrid", within(data["vrid"], 1, 255)),
        ...given("interface", typeof nic === "string" && nic !== "" && nic.length <= 255 ? nic : undefined),
        ...given("priority", within(data["effective_priority"], 0, 255)),
        ...given("basePriority", within(data["base_priority"], 0, 255)),
        ...given("masterPriority", within(data["master_priority"], 0, 255)),
        ...given("vipsSet", typeof data["vipset"] === "boolean" ? data["vipset"] : undefined),
        ...given(
          "lastTransitionTs",
          typeof seconds === "number" && seconds > 0 && seconds < 9e9 ? Math.round(seconds * 1e6) : undefined,
        ),
      },
    ];
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** INIT 0, BACKUP 1, MASTER 2, FAULT 3 (keepalived 2.2.7, vrrp/vrrp_json.c). */
const stateOf = (value: unknown): VrrpState | undefined => (typeof value === "number" ? STATES[value] : undefined);

const within = (value: unknown, min: number, max: number): number | undefined =>
  typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : undefined;

function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
