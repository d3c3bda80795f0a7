import type { IncomingHttpHeaders, RequestOptions } from "node:http";
import type * as https from "node:https";
import type { SecureContext, TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { HttpClient, type HttpClientResponse } from "@actions/http-client";
import type { RequestInfo } from "@actions/http-client/lib/interfaces";
import type { Clock, Milliseconds } from "../clock.ts";
import { abortedError, AuthError, errorCode } from "../report/errors.ts";
import { timeSpan } from "../report/time-span.ts";
import { proxyFailure, proxyFor } from "./proxy.ts";

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
}

/** The largest body read, in bytes. Token answers and key sets are a few kilobytes. */
export const LARGEST_BODY = 1024 * 1024;

/** Node's longest timer: the client's own time-out, which cannot tell why, must never come first. */
const NEVER = 2 ** 31 - 1;

type Phase = "connecting" | "waiting" | "reading";

/**
 * Sends `request` once, follows no redirect and reads the whole body.
 *
 * @throws AuthError of kind `network`, `timeout`, `aborted`, `protocol` (body too large) or `config` (proxy variable)
 */
export async function send(request: HttpRequest, limits: SendLimits): Promise<HttpAnswer> {
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
  let phase: Phase = "connecting";
  const client = new ObservedClient(limits, abort.signal, () => (phase = "waiting"));
  try {
    const response = await client.request(request.method, request.url.href, request.body ?? null, {
      ...request.headers,
    });
    phase = "reading";
    const body = await readBody(response);
    return {
      status: response.message.statusCode ?? 0,
      headers: response.message.headers,
      body,
      clockOffset: clockOffset(response.message.headers.date, limits.clock),
    };
  } catch (error) {
    if (error instanceof AuthError) throw error;
    if (late.signal.aborted) throw timeoutError(phase, request.url.host, limits.timeLimit);
    if (limits.signal.aborted) throw abortedError();
    throw connectionError(error, phase, request.url.host);
  } finally {
    callOff();
    limits.signal.removeEventListener("abort", cancel);
    cancel();
    client.dispose();
  }
}

/** The HTTP client of GitHub's toolkit without its retries and redirects, told whom to trust and when to stop. */
class ObservedClient extends HttpClient {
  readonly #trust: RequestOptions & { readonly secureContext?: SecureContext };
  readonly #signal: AbortSignal;
  readonly #onConnect: () => void;

  constructor({ secureContext, userAgent }: SendLimits, signal: AbortSignal, onConnect: () => void) {
    super(undefined, [], { allowRedirects: false, allowRetries: false, keepAlive: false, socketTimeout: NEVER });
    // Set afterwards, since the constructor appends to it.
    this.userAgent = userAgent;
    // Said for each connection, since NODE_TLS_REJECT_UNAUTHORIZED=0 in a job's environment changes the default.
    this.#trust = { ...(secureContext && { secureContext }), rejectUnauthorized: true } as RequestOptions;
    this.#signal = signal;
    this.#onConnect = onConnect;
  }

  override requestRaw(info: RequestInfo, data: string | NodeJS.ReadableStream): Promise<HttpClientResponse> {
    const { options, httpModule } = info as { options: RequestOptions; httpModule: typeof https };
    Object.assign(options, this.#trust, { signal: this.#signal, host: withoutBrackets(options.host) });
    const tunnel = options.agent as unknown as Partial<TunnelAgent>;
    if (tunnel.proxyOptions) {
      // A tunnel makes two connections by itself: TLS to the server (`options`) and the one to the proxy.
      Object.assign(tunnel.options ?? {}, this.#trust);
      Object.assign(tunnel.proxyOptions, this.#trust, {
        signal: this.#signal,
        host: withoutBrackets(tunnel.proxyOptions.host),
      });
    }
    const observed = {
      request: (...args: Parameters<typeof httpModule.request>) =>
        httpModule.request(...args).once("socket", (socket: Socket | TLSSocket) => {
          socket.once("encrypted" in socket ? "secureConnect" : "connect", this.#onConnect);
        }),
    };
    return super.requestRaw({ ...info, httpModule: observed } as unknown as RequestInfo, data);
  }
}

/** What the package `tunnel` keeps on its agents. */
interface TunnelAgent {
  readonly options: object;
  readonly proxyOptions: RequestOptions;
}

/** `URL.hostname` writes `[::1]`, sockets want `::1`. */
const withoutBrackets = (host: string | null | undefined): string => (host ?? "").replace(/^\[(.*)\]$/, "$1");

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

function timeoutError(phase: Phase, host: string, limit: Milliseconds): AuthError {
  const what = {
    connecting: `no connection to ${host} within ${timeSpan(limit)}.`,
    waiting: `${host} took the request and gave no answer within ${timeSpan(limit)}.`,
    reading: `${host} began to answer and fell silent; the answer was not complete after ${timeSpan(limit)}.`,
  }[phase];
  const code = ({ connecting: "connect_timeout", waiting: "no_answer", reading: "body_cut" } as const)[phase];
  return new AuthError(what, { kind: "timeout", code, requestSent: phase !== "connecting" });
}

/** Verdicts on the server's certificate; what the server says of ours begins with ERR_SSL. */
const CERTIFICATE_CODE = /^(?!ERR_SSL).*CERT|^UNABLE_TO_|SELF_SIGNED|^INVALID_(CA|PURPOSE)|^PATH_LENGTH/;
const CLOCK_CODE = /^CERT_(NOT_YET_VALID|HAS_EXPIRED)/;

function connectionError(error: unknown, phase: Phase, host: string): AuthError {
  const fromProxy = proxyFailure(error, host);
  if (fromProxy) return fromProxy;
  const code = errorCode(error) ?? "";
  // A fault of our own is no fault of the network, and no repeat mends it.
  if (code === "" || error instanceof TypeError) throw error;
  const failure = (what: string, name: AuthError["code"], hint?: string): AuthError =>
    new AuthError(what, {
      kind: "network",
      code: name,
      requestSent: phase !== "connecting",
      cause: error,
      ...(hint !== undefined && { hint }),
    });
  if (code === "ENOTFOUND") return failure(`the host ${host} is unknown (ENOTFOUND).`, "unknown_host");
  if (code === "EAI_AGAIN")
    return failure(`the name server did not tell the address of ${host} (EAI_AGAIN).`, "dns_unavailable");
  if (code === "ECONNREFUSED") return failure(`${host} refused the connection (ECONNREFUSED).`, "connection_refused");
  if (phase === "connecting" && CERTIFICATE_CODE.test(code)) {
    return failure(
      `the certificate of ${host} is not trusted (${code}).`,
      "untrusted_certificate",
      CLOCK_CODE.test(code)
        ? "No secret was sent. Check this machine's clock first, then the server's certificate."
        : undefined,
    );
  }
  if (phase === "connecting" && /^ERR_SSL|^EPROTO/.test(code))
    return failure(`the TLS handshake with ${host} failed (${code}).`, "tls_failed");
  if (phase === "reading") return failure(`the answer of ${host} was cut off before its end.`, "body_cut");
  return failure(`the connection to ${host} broke (${code}).`, "connection_failed");
}
