#!/usr/bin/env node
import { createRequire } from "node:module";
import type * as Commander from "commander";
import { OperatorError } from "../collector/core/errors.ts";
import { VERSION } from "../collector/version.ts";

/** Not imported: Node looks through the whole of an imported CommonJS file for its exports, which takes longer than to run it. */
const { Command } = createRequire(import.meta.url)("commander") as typeof Commander;

/** Raises the size of libuv's thread pool: embedded ClickHouse works on it, and four threads starve files and names. Takes effect because nothing has used the pool yet. */
process.env["UV_THREADPOOL_SIZE"] ??= "16";

const LINT_HELP = `
Findings are grouped by file, in the order in which keepalived reads them, and in a file sorted by severity:
  fatal          keepalived or one of its processes ends
  instance-lost  it runs without that instance or server
  degraded       it silently substitutes or ignores something
  hint           it works as written, and is risky

Facts of the machine (interfaces, scripts, users) count only for the configuration this machine's keepalived reads.

Exit status: 0 nothing worse than a hint, 1 problems, 2 usage or an input that cannot be read.

Examples:
  keepwatch lint                                   this machine, from its unit or start script on
  keepwatch lint --keepalived-version 1.3.5 FILE   as a CentOS 7 reads it
  keepwatch lint lb1=lb1.conf lb2=lb2.conf         both nodes, and what does not fit between them
  keepwatch lint lb1=copy-of-lb1/                  a copied tree with etc/ in it
  keepwatch lint --explain auth_pass_truncated
`;

const REPLAY_HELP = `
What is found is told to the server's receivers as anything else is; without --cluster it is of a cluster "replay", which
[[alerts.routes]] of the server can tell apart.

Examples:
  keepwatch replay --to http://localhost:8080 lb1=messages lb2=messages.lb2 lb2=vrrp.pcap
  keepwatch replay --to http://localhost:8080 --speed 60 lb1=messages          an hour in a minute
  keepwatch replay --to http://localhost:8080 --as-recorded --cluster prod lb1=/mnt/lb1/var/log/messages*
`;

