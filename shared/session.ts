import { isDeepStrictEqual } from "node:util";
import type { AccessToken } from "./access-token.ts";
import { ApiError, getStatusHelp, toApiError } from "./api-error.ts";
import { holdProcess, type Milliseconds } from "./clock.ts";
import { AuthError, type AuthErrorCode } from "./errors.ts";
import type { HttpsAgent } from "./http/connection.ts";
import { parseJson, retryableStatusError } from "./http/json-response.ts";
import type { HttpMethod, HttpRequest, HttpResponse } from "./http/request.ts";
import type { RequestLimits } from "./http/request-context.ts";
import { isUnprocessed, requestWithRetries, RETRYABLE_STATUS, type Outcome } from "./http/retry.ts";
import { Redactor } from "./redact.ts";
import { createApiRequest, resolveUrl, validateRequest, type RequestOptions } from "./session-request.ts";
import type { SignInContext } from "./sign-in.ts";
import type { TokenSource } from "./token-source.ts";

/** Authenticated requests to the SCM API (pan.dev, SCM API reference). */
export interface Session {
  /**
   * Sends a request. GET, HEAD, PUT, and DELETE requests are retried after temporary failures; POST and PATCH requests
   * are retried only if the API has not processed them. After a 401 response, a token that is at least 10 seconds old
   * is refreshed, and the request is repeated once. A younger token is not refreshed: the 401 has another cause.
   *
   * @example
   * ```ts
   * const body = { name: "production", folder: "All" };
   * const tag = await client.session.request<Tag>("POST", "/config/objects/v1/tags", { body });
   * ```
   * @param path - a path on the API's origin, or a URL with that origin
   * @returns the parsed JSON body, which is not validated against `T`; undefined if there is no body (204)
   * @throws ApiError if the API responds with an error or with something other than JSON; AuthError if there is no
   *   response, no token, or an invalid option; TypeError if the body cannot be represented as JSON
   */
  request<T = unknown>(method: HttpMethod, path: string, options?: RequestOptions): Promise<T>;
  /**
   * Sends a request like `request`, with the same retries and the same refresh after a 401, but returns the whole
   * response like `fetch`, whatever its status and content type. If all attempts fail, the last response is returned.
   * The body has already been received.
   *
   * @example
   * ```ts
   * const response = await client.session.send("GET", "/config/objects/v1/tags", { query: { folder: "All" } });
   * console.log(response.status, response.headers.get("content-type"), await response.text());
   * ```
   * @param path - a path on the API's origin, or a URL with that origin
   * @returns a standard `Response`, with `status`, `ok`, `headers`, `text()`, `json()`, `arrayBuffer()`, and so on
   * @throws AuthError if there is no response, no token, or an invalid option; ApiError if the status is not between
   *   200 and 599, which a `Response` cannot have; TypeError if the body cannot be represented as JSON
   */
  send(method: HttpMethod, path: string, options?: RequestOptions): Promise<Response>;
  /**
   * Iterates over the items on all pages of a list. Each page is requested when its first item is needed, and only the
   * current page is kept in memory.
   *
   * @param options - `limit` in the query sets the page size, and `offset` sets the position of the first item
   * @throws ApiError and AuthError for the same reasons as `request`; ApiError also if the API returns the same page
   *   twice
   */
  list<T = unknown>(path: string, options?: Omit<RequestOptions, "body">): AsyncGenerator<T, void, undefined>;
}

/** The parts of a client that its session uses. */
export interface SessionClient {
  readonly context: SignInContext;
  readonly tokens: TokenSource;
  /** The only origin that receives the token. */
  readonly apiUrl: URL;
  readonly timeout: Milliseconds;
  readonly maxResponseBytes: number;
  /** Keeps connections alive; undefined if connections are not reused. */
  readonly agent: HttpsAgent | undefined;
}

