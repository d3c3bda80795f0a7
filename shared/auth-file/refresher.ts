import * as z from "zod/mini";
import type { AccessToken } from "../access-token.ts";
import { sleep, type Clock, type Milliseconds, type RandomSource } from "../clock.ts";
import { AuthError } from "../errors.ts";
import { HINTS } from "../hints.ts";
import { isPermanentRejection, type TokenSource } from "../token-source.ts";
import { getErrorPage } from "../version.ts";

/** The text of an AuthError. */
const failureSummary = z.object({ message: z.string(), hint: z.string(), docs: z.string() });

/** A period in which no valid token was available. Times are wall-clock times in milliseconds since 1970 UTC. */
const refreshGap = z.object({
  since: z.number(),
  /** Undefined if the period has not ended. */
  until: z.optional(z.number()),
  /** The number of failed token requests and failed writes since the previous token was written. */
  failedAttempts: z.int(),
  /** The last of these failures. Undefined if there was none, because this process or the machine was suspended. */
  error: z.optional(failureSummary),
});

/** Statistics of a {@link TokenRefresher}, as reported by the token server. */
export const refreshStats = z.object({
  /** The number of tokens obtained since the refresher started. */
  renewals: z.int(),
  /** The number of outages. Consecutive failed token requests count as one outage. */
  outages: z.int(),
  /**
   * The current period in which the written token has expired, or otherwise the longest one; undefined if it was always
   * valid.
   */
  gap: z.optional(refreshGap),
  /** The permanent rejection by the auth server that ended the renewals; undefined if there was none. */
  rejection: z.optional(failureSummary),
});

export type FailureSummary = z.infer<typeof failureSummary>;
export type RefreshGap = z.infer<typeof refreshGap>;
export type RefreshStats = z.infer<typeof refreshStats>;

/** Options of {@link TokenRefresher}. */
export interface RefresherOptions {
  /**
   * Writes a new token to where others read it. The promise must settle. If it rejects, the function is called again
   * with the newest token.
   */
  readonly write: (token: AccessToken) => Promise<void>;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * The maximum duration of a timer. After the machine resumes from suspension, `clock.elapsed()` is read within this
 * time.
 */
const TICK: Milliseconds = 1000;
/** The minimum time between the end of an attempt and the start of the next, however often a renewal is requested. */
const MIN_ATTEMPT_INTERVAL: Milliseconds = 1000;
/**
 * A token is renewed between these fractions of its lifetime: late enough to renew rarely, early enough to survive an
 * outage.
 */
const RENEW_AFTER_RATIO = 1 / 3;
const RENEW_BEFORE_RATIO = 2 / 3;
/** The delay after a failed attempt is at most this fraction of the remaining lifetime, within these bounds. */
const MAX_RETRY_RATIO = 1 / 8;
const MIN_RETRY_DELAY: Milliseconds = 250;
const MAX_RETRY_DELAY: Milliseconds = 30_000;
/** An attempt takes at most this fraction of the remaining lifetime, within these bounds. */
const ATTEMPT_RATIO = 1 / 2;
const MIN_ATTEMPT_TIMEOUT: Milliseconds = 2000;
const MAX_ATTEMPT_TIMEOUT: Milliseconds = 30_000;
/**
 * `Retry-After` is honored up to this fraction of the remaining lifetime, or up to this time once the token has
 * expired.
 */
const MAX_RETRY_AFTER_RATIO = 3 / 4;
const MAX_RETRY_AFTER: Milliseconds = 300_000;

/**
 * Keeps the token of a TokenSource valid, and writes each new token to where others read it, until stopped. It never
 * throws. Only a permanent rejection ends the renewals. Any other failure is retried, both before and after the token
 * expires.
 */
export class TokenRefresher {
  readonly #tokens: TokenSource;
  readonly #options: RefresherOptions;
  readonly #stopped = new AbortController();
  /** Ends the delay before the next attempt. */
  #wake = new AbortController();
  /** The token for which the next renewal is scheduled. */
  #scheduled: AccessToken | undefined;
  /** The token that others can read. */
  #written: AccessToken | undefined;
  /** These three times are based on `clock.elapsed()`. */
  #nextWriteAt: Milliseconds = -Infinity;
  #nextAttemptAt: Milliseconds = -Infinity;
  #notBefore: Milliseconds = -Infinity;
  #rejection: AuthError | undefined;
  #renewals = 0;
  #outages = 0;
  #isFailing = false;
  #failedAttempts = 0;
  #lastError: FailureSummary | undefined;
  #longestGap: RefreshGap | undefined;

