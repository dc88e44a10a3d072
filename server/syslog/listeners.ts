import { createSocket, type Socket as UdpSocket } from "node:dgram";
import {
  createServer as createTcpServer,
  type AddressInfo,
  type BlockList,
  isIPv6,
  type Server,
  type Socket,
} from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import { hostname } from "node:os";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import type { Clock } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import type { ListenerState } from "../api/types.ts";
import type { ServerConfig } from "../config.ts";
import { faultOf, type Intake } from "../intake/intake.ts";
import { isWithin, nameReader, networksOf, plainAddress } from "../intake/names.ts";
import { Tally } from "../intake/tally.ts";
import { zoneOf } from "../intake/zone.ts";
import { Certificates, clientCertificate } from "../tls.ts";
import { datagram, type Frame, FrameSplitter } from "./frames.ts";
import { kernelDrops } from "./kernel-drops.ts";
import { Sender } from "./reader.ts";

export type SyslogSettings = ServerConfig["syslog"];
type Transport = "udp" | "tcp" | "tls";

/** Why something that came was not kept. */
export type DropReason = "forbidden" | "connections" | "slow" | "handshake" | "queue" | "kernel" | "invalid" | "torn";

/** A TLS client that has not introduced itself by then is gone, milliseconds. */
const HANDSHAKE_MS = 10_000;
/** Senders by UDP that are remembered, with what they sent; beyond it the one that was silent longest is forgotten. */
const SENDERS_MAX = 1_024;
/** Room asked of the kernel for datagrams that are still to be read, bytes. */
const UDP_ROOM_BYTES = 4 * 1024 * 1024;
/** How often is looked what was dropped and who is slow, milliseconds. */
const LOOK_MS = 1_000;
/** What was dropped by UDP is told of these nodes at most. */
const TOLD_MAX = 64;

export interface SyslogDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly intake: Intake;
}

interface Listener {
  readonly transport: Transport;
  readonly state: () => ListenerState;
  close(): Promise<void>;
}

/** Listens for what rsyslog and others forward. */
export class SyslogListeners {
  private readonly listeners: Listener[] = [];