/** The response to a request, and the tokens that were sent. */
interface Exchange {
  readonly response: HttpResponse;
  readonly tokens: readonly AccessToken[];
}

/**
 * Minimum age of a token that is refreshed after a 401. For a younger token, the 401 has another cause, and a new token
 * would be rejected, too.
 */
const MIN_REFRESH_AGE: Milliseconds = 10_000;

/** The session of a client. */
export class ScmSession implements Session {
  readonly #client: SessionClient;

  constructor(client: SessionClient) {
    this.#client = client;
  }

  async request<T = unknown>(method: HttpMethod, path: string, options: RequestOptions = {}): Promise<T> {
    const request = createApiRequest(this.#client.apiUrl, method, path, options, "application/json");
    const { response, tokens } = await holdProcess(this.#exchange(request, options.signal));
    const { status, body } = response;
    if (status < 200 || status > 299) throw this.#toApiError(response, tokens);
    if (status === 204 || method === "HEAD" || body === "") return undefined as T;
    const json = parseJson(body);
    if (json !== undefined) return json as T;
    throw new ApiError(`the API responded with status ${status} and a body that is not JSON.`, { status });
  }

  async send(method: HttpMethod, path: string, options: RequestOptions = {}): Promise<Response> {
    const request = createApiRequest(this.#client.apiUrl, method, path, options, "*/*");
    const { response, tokens } = await holdProcess(this.#exchange(request, options.signal));
    if (response.status < 200 || response.status > 599) throw this.#toApiError(response, tokens);
    return toResponse(response);
  }

  async *list<T = unknown>(
    path: string,
    options: Omit<RequestOptions, "body"> = {},
  ): AsyncGenerator<T, void, undefined> {
    validateRequest("GET", path, options);
    const url = resolveUrl(this.#client.apiUrl, path, options.query);
    const start = Number(url.searchParams.get("offset") ?? 0);
    let previous: Page<T> | undefined;
    for (let count = 0; ;) {
      if (count > 0) url.searchParams.set("offset", String(start + count));
      const page = parsePage<T>(await this.request("GET", url.href, { ...options, query: undefined }));
      if (previous !== undefined && isSamePage(page, previous)) {
        const message = "the API returned the same page twice: it ignores the offset parameter.";
        const hint = "Use session.request() for this path, with a limit that is large enough for one page.";
        throw new ApiError(message, { status: 200, hint });
      }
      // Release the earlier page before the caller iterates over this one.
      previous = page;
      yield* page.data;
      count += page.data.length;
      if (page.data.length === 0 || (page.total !== undefined && start + count >= page.total)) return;
    }
  }

  /** Sends a request, and repeats it once with another token if that may help after a 401. */
  async #exchange(request: HttpRequest, signal: AbortSignal | undefined): Promise<Exchange> {
    const { context, tokens, timeout } = this.#client;
    const token = await tokens.getToken({ signal });
    const limits = { deadline: context.clock.monotonic() + timeout, signal };
    const response = await this.#send(request, token, limits);
    const nextToken = response.status === 401 ? await this.#getNextToken(token, signal) : undefined;
    if (nextToken === undefined) return { response, tokens: [token] };
    return { response: await this.#send(request, nextToken, limits), tokens: [token, nextToken] };
  }

  /** The token with which to repeat a request after a 401; undefined if another token would not help. */
  #getNextToken(used: AccessToken, signal: AbortSignal | undefined): Promise<AccessToken> | undefined {
    const { context, tokens } = this.#client;
    if (tokens.current !== used) return tokens.getToken({ signal });
    const age = (used.lifetime ?? Infinity) - (used.remaining(context.clock) ?? 0);
    return age < MIN_REFRESH_AGE ? undefined : tokens.refresh({ signal });
  }

  /** If all attempts fail, returns the API's last response, which is more useful than the number of attempts. */
  async #send(request: HttpRequest, token: AccessToken, limits: RequestLimits): Promise<HttpResponse> {
    const { context, agent, maxResponseBytes } = this.#client;
    const { method } = request;
    let lastResponse: HttpResponse | undefined;
    try {
      const call = {
        name: "api",
        request: { ...request, headers: { ...request.headers, authorization: `Bearer ${token.value}` } },
        parse: (response: HttpResponse) => classifyResponse((lastResponse = response), method),
        classifyError: (error: AuthError) => classifyError(error, method),
        hints: API_HINTS,
        maxBodyBytes: maxResponseBytes,
        // If a request on a reused connection gets no response, it is unknown whether the API processed it.
        ...(agent && IDEMPOTENT_METHODS.has(method) && { agent }),
      } as const;
      return (await requestWithRetries(context, call, limits)).value;
    } catch (error) {
      if (lastResponse !== undefined && AuthError.isAuthError(error) && error.status === lastResponse.status)
        return lastResponse;
      throw error;
    }
  }

  #toApiError(response: HttpResponse, tokens: readonly AccessToken[]): ApiError {
    const { authRequest, clock } = this.#client.context;
    return toApiError(response, new Redactor([...tokens.map(({ value }) => value), authRequest.clientSecret]), clock);
  }
}

/** Hints for errors whose default hint is about the auth server. */
const API_HINTS: Readonly<Partial<Record<AuthErrorCode, string>>> = {
  response_too_large: "Request smaller pages (limit), or raise maxResponseBytes.",
  response_timeout: "Request smaller pages (limit) or fewer at a time, or raise the timeout.",
};

/** The statuses for which a `Response` must not have a body (Fetch Standard, "null body status"). */
const NULL_BODY_STATUS: ReadonlySet<number> = new Set([204, 205, 304]);

function toResponse({ status, headers, body, bytes }: HttpResponse): Response {
  const fields = Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, value]),
  );
  return new Response(NULL_BODY_STATUS.has(status) ? null : (bytes ?? body), { status, headers: fields });
}

