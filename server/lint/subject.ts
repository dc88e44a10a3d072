import { closeSync, lstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import type { KeepalivedBuild } from "../../collector/chain/build.ts";
import type { StartChain } from "../../collector/chain/chain.ts";
import { type ChainFiles, ChainTree } from "../../collector/chain/files.ts";
import { optionOf } from "../../collector/chain/options.ts";
import { resolveChain } from "../../collector/chain/resolve.ts";
import type { NodeFacts } from "../../collector/conf/facts.ts";
import type { ConfFiles } from "../../collector/conf/parser.ts";
import { NEWEST_RELEASE, type Release } from "../../collector/conf/version.ts";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { parseSpec } from "../../collector/offline/inputs.ts";
import { systemChainFiles } from "../../collector/sources/chain-files.ts";
import { systemConfFiles } from "../../collector/sources/conf-files.ts";
import { installedBuild } from "../../collector/sources/keepalived-build.ts";
import { namesBelow, systemFacts } from "../../collector/sources/node-facts.ts";
import { systemProcesses } from "../../collector/sources/processes.ts";

/** What is asked for on the command line. */
export interface LintRequest {
  /** `FILE`, `NODE=FILE`, `NODE=DIR`, or a DIR with one such folder a node; none: this machine. */
  readonly specs: readonly string[];
  /** A file with KEEPALIVED_OPTIONS or DAEMON_ARGS, for files that come without one. */
  readonly optionsFile?: string;
  readonly release?: Release;
  readonly configId?: string;
  /** A copied tree, instead of this machine's. */
  readonly root?: string;
}

/** One node's configuration, found and ready to be read. */
export interface Subject {
  readonly node?: string;
  /** What a person calls it. */
  readonly title: string;
  readonly path: string;
  readonly files: ConfFiles;
  readonly configId: string;
  readonly allConfig: boolean;
  readonly release: Release;
  /** Why this release is assumed. */
  readonly releaseWhy: string;
  readonly facts: NodeFacts;
  /** undefined: a file by itself, of which nothing says how it is started. */
  readonly chain?: StartChain;
  /** Files of another machine, which need not be complete. */
  readonly isCopy: boolean;
  /** A file of the chain, for showing its lines. */
  readonly textOf: (path: string) => string | undefined;
}

/** Largest configuration read, bytes. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** How much of a file is looked at to tell whether it is text, bytes. */
const HEAD_BYTES = 8 * 1024;

/** @throws OperatorError when there is nothing to read at a place that was named */
export function subjectsOf(request: LintRequest): { subjects: readonly Subject[]; errors: readonly OperatorError[] } {
  const subjects: Subject[] = [];
  const errors: OperatorError[] = [];
  const add = (find: () => Subject): void => {
    try {
      subjects.push(find());
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      errors.push(error);
    }
  };
  const { root } = request;
  if (root !== undefined && request.specs.length > 0)
    throw new OperatorError("USAGE", "--root and a FILE were both given", {
      remedy: "Name the tree as NODE=DIR beside the files",
    });
  if (request.optionsFile !== undefined && request.specs.length === 0)
    throw new OperatorError("USAGE", "--options needs the FILE it belongs to", {
      remedy: "Without FILE the options are the ones this machine's unit or start script uses",
    });
  if (root !== undefined) add(() => treeSubject(root, undefined, request));
  else if (request.specs.length === 0) add(() => machineSubject(machine(), request, {}));
  const named = request.specs.map(parseSpec).flatMap((one) => nodesBelow(one.path)?.map(asNode) ?? [one]);
  const names = named.flatMap(({ node }) => node ?? []);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new OperatorError("USAGE", `two inputs are called ${twice}`, { remedy: "Give each node a name of its own" });
  for (const { node, path } of named) add(() => namedSubject(path, node, request));
  return { subjects: withNames(subjects, named.length), errors };
}

const asNode = (path: string): { node: string; path: string } => ({ node: basename(path), path });

/** A folder of copies, one a node: those of its folders that have an etc/ in them. @returns undefined when there are none */
function nodesBelow(path: string): string[] | undefined {
  if (!isDirectory(path) || isDirectory(join(path, "etc"))) return undefined;
  const folders = readdirSync(path)
    .map((name) => join(path, name))
    .filter((folder) => isDirectory(join(folder, "etc")));
  return folders.length > 0 ? folders.sort() : undefined;
}

/** Several files without a node's name are several nodes: they are called as their files are. */
function withNames(subjects: readonly Subject[], count: number): readonly Subject[] {
  if (count < 2) return subjects;
  return subjects.map((subject) => (subject.node === undefined ? { ...subject, node: subject.title } : subject));
}

function namedSubject(path: string, node: string | undefined, request: LintRequest): Subject {
  const stat = statOf(path);
  if (stat.isDirectory()) return treeSubject(path, node, request);
  refuseUnreadable(path, stat);
  const own = machine();
  const real = realpathSync(path);
  const isOwn = own.chain.configuration.files.some((file) => realOf(file) === real);
  const named = node === undefined ? {} : { node };
  if (isOwn && realOf(own.chain.configuration.path) === real) return machineSubject(own, request, named, path);
  const chain = request.optionsFile === undefined ? undefined : chainOfOptions(path, request.optionsFile, request);
  const [release, releaseWhy] = releaseOf(request, isOwn ? own.build : undefined);
  return {
    ...named,
    title: path,
    path,
    files: systemConfFiles,
    configId: request.configId ?? chain?.configId.id ?? node ?? shortName(hostname()),
    allConfig: chain !== undefined && optionOf(chain.options, "all-config") !== undefined,
    release,
    releaseWhy,
    facts: isOwn ? systemFacts() : {},
    isCopy: true,
    textOf: (name) => textOf(systemConfFiles, name),
    ...(chain === undefined ? {} : { chain }),
  };
}

interface Machine {
  readonly chain: StartChain;
  readonly build: KeepalivedBuild | undefined;
}

let seen: Machine | undefined;

/** This machine: looked at once. */
function machine(): Machine {
  if (seen) return seen;
  const build = installedBuild();
  const chain = resolveChain(systemChainFiles(), {
    hostname: hostname(),
    processes: systemProcesses(),
    isLive: true,
    ...(build === undefined ? {} : { build }),
  });
  seen = { chain, build };
  return seen;
}

function machineSubject(
  { chain, build }: Machine,
  request: LintRequest,
  named: { readonly node?: string },
  asked?: string,
): Subject {
  const { path, unreadable } = chain.configuration;
  if (unreadable !== undefined && asked === undefined && chain.argvFrom === "nothing")
    throw new OperatorError("LINT_NOTHING", `there is no keepalived on this machine to look at: ${unreadable}`, {
      remedy: "Name a configuration: keepwatch lint FILE",
    });
  if (unreadable?.startsWith("no permission"))
    throw new OperatorError("LINT_INPUT", unreadable, { remedy: "Run as a user who may read it" });
  const [release, releaseWhy] = releaseOf(request, build);
  return {
    ...named,
    title: asked ?? path,
    path: asked ?? path,
    files: systemConfFiles,
    configId: request.configId ?? chain.configId.id ?? "",
    allConfig: optionOf(chain.options, "all-config") !== undefined,
    release,
    releaseWhy,
    facts: systemFacts(),
    chain,
    isCopy: false,
    textOf: (name) => textOf(systemConfFiles, name),
  };
}

/** A folder that holds a copy of a node's etc/. */
function treeSubject(root: string, node: string | undefined, request: LintRequest): Subject {
  if (!statOf(root).isDirectory())
    throw new OperatorError("LINT_TREE", `${root} is not a directory`, {
      remedy: "Give the folder that holds a copy of the node's etc/",
    });
  if (!isDirectory(join(root, "etc")))
    throw new OperatorError("LINT_TREE", `${root} has no etc/ in it`, {
      remedy: "Give the folder that holds a copy of the node's etc/, or name the file itself",
    });
  const [release, releaseWhy] = releaseOf(request, undefined);
  const files = systemChainFiles(root);
  const tree = new ChainTree(files);
  const host = tree.text("/etc/hostname")?.trim() || node;
  const chain = resolveChain(files, { release, ...(host === undefined ? {} : { hostname: host }) });
  const { path, unreadable } = chain.configuration;
  if (unreadable !== undefined && chain.launcher.kind === "none")
    throw new OperatorError("LINT_NOTHING", `${root} holds no keepalived: ${unreadable}`, {
      remedy: "Copy etc/keepalived and the unit or start script of the node into it",
    });
  const confFiles = tree.confFiles();
  return {
    ...(node === undefined ? {} : { node }),
    title: root,
    path,
    files: confFiles,
    configId: request.configId ?? chain.configId.id ?? "",
    allConfig: optionOf(chain.options, "all-config") !== undefined,
    release,
    releaseWhy,
    // What a copy lacks may well exist on the node: its programs and interfaces are not asked for.
    facts: { ...(host === undefined ? {} : { hostname: host }), ...namesBelow(root.replace(/\/+$/, "")) },
    chain,
    isCopy: true,
    textOf: (name) => tree.text(name),
  };
}

/** How a file would be started with these options by a distribution's unit. */
function chainOfOptions(path: string, optionsFile: string, request: LintRequest): StartChain {
  refuseUnreadable(optionsFile, statOf(optionsFile));
  const options = textOf(systemConfFiles, optionsFile) ?? "";
  const text = textOf(systemConfFiles, path) ?? "";
  const facts = { hostname: hostname(), ...(request.release === undefined ? {} : { release: request.release }) };
  const from = (file: string): StartChain =>
    resolveChain(
      virtualFiles({
        "/etc/default/keepalived": options,
        "/etc/sysconfig/keepalived": options,
        [file]: text,
      }),
      facts,
    );
  const chain = from("/etc/keepalived/keepalived.conf");
  return chain.configuration.unreadable === undefined ? chain : from(chain.configuration.path);
}

function virtualFiles(texts: Readonly<Record<string, string>>): ChainFiles {
  const paths = Object.keys(texts);
  const below = (folder: string): string[] =>
    paths.filter((one) => one.startsWith(folder === "/" ? "/" : `${folder}/`));
  return {
    read: (path) => texts[path] ?? { unreadable: `${path} does not exist` },
    stat: (path) => {
      const text = texts[path];
      if (text !== undefined) return { kind: "file", mode: 0o644, size: text.length };
      return below(path).length > 0 ? { kind: "directory", mode: 0o755, size: 0 } : undefined;
    },
    readlink: () => undefined,
    list: (path) => [...new Set(below(path).map((one) => one.slice(path.length + 1).split("/", 1)[0] ?? ""))],
  };
}

function releaseOf(request: LintRequest, build: KeepalivedBuild | undefined): [Release, string] {
  if (request.release) return [request.release, "asked for"];
  if (build) return [build.release, "the one that is installed here"];
  return [NEWEST_RELEASE, "the newest that is known; --keepalived-version names another"];
}

function statOf(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") {
      const dangling = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
      throw new OperatorError("LINT_INPUT", `${path} ${dangling ? "is a link to nothing" : "does not exist"}`, {
        remedy: "Check the path",
      });
    }
    throw new OperatorError("LINT_INPUT", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function refuseUnreadable(path: string, stat: { isFile(): boolean; readonly size: number | bigint }): void {
  if (!stat.isFile())
    throw new OperatorError("LINT_INPUT", `${path} is neither a file nor a directory`, { remedy: "Check the path" });
  if (stat.size > FILE_BYTES_MAX)
    throw new OperatorError("LINT_INPUT", `${path} is larger than ${FILE_BYTES_MAX / 1024 / 1024} MiB`, {
      remedy: "A keepalived configuration is text of a few kilobytes: check the path",
    });
  let head: Buffer;
  try {
    head = headOf(path);
  } catch (error) {
    throw new OperatorError("LINT_INPUT", `${path} cannot be read: ${messageOf(error)}`, {
      remedy: "Run as a user who may read it",
      cause: error,
    });
  }
  if (head.includes(0))
    throw new OperatorError("LINT_INPUT", `${path} is a binary file`, {
      remedy: "A keepalived configuration is text: check the path, or unpack it first",
    });
}

function headOf(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    return bytes.subarray(0, readSync(file, bytes, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

function textOf(files: ConfFiles, path: string): string | undefined {
  const text = files.read(path);
  return typeof text === "string" ? text : undefined;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

const shortName = (name: string): string => name.split(".")[0] ?? name;
