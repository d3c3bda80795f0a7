import dns from "node:dns";
import { once, type EventEmitter } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type LookupFunction, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls, { type SecureContext } from "node:tls";
import type { Clock, Milliseconds } from "../clock.ts";
import type { AuthEvent } from "../events.ts";
import { getConnectHeaders, getHostPort, getTunnelError, type ProxySettings } from "./proxy.ts";

/** A completed step of opening a connection. */
export type ConnectionStep = Omit<Extract<AuthEvent, { readonly type: "connection" }>, "type" | "request">;

/**
 * What an attempt is doing: a step of the connection, the TLS handshake with an https proxy, waiting for the response, or
 * reading its body.
 */
export type Phase = ConnectionStep["step"] | "proxy-tls" | "waiting" | "reading";

/** The progress of an attempt. */
export class Progress {
  phase: Phase = "waiting";
  /** Whether the request is sent on a connection that was opened for an earlier request. */
  isReused = true;
  /** The issuer of the most recently received certificate. */
  issuer: string | undefined;
  readonly #clock: Clock;
  readonly #onStep: ((step: ConnectionStep) => void) | undefined;
  #lastStepAt: Milliseconds;

  constructor(clock: Clock, onStep: ((step: ConnectionStep) => void) | undefined) {
    this.#clock = clock;
    this.#onStep = onStep;
    this.#lastStepAt = clock.monotonic();
  }

  /** Whether the server may have received the request. */
  get isSent(): boolean {
    return this.phase === "waiting" || this.phase === "reading";
  }

  /** Reports a completed step and starts the next phase. */
  complete(step: ConnectionStep["step"], detail: string, next: Phase): void {
    const now = this.#clock.monotonic();
    this.#onStep?.({ step, durationMs: now - this.#lastStepAt, detail });
    this.#lastStepAt = now;
    this.phase = next;
  }
}

/** Where and how to connect. */
export interface ConnectionSettings {
  readonly url: URL;
  readonly proxy: ProxySettings | undefined;
  /** Undefined to use Node's default CA certificates. */
  readonly secureContext: SecureContext | undefined;
  readonly progress: Progress;
  /** The time limit of the attempt. */
  readonly timeoutMs: Milliseconds;
  /** If true, the connection does not keep the process alive. */
  readonly unref: boolean;
  /** Aborting it ends the attempt. openConnection() also does this if the connection closes without a response. */
  readonly abort: AbortController;
  /** Makes text from a certificate safe for a message. */
  readonly quote: (text: string, maxLength?: number) => string;
}

/**
 * How long to try each address of a host before trying the next one (RFC 8305). With Node's default of 250 ms, a
 * distant host is never reached if its first address is unreachable. In a short attempt, the limit is a third of its
 * time, because TLS and the response take longer than connecting to the next address.
 */
const MAX_ADDRESS_TIMEOUT: Milliseconds = 2500;
const ADDRESS_TIMEOUT_RATIO = 1 / 3;

/** The host in the form that sockets expect: `::1` instead of the `[::1]` used in URLs (RFC 3986 section 3.2.2). */
const getHost = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1");

/**
 * Opens the connection for one request: TCP, the tunnel through a proxy, and TLS.
 *
 * TLS starts only on a connected socket. Node crashes if the socket is still trying addresses.
 *
 * @throws an error thrown by Node in `progress.phase`, or an AuthError about the proxy
 */