/** Everything is loaded when it is asked for: a router installs neither the database nor the web server. */
async function main(): Promise<void> {
  const program = new Command("keepwatch").description("Flight recorder and watchman for Keepalived").version(VERSION);
  program
    .command("collector")
    .description("the agent on an HA node: reads, and changes nothing")
    .option("--config <file>", "TOML configuration")
    .option("--check-config", "read the configuration, say what is wrong with it, and end")
    .action(async (options: { config?: string; checkConfig?: boolean }) => {
      (await import("../collector/small-heap.ts")).keepHeapSmall();
      await (await import("../collector/main.ts")).collectorVerb(options);
    });
  program
    .command("server")
    .description("ingest, store, detect, alert, API and web timeline")
    .option("--config <file>", "TOML configuration")
    .option("--check-config", "read the configuration, say what is wrong with it, and end")
    .action(async (options: { config?: string; checkConfig?: boolean }) =>
      (await import("./verbs/server.ts")).serverVerb(options),
    );
  program
    .command("up")
    .description("server and collector in one, on this machine, with the embedded store")
    .option("--demo", "replay the bundled recording of a real two-node split-brain as if live")
    .option("--port <port>", "port of the timeline (default: 8080, or a free one when that is taken)", portNumber)
    .option("--data <dir>", "where the store and the spool live", "keepwatch-data")
    .action(async (options: { demo?: boolean; port?: number; data: string }) =>
      (await import("./verbs/up.ts")).upVerb(options),
    );
  program
    .command("analyze")
    .description("offline post-mortem of logs, captures and configurations of one or more nodes")
    .argument("<input...>", "files; NODE=FILE says which node a file is from")
    .option("--cluster <name>", "cluster the nodes belong to", "default")
    .option("--tz <zone>", "zone of timestamps that name none: Europe/Berlin, UTC, +02:00 (default: this machine's)")
    .option(
      "--year <year>",
      "year of the last classic syslog line (default: from the file's modification time)",
      yearNumber,
    )
    .option("--format <format>", "text, json or markdown", "text")
    .option("--adverts", "put every advert on the timeline")
    .option("--exit-code", "end with status 1 when an incident is found")
    .action(async (inputs: string[], options) => (await import("./verbs/analyze.ts")).analyzeVerb(inputs, options));
  program
    .command("replay")
    .description("send recorded logs, captures and configurations to a server, as if they happened now or as they are")
    .argument("<input...>", "files; NODE=FILE says which node a file is from")
    .requiredOption("--to <url>", "the server: http://host:port, https://host:port, or unix:/path/to/socket")
    .option(
      "--token-file <file>",
      "a token that ingest.tokens lists for each of the nodes, when the server asks for one",
    )
    .option("--cluster <name>", "cluster the nodes belong to", "replay")
    .option("--tz <zone>", "zone of timestamps that name none: Europe/Berlin, UTC, +02:00 (default: this machine's)")
    .option(
      "--year <year>",
      "year of the last classic syslog line (default: from the file's modification time)",
      yearNumber,
    )
    .option("--speed <factor>", "recorded seconds in one second", speedNumber, 1)
    .option("--as-recorded", "at once, with the times that were recorded: fills in the past; twice is once")
    .addHelpText("after", REPLAY_HELP)
    .action(async (inputs: string[], options) => (await import("./verbs/replay.ts")).replayVerb(inputs, options));
  program
    .command("lint")
    .description("what is wrong with a node's keepalived configuration, and what keepalived will do about it")
    .argument(
      "[file...]",
      "FILE, NODE=FILE, NODE=DIR with a copy of the node's etc/, or a DIR with such a folder for each node (default: what this machine's keepalived reads)",
    )
    .option("--format <format>", "text or json", "text")
    .option("--options <file>", "the /etc/default/keepalived or /etc/sysconfig/keepalived that belongs to FILE")
    .option(
      "--keepalived-version <version>",
      "release that will read it (default: the one installed on this machine when it is its configuration, else the newest)",
    )
    .option(
      "--config-id <id>",
      "what @id lines are compared with (default: -i of the start options, NODE, or the host name)",
    )
    .option("--root <dir>", "a folder with a copy of a node's etc/, instead of this machine")
    .option("--explain <code>", "tell about a code of the report, and end")
    .option("--color <when>", "auto, always or never", "auto")
    .addHelpText("after", LINT_HELP)
    .action(async (files: string[], options) => (await import("./verbs/lint.ts")).lintVerb(files, options));
  program
    .command("scan")
    .description("count what keepalived said in logs of any size")
    .argument("<file...>", "log files, plain, .gz, .xz, .bz2 or .zst; - for standard input")
    .option("--count-by <what>", "kind of event, state (host, instance and state), or row of the grammar", "kind")
    .option("--workers <number>", "how many threads share a plain file", workersNumber, 1)
    .option("--tz <zone>", "zone of classic syslog timestamps, for example Europe/Berlin (default: this machine's)")
    .option(
      "--year <year>",
      "year of the last classic syslog line (default: from the file's modification time)",
      yearNumber,
    )
    .option("--format <format>", "text or json", "text")
    .action(async (files: string[], options) => (await import("./verbs/scan.ts")).scanVerb(files, options));
  program
    .command("pcap")
    .description("count the adverts in captures of any size, by sender, and say what is odd about them")
    .argument("<file...>", "captures, pcap or pcapng, plain, .gz, .xz, .bz2 or .zst")
    .option("--detect", "also changes of master, two masters at once, and how regularly the adverts came")
    .option("--format <format>", "text or json", "text")
    .action(async (files: string[], options) => (await import("./verbs/pcap.ts")).pcapVerb(files, options));
  program
    .command("lab")
    .description(
      "(root, Linux) real keepalived daemons in network namespaces, scripted faults, and what keepwatch made of them",
    )
    .argument("[scenario]", "which one; without it, all of them in turn")
    .option("--list", "list the scenarios")
    .option("--record <dir>", "keep each node's log, capture and configuration")
    .option("--keep", "after the verdict leave it running, timeline included, until it is interrupted")
    .option("--json", "print the result as one JSON line after the verdict")
    .action(async (scenario: string | undefined, options) =>
      (await import("./verbs/lab.ts")).labVerb(scenario, options),
    );
  const store = program.command("store").description("what the server keeps: look at it, back it up, restore it");
  const ofServer = (command: Commander.Command): Commander.Command =>
    command.option("--config <file>", "the server's TOML configuration");
  const asked = (command: Commander.Command): Commander.Command =>
    ofServer(command).option("--token-file <file>", "a token of api.tokens, for a server that asks for one");
  asked(store.command("info"))
    .description("what the store has, and which one it is; also while the server runs")
    .option("--format <format>", "text or json", "text")
    .action(async (options) => (await import("./verbs/store.ts")).infoVerb(options));
  asked(store.command("backup"))
    .description("copy the embedded store into storage.backup_path, also while the server runs")
    .argument("[name]", "of the backup (default: the time)")
    .action(async (name: string | undefined, options) => (await import("./verbs/store.ts")).backupVerb(name, options));
  ofServer(store.command("restore"))
    .description("make the embedded store of a backup; never over one that is there")
    .argument("<dir>", "the backup, as keepwatch store backup named it")
    .action(async (dir: string, options) => (await import("./verbs/store.ts")).restoreVerb(dir, options));
  await program.parseAsync();
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new OperatorError("USAGE", `--port ${text} is not a port number`, {
      remedy: "Give a number from 0 (any free port) to 65535",
    });
  return port;
}

function workersNumber(text: string): number {
  const workers = Number(text);
  if (!Number.isInteger(workers) || workers < 1 || workers > 64)
    throw new OperatorError("USAGE", `--workers ${text} is not a number of threads`, {
      remedy: "Give a number from 1 to 64; more than there are processors gains nothing",
    });
  return workers;
}

function speedNumber(text: string): number {
  const speed = Number(text);
  if (!Number.isFinite(speed) || speed < 0.01 || speed > 1_000_000)
    throw new OperatorError("USAGE", `--speed ${text} is not a factor`, {
      remedy: "Give a number from 0.01 to 1000000; 60 replays an hour in a minute",
    });
  return speed;
}

function yearNumber(text: string): number {
  const year = Number(text);
  if (!Number.isInteger(year) || year < 1970 || year > 9999)
    throw new OperatorError("USAGE", `--year ${text} is not a year`, { remedy: "Give four digits, for example 2026" });
  return year;
}

/** A package of the server is missing: this is a collector-only installation. */
function isMissingPackage(error: unknown): error is Error {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND" &&
    error.message.startsWith("Cannot find package ")
  );
}

// `| head` has seen enough: no fault, and nobody to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

try {
  await main();
} catch (error) {
  if (error instanceof OperatorError) process.stderr.write(`keepwatch: ${error.toLine()}\n`);
  else if (isMissingPackage(error))
    process.stderr.write(
      `keepwatch: this installation has the collector only (${error.message.split(" imported from")[0]}). For this verb install keepwatch without --omit=optional [PACKAGES_MISSING]\n`,
    );
  else
    process.stderr.write(
      `keepwatch: internal error: ${error instanceof Error ? (process.env["KEEPWATCH_DEBUG"] ? error.stack : error.message) : String(error)}. Run again with KEEPWATCH_DEBUG=1 and report what it prints [INTERNAL]\n`,
    );
  process.exitCode = 2;
}
