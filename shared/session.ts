import { validateHeaderName, validateHeaderValue } from "node:http";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod/mini";
import type { AccessToken } from "./access-token.ts";
import { holdProcess, type Milliseconds } from "./clock.ts";
import { AuthError, configError, type ConfigIssue } from "./errors.ts";
import type { HttpsAgent } from "./http/connection.ts";
import { parseJson, retryableStatusError } from "./http/json-response.ts";
import type { HttpMethod, HttpRequest, HttpResponse } from "./http/request.ts";
import type { RequestLimits } from "./http/request-context.ts";
import { requestWithRetries, RETRYABLE_STATUS, type Outcome } from "./http/retry.ts";
import { findOptionIssues, optionSchemas, type OptionSchema } from "./options.ts";
import { Redactor } from "./redact.ts";
import type { SignInContext } from "./sign-in.ts";
import type { TokenSource } from "./token-source.ts";

/** Query parameters by name. A list becomes a repeated parameter (`a=1&a=2`). Undefined values are omitted. */
export type QueryParams = Readonly<Record<string, QueryParamValue | readonly QueryParamValue[] | undefined>>;
/** The value of a query parameter. */
export type QueryParamValue = string | number | boolean;

/** Options of a request to the SCM API. */
export interface RequestOptions {
  /** The request body, sent as JSON (RFC 8259). */
  readonly body?: unknown;
  /** Query parameters to add to those in the path. */
  readonly query?: QueryParams | URLSearchParams | undefined;
  /** Headers that extend or replace those of the client. `Authorization` and connection headers are not allowed. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Aborts the request, including its retries and any wait for a token. */
  readonly signal?: AbortSignal | undefined;
}

/** Authenticated requests to the SCM API (pan.dev, SCM API reference). */
export interface Session {
  /**
   * Sends a request. GET, HEAD, PUT, and DELETE requests are retried after temporary failures; POST and PATCH requests
   * are retried only if the API has not processed them. After a 401 response, the token is refreshed and the request is
   * repeated once.
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
   * Iterates over the items on all pages of a list. Each page is requested when its first item is needed, and only the
   * current page is kept in memory.
   *
   * @param options - `limit` in the query sets the page size, and `offset` sets the position of the first item
   * @throws ApiError and AuthError for the same reasons as `request`; ApiError also if the API returns the same page
   *   twice
   */
  list<T = unknown>(path: string, options?: Omit<RequestOptions, "body">): AsyncGenerator<T, void, undefined>;
}

/** Details of a failed SCM API request. No property contains a secret. */
export interface ApiErrorOptions {
  readonly status: number;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
  readonly details?: unknown;
}

const BRAND = Symbol.for("scm-auth.ApiError");

/**
 * An error response from the SCM API: `{"_errors": [{"code", "message", "details"}], "_request_id"}` (pan.dev, SCM API
 * reference). The message starts with `the API responded with status` and contains the API's code and message.
 */
export class ApiError extends Error implements ApiErrorOptions {
  override readonly name = "ApiError";
  /** The HTTP status. It is a success status if the response body was not as expected. */
  readonly status: number;
  /** The API's error code, for example `E003`; undefined if the response has none. */
  readonly code: string | undefined;
  /** The API's request ID, for support cases; undefined if the response has none. */
  readonly requestId: string | undefined;
  /** The API's error details, which can be any JSON value; undefined if the response has none. */
  readonly details: unknown;

