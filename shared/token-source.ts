import type { AccessToken } from "./access-token.ts";
import type { Clock, Milliseconds, RandomSource, Seconds } from "./clock.ts";
import { abortedError, AuthError } from "./errors.ts";
import { OAUTH_ERRORS } from "./token-endpoint.ts";

/** Options for getting an access token. */
export interface AccessTokenOptions {
  /** Aborts this call. The abort reason becomes the `cause` of the error. Other callers are not affected. */
  readonly signal?: AbortSignal | undefined;
  /** The minimum remaining lifetime in seconds. A newly issued token is always accepted. Default: 0. */
  readonly minTtl?: Seconds | undefined;
}

/** Options of a TokenSource. */
export interface TokenSourceOptions {
  /** Remaining lifetime, in seconds, below which a token is refreshed in the background. Default: 0 (never). */
  readonly buffer?: Seconds;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Receives each new token after it becomes the current token. */
  readonly onToken?: (token: AccessToken) => void;
}

/** Remaining lifetime below which a token is no longer used, because it could expire on its way to the server. */
const EXPIRY_MARGIN: Milliseconds = 30_000;
const MAX_MARGIN_RATIO = 1 / 10;
/** Maximum buffer, as a fraction of a token's lifetime. */
const MAX_BUFFER_RATIO = 1 / 3;
/** Fraction of the buffer over which the refreshes of many processes are spread. */
const JITTER = 0.1;
/**
 * Maximum effective `minTtl`, as a fraction of a token's lifetime. Otherwise, a `minTtl` that no token can meet would
 * cause a request on every call.
 */
const MAX_MIN_TTL_RATIO = 0.9;
/** The pause after a failed background refresh, unless the server requires a longer one. */
const REFRESH_PAUSE: Milliseconds = 10_000;
/** Limits of the pause after a failed request. The pause doubles with each further permanent rejection. */
const MIN_PAUSE: Milliseconds = 1000;
const MAX_PAUSE: Milliseconds = 60_000;
/**
 * The pause after the start of a request that failed temporarily. With the default retries, it has passed when the
 * request fails. Without retries, callers in a loop would send hundreds of requests per second.
 */
const MIN_INTERVAL: Milliseconds = 250;

interface CachedToken {
  readonly token: AccessToken;
  /**
   * Remaining lifetime at which the token is refreshed in the background. Chosen once per token, so that `expiresSoon`
   * is stable.
   */
  readonly refreshAt: Milliseconds;
  /** Remaining lifetime at which callers wait for the next token. */
  readonly margin: Milliseconds;
}

interface PendingRequest {
  readonly promise: Promise<AccessToken>;
  readonly controller: AbortController;
  /** The number of waiting callers, including the background refresh. */
  waiters: number;
}

/** A failure that is reported to all callers, without a request, until the pause ends. */
interface RecentFailure {
  readonly error: AuthError;
  readonly pause: Milliseconds;
  /** The end of the pause, as a `clock.monotonic()` time. */
  readonly until: Milliseconds;
}

/**
 * The single owner of a token in a process. Any number of callers share the token and the request for the next one. The
 * request, including its retries, is aborted when no caller is waiting for it.
 */
export class TokenSource {
  readonly #requestToken: (signal: AbortSignal) => Promise<AccessToken>;
  readonly #options: TokenSourceOptions;
  #cached: CachedToken | undefined;
  #pending: PendingRequest | undefined;
  #failure: RecentFailure | undefined;
  #refreshPausedUntil: Milliseconds = -Infinity;

  /** @param requestToken - requests a token, including retries; the signal is aborted when no caller is waiting */
  constructor(requestToken: (signal: AbortSignal) => Promise<AccessToken>, options: TokenSourceOptions) {
    this.#requestToken = requestToken;
    this.#options = options;
  }

  /** The newest token, even if it has expired; undefined before the first token. */
  get current(): AccessToken | undefined {
    return this.#cached?.token;
  }

  /** Whether there is no valid token. A token with an unknown lifetime is considered expired. */
  get isExpired(): boolean {
    return this.#getRemaining() <= 0;
  }

  /** Whether the remaining lifetime is within the buffer, or there is no token. */
  get expiresSoon(): boolean {
    return this.#getRemaining() <= (this.#cached?.refreshAt ?? 0);
  }