/** The idempotent methods (RFC 9110 section 9.2.2). */
const IDEMPOTENT_METHODS: ReadonlySet<HttpMethod> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/**
 * Determines whether a response leads to a retry. A request that may have been processed is retried only if its method
 * is idempotent.
 */
function classifyResponse(response: HttpResponse, method: HttpMethod): Outcome<HttpResponse> {
  const { status } = response;
  const type = RETRYABLE_STATUS[status]?.type;
  if (type === undefined || !(IDEMPOTENT_METHODS.has(method) || isUnprocessed(response)))
    return { type: "success", value: response };
  const description = `the API responded with status ${status}.`;
  return { type, error: retryableStatusError(description, status, getStatusHelp(status)) };
}

function classifyError(error: AuthError, method: HttpMethod): "transient" | "overloaded" | "permanent" {
  if (!error.retryable || !(IDEMPOTENT_METHODS.has(method) || !error.requestSent)) return "permanent";
  return error.code === "response_timeout" ? "overloaded" : "transient";
}

/** A page of a list: an object with `data`, `offset`, `limit`, and `total`. A bare array is the complete list. */
interface Page<T> {
  readonly data: readonly T[];
  readonly offset: unknown;
  readonly total: number | undefined;
}

function parsePage<T>(body: unknown): Page<T> {
  if (Array.isArray(body)) return { data: body as T[], offset: undefined, total: 0 };
  const { data, offset, total } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (Array.isArray(data)) return { data: data as T[], offset, total: typeof total === "number" ? total : undefined };
  const hint = "Use session.request() for this path.";
  throw new ApiError('the API response is not a list (no "data" array).', { status: 200, hint });
}

const isSamePage = (page: Page<unknown>, previous: Page<unknown>): boolean =>
  page.data.length > 0 &&
  ((typeof page.offset === "number" && page.offset === previous.offset) || isDeepStrictEqual(page.data, previous.data));
