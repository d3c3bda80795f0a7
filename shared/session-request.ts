import { validateHeaderName, validateHeaderValue } from "node:http";
import * as z from "zod/mini";
import { configError, type ConfigIssue } from "./errors.ts";
import type { HttpMethod, HttpRequest } from "./http/request.ts";
import { findOptionIssues, optionSchemas, type OptionSchema } from "./options.ts";

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
  /**
   * Headers that extend or replace those of the client. `Authorization`, `Accept-Encoding`, and connection headers
   * are not allowed.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Aborts the request, including its retries and any wait for a token. */
  readonly signal?: AbortSignal | undefined;
}

const lowerCaseKeys = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/**
 * Creates a request to the API.
 *
 * @param accept - the `Accept` header, unless the options contain one
 * @throws AuthError of kind `config` with all issues; TypeError if the body cannot be represented as JSON
 */
export function createApiRequest(
  apiUrl: URL,
  method: HttpMethod,
  path: string,
  options: RequestOptions,
  accept: string,
): HttpRequest {
  validateRequest(method, path, options);
  const { body, headers = {}, query } = options;
  const json = body === undefined ? undefined : JSON.stringify(body);
  return {
    method,
    url: resolveUrl(apiUrl, path, query),
    headers: {
      accept,
      ...(json !== undefined && { "content-type": "application/json" }),
      ...lowerCaseKeys(headers),
    },
    ...(json !== undefined && { body: json }),
  };
}

/**
 * Resolves a path. The token is sent only to the API's origin, even if the path is, for example, `//other.example` or
 * `https://other.example`.
 */
export function resolveUrl(apiUrl: URL, path: string, query: RequestOptions["query"] = {}): URL {
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

/** Headers that control the connection, frame or authenticate the request, or request compression. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  // Compressed responses are not decoded.
  "accept-encoding",
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

const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] satisfies HttpMethod[];

/** @throws AuthError of kind `config` with all issues */
export function validateRequest(method: unknown, path: unknown, options: RequestOptions): void {
  const issues: ConfigIssue[] = [];
  if (!METHODS.includes(method as string))
    issues.push({ field: "method", message: `must be ${METHODS.join(", ")}`, hint: "Pass the method first." });
  if (typeof path !== "string")
    issues.push({ field: "path", message: "must be a string", hint: "Pass the path after the method." });
  const optionIssues = findOptionIssues(options, REQUEST_OPTIONS).map((issue) => {
    const name = Object.hasOwn(ALIASES, issue.field) ? ALIASES[issue.field] : undefined;
    if (name === undefined) return issue;
    return { field: issue.field, message: `is not a valid option; did you mean ${name}?`, hint: `Use ${name}.` };
  });
  const headers = optionIssues.some(({ field }) => field === "headers") ? {} : (options.headers ?? {});
  issues.push(...optionIssues, ...Object.entries(headers).flatMap(([name, value]) => findHeaderIssue(name, value)));
  if (issues.length > 0) throw configError(issues);
}

function findHeaderIssue(name: string, value: string): readonly ConfigIssue[] {
  const field = "headers";
  if (RESERVED_HEADERS.has(name.toLowerCase()))
    return [
      { field, message: `must not contain ${name}`, hint: `Remove ${name}; the client sets it if it is needed.` },
    ];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return [];
  } catch {
    return [{ field, message: "contain an invalid name or value", hint: "Use names and values that HTTP allows." }];
  }
}