  constructor(tokens: TokenSource, options: RefresherOptions) {
    this.#tokens = tokens;
    this.#options = options;
  }

  /** Starts renewing the token. The current token of the source is assumed to be written already. */
  start(): void {
    this.#written = this.#tokens.current;
    this.#schedule(this.#written);
    void this.#run();
  }

  /** Cancels all timers and the current attempt. A write in progress is not interrupted. */
  stop(): void {
    this.#stopped.abort();
    this.#wake.abort();
  }

  /** The newest token, expired or not. */
  get current(): AccessToken | undefined {
    return this.#tokens.current;
  }

  /** The permanent rejection that ended the renewals; undefined if there was none. */
  get rejection(): AuthError | undefined {
    return this.#rejection;
  }

  /** Starts the next attempt now, or as soon as it is allowed. */
  requestRenewal(): void {
    this.#nextAttemptAt = Math.min(this.#nextAttemptAt, this.#notBefore);
    this.#wake.abort();
  }

  /** Statistics since the refresher started. */
  get stats(): RefreshStats {
    const rejection = this.#rejection && summarize(this.#rejection);
    return { renewals: this.#renewals, outages: this.#outages, gap: this.#getGap() ?? this.#longestGap, rejection };
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const { current } = this.#tokens;
      // Other code may refresh the same source.
      if (current !== this.#scheduled) {
        this.#renewals++;
        this.#nextWriteAt = -Infinity;
        this.#schedule(current);
      }
      const writeAt = current === this.#written ? Infinity : this.#nextWriteAt;
      const renewAt = this.#rejection ? Infinity : this.#nextAttemptAt;
      const now = clock.elapsed();
      if (current !== undefined && writeAt <= now) await this.#write(current);
      else if (renewAt <= now) await this.#renew();
      else {
        this.#wake = new AbortController();
        await sleep(clock, Math.min(TICK, writeAt - now, renewAt - now), this.#wake.signal);
      }
    }
  }

  async #renew(): Promise<void> {
    const { clock } = this.#options;
    const attempt = new AbortController();
    const timeout = getAttemptTimeout(this.#getRemaining(this.#tokens.current));
    const cancel = clock.setTimeout(() => {
      attempt.abort();
    }, timeout);
    try {
      await this.#tokens.refresh({ signal: AbortSignal.any([attempt.signal, this.#stopped.signal]) });
      this.#notBefore = clock.elapsed() + MIN_ATTEMPT_INTERVAL;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#onFailure(attempt.signal.aborted ? timeoutError(timeout) : error);
    } finally {
      cancel();
    }
  }

  #schedule(token: AccessToken | undefined): void {
    const { clock, random } = this.#options;
    this.#scheduled = token;
    const remaining = this.#getRemaining(token);
    this.#nextAttemptAt = clock.elapsed() + getRenewalDelay(token?.lifetime ?? remaining, remaining, random);
  }

  #onFailure(error: unknown): void {
    const { clock, random } = this.#options;
    const now = clock.elapsed();
    this.#noteFailure(error);
    if (AuthError.isAuthError(error) && isPermanentRejection(error)) {
      this.#rejection = error;
      return;
    }
    if (!this.#isFailing) this.#outages++;
    this.#isFailing = true;
    const remaining = this.#getRemaining(this.#tokens.current);
    const retryAfter = clampRetryAfter(AuthError.isAuthError(error) ? (error.retryAfterMs ?? 0) : 0, remaining);
    this.#notBefore = now + Math.max(MIN_ATTEMPT_INTERVAL, retryAfter);
    this.#nextAttemptAt = now + retryAfter + getRetryDelay(remaining - retryAfter, random);
  }

