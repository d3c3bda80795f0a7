import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { AccessToken } from "../access-token.ts";
import { sleep, type Clock, type Milliseconds } from "../clock.ts";
import { sanitize } from "../redact.ts";
import { normalizeScope } from "../scope.ts";
import {
  SHUTDOWN_PATH,
  TOKEN_SERVER_HOST,
  TOKEN_SERVER_JWKS_PATH,
  TOKEN_SERVER_PATH,
  toTokenServerUrl,
  type TokenServerAddress,
} from "./format.ts";
import type { TokenRefresher } from "./refresher.ts";

/** What a token server serves and to whom. */
export interface TokenServerOptions {
  readonly clientId: string;
  /** The secret in the auth file. */
  readonly jobSecret: string;
  /**
   * The secret of the service account. It is also accepted, because SCM_CLIENT_SECRET takes precedence over the secret
   * in the file.
   */
  readonly clientSecret: string;
  /** The requested scope, as in the auth file. */
  readonly scope: string;
  /** Identifies the job, so that another job that finds the file does not use it. */
  readonly jobId: string;
  readonly refresher: Pick<TokenRefresher, "current" | "rejection" | "requestRenewal">;
  /** Called for each `POST /shutdown`; its result is the response body. The server then closes. */
  readonly onShutdown: () => Promise<object>;
  readonly clock: Clock;
}

/** The maximum time to wait for a renewal. scm-go 1.0.9 waits 30 s for a response. */
const RENEWAL_WAIT: Milliseconds = 25_000;
const RENEWAL_POLL: Milliseconds = 50;
/**
 * A token is served only if it is valid for at least this long, or for this fraction of its lifetime if that is
 * shorter. scm-go subtracts 60 s from the remaining lifetime. If nothing is left, it refreshes before every request
 * until its spin lock livelocks.
 */
const MIN_REMAINING: Milliseconds = 90_000;
const MIN_REMAINING_RATIO = 1 / 2;
const REQUEST_TIMEOUT: Milliseconds = 5000;
const MAX_BODY_BYTES = 16 * 1024;
/**
 * More connections than any provider opens in parallel, but fewer than the per-process file descriptor limit allows.
 */
const MAX_CONNECTIONS = 500;

/** Headers that browsers and proxies send, but the providers do not. */
const FORBIDDEN_HEADERS = ["origin", "referer", "sec-fetch-site", "via", "forwarded", "x-forwarded-for"] as const;

const BASE_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  pragma: "no-cache",
  connection: "close",
} as const;
/** RFC 6749 section 5.2, RFC 7617 section 2. */
const BASIC_CHALLENGE = { "www-authenticate": 'Basic realm="scm-auth", charset="UTF-8"' } as const;

const INVALID_CLIENT =
  "the client ID or secret matches neither the auth file nor the service account. hint: check SCM_CLIENT_ID and SCM_CLIENT_SECRET in the environment, which take precedence over the file.";
const UNAVAILABLE = "the auth server has not issued a new token yet; the request is being retried.";

interface Response {
  readonly status: number;
  readonly content: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Serves the token for the auth file on the loopback interface, as a token endpoint for the client credentials grant
 * (RFC 6749 section 4.4). The providers sign in here when the token in the file has expired.
 */
export class TokenServer {
  readonly address: TokenServerAddress;
  readonly port: number;
  /** Resolves once the server has closed. */
  readonly closed: Promise<void>;
  readonly #server: Server;
  readonly #options: TokenServerOptions;
  readonly #clientDigests: readonly Buffer[];
  readonly #jobDigest: Buffer;

  private constructor(server: Server, options: TokenServerOptions) {
    const { clientId, jobSecret, clientSecret } = options;
    this.#server = server;
    this.#options = options;
    this.#clientDigests = [jobSecret, clientSecret].map((secret) => digest(joinCredentials(clientId, secret)));
    this.#jobDigest = digest(jobSecret);
    this.port = (server.address() as AddressInfo).port;
    this.address = { authUrl: toTokenServerUrl(this.port), clientSecret: jobSecret };
    this.closed = new Promise((resolve) => server.once("close", resolve));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#respond(request, response));
    // Ignore errors such as a lack of file descriptors: the next connection may succeed.
    server.on("error", () => undefined);
  }

  /** Listens on a free port on 127.0.0.1. @throws an error from Node if no port is free */
  static async listen(options: TokenServerOptions): Promise<TokenServer> {
    const server = createServer({
      headersTimeout: REQUEST_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_BODY_BYTES,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.maxRequestsPerSocket = 1;
    await once(server.listen(0, TOKEN_SERVER_HOST), "listening");
    return new TokenServer(server, options);
  }

  /** False once {@link TokenServer.close} has been called. */
  get isOpen(): boolean {
    return this.#server.listening;
  }

  /** Closes all connections and frees the port. */
  close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    return this.closed;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, content, headers } = await this.#handle(request, response);
      const body = JSON.stringify(content);
      response.writeHead(status, { ...BASE_HEADERS, ...headers, "content-length": Buffer.byteLength(body) });
      response.end(body);
    } catch {
      response.destroy();
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<Response> {
    const { method, url, headers } = request;
    // A request with another host name may come from a web page that uses DNS rebinding.
    if (headers.host !== `${TOKEN_SERVER_HOST}:${this.port}`) return invalidRequest(421, "unexpected Host header");
    if (FORBIDDEN_HEADERS.some((name) => headers[name] !== undefined))
      return invalidRequest(403, "requests from web pages and through proxies are not allowed");
    if (url === TOKEN_SERVER_JWKS_PATH && method === "GET") return this.#serveKeys();
    if (url !== TOKEN_SERVER_PATH && url !== SHUTDOWN_PATH) return invalidRequest(404, "not found");
    if (method !== "POST") return { ...invalidRequest(405, "only POST is allowed"), headers: { allow: "POST" } };
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES)
      return invalidRequest(413, "the body must have a Content-Length of at most 16 KiB");
    const body = await text(request);
    const authorization = headers.authorization ?? "";
    if (url === SHUTDOWN_PATH) return this.#shutDown(authorization, response);
    return this.#findRequestError(authorization, new URLSearchParams(body)) ?? this.#serveToken(response);
  }