export async function openConnection(settings: ConnectionSettings): Promise<Socket> {
  const { url, proxy, progress, abort } = settings;
  const tcp = await connectTcp(settings);
  try {
    const tunnel = proxy ? await openTunnel(tcp, proxy, settings) : tcp;
    const socket = url.protocol === "https:" ? await startTls(tunnel, getHost(url), settings) : tunnel;
    if (socket instanceof tls.TLSSocket)
      progress.complete(
        "tls",
        `${socket.getProtocol() ?? "TLS"}, issued by ${progress.issuer ?? "unknown"}`,
        "waiting",
      );
    const { bytesRead } = socket;
    const abortWithoutResponse = (): void => {
      if (progress.phase === "waiting") abort.abort(noResponseError(socket.bytesRead > bytesRead));
    };
    // After a 101 Switching Protocols response, Node destroys the socket, and the request emits no event.
    socket.once("close", () => setImmediate(abortWithoutResponse));
    return socket;
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}

/** The callbacks to call after each DNS lookup that is in progress, by host. */
const lookups = new Map<string, Parameters<LookupFunction>[2][]>();

/**
 * Joins the DNS lookup of the host that is in progress, or starts one. A lookup cannot be canceled: it keeps the process
 * alive and a thread busy, for about ten seconds if the name server does not respond. Retries must not add to that time.
 */
const lookup: LookupFunction = (host, options, callback) => {
  const callbacks = lookups.get(host) ?? [];
  callbacks.push(callback);
  if (callbacks.length > 1) return;
  lookups.set(host, callbacks);
  dns.lookup(host, options, (...result: Parameters<typeof callback>) => {
    lookups.delete(host);
    for (const done of callbacks) done(...result);
  });
};

/** Connects to the proxy or the server. After an abort, a pending DNS lookup still keeps the process alive. */
async function connectTcp({ url, proxy, progress, timeoutMs, abort, unref }: ConnectionSettings): Promise<Socket> {
  const target = proxy?.url ?? url;
  const host = getHost(target);
  const port = Number(target.port) || (target.protocol === "https:" ? 443 : 80);
  progress.isReused = false;
  progress.phase = net.isIP(host) === 0 ? "dns" : "tcp";
  const addressTimeout = Math.max(1, Math.floor(Math.min(MAX_ADDRESS_TIMEOUT, timeoutMs * ADDRESS_TIMEOUT_RATIO)));
  const socket = net.connect({ host, port, lookup, noDelay: true, autoSelectFamilyAttemptTimeout: addressTimeout });
  const addresses: string[] = [];
  // Emitted once per address, before the first connection attempt.
  socket.on("lookup", (error, address) => {
    if (!(error as Error | null)) addresses.push(address);
  });
  socket.once("connectionAttempt", () => {
    if (addresses.length > 0) progress.complete("dns", addresses.join(", "), "tcp");
  });
  await waitFor(socket, socket, "connect", abort.signal);
  if (unref) socket.unref();
  const { remoteAddress = host, remoteFamily, remotePort = port } = socket;
  const next = proxy ? "proxy" : url.protocol === "https:" ? "tls" : "waiting";
  progress.complete("tcp", `${remoteFamily === "IPv6" ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`, next);
  return socket;
}

/** Opens a tunnel through a proxy (RFC 9110 section 9.3.6). TLS to the proxy verifies the proxy's own host name. */
async function openTunnel(tcp: Socket, proxy: ProxySettings, settings: ConnectionSettings): Promise<Socket> {
  const { url, progress, abort } = settings;
  if (proxy.url.protocol === "https:") progress.phase = "proxy-tls";
  const socket = progress.phase === "proxy-tls" ? await startTls(tcp, getHost(proxy.url), settings) : tcp;
  progress.phase = "proxy";
  const request = http.request({
    method: "CONNECT",
    path: getHostPort(url),
    headers: getConnectHeaders(url, proxy),
    createConnection: () => socket,
  });
  request.end();
  const event = await waitFor(request, socket, "connect", abort.signal);
  const [response, , head] = event as [http.IncomingMessage, Socket, Buffer];
  const error = getTunnelError(response, head, url, proxy);
  if (error) throw error;
  progress.complete("proxy", proxy.host, "tls");
  return socket;
}

async function startTls(
  socket: Socket,
  host: string,
  { secureContext, progress, abort, quote }: ConnectionSettings,
): Promise<tls.TLSSocket> {
  const secure = tls.connect({
    socket,
    host,
    servername: net.isIP(host) === 0 ? host : "",
    ALPNProtocols: ["http/1.1"],
    // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes the default.
    rejectUnauthorized: true,
    ...(secureContext && { secureContext }),
  });
  progress.issuer = undefined;
  // Runs before Node's own listener, which destroys the socket if the certificate is not trusted.
  secure.prependOnceListener("secure", () => {
    const { issuer } = secure.getPeerCertificate() as Partial<tls.PeerCertificate>;
    const name = [issuer?.CN, issuer?.O].flat().find((text) => text !== undefined && text !== "");
    progress.issuer = name === undefined ? undefined : quote(name, 80);
  });
  await waitFor(secure, secure, "secureConnect", abort.signal);
  return secure;
}

/** Waits for an event. An `error` event or an abort destroys the socket. */
async function waitFor(
  emitter: EventEmitter,
  socket: Socket,
  event: string,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  // This listener is not removed: without it, an error between two steps would end the process.
  emitter.on("error", () => undefined);
  try {
    return (await once(emitter, event, { signal })) as unknown[];
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** The code of the error for a response with status 101 (Switching Protocols). */
export const UPGRADE_CODE = "UNEXPECTED_UPGRADE";

/** @param isUpgraded - whether the server sent something: Node reports every response except those with status 101 */
const noResponseError = (isUpgraded: boolean): Error =>
  Object.assign(new Error("no response"), { code: isUpgraded ? UPGRADE_CODE : "ECONNRESET" });

/** Request options with the settings that {@link openConnection} needs. Node passes them to `createConnection`. */
export interface ConnectionOptions extends http.RequestOptions {
  readonly connection: ConnectionSettings;
}

type ConnectionCallback = (error: Error | null, socket: Duplex) => void;

/** Like {@link openConnection}, in the form in which agents open connections. */
function createConnection(
  options: http.ClientRequestArgs,
  callback: ConnectionCallback | undefined,
): Duplex | undefined {
  openConnection((options as ConnectionOptions).connection).then(
    (socket) => callback?.(null, socket),
    (error: unknown) => callback?.(error as Error, undefined as never),
  );
  return undefined;
}

/**
 * Whether another agent opens a connection through this one. Libraries that intercept requests in tests, such as msw and
 * nock, do so for requests that they let through. They need the socket immediately.
 */
const isIntercepted = (agent: http.Agent, options: http.ClientRequestArgs): boolean => options.agent !== agent;

/** The agent for plain HTTP, which is used only on loopback. */
export class HttpAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs, callback?: ConnectionCallback): Duplex | null | undefined {
    return isIntercepted(this, options)
      ? super.createConnection(options, callback)
      : createConnection(options, callback);
  }
}

/**
 * Node's agent with connections opened by {@link openConnection}. With `keepAlive: true`, connections are reused; use a
 * separate agent for each secure context.
 */
export class HttpsAgent extends https.Agent {
  override createConnection(options: https.RequestOptions, callback?: ConnectionCallback): Duplex | null | undefined {
    if (!isIntercepted(this, options)) return createConnection(options, callback);
    const { secureContext } = (options as ConnectionOptions).connection;
    const tlsOptions = { rejectUnauthorized: true, ...(secureContext && { secureContext }) };
    return super.createConnection({ ...options, ...tlsOptions }, callback);
  }

  override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
    super.reuseSocket(socket, request);
    // Handle a 101 response, as in openConnection().
    request.once("upgrade", (_response, upgraded) => {
      upgraded.destroy();
      request.emit("error", noResponseError(true));
    });
  }
}
