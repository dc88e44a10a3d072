import { SEVERITIES, type SyslogLine } from "./line.ts";
import type { Verdict } from "./verdict.ts";

const FACILITIES: readonly string[] = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
];
const SEVERITY_ALIASES: Readonly<Record<string, string>> = { panic: "emerg", error: "err", warn: "warning" };
const INFO = 6;

/** Whether `daemon.*;mail.none` takes an INFO line of this facility. */
export function selects(selector: string, facility: string): Verdict {
  let mask = 0;
  let isSelector = false;
  for (const part of selector.split(";")) {
    const dot = part.lastIndexOf(".");
    if (dot < 0) continue;
    isSelector = true;
    if (
      !part
        .slice(0, dot)
        .split(",")
        .some((one) => one === "*" || nameOfFacility(one) === facility)
    )
      continue;
    const severity = part.slice(dot + 1).toLowerCase();
    const ignores = severity.startsWith("!");
    const exact = severity.slice(ignores ? 1 : 0).startsWith("=");
    const name = severity.slice((ignores ? 1 : 0) + (exact ? 1 : 0));
    if (name === "none") mask = ignores ? 0xff : 0;
    else {
      const level = name === "*" ? 7 : severityOf(name);
      if (level < 0) continue;
      const bits = exact && name !== "*" ? 1 << level : (1 << (level + 1)) - 1;
      mask = ignores ? mask & ~bits : mask | bits;
    }
  }
  return isSelector ? (mask & (1 << INFO)) !== 0 : false;
}

function nameOfFacility(text: string): string {
  const lower = text.trim().toLowerCase();
  if (/^\d{1,2}$/.test(lower)) {
    const number = Number(lower);
    return number >= 16 && number < 24 ? `local${number - 16}` : (FACILITIES[number] ?? lower);
  }
  return lower === "security" ? "auth" : lower;
}

function severityOf(name: string): number {
  return /^[0-7]$/.test(name) ? Number(name) : SEVERITIES.indexOf(SEVERITY_ALIASES[name] ?? name);
}

/** A property of the line against a constant; undefined where only the line itself could tell. */
export function compareProperty(property: string, operation: string, value: string, line: SyslogLine): Verdict {
  const facility = FACILITIES.indexOf(line.facility);
  const number = facility >= 0 ? facility : 16 + Number(line.facility.slice(5));
  const known: Readonly<Record<string, string>> = {
    programname: line.program,
    "app-name": line.program,
    syslogtag: `${line.program}[`,
    "syslogfacility-text": line.facility,
    syslogfacility: String(number),
    "syslogseverity-text": "info",
    syslogseverity: String(INFO),
    syslogpriority: String(INFO),
    "syslogpriority-text": "info",
    pri: String(number * 8 + INFO),
  };
  const fact = known[property.replace(/^\$/, "")];
  if (fact === undefined) return undefined;
  const isNumber = /^\d+$/.test(fact) && /^\d+$/.test(value);
  switch (operation) {
    case "isequal":
    case "==":
      // The tag ends with the process id, which is another one each time.
      return property.includes("syslogtag") ? undefined : fact === value;
    case "!=":
    case "<>":
      return property.includes("syslogtag") ? undefined : fact !== value;
    case "startswith":
      return fact.startsWith(value);
    case "startswith_i":
      return fact.toLowerCase().startsWith(value.toLowerCase());
    case "contains":
      return fact.includes(value);
    case "contains_i":
      return fact.toLowerCase().includes(value.toLowerCase());
    case "<=":
      return isNumber ? Number(fact) <= Number(value) : undefined;
    case "<":
      return isNumber ? Number(fact) < Number(value) : undefined;
    case ">=":
      return isNumber ? Number(fact) >= Number(value) : undefined;
    case ">":
      return isNumber ? Number(fact) > Number(value) : undefined;
    default:
      return undefined;
  }
}