  /**
   * Returns the current token, or a new one if the current token is about to expire or does not meet `minTtl`.
   *
   * @throws AuthError; during the pause after a failure that is not retried, the same error
   */
  async getToken({ signal, minTtl = 0 }: AccessTokenOptions = {}): Promise<AccessToken> {
    if (signal?.aborted) throw abortedError(signal.reason);
    const cached = this.#cached;
    const remaining = this.#getRemaining();
    const minRemaining = Math.min(minTtl * 1000, (cached?.token.lifetime ?? 0) * MAX_MIN_TTL_RATIO);
    if (cached === undefined || remaining <= cached.margin || remaining < minRemaining) return this.refresh({ signal });
    if ((this.#options.buffer ?? 0) > 0 && remaining <= cached.refreshAt) this.#refreshInBackground();
    return cached.token;
  }

  /**
   * Returns a new token from the request that is in progress, or from a new request.
   *
   * @throws AuthError; during the pause after a failure that is not retried, the same error
   */
  async refresh({ signal }: Pick<AccessTokenOptions, "signal"> = {}): Promise<AccessToken> {
    if (signal?.aborted) throw abortedError(signal.reason);
    if (this.#pending === undefined && this.#failure !== undefined && this.#now() < this.#failure.until)
      throw this.#failure.error;
    const pending = (this.#pending ??= this.#startRequest());
    pending.waiters++;
    try {
      return await withAbort(pending.promise, signal);
    } finally {
      pending.waiters--;
      if (pending.waiters === 0 && this.#pending === pending) {
        this.#pending = undefined;
        pending.controller.abort();
      }
    }
  }

  /** Makes a verified token from another source, for example a file, the current token. */
  adopt(token: AccessToken): void {
    const { buffer = 0, random } = this.#options;
    const lifetime = token.lifetime ?? 0;
    this.#cached = {
      token,
      refreshAt: Math.min(buffer * 1000 * (1 + JITTER * random()), lifetime * MAX_BUFFER_RATIO),
      margin: Math.min(EXPIRY_MARGIN, lifetime * MAX_MARGIN_RATIO),
    };
    this.#refreshPausedUntil = -Infinity;
  }

  #refreshInBackground(): void {
    if (this.#pending !== undefined || this.#now() < this.#refreshPausedUntil) return;
    // The request function reports the failure.
    this.refresh().catch(() => undefined);
  }

  #startRequest(): PendingRequest {
    const controller = new AbortController();
    const promise = this.#request(controller.signal);
    // If all callers have left, a failure must not become an unhandled rejection.
    promise.catch(() => undefined);
    return { promise, controller, waiters: 0 };
  }

  async #request(signal: AbortSignal): Promise<AccessToken> {
    // Start the request only after it is registered as pending, even if the function throws immediately.
    await Promise.resolve();
    const startedAt = this.#now();
    try {
      const token = await this.#requestToken(signal);
      if (!signal.aborted) this.#succeed(token);
      return token;
    } catch (error) {
      if (!signal.aborted) this.#fail(AuthError.isAuthError(error) ? error : undefined, startedAt);
      throw error;
    }
  }

  #succeed(token: AccessToken): void {
    this.#pending = undefined;
    this.#failure = undefined;
    this.adopt(token);
    this.#options.onToken?.(token);
  }

  #fail(error: AuthError | undefined, startedAt: Milliseconds): void {
    const now = this.#now();
    this.#pending = undefined;
    this.#refreshPausedUntil = now + Math.max(REFRESH_PAUSE, error?.retryAfterMs ?? 0);
    if (error === undefined) return;
    const pause = this.#getPause(error);
    this.#failure = { error, pause, until: pause === 0 ? startedAt + MIN_INTERVAL : now + pause };
  }

  /** The pause after a failure; 0 after a temporary one, because its retries limit the rate of requests. */
  #getPause(error: AuthError): Milliseconds {
    if (error.retryable && error.retryAfterMs === undefined) return 0;
    const previous = isPermanentRejection(error) ? (this.#failure?.pause ?? 0) : 0;
    return Math.max(MIN_PAUSE, Math.min(MAX_PAUSE, previous * 2));
  }

  #getRemaining(): Milliseconds {
    return this.#cached?.token.remaining(this.#options.clock) ?? -Infinity;
  }

  #now(): Milliseconds {
    return this.#options.clock.monotonic();
  }
}

/**
 * Whether every further request would fail in the same way until the configuration changes: after an OAuth error
 * response or a 401 from the token endpoint, or because of an invalid configuration. Any other failure may be
 * temporary, for example a 403 from a proxy, even if its body is `{"error":"Forbidden"}`.
 */
export function isPermanentRejection({ kind, code, oauthError, status }: AuthError): boolean {
  if (kind !== "rejected") return kind === "config";
  return code === "invalid_client" || (oauthError !== undefined && (status === 401 || OAUTH_ERRORS.has(oauthError)));
}

/** Waits until `promise` settles or `signal` is aborted. */
function withAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(abortedError(signal.reason));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const done = (): void => {
      signal.removeEventListener("abort", onAbort);
    };
    promise.then(resolve, reject).finally(done);
  });
}