  constructor(message: string, { status, code, requestId, details }: ApiErrorOptions) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.details = details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether `value` is an ApiError, including one created by another copy of this package (ESM and CommonJS). */
  static isApiError(value: unknown): value is ApiError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
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
    validateRequestOptions(options);
    const { body, headers = {} } = options;
    const json = body === undefined ? undefined : JSON.stringify(body);
    const request = {
      method,
      url: resolveUrl(this.#client.apiUrl, path, options.query),
      headers: {
        accept: "application/json",
        ...(json !== undefined && { "content-type": "application/json" }),
        ...lowerCaseKeys(headers),
      },
      ...(json !== undefined && { body: json }),
    };
    return (await holdProcess(this.#request(request, options.signal))) as T;
  }

  async *list<T = unknown>(
    path: string,
    options: Omit<RequestOptions, "body"> = {},
  ): AsyncGenerator<T, void, undefined> {
    validateRequestOptions(options);
    const url = resolveUrl(this.#client.apiUrl, path, options.query);
    const start = Number(url.searchParams.get("offset") ?? 0);
    let previous: Page<T> | undefined;
    for (let count = 0; ;) {
      if (count > 0) url.searchParams.set("offset", String(start + count));
      const page = parsePage<T>(await this.request("GET", url.href, { ...options, query: undefined }));
      if (previous !== undefined && isSamePage(page, previous)) {
        const message = "the API returned the same page twice: it ignores the offset parameter.";
        throw new ApiError(message, { status: 200 });
      }
      // Release the earlier page before the caller iterates over this one.
      previous = page;
      yield* page.data;
      count += page.data.length;
      if (page.data.length === 0 || (page.total !== undefined && start + count >= page.total)) return;
    }
  }

  async #request(request: HttpRequest, signal: AbortSignal | undefined): Promise<unknown> {
    const { context, tokens, timeout } = this.#client;
    const token = await tokens.getToken({ signal });
    const limits = { deadline: context.clock.monotonic() + timeout, signal };
    const response = await this.#send(request, token, limits);
    const nextToken = response.status === 401 ? await this.#getNextToken(token, signal) : undefined;
    if (nextToken === undefined) return this.#parseResponse(response, request, [token]);
    return this.#parseResponse(await this.#send(request, nextToken, limits), request, [token, nextToken]);
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
        maxBodyBytes: maxResponseBytes,
        // If a request on a reused connection gets no response, it is unknown whether the API processed it.
        ...(agent && IDEMPOTENT_METHODS.has(method) && { agent }),
      } as const;
      return (await requestWithRetries(context, call, limits)).value;
    } catch (error) {
      if (lastResponse !== undefined && AuthError.isAuthError(error) && error.status === lastResponse.status)
        return lastResponse;
      if (!AuthError.isAuthError(error) || error.code !== "response_too_large") throw error;
      throw error.with(error.description, { hint: "Request smaller pages (limit), or raise maxResponseBytes." });
    }
  }

  #parseResponse(response: HttpResponse, { method }: HttpRequest, tokens: readonly AccessToken[]): unknown {
    const { status, body } = response;
    if (status < 200 || status > 299) {
      const secrets = [...tokens.map(({ value }) => value), this.#client.context.authRequest.clientSecret];
      throw toApiError(response, new Redactor(secrets));
    }
    if (status === 204 || method === "HEAD" || body === "") return undefined;
    const json = parseJson(body);
    if (json !== undefined) return json;
    throw new ApiError(`the API responded with status ${status} and a body that is not JSON.`, { status });
  }
}

/** The idempotent methods (RFC 9110 section 9.2.2). */
const IDEMPOTENT_METHODS: ReadonlySet<HttpMethod> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/**
 * Determines whether a response leads to a retry. A request that may have been processed is retried only if its method
 * is idempotent. A request was not processed if the response is a 429, or a 503 with `Retry-After`.
 */
function classifyResponse(response: HttpResponse, method: HttpMethod): Outcome<HttpResponse> {
  const { status, headers } = response;
  const type = RETRYABLE_STATUS[status];
  const isUnprocessed = status === 429 || (status === 503 && headers["retry-after"] !== undefined);
  if (type === undefined || !(IDEMPOTENT_METHODS.has(method) || isUnprocessed))
    return { type: "success", value: response };
  return { type, error: retryableStatusError(`the API responded with status ${status}.`, status) };
}

function classifyError(error: AuthError, method: HttpMethod): "transient" | "overloaded" | "permanent" {
  if (!error.retryable || !(IDEMPOTENT_METHODS.has(method) || !error.requestSent)) return "permanent";
  return error.code === "response_timeout" ? "overloaded" : "transient";
}

const errorResponse = z.object({
  _errors: z.array(
    z.object({ code: z.optional(z.string()), message: z.optional(z.string()), details: z.optional(z.unknown()) }),
  ),
  _request_id: z.optional(z.string()),
});

