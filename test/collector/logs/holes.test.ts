import { expect, test } from "vitest";
import type { EventBody } from "../../../collector/events/event.ts";
import { readMessage } from "../../../collector/logs/reader.ts";
import { type CatalogueRow, catalogue, daemonOf, type FilledHole, filled } from "../../support/catalogue.ts";

/**
 * Whatever keepalived puts into a message is in a field of its event that has a type: every hole of every message that was
 * read by a person in its source. Not its lines are what systemd says of its unit, and the subjects of its mails.
 */
const rows = catalogue.filter(
  ({ curated, holes, examples, event, level }) =>
    curated && holes && !examples && !event.startsWith("systemd.") && level !== "mail",
);

/** Fields that are no place for a hole: what the message means, and the message as it is. */
const NOT_OF_HOLES: readonly string[] = ["kind", "code", "severity", "message"];

/** Holes that are in no field, each by its message and number, and why. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "a password is nowhere": ["check.ssl_context#6 0"],
  "it always holds this word": [
    "check.misc_result#1 2",
    "check.misc_result#3 3",
    "check.misc_result#5 3",
    "vrrp.firewall_rule#1 2",
    "vrrp.preempt_delay#1 0",
    "vrrp.preempt_delay#2 0",
    "vrrp.preempt_delay#3 0",
    "vrrp.script_result#2 1",
  ],
  "the same word twice: the other one is in a field": [
    "child.cpu_rlimit#1 0",
    "child.cpu_rlimit#2 0",
    "daemon.startup_shutdown_script#12 0",
  ],
  "of two words, what else is in the event says which": [
    "check.service_change#6 2",
    "vrrp.rx_length#14 1",
    "vrrp.rx_length#18 2",
  ],
  "WARNING in front, or not: keepalived does the same": [
    "config.number_invalid#1 0",
    "config.number_invalid#2 0",
    "config.number_invalid#3 0",
    "config.number_invalid#4 0",
    "config.number_invalid#5 0",
    "config.number_invalid#6 0",
    "config.number_invalid#7 0",
    "config.number_invalid#8 0",
    "config.number_invalid#9 0",
    "config.number_out_of_range#7 0",
    "config.number_out_of_range#8 0",
  ],
};
const EXCEPTED: readonly string[] = Object.values(EXCEPTIONS).flat();

/** Where what a hole is called has to be: whatever else holds the same text, it is not typed by that. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  instance: ["instance", "otherInstance", "used"],
  group: ["group", "value"],
  iface: ["interface", "subject", "expected", "used", "to"],
  vrid: ["vrid", "received", "expected"],
  bfd: ["bfd", "used"],
  process: ["process", "subject"],
  script: ["script", "subject"],
  file: ["trackFile", "file", "subject"],
  path: ["path", "used", "url"],
  rs: ["service", "server", "realServer", "sorryServer", "connectTo"],
  vs: ["virtualServer"],
  pid: ["childPid"],
  errno: ["errno"],
  error: ["error"],
};

type Field = readonly [name: string, value: unknown];

function read(row: CatalogueRow, message: string): { kind: EventBody["kind"]; fields: readonly Field[] } {
  const body = readMessage(message, daemonOf(row));
  return { kind: body.kind, fields: Object.entries(body).filter(([field]) => !NOT_OF_HOLES.includes(field)) };
}

const isText = (value: unknown, test: (text: string) => boolean): boolean => typeof value === "string" && test(value);
const isNumber = (value: unknown, test: (number: number) => boolean): boolean =>
  typeof value === "number" && test(value);

const US = { s: 1_000_000, ms: 1000, "centi-s": 10_000, us: 1 };

/** What a hole holds, in a field: as it is, or as the contract spells it. */
const SPELLINGS: readonly ((hole: FilledHole, field: Field, holes: readonly FilledHole[]) => boolean)[] = [
  ({ value }, [, is]) => String(is) === value || (Array.isArray(is) && is.includes(value)),
  // 61.500000
  ({ value }, [, is]) => isNumber(is, (number) => number === Number(value)),
  // A server has one name for what each release writes in its own way, and for an address and a port in two holes.
  ({ name, value }, [, is]) => (name === "rs" || name === "vs") && is === value.replace(":tcp:", ":"),
  ({ name, value }, [, is]) => name?.endsWith("addr") === true && isText(is, (text) => text.startsWith(`[${value}]:`)),
  ({ name, value }, [, is]) => name === "port" && isText(is, (text) => text.endsWith(`]:${value}`)),
  // Times are microseconds, whatever the message writes them in; a second and its fraction are two holes.
  ({ value }, [name, is]) =>
    name.endsWith("Us") &&
    Object.values(US).some((unit) => isNumber(is, (us) => us === Math.round(Number(value) * unit))),
  ({ name, value }, [, is]) => name === "seconds" && isNumber(is, (us) => Math.floor(us / US.s) === Number(value)),
  ({ name, value }, [, is]) => name === "micros" && isNumber(is, (us) => us % US.s === Number(value)),
  ({ name, value }, [field, is]) => name === "family" && field === "family" && is === `ipv${value}`,
  ({ name, value }, [field, is]) =>
    name === "version" && field === "version" && isText(is, (text) => value.startsWith(`Keepalived v${text} (`)),
  // In hexadecimal.
  ({ value }, [field, is]) => field === "discriminator" && isNumber(is, (number) => number.toString(16) === value),
  // One value of several conversions: a release, an address with its port, a range.
  ({ value }, [, is], holes) => {
    const text = String(is);
    const between = holes.reduce((rest, hole) => rest.replace(hole.value, ""), text);
    return value !== "" && text.includes(value) && /^(?:FWM )?[^a-z\d]*$/i.test(between);
  },
];

