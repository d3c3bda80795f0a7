import type { Clock, Milliseconds, Random, Seconds } from "../clock.ts";
import { abortedError, AuthError } from "../report/errors.ts";

/** What a source needs to know of a token. */
export interface Lived {
  /** How long it lives from the moment it is given, in milliseconds; unknown ones are used once. */
  readonly lifetime: Milliseconds | undefined;
}

/** How a source renews. */
export interface SourceOptions {
  /** A token with less life left than this is renewed behind the caller's back. */
  readonly buffer: Seconds;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears that there is a new token, once it serves. */
  readonly onHeld?: () => void;
  /** Hears of a renewal that failed while the current token went on serving. */
  readonly onRefreshFailed: (error: unknown) => void;
}

/** What a caller who wants a token may ask for. */
export interface TokenWish {
  /** Ends the caller's waiting, never the request that others wait for too. */
  readonly signal?: AbortSignal | undefined;
  /** Life that the token must have left, in seconds. A token just minted is given in any case. Default: 0. */
  readonly minTtl?: Seconds | undefined;
}

/** Near its end nobody may start with a token: it could end on its way. */
const LAST_MOMENTS: Milliseconds = 30_000;
/** A buffer takes no more than this share of a token's life, and the last moments no more than that. */
const BUFFER_SHARE = 1 / 3;
const LAST_SHARE = 1 / 10;
/** Renewals of many processes spread over this share of their buffer. */
const JITTER = 0.1;
/** After a renewal that failed behind the callers' backs the next such try waits, longer if the server asks for it. */
const REFRESH_PAUSE: Milliseconds = 10_000;

interface Held<T> {
  readonly token: T;
  readonly endsAt: Milliseconds;
  /** From here on it is renewed while it serves. */
  readonly soonAt: Milliseconds;
  /** From here on callers wait for the next one. */
  readonly lastAt: Milliseconds;
}

/**
 * One token for any number of callers, renewed in time: one flight serves all who wait, and two windows say when
 * to renew behind their backs and when to let them wait. Knows nothing of how a token is made.
 */
export class TokenSource<T extends Lived> {
  readonly #mint: () => Promise<T>;
  readonly #options: SourceOptions;
  #held: Held<T> | undefined;
  #flight: Promise<T> | undefined;
  #quietUntil: Milliseconds = -Infinity;

  constructor(mint: () => Promise<T>, options: SourceOptions) {
    this.#mint = mint;
    this.#options = options;
  }

  /** The newest token, ended or not; undefined before the first. */
  get current(): T | undefined {
    return this.#held?.token;
  }

  /** Whether there is no token that lives. */
  get isExpired(): boolean {
    return this.#held === undefined || this.#now() >= this.#held.endsAt;
  }

  /** Whether the token is inside its buffer, or there is none. */
  get expiresSoon(): boolean {
    return this.#held === undefined || this.#now() >= this.#held.soonAt;
  }

  /** A token that lives. @throws AuthError, or what the mint throws */
  async token({ signal, minTtl = 0 }: TokenWish = {}): Promise<T> {
    if (signal?.aborted) throw abortedError();
    const held = this.#held;
    const now = this.#now();
    if (held === undefined || now >= held.lastAt || now + minTtl * 1000 > held.endsAt) return this.refresh(signal);
    if (now >= held.soonAt && now >= this.#quietUntil) this.#refreshBehind();
    return held.token;
  }

  /** A new token; joins the flight that is under way. @throws AuthError, or what the mint throws */
  refresh(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(abortedError());
    this.#flight ??= this.#fly().finally(() => {
      this.#flight = undefined;
    });
    return leavable(this.#flight, signal);
  }

  #refreshBehind(): void {
    if (this.#flight !== undefined) return;
    this.refresh().catch((error: unknown) => {
      const failure = AuthError.isAuthError(error) ? error : undefined;
      const pause = Math.max(REFRESH_PAUSE, failure?.retryAfterMs ?? 0);
      this.#quietUntil = failure?.retryable === false ? Infinity : this.#now() + pause;
      this.#options.onRefreshFailed(error);
    });
  }

  async #fly(): Promise<T> {
    const token = await this.#mint();
    this.#hold(token);
    this.#options.onHeld?.();
    return token;
  }

  #hold(token: T): void {
    const life = token.lifetime ?? 0;
    const endsAt = this.#now() + life;
    const buffer = Math.min(this.#options.buffer * 1000 * (1 + JITTER * this.#options.random()), life * BUFFER_SHARE);
    this.#held = { token, endsAt, soonAt: endsAt - buffer, lastAt: endsAt - Math.min(LAST_MOMENTS, life * LAST_SHARE) };
    this.#quietUntil = -Infinity;
  }

  #now(): Milliseconds {
    return this.#options.clock.monotonic();
  }
}

/** `promise` for one caller, who may leave before it settles. */
function leavable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(abortedError());
    };
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", leave);
    });
  });
}
