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
import type { Certificates } from "./certificate.ts";
import { KEYS_PATH, TOKEN_PATH } from "./scm-provider.ts";

/** Which of the scripts answers. */
export type Route = "token" | "keys" | "other";

/** A request as it came, its body read. */
export interface ScriptedRequest {
  readonly route: Route;
  /** How many requests of this route came before it. */
  readonly n: number;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When its headers had come, by `performance.now()`, in milliseconds. */
  readonly at: number;
  /** Aborted once the client has left the connection. */
  readonly left: AbortSignal;
}

/** One answer, right or wrong. Without a `status` it is a 200. */
export interface ScriptedAnswer {
  readonly status?: number;
  /** Added to `content-type` (JSON for an object) and `content-length`, or in their place. */
  readonly headers?: OutgoingHttpHeaders;
  /** An object is sent as JSON. */
  readonly body?: string | Uint8Array | object;
  /** Milliseconds to wait before the headers. */
  readonly delayMs?: number;
  /** Never answers. */
  readonly hang?: true;
  /** After the body spaces follow for as long as the client listens. */
  readonly endless?: true;
  /** Sends so many bytes of the body, then breaks the connection (over TLS without a closing alert). */
  readonly destroyAfterBytes?: number;
  /** Sends so many bytes of the body, then nothing more. */
  readonly stallAfterBytes?: number;
}

/** What answers: always the same, or made for the request at hand. */
export type ScriptedHandler = ScriptedAnswer | ((request: ScriptedRequest) => ScriptedAnswer | Promise<ScriptedAnswer>);

/** A handler for each request in turn; the last one goes on answering. */
export type Script = ScriptedHandler | readonly ScriptedHandler[];

/** The scripts of a server, and whether it speaks TLS. */
export interface ScriptedServerOptions {
  readonly token: Script;
  readonly keys: Script;
  /** What any other path answers. Default: a 404. */
  readonly other?: Script;
  readonly tls?: Certificates;
}

/** A running scripted server. */
export interface ScriptedServer {
  /** `http://127.0.0.1:<port>`, or https. */
  readonly origin: string;
  readonly port: number;
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** In the order they came. */
  readonly requests: readonly ScriptedRequest[];
  /** Those of one route. */
  readonly requestsTo: (route: Route) => readonly ScriptedRequest[];
  /** Breaks off every connection and stops listening. */
  readonly close: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const ROUTES: Readonly<Record<string, Route>> = { [TOKEN_PATH]: "token", [KEYS_PATH]: "keys" };

/** Starts a server on loopback whose answers the test writes. */
export async function startScriptedServer({
  token,
  keys,
  other = { status: 404 },
  tls,
}: ScriptedServerOptions): Promise<ScriptedServer> {
  const scripts: Readonly<Record<Route, Script>> = { token, keys, other };
  const requests: ScriptedRequest[] = [];
  const counts: Record<Route, number> = { token: 0, keys: 0, other: 0 };
  const sockets = new Set<Socket>();

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = performance.now();
    const path = incoming.url ?? "";
    const route = ROUTES[path.split("?", 1)[0] ?? ""] ?? "other";
    const n = counts[route]++;
    const left = leavingOf(incoming.socket);
    const body = await readAll(incoming);
    const request = { route, n, method: incoming.method ?? "", path, headers: incoming.headers, body, at, left };
    requests.push(request);
    const handler = pick(scripts[route], n);
    await send(response, typeof handler === "function" ? await handler(request) : handler);
  };
  const listener: RequestListener = (incoming, response) => {
    // A client that leaves early, or a handler that throws: either way there is nobody to answer.
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
    jwksUrl: origin + KEYS_PATH,
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

/** The `n`-th handler of a script, its last one from there on. */
function pick(script: Script, n: number): ScriptedHandler {
  if (!isList(script)) return script;
  const handler = script[Math.min(n, script.length - 1)];
  if (handler === undefined) throw new Error("a script needs at least one handler");
  return handler;
}

/** `Array.isArray` does not narrow readonly arrays. */
const isList = (script: Script): script is readonly ScriptedHandler[] => Array.isArray(script);

const leavings = new WeakMap<Socket, AbortSignal>();

/** Aborted once the other side has left a connection: one signal for all requests on it. */
function leavingOf(socket: Socket): AbortSignal {
  const known = leavings.get(socket);
  if (known !== undefined) return known;
  const left = new AbortController();
  for (const event of ["end", "close"]) {
    socket.once(event, () => {
      left.abort();
    });
  }
  leavings.set(socket, left.signal);
  return left.signal;
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function send(response: ServerResponse, answer: ScriptedAnswer): Promise<void> {
  if (answer.hang) return;
  if (answer.delayMs !== undefined) await delay(answer.delayMs);
  const [bytes, type] = encode(answer.body);
  response.writeHead(answer.status ?? 200, {
    ...(type === undefined ? {} : { "content-type": type }),
    ...(answer.endless ? {} : { "content-length": bytes.length }),
    ...answer.headers,
  });
  const cut = answer.destroyAfterBytes ?? answer.stallAfterBytes;
  if (cut !== undefined) {
    response.flushHeaders();
    response.write(bytes.subarray(0, cut), () => {
      // The end must not overtake the bytes.
      if (answer.destroyAfterBytes !== undefined) setTimeout(() => response.socket?.destroy(), 5);
    });
  } else if (answer.endless) pourForever(response, bytes);
  else response.end(bytes);
}

/** The bytes of a body, and the media type that they suggest. */
function encode(body: ScriptedAnswer["body"]): readonly [bytes: Buffer, type: string | undefined] {
  if (body === undefined) return [Buffer.alloc(0), undefined];
  if (typeof body === "string") return [Buffer.from(body), undefined];
  if (body instanceof Uint8Array) return [Buffer.from(body), undefined];
  return [Buffer.from(JSON.stringify(body)), "application/json"];
}

/** Writes as fast as the client reads, until it leaves. */
function pourForever(response: ServerResponse, start: Buffer): void {
  const spaces = Buffer.alloc(65_536, " ");
  const pour = (): void => {
    while (!response.destroyed && response.write(spaces));
  };
  response.on("drain", pour);
  response.write(start);
  pour();
}
