import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Certificates } from "./certificates.ts";
import { JWKS_PATH, TOKEN_PATH } from "./scm-auth-server.ts";

/** The endpoint to which a request was sent. */
export type Route = "token" | "jwks" | "other";

/** A complete request. */
export interface ScriptedRequest {
  readonly route: Route;
  /** The number of earlier requests to this endpoint. */
  readonly n: number;
  readonly method: string;
  /** The path, including the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The value of `performance.now()` when the headers arrived. */
  readonly receivedAt: number;
  /** Aborted when the client closes the connection. */
  readonly closed: AbortSignal;
}

/** One response, valid or not. The default `status` is 200. */
export interface ScriptedResponse {
  readonly status?: number;
  /** Headers that override `content-type` (by default, JSON for an object) and `content-length`. */
  readonly headers?: OutgoingHttpHeaders;
  /** An object is sent as JSON. */
  readonly body?: string | Uint8Array | object;
  /** Delay before the headers, in milliseconds. */
  readonly delayMs?: number;
  /** Never responds. */
  readonly hang?: true;
  /** Sends spaces after the body until the client closes the connection. */
  readonly endless?: true;
  /** Sends this many bytes of the body and then destroys the connection (with TLS, without a closing alert). */
  readonly destroyAfterBytes?: number;
  /** Sends this many bytes of the body and then nothing more. */
  readonly stallAfterBytes?: number;
}

/** A response, or a function that returns one for a request. */
export type ScriptedHandler =
  ScriptedResponse | ((request: ScriptedRequest) => ScriptedResponse | Promise<ScriptedResponse>);

/** A handler for each request in turn; the last one handles all further requests. */
export type Script = ScriptedHandler | readonly ScriptedHandler[];

/** The scripts of a server. */
export interface ScriptedServerOptions {
  readonly token: Script;
  readonly jwks: Script;
  /** Handles requests for all other paths. Default: respond 404. */
  readonly other?: Script;
  /** Certificates for TLS. Default: plain HTTP. */
  readonly tls?: Certificates;
}

/** A running scripted server. */
export interface ScriptedServer {
  /** `http://127.0.0.1:<port>`, or the same with https. */
  readonly origin: string;
  readonly port: number;
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** All requests in order of arrival. */
  readonly requests: readonly ScriptedRequest[];
  /** Returns the requests to one endpoint. */
  readonly requestsTo: (route: Route) => readonly ScriptedRequest[];
  /** Closes all connections and stops listening. */
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const ROUTES: Readonly<Record<string, Route>> = { [TOKEN_PATH]: "token", [JWKS_PATH]: "jwks" };

/** Starts a server on loopback whose responses a test scripts. */
export async function startScriptedServer({
  token,
  jwks,
  other = { status: 404 },
  tls,
}: ScriptedServerOptions): Promise<ScriptedServer> {
  const scripts: Readonly<Record<Route, Script>> = { token, jwks, other };
  const requests: ScriptedRequest[] = [];
  const counts: Record<Route, number> = { token: 0, jwks: 0, other: 0 };
  const sockets = new Set<Socket>();

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const receivedAt = performance.now();
    const path = incoming.url ?? "";
    const route = ROUTES[path.split("?", 1)[0] ?? ""] ?? "other";
    const n = counts[route]++;
    const closed = getClosedSignal(incoming.socket);
    const body = await readAll(incoming);
    const request = {
      route,
      n,
      method: incoming.method ?? "",
      path,
      headers: incoming.headers,
      body,
      receivedAt,
      closed,
    };
    requests.push(request);
    const handler = pick(scripts[route], n);
    await send(response, typeof handler === "function" ? await handler(request) : handler);
  };
  const listener: RequestListener = (incoming, response) => {
    // The client closed the connection, or a handler threw.
    serve(incoming, response).catch(() => response.destroy());
  };
  const server = tls ? createHttpsServer({ cert: tls.cert, key: tls.key }, listener) : createHttpServer(listener);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `${tls ? "https" : "http"}://${LOOPBACK}:${port}`;

  return {
    origin,
    port,
    tokenUrl: origin + TOKEN_PATH,
    jwksUrl: origin + JWKS_PATH,
    requests,
    requestsTo: (route) => requests.filter((request) => request.route === route),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Returns the `n`-th handler of a script, or the last one if there are fewer. */
function pick(script: Script, n: number): ScriptedHandler {
  if (!isList(script)) return script;
  const handler = script[Math.min(n, script.length - 1)];
  if (handler === undefined) throw new Error("a script needs at least one handler");
  return handler;
}

/** Like Array.isArray, but also narrows readonly arrays. */
const isList = (script: Script): script is readonly ScriptedHandler[] => Array.isArray(script);

const closedSignals = new WeakMap<Socket, AbortSignal>();

/** Returns the signal shared by all requests on a connection. */
function getClosedSignal(socket: Socket): AbortSignal {
  const known = closedSignals.get(socket);
  if (known !== undefined) return known;
  const closed = new AbortController();
  for (const event of ["end", "close"]) {
    socket.once(event, () => {
      closed.abort();
    });
  }
  closedSignals.set(socket, closed.signal);
  return closed.signal;
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function send(response: ServerResponse, scripted: ScriptedResponse): Promise<void> {
  if (scripted.hang) return;
  if (scripted.delayMs !== undefined) await delay(scripted.delayMs);
  const [bytes, type] = encode(scripted.body);
  response.writeHead(scripted.status ?? 200, {
    ...(type === undefined ? {} : { "content-type": type }),
    ...(scripted.endless ? {} : { "content-length": bytes.length }),
    ...scripted.headers,
  });
  const limit = scripted.destroyAfterBytes ?? scripted.stallAfterBytes;
  if (limit !== undefined) {
    response.flushHeaders();
    response.write(bytes.subarray(0, limit), () => {
      // The delay lets the bytes arrive first.
      if (scripted.destroyAfterBytes !== undefined) setTimeout(() => response.socket?.destroy(), 5);
    });
  } else if (scripted.endless) sendForever(response, bytes);
  else response.end(bytes);
}

/** Returns the bytes of a body and its media type. */
function encode(body: ScriptedResponse["body"]): readonly [bytes: Buffer, type: string | undefined] {
  if (body === undefined) return [Buffer.alloc(0), undefined];
  if (typeof body === "string") return [Buffer.from(body), undefined];
  if (body instanceof Uint8Array) return [Buffer.from(body), undefined];
  return [Buffer.from(JSON.stringify(body)), "application/json"];
}

/** Writes as fast as the client reads until the client closes the connection. */
function sendForever(response: ServerResponse, start: Buffer): void {
  const spaces = Buffer.alloc(65_536, " ");
  const fill = (): void => {
    while (!response.destroyed && response.write(spaces));
  };
  response.on("drain", fill);
  response.write(start);
  fill();
}
