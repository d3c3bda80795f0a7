import type { RetryFailure } from "../http/retry.ts";
import type { HttpAnswer, HttpMethod } from "../http/send.ts";
import { configError, type AuthError } from "../report/errors.ts";
import { ApiError } from "./api-error.ts";
import { judgeApi, readApiBody, repeatFailure } from "./api-answer.ts";

/** Values of a query; a list is repeated, undefined is left out. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>;
type QueryValue = string | number | boolean;

/** What a call may carry. */
export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Authenticated calls to the SCM API, and to nothing else. */
export interface Session {
  /**
   * Calls the API. GET, HEAD, PUT and DELETE are repeated after failures that may pass; POST and PATCH only where
   * the call can't have been carried out. A 401 is answered with a new token, once.
   *
   * @param path - path on the API's origin, or a whole URL there
   * @returns the JSON body; undefined for an answer without one (204)
   * @throws ApiError for what the API refuses, AuthError for what keeps the call from being made
   */
  request<T = unknown>(method: HttpMethod, path: string, options?: CallOptions): Promise<T>;
  /**
   * The items of all pages of a list (`offset`, `limit`, `total` beside `data`), asked for one page after another.
   *
   * @throws ApiError, AuthError as `request` does
   */
  list<T = unknown>(path: string, options?: Omit<CallOptions, "body">): AsyncGenerator<T, void, undefined>;
}

/** What a session needs of its client. */
export interface SessionPorts {
  /** The one origin that calls may go to. */
  readonly apiUrl: URL;
  /** A token that lives. */
  readonly token: (signal: AbortSignal | undefined) => Promise<string>;
  /** A token other than `used`: the current one if it is another already, else a new one. */
  readonly tokenAfter: (used: string, signal: AbortSignal | undefined) => Promise<string>;
  /** Hides the client's secrets and this token in a text. */
  readonly hide: (text: string, token: string) => string;
  /** Sends one call with the client's retries. */
  readonly send: (call: ApiCall) => Promise<HttpAnswer>;
}

/** One call to the API, ready to be sent. */
export interface ApiCall {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal | undefined;
  readonly judge: typeof judgeApi;
  readonly onFailure: (error: AuthError) => RetryFailure;
}

/** The calls of one client. */
export class ClientSession implements Session {
  readonly #ports: SessionPorts;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  async request<T = unknown>(method: HttpMethod, path: string, options: CallOptions = {}): Promise<T> {
    const { signal } = options;
    const url = urlOn(this.#ports.apiUrl, path, options.query);
    const token = await this.#ports.token(signal);
    const answer = await this.#send(method, url, token, options);
    const { hide } = this.#ports;
    if (answer.status !== 401) return readApiBody(answer, method, (text) => hide(text, token)) as T;
    const again = await this.#ports.tokenAfter(token, signal);
    return readApiBody(await this.#send(method, url, again, options), method, (text) => hide(text, again)) as T;
  }

  async *list<T = unknown>(path: string, options: Omit<CallOptions, "body"> = {}): AsyncGenerator<T, void, undefined> {
    const start = Number(options.query?.["offset"] ?? 0);
    for (let received = 0; ;) {
      const query = received === 0 ? options.query : { ...options.query, offset: start + received };
      const page = await this.request("GET", path, { ...options, query });
      if (Array.isArray(page)) {
        yield* page as T[];
        return;
      }
      const { data, total } = asPage<T>(page);
      yield* data;
      received += data.length;
      if (data.length === 0 || (total !== undefined && start + received >= total)) return;
    }
  }

  #send(method: HttpMethod, url: URL, token: string, { body, headers = {}, signal }: CallOptions): Promise<HttpAnswer> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    return this.#ports.send({
      method,
      url,
      headers: {
        accept: "application/json",
        ...(json !== undefined && { "content-type": "application/json" }),
        ...lowerCaseNames(headers),
        authorization: `Bearer ${token}`,
      },
      ...(json !== undefined && { body: json }),
      signal,
      judge: judgeApi,
      onFailure: (error) => repeatFailure(error, method),
    });
  }
}

const lowerCaseNames = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** The token goes to one origin only, whatever a path says (`//other.example`, `https://other.example/`). */
function urlOn(apiUrl: URL, path: string, query: Query = {}): URL {
  const url = URL.canParse(path, apiUrl.href) ? new URL(path, apiUrl) : undefined;
  if (url?.origin !== apiUrl.origin || url.username !== "" || url.password !== "") {
    const hint = `Write a path on ${apiUrl.origin}, beginning with a slash.`;
    throw configError([{ field: "path", reason: "leads to another origin than the API's", hint }]);
  }
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) url.searchParams.append(name, String(one));
  }
  return url;
}

interface Page<T> {
  readonly data: readonly T[];
  readonly total: number | undefined;
}

function asPage<T>(page: unknown): Page<T> {
  const { data, total } = (page ?? {}) as { readonly data?: unknown; readonly total?: unknown };
  if (!Array.isArray(data)) throw new ApiError("the API's answer is no list: it has no data.", { status: 200 });
  return { data: data as T[], total: typeof total === "number" ? total : undefined };
}
