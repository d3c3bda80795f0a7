import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { HttpClient } from "@actions/http-client";
import type { RequestHandler } from "@actions/http-client/lib/interfaces";
import type { Milliseconds } from "../clock.ts";
import { abortedError, AuthError } from "../errors.ts";
import { connectionError, timeoutError, type Target } from "./connection-error.ts";
import { HttpAgent, HttpsAgent, Progress, type ConnectionOptions, type ConnectionStep } from "./connection.ts";
import { getProxy } from "./proxy.ts";
import type { RequestContext } from "./request-context.ts";

/** An HTTP request method (RFC 9110 section 9.3 and RFC 5789). */
export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A request with a text body. */
export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A complete response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body, decoded as UTF-8 without a byte order mark. */
  readonly body: string;
  /** The body as received; undefined only in tests. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  /** The server's clock (`Date` header) minus the local clock; undefined if the header is missing. */
  readonly clockOffset: Milliseconds | undefined;
}

/** Limits of one attempt. */
export interface AttemptOptions {
  /** Time limit for the DNS lookup, connection, TLS handshake, response, and body together. */
  readonly timeoutMs: Milliseconds;
  readonly signal?: AbortSignal | undefined;
  /**
   * Reuses connections. Use it only for https and idempotent methods: a request on a reused connection is sent again if
   * the server has closed that connection (RFC 9112 section 9.3.1).
   */
  readonly agent?: HttpsAgent | undefined;
  /** Maximum size of the response body in bytes. Default: 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Called after each step of a new connection. */
  readonly onConnection?: ((step: ConnectionStep) => void) | undefined;
}

/** Default limit. Token responses and key sets are only a few kilobytes. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Node's longest timer. The HTTP client's own time limit must not end the request first. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Sends a request once, without following redirects, and reads the whole response, regardless of its status.
 *
 * @throws AuthError of kind `network`, `timeout`, `aborted`, `rejected` (by a proxy), `protocol` (the body is too
 *   large), or `config` (a proxy variable is invalid)
 */
export async function sendRequest(
  request: HttpRequest,
  context: RequestContext,
  options: AttemptOptions,
): Promise<HttpResponse> {
  const target = { url: request.url, proxy: getProxy(request.url) };
  const deadline = context.clock.monotonic() + options.timeoutMs;
  const response = await attempt(request, target, context, options);
  if (response) return response;
  const timeoutMs = Math.max(1, deadline - context.clock.monotonic());
  const retried = await attempt(request, target, context, { ...options, timeoutMs, agent: undefined });
  if (!retried) throw new Error("A new connection was treated as a reused one.");
  return retried;
}

/** @returns undefined if a reused connection turned out to be closed */
async function attempt(
  request: HttpRequest,
  target: Target,
  context: RequestContext,
  options: AttemptOptions,
): Promise<HttpResponse | undefined> {
  const { signal, timeoutMs, agent } = options;
  if (signal?.aborted) throw notSentError(signal.reason);
  const progress = new Progress(context.clock, options.onConnection);
  const abort = new AbortController();
  const timeout = new DOMException("The attempt took too long.", "TimeoutError");
  const cancelTimer = context.clock.setTimeout(() => {
    abort.abort(timeout);
  }, timeoutMs);
  const onAbort = (): void => {
    abort.abort(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const exchanged = exchange(request, target, context, options, progress, abort);
    // Node may leave a request pending even after its signal is aborted, so the attempt does not rely on Node.
    return await Promise.race([exchanged, rejectOnAbort(abort.signal)]);
  } catch (error) {
    if (signal?.aborted) throw progress.isSent ? abortedError(signal.reason) : notSentError(signal.reason);
    const cause: unknown = abort.signal.aborted ? abort.signal.reason : error;
    if (cause === timeout) throw timeoutError(progress, target, timeoutMs);
    if (agent && progress.isReused && progress.phase === "waiting" && !AuthError.isAuthError(cause)) return undefined;
    throw connectionError(cause, progress, target);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}

const notSentError = (reason: unknown): AuthError => abortedError(reason, false);

async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}

async function exchange(
  request: HttpRequest,
  target: Target,
  { clock, userAgent, secureContext, redactor, unref = false }: RequestContext,
  { agent, timeoutMs, maxBodyBytes = MAX_BODY_BYTES }: AttemptOptions,
  progress: Progress,
  abort: AbortController,
): Promise<HttpResponse> {
  const requestOptions: ConnectionOptions = {
    agent: request.url.protocol === "https:" ? (agent ?? new HttpsAgent()) : new HttpAgent(),
    signal: abort.signal,
    connection: { ...target, secureContext, progress, timeoutMs, abort, unref, quote: redactor.quote },
    // - The client would add the runner's ACTIONS_ORCHESTRATION_ID to its own User-Agent.
    // - Compressed responses are not decoded. Without this header, a server may use any encoding (RFC 9110 section
    //   12.5.3).
    headers: { "user-agent": userAgent, "accept-encoding": "identity", ...request.headers },
  };
  const handler: RequestHandler = {
    prepareRequest: (clientOptions) => Object.assign(clientOptions, requestOptions),
    canHandleAuthentication: () => false,
    handleAuthentication: () => Promise.reject(new Error("There is no authentication.")),
  };
  // Features of the toolkit's client that are not used:
  // - Redirects would send the secret to another host.
  // - Its retries cover only GET and HEAD, without jitter, Retry-After, or a deadline. See retry.ts.
  // - Its time limit does not take the phase into account.
  // - Its readBody() never settles if the body is truncated.
  const client = new HttpClient(userAgent, [handler], {
    allowRedirects: false,
    allowRetries: false,
    keepAlive: false,
    socketTimeout: MAX_TIMER_MS,
  });
  const { message } = await client.request(request.method, request.url.href, request.body ?? null);
  progress.phase = "reading";
  const { statusCode: status = 0, headers } = message;
  const date = Date.parse(headers.date ?? "");
  const clockOffset = Number.isNaN(date) ? undefined : date - clock.now();
  const bytes = await readBody(message, maxBodyBytes);
  return { status, headers, body: new TextDecoder().decode(bytes), bytes, clockOffset };
}

async function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      const description = `the response exceeds ${Math.ceil(maxBytes / 1024)} KiB.`;
      throw new AuthError(description, { kind: "protocol", code: "response_too_large", status: message.statusCode });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
