import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { keepSecret } from "./canaries.ts";
import type { Certificates } from "./certificate.ts";

/** How a proxy treats those who ask it for a tunnel. */
export interface ConnectProxyOptions {
  /** The loopback port that stands for a host, or for all; undefined answers 502, as for an unknown host. */
  readonly to: number | ((host: string, port: number) => number | undefined);
  /** `user:password` that the client must send in HTTP Basic; anything else gets a 407. */
  readonly credentials?: string;
  /** Answers every CONNECT with this status, or never. */
  readonly answer?: number | "hang";
  /** Makes it a proxy that is itself reached by TLS. */
  readonly tls?: Certificates;
}

/** One CONNECT, answered or not. */
export interface ConnectRequest {
  readonly host: string;
  readonly port: number;
  /** `Proxy-Authorization` as it came. */
  readonly authorization: string | undefined;
}

/** A running proxy. */
export interface ConnectProxy {
  /** `http://127.0.0.1:<port>`, or https, without credentials. */
  readonly url: string;
  readonly port: number;
  /** In the order they came. */
  readonly connects: readonly ConnectRequest[];
  /** Request lines of those who did not ask for a tunnel; they get a 405. */
  readonly others: readonly string[];
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/**
 * Starts an HTTP proxy on loopback that knows CONNECT alone (RFC 9110 section 9.3.6). Clients never send loopback
 * through a proxy, so a test uses a made-up host and lets the proxy map it.
 */
export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  keepSecret("password", options.credentials?.split(":", 2)[1] ?? "");
  const connects: ConnectRequest[] = [];
  const others: string[] = [];
  const sockets = new Set<Duplex>();
  const keep = (socket: Duplex): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };

  const refuseOther: RequestListener = (request, response) => {
    others.push(`${request.method ?? ""} ${request.url ?? ""}`);
    response.writeHead(405).end();
  };
  const { tls } = options;
  const server = tls ? createHttpsServer({ cert: tls.cert, key: tls.key }, refuseOther) : createHttpServer(refuseOther);
  server.on("connection", keep);
  server.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
    keep(client);
    const asked = readConnect(request);
    connects.push(asked);
    const { answer, credentials, to } = options;
    if (answer === "hang") return;
    if (credentials !== undefined && asked.authorization !== `Basic ${Buffer.from(credentials).toString("base64")}`) {
      client.end(statusLine(407, 'Proxy-Authenticate: Basic realm="proxy"\r\n'));
      return;
    }
    const port = typeof to === "number" ? to : to(asked.host, asked.port);
    if (answer !== undefined || port === undefined) {
      client.end(statusLine(answer ?? 502));
      return;
    }
    tunnel(client, head, port, keep);
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
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

function readConnect(request: IncomingMessage): ConnectRequest {
  const url = new URL(`tcp://${request.url ?? ""}`);
  return { host: url.hostname, port: Number(url.port), authorization: request.headers["proxy-authorization"] };
}

const statusLine = (status: number, headers = ""): string =>
  `HTTP/1.1 ${status} Proxy\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`;

/** Joins the client to a port on loopback, both ways, until either leaves. */
function tunnel(client: Duplex, head: Buffer, port: number, keep: (socket: Duplex) => void): void {
  const server: Socket = connect(port, LOOPBACK, () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    server.write(head);
    client.pipe(server).pipe(client);
  });
  keep(server);
  server.once("close", () => client.destroy());
  client.once("close", () => server.destroy());
}