  /** A failed write is retried, because the disk may be full only temporarily. */
  async #write(token: AccessToken): Promise<void> {
    const { write, clock, random } = this.#options;
    try {
      await write(token);
      const gap = this.#getGap();
      if (gap !== undefined) {
        const ended = { ...gap, until: clock.now() };
        if (getDuration(ended) >= getDuration(this.#longestGap)) this.#longestGap = ended;
      }
      this.#written = token;
      this.#failedAttempts = 0;
      this.#lastError = undefined;
    } catch (error) {
      this.#noteFailure(error);
      this.#nextWriteAt = clock.elapsed() + getRetryDelay(this.#getRemaining(this.#written), random);
    }
  }

  #noteFailure(error: unknown): void {
    this.#failedAttempts++;
    this.#lastError = AuthError.isAuthError(error)
      ? summarize(error)
      : { message: `${String(error)}.`, hint: HINTS.internal_error, docs: getErrorPage("internal_error") };
  }

  /** Returns the current period without a valid token, or undefined if the written token is valid. */
  #getGap(): RefreshGap | undefined {
    const remaining = this.#getRemaining(this.#written);
    if (remaining > 0) return undefined;
    const since = this.#options.clock.now() + remaining;
    return { since, until: undefined, failedAttempts: this.#failedAttempts, error: this.#lastError };
  }

  #getRemaining(token: AccessToken | undefined): Milliseconds {
    return token?.remaining(this.#options.clock) ?? 0;
  }
}

const summarize = ({ message, hint, docs }: AuthError): FailureSummary => ({ message, hint, docs });

const getDuration = ({ since = 0, until = since }: Partial<RefreshGap> = {}): Milliseconds => until - since;

const timeoutError = (timeout: Milliseconds): AuthError =>
  new AuthError(`the token request did not complete within ${Math.round(timeout / 1000)} s.`, {
    kind: "timeout",
    code: "response_timeout",
  });

const randomBetween = (from: Milliseconds, to: Milliseconds, random: RandomSource): Milliseconds =>
  from + random() * Math.max(0, to - from);

const clamp = (value: Milliseconds, min: Milliseconds, max: Milliseconds): Milliseconds =>
  Math.max(min, Math.min(max, value));

/** Returns the longest delay before a retry, chosen so that several retries fit into the remaining lifetime. */
const getMaxRetryDelay = (remaining: Milliseconds): Milliseconds =>
  remaining <= 0 ? MAX_RETRY_DELAY : clamp(remaining * MAX_RETRY_RATIO, MIN_RETRY_DELAY, MAX_RETRY_DELAY);

/**
 * Returns the delay before a token is renewed. The renewal time is uniformly distributed over the middle third of the
 * lifetime, so that jobs that share a token do not renew it in the same second. If that third has passed, the delay is
 * the same as before a retry.
 */
export function getRenewalDelay(lifetime: Milliseconds, remaining: Milliseconds, random: RandomSource): Milliseconds {
  const age = Math.max(0, lifetime - remaining);
  const from = Math.max(MIN_RETRY_DELAY, lifetime * RENEW_AFTER_RATIO - age);
  return randomBetween(from, Math.max(lifetime * RENEW_BEFORE_RATIO - age, getMaxRetryDelay(remaining)), random);
}

/** Returns the delay after a failed attempt. Attempts come closer together as the token nears its expiration. */
export const getRetryDelay = (remaining: Milliseconds, random: RandomSource): Milliseconds =>
  randomBetween(MIN_RETRY_DELAY, getMaxRetryDelay(remaining), random);

/** Limits a `Retry-After` delay, because the server may request a longer delay than the remaining lifetime. */
export const clampRetryAfter = (retryAfter: Milliseconds, remaining: Milliseconds): Milliseconds =>
  Math.min(retryAfter, remaining <= 0 ? MAX_RETRY_AFTER : remaining * MAX_RETRY_AFTER_RATIO);

/**
 * Returns the time limit for an attempt. An attempt that hangs must leave time for further attempts before the token
 * expires.
 */
export const getAttemptTimeout = (remaining: Milliseconds): Milliseconds =>
  remaining <= 0 ? MAX_ATTEMPT_TIMEOUT : clamp(remaining * ATTEMPT_RATIO, MIN_ATTEMPT_TIMEOUT, MAX_ATTEMPT_TIMEOUT);
