import type { Clock, Milliseconds, Random } from "../clock.ts";
import { abortedError, AuthError } from "../report/errors.ts";
import type { AccessToken } from "../token/access-token.ts";
import { ElapsedTime } from "./elapsed-time.ts";
import { HandOn } from "./hand-on.ts";
import { hold, type HeldToken, type Perishable } from "./held-token.ts";
import { heeded, renewalDelay, retryDelay, tryTime } from "./renewal-times.ts";
import { SharedOutcome } from "./shared-outcome.ts";

/** What came of keeping a token fresh. */
export interface KeeperCounts {
  /** New tokens. */
  readonly renewals: number;
  /** Rows of failed tries, each counted once however long it was. */
  readonly outages: number;
}

/** How a token is kept fresh. */
export interface RenewalOptions<T> {
  /** One try for a new token, to be given up when the signal says so. @throws AuthError */
  readonly mint: (signal: AbortSignal) => Promise<T>;
  /** Puts a new token where others find it. When it throws it is called again later. */
  readonly onRenewed: (token: T) => Promise<void> | void;
  readonly clock: Clock;
  readonly random: Random;
}

/** No timer runs longer: after a machine's sleep the clocks are compared within this time. */
const TICK: Milliseconds = 1000;
/** Between two tries, however many ask for one. */
const SHORTEST_GAP: Milliseconds = 1000;

interface Try {
  readonly abort: AbortController;
  readonly until: Milliseconds;
}

/**
 * Keeps one token fresh until told to stop. It never throws and leaves no rejection behind. A refusal by the
 * server ends the renewals; everything else is tried again, before the token's end and after it, and not earlier than
 * the server asks, within bounds.
 */
export class Renewals<T extends Perishable = AccessToken> {
  readonly #options: RenewalOptions<T>;
  readonly #time: ElapsedTime;
  readonly #handOn: HandOn<T>;
  #held: HeldToken<T>;
  #dueAt: Milliseconds;
  #try: Try | undefined;
  /** No try begins earlier, whoever asks for one. */
  #notBefore: Milliseconds = -Infinity;
  #failing = false;
  #refusal: AuthError | undefined;
  #renewals = 0;
  #outages = 0;
  #slept: Milliseconds = 0;
  #awaited: SharedOutcome<HeldToken<T>> | undefined;
  #stopped = false;
  #callOff = (): void => undefined;

  /** @param first - a token given just now, which others have already */
  constructor(first: T, options: RenewalOptions<T>) {
    const { clock, random } = options;
    this.#options = options;
    this.#time = new ElapsedTime(clock);
    this.#held = hold(first, this.#time);
    this.#handOn = new HandOn(this.#held, { put: options.onRenewed, clock, random });
    this.#dueAt = this.#renewalAt();
    this.#arm();
  }

  /** The newest token, ended or not. */
  get current(): HeldToken<T> {
    return this.#held;
  }

  /** Why no renewal is tried any more: one was refused. */
  get refusal(): AuthError | undefined {
    return this.#refusal;
  }

  /** What happened so far. */
  get counts(): KeeperCounts {
    return { renewals: this.#renewals, outages: this.#outages };
  }

  /**
   * Renews now, or joins the try under way. Settles with the next token, however many tries that takes: whoever
   * waits sets the limit.
   *
   * @throws AuthError when a renewal is refused, or was before; `aborted` when all is stopped
   */
  renew(): Promise<HeldToken<T>> {
    const { promise } = (this.#awaited ??= new SharedOutcome());
    if (this.#refusal !== undefined || this.#stopped) {
      this.#disappoint(this.#refusal ?? abortedError());
    } else if (!this.#try) {
      this.#dueAt = Math.min(this.#dueAt, Math.max(this.#time.now(), this.#notBefore));
      this.#arm();
    }
    return promise;
  }

  /** Ends all timers and the try under way. */
  stop(): void {
    this.#stopped = true;
    this.#callOff();
    this.#handOn.stop();
    this.#endTry();
    this.#disappoint(abortedError());
  }

  #renewalAt(): Milliseconds {
    const { life, left } = this.#held;
    return this.#time.now() + renewalDelay({ life, left: left(), random: this.#options.random });
  }

  /** Sets the one timer anew. */
  #arm(): void {
    this.#callOff();
    if (this.#stopped || this.#refusal) return;
    const next = this.#try?.until ?? this.#dueAt;
    const delay = Math.max(0, Math.min(TICK, next - this.#time.now()));
    this.#callOff = this.#options.clock.after(delay, () => {
      this.#wake();
    });
  }

  #wake(): void {
    const now = this.#time.now();
    if (this.#time.slept > this.#slept) {
      this.#slept = this.#time.slept;
      // Whoever slept in the midst of a try waits for an answer that was lost long ago.
      if (this.#try) this.#dueAt = now;
      this.#endTry();
    }
    if (this.#try && now >= this.#try.until) {
      this.#endTry();
      this.#fail();
    }
    if (!this.#try && now >= this.#dueAt) this.#begin(now);
    this.#arm();
  }

  #begin(now: Milliseconds): void {
    const abort = new AbortController();
    const begun = { abort, until: now + tryTime(this.#held.left()) };
    this.#try = begun;
    const unlessGivenUp = (end: () => void): void => {
      if (this.#try !== begun) return;
      this.#try = undefined;
      this.#notBefore = this.#time.now() + SHORTEST_GAP;
      end();
      this.#arm();
    };
    // In a promise from the first, so that a mint that throws at once fails like any other.
    Promise.resolve(abort.signal)
      .then(this.#options.mint)
      .then(
        (token) => {
          unlessGivenUp(() => {
            this.#succeed(token);
          });
        },
        (error: unknown) => {
          unlessGivenUp(() => {
            this.#fail(error);
          });
        },
      );
  }

  #endTry(): void {
    const ended = this.#try;
    this.#try = undefined;
    ended?.abort.abort();
  }

  #succeed(token: T): void {
    this.#renewals++;
    this.#failing = false;
    this.#held = hold(token, this.#time);
    this.#dueAt = this.#renewalAt();
    this.#handOn.offer(this.#held);
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.resolve(this.#held);
  }

  #fail(error?: unknown): void {
    if (AuthError.isAuthError(error) && isRefusal(error)) {
      this.#refusal = error;
      this.#disappoint(error);
      return;
    }
    if (!this.#failing) this.#outages++;
    this.#failing = true;
    const left = this.#held.left();
    const pause = heeded(AuthError.isAuthError(error) ? (error.retryAfterMs ?? 0) : 0, left);
    const from = this.#time.now() + pause;
    this.#notBefore = Math.max(this.#notBefore, from);
    this.#dueAt = from + retryDelay({ left: left - pause, random: this.#options.random });
  }

  #disappoint(reason: AuthError): void {
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.reject(reason);
  }
}

/**
 * Whether the server, or what was configured, says no, and would say so to every repeat; a client that goes on
 * asking may be locked out. Anything else may pass: a proxy's page, keys in the midst of a change, a certificate.
 */
export const isRefusal = ({ kind, oauthError, status }: AuthError): boolean =>
  kind === "config" || (kind === "rejected" && (oauthError !== undefined || status === 401 || status === 403));
