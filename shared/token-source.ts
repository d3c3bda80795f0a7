import type { AccessToken } from "./access-token.ts";
import type { Clock, Milliseconds, RandomSource, Seconds } from "./clock.ts";
import { abortedError, AuthError } from "./errors.ts";

/** What a caller may require of a token. */
export interface AccessTokenOptions {
  /** Ends the waiting of this caller, with its reason as the `cause` of the error. Other callers are not affected. */
  readonly signal?: AbortSignal | undefined;
  /** The minimum remaining lifetime in seconds. A token that was just issued is accepted in any case. Default: 0. */
  readonly minTtl?: Seconds | undefined;
}

/** How a TokenSource refreshes. */
export interface TokenSourceOptions {
  /** A token with less remaining lifetime is refreshed in the background, in seconds. Default: 0, never. */
  readonly buffer?: Seconds;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Receives each new token once it is current. */
  readonly onToken?: (token: AccessToken) => void;
}

/** A token that is about to expire is not used any more: it could expire on its way to the server. */
const EXPIRY_MARGIN: Milliseconds = 30_000;
const MAX_MARGIN_RATIO = 1 / 10;
/** The buffer takes no more than this share of a token's lifetime. */
const MAX_BUFFER_RATIO = 1 / 3;
/** Refreshes of many processes are spread over this share of the buffer. */
const JITTER = 0.1;
/** A `minTtl` that no token can meet must not cause a request for each call: it counts as this share of the lifetime. */
const MAX_MIN_TTL_RATIO = 0.9;
/** The pause after a failed refresh in the background, unless the server requires a longer one. */
const REFRESH_PAUSE: Milliseconds = 10_000;
/** The pause after a rejection doubles with each further one. */
const MIN_REJECTION_PAUSE: Milliseconds = 1000;
const MAX_REJECTION_PAUSE: Milliseconds = 60_000;

interface CachedToken {
  readonly token: AccessToken;
  /** With this much remaining lifetime it is refreshed in the background. Drawn once, so that `expiresSoon` is stable. */
  readonly refreshAt: Milliseconds;
  /** With this much remaining lifetime callers wait for the next token. */
  readonly margin: Milliseconds;
}

interface PendingRequest {
  readonly promise: Promise<AccessToken>;
  readonly controller: AbortController;
  /** Callers who wait, and the refresh in the background. */
  waiters: number;
}

interface Rejection {
  readonly error: AuthError;
  readonly pause: Milliseconds;
  /** On `clock.monotonic()`. */
  readonly until: Milliseconds;
}

/**
 * The one owner of a token in a process: any number of callers share the token and the request for the next one. The
 * request and its retries belong to all who wait for it. It is aborted when no one waits for it any more.
 */
export class TokenSource {
  readonly #requestToken: (signal: AbortSignal) => Promise<AccessToken>;
  readonly #options: TokenSourceOptions;
  #cached: CachedToken | undefined;
  #pending: PendingRequest | undefined;
  #rejection: Rejection | undefined;
  #refreshPausedUntil: Milliseconds = -Infinity;

  /** @param requestToken - requests a token with all retries; the signal aborts when no caller waits any more */
  constructor(requestToken: (signal: AbortSignal) => Promise<AccessToken>, options: TokenSourceOptions) {
    this.#requestToken = requestToken;
    this.#options = options;
  }

  /** The newest token, expired or not; undefined before the first. */
  get current(): AccessToken | undefined {
    return this.#cached?.token;
  }

  /** Why the last request was rejected; undefined after a success. See {@link isPermanentRejection}. */
  get rejection(): AuthError | undefined {
    return this.#rejection?.error;
  }

  /** Whether there is no valid token. A token with an unknown lifetime counts as expired. */
  get isExpired(): boolean {
    return this.#getRemaining() <= 0;
  }

  /** Whether the remaining lifetime is within the buffer, or there is no token. */
  get expiresSoon(): boolean {
    return this.#getRemaining() <= (this.#cached?.refreshAt ?? 0);
  }

  /**
   * The current token, or a new one where the current one is about to expire or does not meet `minTtl`.
   *
   * @throws AuthError; the one of the last rejection while its pause lasts
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
   * A new token, by the request that is under way or a new one.
   *
   * @throws AuthError; the one of the last rejection while its pause lasts
   */
  async refresh({ signal }: Pick<AccessTokenOptions, "signal"> = {}): Promise<AccessToken> {
    if (signal?.aborted) throw abortedError(signal.reason);
    if (this.#pending === undefined && this.#rejection !== undefined && this.#now() < this.#rejection.until)
      throw this.#rejection.error;
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

  /** Makes a verified token from elsewhere, for example a file, the current one. */
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
    // Callers who have left do not receive a failure; it must not become an unhandled rejection.
    promise.catch(() => undefined);
    return { promise, controller, waiters: 0 };
  }

  async #request(signal: AbortSignal): Promise<AccessToken> {
    // The request starts once it is known as pending, also if the function throws at once.
    await Promise.resolve();
    try {
      const token = await this.#requestToken(signal);
      if (!signal.aborted) this.#succeed(token);
      return token;
    } catch (error) {
      if (!signal.aborted) this.#fail(AuthError.isAuthError(error) ? error : undefined);
      throw error;
    }
  }

  #succeed(token: AccessToken): void {
    this.#pending = undefined;
    this.#rejection = undefined;
    this.adopt(token);
    this.#options.onToken?.(token);
  }

  #fail(error: AuthError | undefined): void {
    const now = this.#now();
    this.#pending = undefined;
    this.#refreshPausedUntil = now + Math.max(REFRESH_PAUSE, error?.retryAfterMs ?? 0);
    if (error === undefined || !isPermanentRejection(error)) return;
    const pause = this.#rejection ? Math.min(MAX_REJECTION_PAUSE, this.#rejection.pause * 2) : MIN_REJECTION_PAUSE;
    this.#rejection = { error, pause, until: now + pause };
  }

  #getRemaining(): Milliseconds {
    return this.#cached?.token.remaining(this.#options.clock) ?? -Infinity;
  }

  #now(): Milliseconds {
    return this.#options.clock.monotonic();
  }
}

/**
 * Whether a further request would be rejected like this one until the configuration changes: an OAuth error response or
 * a 401 of the token endpoint, or an invalid configuration. Anything else may pass, for example a proxy's 403.
 */
export const isPermanentRejection = ({ kind, code, oauthError }: AuthError): boolean =>
  kind === "config" || (kind === "rejected" && (oauthError !== undefined || code === "invalid_client"));

/** Waits for `promise` until it settles or `signal` aborts. */
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