function toApiError({ status, body }: HttpResponse, redactor: Redactor): ApiError {
  const parsed = errorResponse.safeParse(parseJson(body));
  const { _errors: errors, _request_id: requestId } = parsed.success ? parsed.data : { _errors: [] };
  const [first, ...more] = errors;
  const { code, message, details } = first ?? {};
  const quoted = [code, message].flatMap((text) =>
    text === undefined ? [] : [redactor.quote(text).replace(/\.$/, "")],
  );
  const suffix = more.length > 0 ? ` (and ${more.length} more)` : "";
  return new ApiError(
    `the API responded with status ${status}${quoted.map((text) => `: ${text}`).join("")}${suffix}.`,
    {
      status,
      code: code === undefined ? undefined : redactor.quote(code),
      requestId: requestId === undefined ? undefined : redactor.quote(requestId),
      details: details === undefined ? undefined : parseJson(redactor.redact(JSON.stringify(details))),
    },
  );
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
  throw new ApiError('the API response is not a list (no "data" array).', { status: 200 });
}

const isSamePage = (page: Page<unknown>, previous: Page<unknown>): boolean =>
  page.data.length > 0 &&
  ((typeof page.offset === "number" && page.offset === previous.offset) || isDeepStrictEqual(page.data, previous.data));

const lowerCaseKeys = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/**
 * Resolves a path. The token is sent only to the API's origin, even if the path is, for example, `//other.example` or
 * `https://other.example`.
 */
function resolveUrl(apiUrl: URL, path: string, query: RequestOptions["query"] = {}): URL {
  const url = URL.canParse(path, apiUrl.href) ? new URL(path, apiUrl) : undefined;
  if (url?.origin !== apiUrl.origin || url.username !== "" || url.password !== "") {
    const hint = `Use a path such as /config/objects/v1/tags, or a URL on ${apiUrl.origin}.`;
    throw configError([{ field: "path", message: "must be on the API's origin", hint }]);
  }
  for (const [name, values] of query instanceof URLSearchParams ? query : Object.entries(query))
    for (const value of [values].flat()) if (value !== undefined) url.searchParams.append(name, String(value));
  return url;
}

const isRecord = (value: unknown, isValid: (entry: unknown) => boolean): boolean =>
  typeof value === "object" &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null) &&
  Object.values(value).every(isValid);

const isQueryParam = (value: unknown): boolean => ["string", "number", "boolean", "undefined"].includes(typeof value);

/** Whether a value can be sent as JSON. JSON.stringify would write the rejected values as `{}`, or omit them. */
const isJsonBody = (value: unknown): boolean =>
  !["function", "symbol"].includes(typeof value) &&
  ![FormData, URLSearchParams, Blob, ArrayBuffer, ReadableStream].some((type) => value instanceof type) &&
  !ArrayBuffer.isView(value);

const REQUEST_OPTIONS = {
  body: (): OptionSchema => [z.custom(isJsonBody), "a JSON value"],
  query: (): OptionSchema => [
    z.custom(
      (value) =>
        value instanceof URLSearchParams ||
        isRecord(value, (param) => (Array.isArray(param) ? param.every(isQueryParam) : isQueryParam(param))),
    ),
    "an object of query parameters (strings, numbers, booleans, and lists of them)",
  ],
  headers: (): OptionSchema => [
    z.custom((value) => isRecord(value, (header) => typeof header === "string")),
    "an object of strings",
  ],
  signal: optionSchemas.signal,
} as const;

/** Names that other HTTP clients use for these options. */
const ALIASES: Readonly<Record<string, string>> = {
  params: "query",
  searchParams: "query",
  json: "body",
  data: "body",
};

/** Headers that control the connection, frame the request, or authenticate it. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** @throws AuthError of kind `config` with all issues */
function validateRequestOptions(options: RequestOptions): void {
  const issues = findOptionIssues(options, REQUEST_OPTIONS).map((issue) => {
    const name = Object.hasOwn(ALIASES, issue.field) ? ALIASES[issue.field] : undefined;
    if (name === undefined) return issue;
    return { field: issue.field, message: `is not a valid option; did you mean ${name}?`, hint: `Use ${name}.` };
  });
  const headers = issues.some(({ field }) => field === "headers") ? {} : (options.headers ?? {});
  const allIssues = [...issues, ...Object.entries(headers).flatMap(([name, value]) => findHeaderIssue(name, value))];
  if (allIssues.length > 0) throw configError(allIssues);
}

function findHeaderIssue(name: string, value: string): readonly ConfigIssue[] {
  const field = "headers";
  if (RESERVED_HEADERS.has(name.toLowerCase()))
    return [{ field, message: `must not contain ${name}`, hint: `Remove ${name}; the client sets it.` }];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return [];
  } catch {
    return [{ field, message: "contain an invalid name or value", hint: "Use names and values that HTTP allows." }];
  }
}