  /** Serves the key that verified the current token, so that clients of this server can verify it, too. */
  #serveKeys(): Response {
    const key = this.#options.refresher.current?.signingKey;
    return { status: 200, content: { keys: key === undefined ? [] : [{ ...key, use: "sig", alg: "RS256" }] } };
  }

  async #shutDown(authorization: string, response: ServerResponse): Promise<Response> {
    const secret = /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1] ?? "";
    if (!timingSafeEqual(digest(secret), this.#jobDigest))
      return errorResponse(401, "invalid_token", "the secret does not match the one in the auth file", {
        "www-authenticate": "Bearer",
      });
    // Close even if the client disconnects before it receives the response.
    response.once("close", () => void this.close());
    return { status: 200, content: await this.#options.onShutdown() };
  }

  /**
   * Returns the error response for an invalid request. Checks the client first, so that others learn nothing. A request
   * without a scope implies the scope in the file.
   */
  #findRequestError(authorization: string, form: URLSearchParams): Response | undefined {
    const secret = form.get("client_secret") ?? "";
    const credentials =
      authorization === ""
        ? [joinCredentials(form.get("client_id") ?? "", secret)]
        : parseBasicCredentials(authorization);
    if (!this.#isClient(credentials)) return errorResponse(401, "invalid_client", INVALID_CLIENT, BASIC_CHALLENGE);
    if (form.get("grant_type") !== "client_credentials")
      return errorResponse(400, "unsupported_grant_type", "only client_credentials is supported");
    const scope = normalizeScope(form.get("scope") ?? "");
    if (scope !== "" && scope !== normalizeScope(this.#options.scope))
      return errorResponse(400, "invalid_scope", `the available token has a different scope: ${this.#options.scope}`);
    return undefined;
  }

  #isClient(credentials: readonly string[]): boolean {
    // Make every comparison, without short-circuiting.
    const matches = credentials.flatMap((given) =>
      this.#clientDigests.map((expected) => timingSafeEqual(digest(given), expected)),
    );
    return matches.includes(true);
  }

  async #serveToken(response: ServerResponse): Promise<Response> {
    const { refresher, clock, jobId } = this.#options;
    const isPending = (): boolean => !isUsable(refresher.current, clock) && refresher.rejection === undefined;
    if (isPending()) refresher.requestRenewal();
    const end = clock.elapsed() + RENEWAL_WAIT;
    while (isPending() && clock.elapsed() < end && !response.destroyed) await sleep(clock, RENEWAL_POLL);
    const { current, rejection } = refresher;
    if (isUsable(current, clock)) {
      // Go accepts only an integer.
      const expiresIn = Math.floor((current.remaining(clock) ?? 0) / 1000);
      const { value, scope } = current;
      const content = { access_token: value, token_type: "Bearer", expires_in: expiresIn, scope, job_id: jobId };
      return { status: 200, content };
    }
    if (rejection === undefined)
      return errorResponse(503, "temporarily_unavailable", UNAVAILABLE, { "retry-after": "1" });
    // Pass on why the auth server rejected the renewal: scm-go prints the error description.
    const { oauthError = "invalid_client", message, hint } = rejection;
    return errorResponse(401, oauthError, `${message} hint: ${hint}`, BASIC_CHALLENGE);
  }
}

const isUsable = (token: AccessToken | undefined, clock: Clock): token is AccessToken =>
  token !== undefined &&
  (token.remaining(clock) ?? 0) >= Math.min(MIN_REMAINING, (token.lifetime ?? Infinity) * MIN_REMAINING_RATIO);

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Joins a client ID and secret as in HTTP Basic authentication (RFC 7617 section 2). */
const joinCredentials = (id: string, secret: string): string => `${id}:${secret}`;

/**
 * Returns both interpretations of a Basic header: unchanged (RFC 7617; Go and curl), and form-decoded (RFC 6749 section
 * 2.3.1).
 */
function parseBasicCredentials(authorization: string): readonly string[] {
  const encoded = /^basic +([\w+/=-]+)$/i.exec(authorization)?.[1] ?? "";
  const plain = Buffer.from(encoded, "base64").toString("utf8");
  return [plain, new URLSearchParams(`v=${plain.replaceAll("&", "%26")}`).get("v") ?? ""];
}

/** Creates an error response (RFC 6749 section 5.2). */
const errorResponse = (
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): Response => ({
  status,
  headers,
  content: { error: toOAuthChars(error, 60), error_description: toOAuthChars(description, 1200) },
});

const invalidRequest = (status: number, description: string): Response =>
  errorResponse(status, "invalid_request", description);

/** Replaces the characters that RFC 6749 section 5.2 does not allow: all except printable ASCII without `"` and `\`. */
const toOAuthChars = (text: string, maxLength: number): string =>
  sanitize(text, maxLength)
    .replaceAll('"', "'")
    .replaceAll("\\", "/")
    .replace(/[^\x20-\x7e]/g, "?");
