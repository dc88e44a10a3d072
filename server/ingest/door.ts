import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import type { ServerConfig } from "../config.ts";
import { Certificates, type ClientCertificate, clientCertificate } from "../tls.ts";

export type IngestTls = NonNullable<ServerConfig["ingest"]["tls"]>;

/** How long a handshake may take, milliseconds. */
const HANDSHAKE_MS = 10_000;
/**
 * Longest that a client may take to send a request, milliseconds: not one that never ends, but a full batch of 2 MiB that does
 * not compress, over a line of 32 kbit/s. What is cut off half way is sent again from its start, and would never arrive.
 */
export const REQUEST_MS_MAX = 600_000;
/** Most connections: a collector has up to five. */
const CONNECTIONS_MAX = 8192;
/** Most different failures of handshakes that are logged. */
const TOLD_MAX = 1_000;

/** A listener for collectors alone, over TLS: nothing but ingest is behind it. */
export class IngestDoor {
  readonly port: number;
  private readonly server: Server;
  private readonly certificates: Certificates;

  private constructor(server: Server, certificates: Certificates) {
    this.server = server;
    this.certificates = certificates;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @throws OperatorError when a file cannot be used, or the address cannot be listened on */
  static async open(
    settings: IngestTls,
    app: FastifyInstance,
    deps: { readonly log: Log; readonly now: () => number },
  ): Promise<IngestDoor> {
    const { log } = deps;
    const certificates = await Certificates.open(settings, "ingest.tls", deps);
    /** Connections that were made with the certificates of now. */
    let current = new WeakSet<Socket>();
    const server = createServer(
      {
        ...certificates.context(),
        requestCert: settings.client_ca_file !== undefined,
        // Refused with the answer, where it can be said why.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_MS,
        requestTimeout: REQUEST_MS_MAX,
      },
      (request, response) => {
        // One that was in use when they changed takes one more request: a busy one would be on the old ones for ever.
        if (!current.has(request.socket)) response.shouldKeepAlive = false;
        if (request.url?.split("?")[0] === "/api/v1/ingest") return app.routing(request, response);
        response.writeHead(404, { "content-type": "text/plain" }).end("Only collectors are served here.\n");
      },
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.on("secureConnection", (socket) => current.add(socket));
    certificates.onChange((context) => {
      current = new WeakSet();
      server.setSecureContext(context);
      server.closeIdleConnections();
    });
    const told = new Set<string>();
    server.on("tlsClientError", (error, socket: Socket) => {
      const key = `${socket.remoteAddress} ${messageOf(error)}`;
      if (told.has(key) || told.size >= TOLD_MAX) return;
      told.add(key);
      log("warn", "a TLS connection of a collector failed", { from: socket.remoteAddress, why: messageOf(error) });
    });
    const { host, port } = settings;
    try {
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen({ host, port }, resolve));
    } catch (cause) {
      certificates.close();
      throw new OperatorError(
        "LISTEN_FAILED",
        `ingest.tls: ${host}:${port} cannot be listened on: ${messageOf(cause)}`,
        {
          cause,
          remedy: "Choose another with ingest.tls.host and ingest.tls.port",
        },
      );
    }
    server.on("error", (error) => log("error", "ingest.tls: the listener failed", { why: messageOf(error) }));
    const door = new IngestDoor(server, certificates);
    log("info", "collectors are listened to over TLS", { host, port: door.port });
    return door;
  }

  /** Takes no more; what is under way finishes. */
  stop(): void {
    this.certificates.close();
    this.server.close();
    this.server.closeIdleConnections();
  }

  close(): void {
    this.server.closeAllConnections();
  }
}

/** The certificate that a request came with; undefined where none is asked for. */
export function certificateOf(socket: unknown, tls: IngestTls | undefined): ClientCertificate | undefined {
  return tls?.client_ca_file !== undefined && socket instanceof TLSSocket ? clientCertificate(socket) : undefined;
}

/** The nodes that who has a certificate of these names may write: those of these names, and those that are listed for them. */
export function nodesOf(names: readonly string[], { clients = [] }: IngestTls): (node: string) => boolean {
  const own = new Set(names.map((name) => name.toLowerCase()));
  const listed = new Set(clients.filter(({ name }) => own.has(name.toLowerCase())).map(({ node }) => node));
  return (node) => own.has(node.toLowerCase()) || listed.has(node);
}
