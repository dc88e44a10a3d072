import type { Daemon, EventBody, VrrpState } from "../events/event.ts";
import type { Check, GrammarTable, Words } from "./grammar.ts";
import { CONTEXTS } from "./layout.ts";
import { holesOf } from "./template.ts";

/** What the templates mean wherever that depends on no more than the machine can tell by itself: made once, when keepwatch is built. */
export interface Meanings {
  /** By template and context: see DECISION_CHECK. */
  readonly known: Int32Array;
  readonly decisions: Int32Array;
  readonly names: Names;
}

export interface Names {
  /** What is counted, in the order of its numbers. */
  readonly counted: readonly { readonly kind: EventBody["kind"]; readonly state: number }[];
  /** Ids of the grammar's rows, and by template the number of its row. */
  readonly rows: readonly string[];
  readonly rowOf: readonly number[];
}

/** States and daemons by the number they have in the machine. */
export const VRRP_STATES: readonly VrrpState[] = ["MASTER", "BACKUP", "FAULT"];
export const DAEMONS: readonly (Daemon | undefined)[] = [undefined, "parent", "vrrp", "checker", "bfd"];

/** The row is to be asked. */
const ASK = 0;
const INSTANCE = "VI_1";

interface Asked {
  readonly hole: number;
  readonly check: Check<unknown>;
}

/** One way through a row: what it asked in turn, what it was told, and what it made of it. */
interface Path {
  readonly asked: readonly Asked[];
  readonly told: readonly boolean[];
  readonly what: number;
}

export function meaningsOf(table: GrammarTable): Meanings {
  const counted: { kind: EventBody["kind"]; state: number }[] = [];
  const decisions: number[] = [];
  /** Contexts of a template mostly share a decision. */
  const placed = new Map<string, number>();
  const numberOf = (kind: EventBody["kind"], state: number): number => {
    const at = counted.findIndex((one) => one.kind === kind && one.state === state);
    return at >= 0 ? at + 1 : counted.push({ kind, state });
  };
  const place = (decision: readonly number[]): number => {
    const key = decision.join();
    const at = placed.get(key) ?? decisions.length;
    if (at === decisions.length) decisions.push(...decision);
    placed.set(key, at);
    return -2 - at;
  };
  const known = table.templates.flatMap((template, number) => {
    const row = table.rowOf(number);
    if (row.wordsDecide) return Array.from({ length: CONTEXTS }, () => ASK);
    const names = holesOf(template);
    const words = template.replace(/\{\w+:d\}/g, "7").replace(/\{\*?\w*\}/g, "x");
    return Array.from({ length: CONTEXTS }, (_, context) => {
      const instance = context % 2 === 1 ? INSTANCE : undefined;
      const message = instance === undefined ? words : `(${instance}) ${words}`;
      const line = { daemon: DAEMONS[context >> 1], instance, file: undefined, line: undefined, message };
      const meaningOf = (told: Words): number => {
        const body = row.toEvent(told, line);
        if (body.kind !== "vrrp.state") return numberOf(body.kind, -1);
        return body.instance === instance ? numberOf(body.kind, VRRP_STATES.indexOf(body.state)) : ASK;
      };
      return decide(pathsOf(names, meaningOf), place);
    });
  });
  const rows = [...new Set(table.templates.map((_, number) => table.rowOf(number).id))];
  const places = new Map(rows.map((id, at) => [id, at]));
  const rowOf = table.templates.map((_, number) => places.get(table.rowOf(number).id) ?? 0);
  return { known: Int32Array.from(known), decisions: Int32Array.from(decisions), names: { counted, rows, rowOf } };
}

/** All ways through a row: whatever it asks is answered both with yes and with no. */
function pathsOf(names: readonly string[], meaningOf: (words: Words) => number): Path[] {
  const paths: Path[] = [];
  const follow = (from: readonly boolean[]): void => {
    const asked: Asked[] = [];
    const told: boolean[] = [];
    const what = meaningOf({
      text: (name) => (names.includes(name) ? "x" : ""),
      number: (name) => (names.includes(name) ? 1 : undefined),
      as: (name, check) => {
        const hole = names.lastIndexOf(name);
        if (hole < 0) return undefined;
        const before = asked.findIndex((one) => one.hole === hole && isSame(one.check, check));
        const holds = before >= 0 ? (told[before] as boolean) : (from[asked.length] ?? true);
        if (before < 0) {
          asked.push({ hole, check });
          told.push(holds);
        }
        return holds ? check.example : undefined;
      },
    });
    paths.push({ asked, told, what });
    for (let turn = from.length; turn < told.length; turn++) follow([...told.slice(0, turn), false]);
  };
  follow([]);
  return paths;
}

const isSame = (a: Check<unknown>, b: Check<unknown>): boolean => a.how === b.how && a.min === b.min && a.max === b.max;

/** @returns what all ways lead to, or where it is written down which of them leads where */
function decide(paths: readonly Path[], place: (decision: readonly number[]) => number): number {
  const [first] = paths;
  if (!first || paths.some(({ what }) => what === ASK)) return ASK;
  if (paths.every(({ what }) => what === first.what)) return first.what;
  const checks: Asked[] = [];
  const numberOf = (asked: Asked): number => {
    const at = checks.findIndex(({ hole, check }) => hole === asked.hole && isSame(check, asked.check));
    return at >= 0 ? at : checks.push(asked) - 1;
  };
  const ways = paths.map(({ asked, told, what }) => ({ told: asked.map((one, i) => [numberOf(one), told[i]]), what }));
  const means = (holding: number): number =>
    ways.find(({ told }) => told.every(([at, holds]) => ((holding >> Number(at)) & 1) === Number(holds)))?.what ?? ASK;
  let sets = Array.from({ length: 1 << checks.length }, (_, holding) => holding);
  // What only fills a field decides nothing.
  const deciding = checks.filter((_, at) => {
    const decides = sets.some((holding) => means(holding) !== means(holding ^ (1 << at)));
    if (!decides) sets = sets.filter((holding) => ((holding >> at) & 1) === 0);
    return decides;
  });
  return place([
    deciding.length,
    ...deciding.flatMap(({ hole, check: { how, min, max } }) => [hole, how, min, max]),
    ...sets.map(means),
  ]);
}
