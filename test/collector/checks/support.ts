import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probe, type Probed } from "../../../collector/checks/kinds/probe.ts";
import { modelOf } from "../../../collector/conf/model.ts";
import type { Checker } from "../../../collector/conf/model/server-types.ts";
import type { Running } from "../../../collector/conf/model/types.ts";
import { parseConf } from "../../../collector/conf/parser.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";

const PATH = "/etc/keepalived/keepalived.conf";

/** What keepalived would run by a configuration. */
export function runningOf(text: string, release: Release = NEWEST_RELEASE): Running {
  const files = { read: (path: string) => (path === PATH ? text : { unreadable: "-" }), glob: () => [] };
  return modelOf(parseConf(PATH, files, "lb1", { release }), { release }).running;
}

export interface Target {
  readonly address?: string;
  readonly port?: number;
  readonly release?: Release;
}

/** A checker as a configuration writes it, of a real server on loopback. */
export function checkerFrom(block: string, { address = "127.0.0.1", port = 1, release }: Target = {}): Checker {
  const text = `virtual_server 10.99.0.100 ${port} {\n protocol TCP\n connect_timeout 1\n real_server ${address} ${port} {\n ${block}\n }\n}\n`;
  const checker = runningOf(text, release).virtualServers[0]?.realServers[0]?.checkers[0];
  if (checker === undefined) throw new Error(`no checker in ${text}`);
  return checker;
}

export interface Asked extends Target {
  readonly target?: number;
  readonly isUp?: boolean;
  readonly weight?: number;
  readonly tlsMin?: "TLSv1" | "TLSv1.2";
  readonly signal?: AbortSignal;
}

/** One probe by a checker's text. */
export async function ask(block: string, asked: Asked = {}): Promise<Probed> {
  const { target = 0, isUp = true, weight = 1, tlsMin = "TLSv1.2", release = NEWEST_RELEASE } = asked;
  const request = { checker: checkerFrom(block, asked), target, isUp, weight, release };
  return probe(request, { tlsMin }, asked.signal ?? new AbortController().signal);
}

/** `success`, the reason of a failure, or `unable`. */
export async function verdict(block: string, asked: Asked = {}): Promise<string> {
  const { result } = await ask(block, asked);
  return result.kind === "failure" ? result.reason : result.kind;
}

/** A server that does with each connection what a test says. */
export class RawServer {
  readonly port: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.server = server;
    this.sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param port  0: any that is free */
  static async start(onConnection: (socket: Socket) => void, port = 0): Promise<RawServer> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
      onConnection(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return new RawServer(server, sockets);
  }

  /** Answers each request with these bytes and ends. */
  static answering(...pieces: readonly (string | Uint8Array)[]): Promise<RawServer> {
    return RawServer.start((socket) =>
      socket.once("data", () => {
        for (const piece of pieces) socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
        socket.end();
      }),
    );
  }

  stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

export const isInstalled = (program: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;

/** A number of ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => RawServer.start(() => undefined)));
  const ports = servers.map(({ port }) => port);
  await Promise.all(servers.map((server) => server.stop()));
  return ports;
}

/** A real program in the foreground, with a folder of its own. */
export class Daemon {
  readonly dir: string;
  private child: ChildProcess | undefined;
  private said = "";

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.dir = mkdtempSync(join(tmpdir(), "keepwatch-checks-"));
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, text);
    return path;
  }

  /** A certificate of its own making. */
  certificate(name: string): void {
    const args = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj".split(" ");
    execFileSync(
      "openssl",
      [...args, `/CN=${name}`, "-keyout", join(this.dir, `${name}.key`), "-out", join(this.dir, `${name}.crt`)],
      {
        stdio: "ignore",
      },
    );
  }

  /** Starts it, and waits until it takes connections there. */
  async start(command: string, args: readonly string[], port: number): Promise<void> {
    // A group of its own, so that what it starts ends with it.
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.said = (this.said + chunk.toString("utf8")).slice(-4_096)));
    await until(
      () => canConnect(port),
      () => `${command} does not listen on ${port}: ${this.said}`,
    );
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      process.kill(-child.pid, "SIGTERM");
      await gone;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Waits for an observed condition. */
export async function until(isSo: () => boolean | Promise<boolean>, why: () => string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(why());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
