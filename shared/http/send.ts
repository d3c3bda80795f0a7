import type { Agent, IncomingHttpHeaders, RequestOptions } from "node:http";
import type * as https from "node:https";
import type { SecureContext, TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { HttpClient, type HttpClientResponse } from "@actions/http-client";
import type { RequestInfo } from "@actions/http-client/lib/interfaces";
import type { Clock, Milliseconds } from "../clock.ts";
import { abortedError, AuthError } from "../report/errors.ts";
import { connectionError, timeoutError, type Phase } from "./connection-error.ts";
import { proxyFor } from "./proxy.ts";
import { socketHost } from "./socket-host.ts";

/** The methods that are sent (RFC 9110 section 9, RFC 5789). */
export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** An HTTP request whose body is text. */
export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An HTTP answer, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The server's clock by its `Date` header less ours, in milliseconds; unknown without that header. */
  readonly clockOffset: Milliseconds | undefined;
}

/** What one request may cost, and whom it may trust. */
export interface SendLimits {
  /** For everything: DNS, connection, TLS, waiting, the whole body. */
  readonly timeLimit: Milliseconds;
  /** Ends the request early, as `aborted`. */
  readonly signal: AbortSignal;
  readonly secureContext: SecureContext | undefined;
  /** The User-Agent header (RFC 9110 section 10.1.5). */
  readonly userAgent: string;
  readonly clock: Clock;
  /**
   * Keeps connections for requests to come; otherwise each has its own. For requests that may be sent twice alone: on
   * a kept connection that the server has closed meanwhile nobody can tell whether it was read. Used for https alone,
   * and not with a proxy.
   */
  readonly agent?: Agent | undefined;
}

/** The largest body read, in bytes. Token answers and key sets are a few kilobytes. */
export const LARGEST_BODY = 1024 * 1024;

/** Node's longest timer: the client's own time-out, which cannot tell why, must never come first. */
const NEVER = 2 ** 31 - 1;

/**
 * Sends `request` once, follows no redirect and reads the whole body. When a kept connection turns out to be closed,
 * it is sent again over a new one.
 *
 * @throws AuthError of kind `network`, `timeout`, `aborted`, `protocol` (body too large) or `config` (proxy variable)
 */
export async function send(request: HttpRequest, limits: SendLimits): Promise<HttpAnswer> {
  const end = limits.clock.monotonic() + limits.timeLimit;
  // The client passes over a proxy variable that holds no URL; this refuses it.
  proxyFor(request.url);
  const abort = new AbortController();
  const cancel = (): void => {
    abort.abort();
  };
  const late = new AbortController();
  const callOff = limits.clock.after(limits.timeLimit, () => {
    late.abort();
    cancel();
  });
  limits.signal.addEventListener("abort", cancel, { once: true });
  if (limits.signal.aborted) cancel();
  const progress: { phase: Phase; reused: boolean } = { phase: "connecting", reused: false };
  const client = new ObservedClient(limits, abort.signal, (reused) => {
    Object.assign(progress, { phase: "waiting", reused });
  });
  try {
    const response = await client.request(request.method, request.url.href, request.body ?? null, {
      ...request.headers,
    });
    progress.phase = "reading";
    const body = await readBody(response);
    return {
      status: response.message.statusCode ?? 0,
      headers: response.message.headers,
      body,
      clockOffset: clockOffset(response.message.headers.date, limits.clock),
    };
  } catch (error) {
    if (error instanceof AuthError) throw error;
    if (late.signal.aborted) throw timeoutError(progress.phase, request.url.host, limits.timeLimit);
    if (limits.signal.aborted) throw abortedError();
    if (progress.reused && progress.phase === "waiting") {
      const timeLimit = Math.max(1, end - limits.clock.monotonic());
      return await send(request, { ...limits, timeLimit, agent: undefined });
    }
    throw connectionError(error, progress.phase, request.url.host);
  } finally {
    callOff();
    limits.signal.removeEventListener("abort", cancel);
    // A connection that is kept no longer hears of it: node ties the signal to the request alone.
    cancel();
    client.dispose();
  }
}

/** The HTTP client of GitHub's toolkit without its retries and redirects, told whom to trust and when to stop. */
class ObservedClient extends HttpClient {
  readonly #trust: RequestOptions & { readonly secureContext?: SecureContext };
  readonly #signal: AbortSignal;
  readonly #agent: Agent | undefined;
  readonly #onConnect: (reused: boolean) => void;

  /** @param onConnect - hears when there is a connection, and whether another request had it before */
  constructor(
    { secureContext, userAgent, agent }: SendLimits,
    signal: AbortSignal,
    onConnect: (reused: boolean) => void,
  ) {
    super(undefined, [], { allowRedirects: false, allowRetries: false, keepAlive: false, socketTimeout: NEVER });
    // Set afterwards, since the constructor appends to it.
    this.userAgent = userAgent;
    // Said for each connection, since NODE_TLS_REJECT_UNAUTHORIZED=0 in a job's environment changes the default.
    this.#trust = { ...(secureContext && { secureContext }), rejectUnauthorized: true } as RequestOptions;
    this.#signal = signal;
    this.#agent = agent;
    this.#onConnect = onConnect;
  }

  override requestRaw(info: RequestInfo, data: string | NodeJS.ReadableStream): Promise<HttpClientResponse> {
    const { options, httpModule } = info as { options: RequestOptions; httpModule: typeof https };
    Object.assign(options, this.#trust, { signal: this.#signal, host: socketHost(options.host ?? "") });
    const tunnel = options.agent as unknown as Partial<TunnelAgent>;
    if (tunnel.proxyOptions) {
      // A tunnel makes two connections by itself: TLS to the server (`options`) and the one to the proxy.
      Object.assign(tunnel.options ?? {}, this.#trust);
      Object.assign(tunnel.proxyOptions, this.#trust, {
        signal: this.#signal,
        host: socketHost(tunnel.proxyOptions.host ?? ""),
      });
    } else if (this.#agent && info.parsedUrl.protocol === "https:") options.agent = this.#agent;
    const observed = {
      request: (...args: Parameters<typeof httpModule.request>) => {
        const request = httpModule.request(...args);
        return request.once("socket", (socket: Socket | TLSSocket) => {
          const { reusedSocket } = request;
          const connected = (): void => {
            this.#onConnect(reusedSocket);
          };
          if (reusedSocket) connected();
          else socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
        });
      },
    };
    return super.requestRaw({ ...info, httpModule: observed } as unknown as RequestInfo, data);
  }
}

/** What the package `tunnel` keeps on its agents. */
interface TunnelAgent {
  readonly options: object;
  readonly proxyOptions: RequestOptions;
}

async function readBody({ message }: HttpClientResponse): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not the client's readBody(): that never settles when the body is cut.
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) {
      throw new AuthError(`the answer is larger than ${LARGEST_BODY / 1024} KiB.`, {
        kind: "protocol",
        code: "body_too_large",
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/^\ufeff/, "");
}

function clockOffset(date: string | undefined, clock: Clock): Milliseconds | undefined {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? undefined : time - clock.wall();
}