const isPlace = ({ name }: FilledHole, [field]: Field): boolean => PLACES[name ?? ""]?.includes(field) ?? true;

/** Two messages that differ in one word are two events, when both can be written. @returns what is the same, or undefined */
function sameEvent(row: CatalogueRow, hole: number, words: readonly string[]): string | undefined {
  const others = Math.max(...filled(row).holes.map((each) => each.words.length));
  for (let other = 0; other < others; other++) {
    const seen = new Map<string, string>();
    for (const [i, word] of words.entries()) {
      const { message } = filled(row, (at) => (at === hole ? i : other));
      const { kind, fields } = read(row, message);
      const event = JSON.stringify([kind, fields]);
      const before = seen.get(event);
      if (kind !== "log.unrecognised" && before !== undefined && before !== word)
        return `${JSON.stringify(before)} and ${JSON.stringify(word)} are the same: ${event}`;
      seen.set(event, word);
    }
  }
  return undefined;
}

test("every hole of every message is in a field", () => {
  const faults: string[] = [];
  const excepted = new Set<string>();
  let all = 0;
  let typed = 0;
  for (const row of rows) {
    const { message, holes } = filled(row);
    const { kind, fields } = read(row, message);
    for (const [i, hole] of holes.entries()) {
      if (hole.name === undefined && hole.words.length === 0) continue;
      all += 1;
      const fault =
        hole.words.length > 1
          ? sameEvent(row, i, hole.words)
          : fields.some((field) => isPlace(hole, field) && SPELLINGS.some((spelt) => spelt(hole, field, holes)))
            ? undefined
            : `${hole.name ?? "word"} ${hole.value} is in none of ${kind} ${JSON.stringify(fields)}`;
      if (fault === undefined) typed += 1;
      else if (EXCEPTED.includes(`${row.id} ${i}`)) excepted.add(`${row.id} ${i}`);
      else faults.push(`${row.id} ${i}: ${row.format}: ${fault}`);
    }
  }
  process.stdout.write(`holes in a field of the event: ${typed} / ${all}, ${excepted.size} of the others explained\n`);
  expect(faults).toEqual([]);
  expect([...excepted].sort()).toEqual([...EXCEPTED].sort());
});
