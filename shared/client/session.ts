import type { HttpAnswer, HttpMethod, HttpRequest } from "../http/send.ts";
import { configError } from "../report/errors.ts";
import type { Redactor } from "../report/redactor.ts";
import { readApiBody } from "./api-answer.ts";
import { walkPages } from "./pages.ts";

/** Values of a query by their names: a list is repeated (`a=1&a=2`), undefined is left out. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>;
/** One value of a query. */
export type QueryValue = string | number | boolean;

/** What a call may carry. */
export interface CallOptions {
  /** Sent as JSON (RFC 8259). */
  readonly body?: unknown;
  /** Added to what the path brings. */
  readonly query?: Query | undefined;
  /** Added to, or in place of, our own; none takes the place of the token. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the call, its repeats and its wait for a token. */
  readonly signal?: AbortSignal | undefined;
}

/** Authenticated calls to the SCM API (pan.dev, SCM API reference), and to nothing else. */
export interface Session {
  /**
   * Calls the API. GET, HEAD, PUT and DELETE are repeated after failures that may pass; POST and PATCH only where
   * the call can't have been carried out. A 401 is answered with a new token, once.
   *
   * @example
   * ```ts
   * const body = { name: "production", folder: "All" };
   * const tag = await client.session.request<Tag>("POST", "/config/objects/v1/tags", { body });
   * ```
   * @param path - path on the API's origin, or a whole URL there
   * @returns the JSON body, of the type that the caller knows it to have; undefined for an answer without one (204)
   * @throws ApiError for what the API refuses, AuthError for what keeps the call from being made or answered,
   *   TypeError for a body that JSON can't hold and for headers that HTTP can't
   */
  request<T = unknown>(method: HttpMethod, path: string, options?: CallOptions): Promise<T>;
  /**
   * The items of all pages of a list (`offset`, `limit`, `total` beside `data`), asked for one page after another,
   * each when its first item is wanted.
   *
   * @param options - a `limit` in the query is the size of a page, an `offset` where to begin
   * @throws ApiError, AuthError as `request` does; ApiError also when a page comes twice, as where `offset` is not heeded
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
  /** Hides the client's secrets and these tokens. */
  readonly redactor: (tokens: readonly string[]) => Redactor;
  /** Sends one call with the client's retries. */
  readonly send: (request: HttpRequest, signal: AbortSignal | undefined) => Promise<HttpAnswer>;
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
    const tokens = [token];
    let answer = await this.#send(method, url, token, options);
    if (answer.status === 401) {
      const again = await this.#ports.tokenAfter(token, signal);
      tokens.push(again);
      answer = await this.#send(method, url, again, options);
    }
    return readApiBody(answer, method, () => this.#ports.redactor(tokens)) as T;
  }

  list<T = unknown>(path: string, options: Omit<CallOptions, "body"> = {}): AsyncGenerator<T, void, undefined> {
    return walkPages<T>(Number(options.query?.["offset"] ?? 0), (offset) => {
      const query = offset === undefined ? options.query : { ...options.query, offset };
      return this.request("GET", path, { ...options, query });
    });
  }

  #send(method: HttpMethod, url: URL, token: string, { body, headers = {}, signal }: CallOptions): Promise<HttpAnswer> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const request = {
      method,
      url,
      headers: {
        accept: "application/json",
        ...(json !== undefined && { "content-type": "application/json" }),
        ...lowerCaseNames(headers),
        authorization: `Bearer ${token}`,
      },
      ...(json !== undefined && { body: json }),
    };
    return this.#ports.send(request, signal);
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