  /** @throws OperatorError when an address cannot be listened on, or a certificate cannot be used */
  static async open(
    settings: SyslogSettings,
    names: ServerConfig["nodes"],
    deps: SyslogDeps,
  ): Promise<SyslogListeners> {
    const made = new SyslogListeners();
    const common = {
      ...deps,
      settings,
      allow: settings.allow.length === 0 ? undefined : networksOf(settings.allow),
      zone: zoneOf(settings.zone),
      identify: nameReader(names, settings.cluster, hostname()),
    };
    try {
      if (settings.udp) made.listeners.push(await UdpListener.open(common, settings.udp));
      if (settings.tcp) made.listeners.push(await StreamListener.open(common, settings.tcp));
      if (settings.tls) made.listeners.push(await StreamListener.open(common, settings.tls, settings.tls));
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  states(): ListenerState[] {
    return this.listeners.map((listener) => listener.state());
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }
}

interface Common extends SyslogDeps {
  readonly settings: SyslogSettings;
  readonly allow: BlockList | undefined;
  readonly zone: string;
  readonly identify: ConstructorParameters<typeof Sender>[0]["identify"];
}

interface Place {
  readonly host: string;
  readonly port: number;
}

const placeText = ({ host, port }: Place): string => `${host}:${port}`;

/** Reads one message. @returns an event that is to be kept */
function readFrame(frame: Frame, sender: Sender, tally: Tally<DropReason>, { clock }: Common): Event | undefined {
  if (frame.bytes.length === 0) return undefined;
  tally.received += 1;
  tally.lastTs = clock.epoch();
  if (frame.isCut) tally.cut += 1;
  const event = sender.read(frame.bytes, tally.lastTs);
  if (!event) return undefined;
  if (faultOf(event) === undefined) return event;
  tally.drop("invalid");
  return undefined;
}

// --- UDP ---------------------------------------------------------------------------------------------------------------

class UdpListener implements Listener {
  readonly transport = "udp";
  private readonly common: Common;
  private readonly socket: UdpSocket;
  private readonly tally = new Tally<DropReason>();
  private readonly senders = new Map<string, Sender>();
  /** Nodes that were heard of lately: of a datagram that was dropped unread nobody knows whose it was. */
  private readonly nodes = new Map<string, { readonly cluster: string; readonly node: string }>();
  private place: Place;
  private kernel: number | undefined;
  /** Dropped since when, and how many, and not told yet. */
  private gap: { readonly from: number; count: number } | undefined;
  private timer: NodeJS.Timeout | undefined;

  private constructor(common: Common, place: Place) {
    this.common = common;
    this.place = place;
    this.socket = createSocket({ type: isIPv6(place.host) ? "udp6" : "udp4" });
  }

  static async open(common: Common, place: Place): Promise<UdpListener> {
    const made = new UdpListener(common, place);
    const { socket } = made;
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ address: place.host, port: place.port }, resolve);
    }).catch((cause: unknown) => {
      throw cannotListen("syslog.udp", place, cause);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => common.log("error", "syslog by UDP: the socket failed", { why: messageOf(error) }));
    try {
      socket.setRecvBufferSize(UDP_ROOM_BYTES);
    } catch {
      // The kernel's own bound stays.
    }
    made.place = { host: place.host, port: socket.address().port };
    made.kernel = await kernelDrops(made.place.port);
    socket.on("message", (bytes, { address }) => made.take(bytes, address));
    made.timer = setInterval(() => void made.look(), LOOK_MS).unref();
    return made;
  }

  state = (): ListenerState => this.tally.state("syslog-udp", placeText(this.place));

  async close(): Promise<void> {
    clearInterval(this.timer);
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
    await this.look();
  }

  private take(bytes: Buffer, address: string): void {
    const { allow, intake } = this.common;
    if (allow && !isWithin(allow, address)) return this.tally.drop("forbidden");
    const event = readFrame(datagram(bytes), this.senderAt(address), this.tally, this.common);
    if (!event) return;
    this.remember(event);
    if (intake.isFull) return this.lose("queue", 1);
    this.tally.kept += 1;
    intake.add(event);
  }

  private senderAt(address: string): Sender {
    const { zone, identify } = this.common;
    const sender = this.senders.get(address) ?? new Sender({ address, zone, identify });
    this.senders.delete(address);
    this.senders.set(address, sender);
    if (this.senders.size > SENDERS_MAX) this.senders.delete(this.senders.keys().next().value as string);
    return sender;
  }

  private remember({ cluster, node }: Event): void {
    const key = `${cluster}\0${node}`;
    this.nodes.delete(key);
    this.nodes.set(key, { cluster, node });
    if (this.nodes.size > TOLD_MAX) this.nodes.delete(this.nodes.keys().next().value as string);
  }

  private lose(reason: DropReason, count: number): void {
    this.tally.drop(reason, count);
    this.gap ??= { from: this.common.clock.epoch(), count: 0 };
    this.gap.count += count;
  }

  private async look(): Promise<void> {
    const drops = await kernelDrops(this.place.port);
    if (drops !== undefined && this.kernel !== undefined && drops > this.kernel)
      this.lose("kernel", drops - this.kernel);
    this.kernel = drops ?? this.kernel;
    if (this.gap && !this.common.intake.isFull) this.tell(this.gap);
  }

  private tell({ from, count }: { readonly from: number; readonly count: number }): void {
    const { clock, log, intake } = this.common;
    this.gap = undefined;
    const ts = clock.epoch();
    log("error", "datagrams were dropped: they came faster than they could be kept", { count });
    for (const { cluster, node } of this.nodes.values())
      intake.add({
        id: eventId(node, "syslog-udp gap", cluster, ts),
        cluster,
        node,
        source: "collector",
        kind: "collector.gap",
        ts,
        tsUncertaintyUs: 0,
        observedTs: ts,
        sourceName: "syslog-udp",
        reason: "datagrams were dropped unread; some of them may have been of this node",
        from,
        to: ts,
        lost: count,
      });
  }
}

