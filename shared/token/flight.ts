import type { Agent } from "node:http";
import type { SecureContext } from "node:tls";
import { systemClock, type Clock, type Milliseconds, type Random, type Seconds } from "../clock.ts";
import { withRetries, type RetryFailure, type RetryPolicy, type Verdict } from "../http/retry.ts";
import { send, type HttpAnswer, type HttpRequest } from "../http/send.ts";
import type { AuthError } from "../report/errors.ts";
import type { OnEvent, RequestName } from "../report/events.ts";
import { Redactor, type Quote } from "../report/redactor.ts";

/** How requests are made. */
export interface FlightOptions {
  readonly policy: RetryPolicy;
  /** For all requests together, their repeats and waits. */
  readonly timeout: Seconds;
  readonly userAgent: string;
  /** Hides secrets in what servers say. The caller's own one spares a second reckoning of their forms. */
  readonly redactor?: Redactor;
  readonly onEvent?: OnEvent;
  readonly signal?: AbortSignal;
  /** Keeps connections, for requests that may be sent twice. */
  readonly agent?: Agent | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What came of a request, and when. */
export interface Answered<T> {
  readonly value: T;
  /** When the try that succeeded was sent, on the monotonic clock. */
  readonly sentAt: Milliseconds;
  /** The server's clock less ours; unknown when its answer tells no time. */
  readonly clockOffset: Milliseconds | undefined;
}

/** Judges an answer; what it shows of it passes through `quote`. */
export type Judge<T> = (answer: HttpAnswer, quote: Quote) => Verdict<T>;

/** The requests of one sign-in: they share a deadline, a trust, a way to stop and the knowledge of what to hide. */
export class Flight {
  readonly clock: Clock;
  /** Hides the secrets known so far. */
  readonly redactor: Redactor;
  readonly #options: FlightOptions;
  readonly #secureContext: SecureContext | undefined;
  readonly #deadline: Milliseconds;
  readonly #stop = new AbortController();
  readonly #requests: Promise<unknown>[] = [];
  readonly #onAbort = (): void => {
    this.#stop.abort();
  };

  /** @param secureContext - whom to trust, when not as node does by itself */
  constructor(secureContext: SecureContext | undefined, options: FlightOptions) {
    this.clock = options.clock ?? systemClock;
    this.redactor = options.redactor ?? new Redactor();
    this.#options = options;
    this.#secureContext = secureContext;
    this.#deadline = this.clock.monotonic() + options.timeout * 1000;
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#stop.abort();
  }

  /**
   * Sends a request, as often as the policy says.
   *
   * @param onFailure - what a try without an answer means, where that is not as usual
   * @throws AuthError
   */
  ask<T>(
    name: RequestName,
    request: HttpRequest,
    judge: Judge<T>,
    onFailure?: (error: AuthError) => RetryFailure,
  ): Promise<Answered<T>> {
    const asked = this.#ask(name, request, judge, onFailure);
    this.#requests.push(asked);
    return asked;
  }

  /** Stops what is still under way and waits for its end. */
  async end(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#stop.abort();
    await Promise.allSettled(this.#requests);
  }

  async #ask<T>(
    name: RequestName,
    request: HttpRequest,
    judge: Judge<T>,
    onFailure?: (error: AuthError) => RetryFailure,
  ): Promise<Answered<T>> {
    const { policy, userAgent, agent, onEvent = () => undefined, random = Math.random } = this.#options;
    const { clock } = this;
    const { signal } = this.#stop;
    let sentAt = 0;
    let clockOffset: Milliseconds | undefined;
    const attempt = async (timeLimit: Milliseconds): Promise<HttpAnswer> => {
      sentAt = clock.monotonic();
      const limits = { timeLimit, signal, secureContext: this.#secureContext, userAgent, clock, agent };
      const answer = await send(request, limits);
      ({ clockOffset } = answer);
      onEvent({
        type: "answer",
        level: "debug",
        request: name,
        status: answer.status,
        took: clock.monotonic() - sentAt,
      });
      return answer;
    };
    const value = await withRetries(attempt, (answer) => judge(answer, this.redactor.quote), {
      name,
      policy,
      deadline: this.#deadline,
      signal,
      clock,
      random,
      onEvent,
      onFailure,
    });
    return { value, sentAt, clockOffset };
  }
}
