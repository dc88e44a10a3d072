import { describe, expect, test } from "vitest";
import type { Daemon, EventBody } from "../../../collector/events/event.ts";
import { GrammarTable, takePrefixes } from "../../../collector/logs/grammar.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { readMessage } from "../../../collector/logs/reader.ts";
import { claimsIn, lettersOf } from "../../support/claims.ts";
import {
  type CatalogueRow,
  catalogue,
  compareReleases,
  daemonOf,
  messagesOf,
  releasesOf,
} from "../../support/catalogue.ts";

/**
 * Every printf format of keepalived from 1.2.2 to 2.4.3 against the rows that ship: each is written out with several values
 * and has to be read by the row that means it. Not its lines are what systemd says of its unit, and the subjects of its mails.
 */
const ours = catalogue.filter(({ event, level }) => !event.startsWith("systemd.") && level !== "mail");

const table = new GrammarTable(allGrammars);

/** Notices that a curated message may be: known, and nothing anybody acts on. */
const HARMLESS: readonly string[] = [
  "ah-sequence",
  "bfd-checker",
  "checksum-compat",
  "child-stopped",
  "command-line",
  "continuation",
  "cpu-usage",
  "crash-report",
  "dump",
  "dump-heading",
  "file-open",
  "file-used",
  "firewall",
  "garp-own-address",
  "hint",
  "ident",
  "interface-delay",
  "ipvs-init",
  "kernel-banner",
  "linkbeat",
  "memory",
  "namespace-override",
  "netlink-overrun-hint",
  "realtime",
  "registering",
  "reload-queued",
  "reload-removal",
  "reload-validating",
  "routes-rules",
  "smtp-connected",
  "sockpool",
  "start-stop-script",
  "static-restored",
  "sync-group-reload",
  "tracked-interfaces-up",
];

interface Reading {
  readonly message: string;
  /** The row that is meant. */
  readonly row: string | undefined;
  /** How much of the row's own words the message has, and of the best other row's. */
  readonly letters: number;
  readonly others: number;
  readonly body: EventBody;
}

function readingOf(message: string, daemon: Daemon): Reading {
  const { words, context } = takePrefixes(message, daemon);
  const inner = claimsIn(table, words, context.instance !== undefined);
  const [meant, ...others] = inner.length > 0 ? inner : claimsIn(table, message, false);
  return {
    message,
    row: meant?.id,
    letters: meant?.letters ?? 0,
    others: Math.max(0, ...others.map(({ letters }) => letters)),
    body: readMessage(message, daemon),
  };
}

const readings = new Map<CatalogueRow, Reading[]>(
  ours.map((row) => [row, messagesOf(row).map((message) => readingOf(message, daemonOf(row)))]),
);

const isRead = ({ row, body }: Reading): boolean => row !== undefined && body.kind !== "log.unrecognised";
const isRecognised = (row: CatalogueRow): boolean => (readings.get(row) ?? []).every(isRead);

interface Released {
  readonly since: string;
  readonly until: string | undefined;
}

const spanning = (a: Released, b: Released): Released => ({
  since: compareReleases(a.since, b.since) <= 0 ? a.since : b.since,
  until:
    a.until === undefined || b.until === undefined
      ? undefined
      : compareReleases(a.until, b.until) >= 0
        ? a.until
        : b.until,
});

describe("of keepalived's messages", () => {
  test("99 % of the curated and 95 % of all are recognised, and the rest is listed here", () => {
    const share = (rows: readonly CatalogueRow[]): string => {
      const read = rows.filter(isRecognised).length;
      return `${read} / ${rows.length} (${((100 * read) / rows.length).toFixed(1)} %)`;
    };
    const printedIn = (series: string) => (row: CatalogueRow) => {
      const { since, until } = releasesOf(row) ?? { since: "0.0.0", until: undefined };
      return (
        compareReleases(since, `${series}.99`) <= 0 &&
        (until === undefined || compareReleases(until, `${series}.0`) >= 0)
      );
    };
    const curated = ours.filter((row) => row.curated);
    const lines = [
      ...["a", "b", "c", "d", "e", "f"].map(
        (group) => `group ${group}: ${share(ours.filter((row) => row.group === group))}`,
      ),
      ...["1.2", "1.3", "1.4", "2.0", "2.1", "2.2", "2.3", "2.4"].map(
        (series) => `release ${series}: ${share(ours.filter(printedIn(series)))}`,
      ),
      `curated: ${share(curated)}`,
      `all: ${share(ours)}`,
    ];
    process.stdout.write(`recognised messages of the catalogue\n${lines.join("\n")}\n`);
    const unread = ours.filter((row) => !isRecognised(row));
    expect(unread.map(({ id, format }) => `${id} ${format}`)).toEqual([]);
    expect(curated.filter(isRecognised).length / curated.length).toBeGreaterThanOrEqual(0.99);
    expect(ours.filter(isRecognised).length / ours.length).toBeGreaterThanOrEqual(0.95);
  });

  test("each is read by a row that says nearly all of its words, and no other row says as much", () => {
    const faults = ours.flatMap((row) =>
      (readings.get(row) ?? []).flatMap(({ message, row: by, letters, others }) => {
        const own = lettersOf(
          row.format
            .trimStart()
            .replace(/^(?:VRRP_Instance)?\(%s\):? /, "")
            .replace(/%[-+ #0-9.*$]*(?:hh|h|ll|l|z)?[a-zA-Z]/g, ""),
        );
        if (letters <= others) return [`${by ?? "nothing"} is not alone with ${message}`];
        return row.examples || letters >= 0.7 * own ? [] : [`${by ?? "nothing"} does not mean ${message}`];
      }),
    );
    expect(faults).toEqual([]);
  });

  test("each is read by one row, whatever its values are", () => {
    const faults = ours
      .filter(({ holes, examples }) => !examples && !holes?.some((hole) => typeof hole !== "string"))
      .flatMap((row) => {
        const by = new Set((readings.get(row) ?? []).map((reading) => reading.row));
        return by.size === 1 ? [] : [`${row.id}: ${[...by].join(", ")}`];
      });
    expect(faults).toEqual([]);
  });

  test("each curated one is an event, unless it is harmless", () => {
    const notices = ours
      .filter(({ curated }) => curated)
      .flatMap((row) => readings.get(row) ?? [])
      .flatMap(({ body }) => (body.kind === "log.notice" ? [body.code] : []));
    expect([...new Set(notices)].sort()).toEqual(HARMLESS);
  });

  test("a row was printed for as long as the messages it reads", () => {
    const printed = new Map<string, Released>();
    for (const [row, all] of readings) {
      const released = releasesOf(row);
      for (const id of new Set(all.map((reading) => reading.row))) {
        if (!released || id === undefined) continue;
        const so = printed.get(id);
        printed.set(id, so ? spanning(so, released) : released);
      }
    }
    const shown = allGrammars.map(({ id, since, until }) => `${id}: ${since}-${until ?? ""}`);
    const due = allGrammars.map(({ id }) => `${id}: ${printed.get(id)?.since ?? "?"}-${printed.get(id)?.until ?? ""}`);
    expect(shown).toEqual(due);
  });

  test("each becomes this event", async () => {
    const lines = [...readings].map(
      ([{ id }, [reading]]) => `${id} ${reading?.row ?? "-"} ${JSON.stringify(reading?.body)}`,
    );
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("../../golden/logs/catalogue.events.txt");
  });
});
