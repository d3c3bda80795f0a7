import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificates } from "./certificates.ts";

/** What a proxy does with CONNECT requests. */
export interface ConnectProxyOptions {
  /** The loopback port for a host, or for all hosts. For undefined, the proxy responds 502, as for an unknown host. */
  readonly to: number | ((host: string, port: number) => number | undefined);
  /** The `user:password` required in HTTP Basic authentication. The proxy responds 407 to anything else. */
  readonly credentials?: string;
  /** The status of every response, or `hang` to never respond. May be changed while the proxy is running. */
  readonly response?: number | "hang";
  /** Default: a free port. */
  readonly port?: number;
  /** Certificates for TLS connections to the proxy itself. Default: plain HTTP. */
  readonly tls?: Certificates;
}

/** One CONNECT request. */
export interface ConnectRequest {
  readonly host: string;
  readonly port: number;
  /** The `Proxy-Authorization` header. */
  readonly authorization: string | undefined;
}

/** A running proxy. */
export interface ConnectProxy {
  /** `http://127.0.0.1:<port>`, or the same with https. Contains no credentials. */
  readonly url: string;
  readonly port: number;
  /** The CONNECT requests in order of arrival. */
  readonly connects: readonly ConnectRequest[];
  /** The request lines with other methods, to which the proxy responded 405. */
  readonly others: readonly string[];
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/**
 * Starts an HTTP proxy on loopback that supports only CONNECT (RFC 9110 section 9.3.6). Clients do not use a proxy for
 * loopback addresses, so a test uses a fictitious host name that the proxy maps to loopback.
 */
export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const connects: ConnectRequest[] = [];
  const others: string[] = [];
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };

  const rejectOther: RequestListener = (request, response) => {
    others.push(`${request.method ?? ""} ${request.url ?? ""}`);
    response.writeHead(405).end();
  };
  const { tls } = options;
  const server = tls ? createHttpsServer({ cert: tls.cert, key: tls.key }, rejectOther) : createHttpServer(rejectOther);
  server.on("connection", track);
  server.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
    track(client);
    const connectRequest = parseConnect(request);
    connects.push(connectRequest);
    const { response, credentials, to } = options;
    if (response === "hang") return;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;
    if (expected !== undefined && connectRequest.authorization !== expected) {
      client.end(toResponse(407, 'Proxy-Authenticate: Basic realm="proxy"\r\n'));
      return;
    }
    const port = typeof to === "number" ? to : to(connectRequest.host, connectRequest.port);
    if (response !== undefined || port === undefined) {
      client.end(toResponse(response ?? 502));
      return;
    }
    tunnel(client, head, port, track);
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `${tls ? "https" : "http"}://${LOOPBACK}:${port}`,
    port,
    connects,
    others,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function parseConnect(request: IncomingMessage): ConnectRequest {
  const url = new URL(`tcp://${request.url ?? ""}`);
  return { host: url.hostname, port: Number(url.port), authorization: request.headers["proxy-authorization"] };
}

const toResponse = (status: number, headers = ""): string =>
  `HTTP/1.1 ${status} Proxy\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`;

/** Connects the client to a port on loopback until either side closes. */
function tunnel(client: Duplex, head: Buffer, port: number, track: (socket: Duplex) => void): void {
  const server: Socket = connect(port, LOOPBACK, () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    server.write(head);
    client.pipe(server).pipe(client);
  });
  track(server);
  server.once("close", () => client.destroy());
  client.once("close", () => server.destroy());
}