// --- TCP and TLS -------------------------------------------------------------------------------------------------------

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Since when a message has begun and is not complete, milliseconds of the monotonic clock. */
  withinSince: number | undefined;
  isHeld: boolean;
}

class StreamListener implements Listener {
  readonly transport: Transport;
  private readonly common: Common;
  private readonly server: Server | TlsServer;
  private readonly certificates: Certificates | undefined;
  private readonly clientNames: readonly string[];
  private readonly tally = new Tally<DropReason>();
  /** All that are open, also those that have not introduced themselves. */
  private readonly sockets = new Map<Socket, string>();
  private readonly connections = new Set<Connection>();
  private place: Place;
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    common: Common,
    place: Place,
    tls?: { readonly certificates: Certificates; readonly settings: NonNullable<SyslogSettings["tls"]> },
  ) {
    this.common = common;
    this.place = place;
    this.certificates = tls?.certificates;
    this.clientNames = tls?.settings.client_names ?? [];
    this.transport = tls ? "tls" : "tcp";
    if (tls) {
      const wantsClients = tls.settings.client_ca_file !== undefined;
      const server = createTlsServer({
        ...tls.certificates.context(),
        requestCert: wantsClients,
        // Refused below, where it can be said why.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_MS,
      });
      tls.certificates.onChange((context) => server.setSecureContext(context));
      server.on("secureConnection", (socket) => this.greet(socket, wantsClients));
      server.on("tlsClientError", (error, socket) => {
        this.tally.drop("handshake");
        this.tellOf("a TLS connection failed", socket.remoteAddress, messageOf(error));
      });
      this.server = server;
    } else {
      this.server = createTcpServer((socket) => this.attend(socket));
    }
    // Before a handshake: who may not come, or comes when there are too many, costs no memory.
    this.server.prependListener("connection", (socket: Socket) => this.admit(socket));
  }

  static async open(common: Common, place: Place, settings?: SyslogSettings["tls"]): Promise<StreamListener> {
    const { log, clock } = common;
    const now = (): number => clock.epoch() / 1_000;
    const certificates = settings && (await Certificates.open(settings, "syslog.tls", { log, now }));
    const made = new StreamListener(common, place, certificates && settings && { certificates, settings });
    const { server } = made;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: place.host, port: place.port }, resolve);
    }).catch((cause: unknown) => {
      certificates?.close();
      throw cannotListen(`syslog.${made.transport}`, place, cause);
    });
    made.place = { host: place.host, port: (server.address() as AddressInfo).port };
    server.on("error", (error) => log("error", "syslog: the listener failed", { why: messageOf(error) }));
    made.timer = setInterval(() => made.look(), LOOK_MS).unref();
    return made;
  }

  state = (): ListenerState => this.tally.state(`syslog-${this.transport}`, placeText(this.place), this.sockets.size);

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.certificates?.close();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets.keys()) socket.destroy();
    await closed;
  }

  private admit(socket: Socket): void {
    const { allow, settings } = this.common;
    const address = plainAddress(socket.remoteAddress ?? "");
    if (allow && !isWithin(allow, address))
      return this.refuse(socket, "forbidden", address, "syslog.allow does not list it");
    const ofAddress = [...this.sockets.values()].filter((other) => other === address).length;
    if (this.sockets.size >= settings.connections_max || ofAddress >= settings.connections_per_sender_max)
      return this.refuse(socket, "connections", address, "too many connections");
    this.sockets.set(socket, address);
    socket.once("close", () => this.sockets.delete(socket));
    // A peer that went without a word is found out by the kernel.
    socket.setKeepAlive(true, 60_000);
  }

  private refuse(socket: Socket, reason: DropReason, address: string, why: string): void {
    this.tally.drop(reason);
    this.tellOf("a syslog connection was refused", address, why);
    socket.on("error", () => undefined);
    socket.destroy();
  }

  /** Of who comes again and again is told once in a while. */
  private readonly told = new Map<string, number>();
  private tellOf(what: string, address: string | undefined, why: string): void {
    const key = `${what} ${plainAddress(address ?? "")} ${why}`;
    const now = this.now();
    if (now - (this.told.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return;
    if (this.told.size >= SENDERS_MAX) this.told.clear();
    this.told.set(key, now);
    this.common.log("warn", what, { transport: this.transport, from: plainAddress(address ?? ""), why });
  }

  private greet(socket: TLSSocket, wantsClients: boolean): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    if (!wantsClients) return this.attend(socket);
    const client = clientCertificate(socket);
    if (client.state === "none") return this.refuse(socket, "handshake", address, "it has no client certificate");
    if (client.state === "refused")
      return this.refuse(socket, "handshake", address, `its certificate is not accepted: ${client.why}`);
    if (this.clientNames.length > 0 && !client.names.some((name) => this.clientNames.includes(name)))
      return this.refuse(
        socket,
        "forbidden",
        address,
        `its certificate is for ${client.names.join(", ")}, which syslog.tls.client_names does not list`,
      );
    this.attend(socket);
  }

  private attend(socket: Socket): void {
    if (socket.destroyed) return;
    const { zone, identify, intake } = this.common;
    const address = plainAddress(socket.remoteAddress ?? "");
    const sender = new Sender({ address, zone, identify });
    const splitter = new FrameSplitter();
    const connection: Connection = { socket, address, withinSince: undefined, isHeld: false };
    this.connections.add(connection);
    const resume = (): void => {
      connection.isHeld = false;
      socket.resume();
    };
    socket.on("data", (chunk: Buffer) => {
      const frames = splitter.push(chunk);
      for (const frame of frames) this.keep(readFrame(frame, sender, this.tally, this.common));
      if (!splitter.isWithin) connection.withinSince = undefined;
      else if (frames.length > 0 || connection.withinSince === undefined) connection.withinSince = this.now();
      if (!intake.holdsUp) return;
      // What the kernel does not get rid of, the sender keeps.
      connection.isHeld = true;
      socket.pause();
      intake.whenRoom(resume);
    });
    socket.on("end", () => {
      const last = splitter.isWithin ? splitter.end() : undefined;
      if (last) this.keep(readFrame(last, sender, this.tally, this.common));
      else if (connection.withinSince !== undefined) this.tally.drop("torn");
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      this.connections.delete(connection);
      intake.forget(resume);
    });
  }

  private keep(event: Event | undefined): void {
    if (!event) return;
    this.tally.kept += 1;
    this.common.intake.add(event);
  }

  /** Who began a message and does not end it holds a place that others may need. */
  private look(): void {
    const bound = this.common.settings.message_seconds_max * 1_000;
    for (const { socket, address, withinSince, isHeld } of this.connections) {
      if (isHeld || withinSince === undefined || this.now() - withinSince < bound) continue;
      this.refuse(socket, "slow", address, `a message took longer than ${bound / 1_000} s`);
    }
  }

  private now(): number {
    return this.common.clock.mono() / 1_000;
  }
}

/** The same of the same sender is told again after this, milliseconds. */
const TELL_AGAIN_MS = 60_000;

function cannotListen(table: string, { host, port }: Place, cause: unknown): OperatorError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const why =
    code === "EADDRINUSE"
      ? `port ${port} of ${host} is in use`
      : `${host}:${port} cannot be listened on: ${messageOf(cause)}`;
  return new OperatorError(code === "EADDRINUSE" ? "LISTEN_IN_USE" : "LISTEN_FAILED", `${table}: ${why}`, {
    cause,
    remedy:
      code === "EACCES"
        ? "Ports below 1024 need CAP_NET_BIND_SERVICE; rsyslog can forward to another one as well"
        : `Choose another with ${table}.port, or stop what has it (often this machine's own rsyslog)`,
  });
}
