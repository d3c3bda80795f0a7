import { systemClock, type Clock, type Random, type Seconds } from "../clock.ts";
import { trust } from "../http/tls.ts";
import type { AuthEvent } from "../report/events.ts";
import { quietly } from "../report/quiet-listener.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { KeyCache } from "../token/key-cache.ts";
import type { MintOptions } from "../token/prove-token.ts";
import { userAgent } from "../version.ts";

/** Seams for tests, beside the public options. */
export interface Seams {
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What every call that hands a token on may be told. Times are in seconds. */
export interface HandoffOptions {
  /** Life that a token must have left to be used again, 0 to 86400. Default: 300, at most a third of its life. */
  readonly minTtl?: Seconds | undefined;
  /** Ends the call. */
  readonly signal?: AbortSignal | undefined;
  /** For everything, waits and repeats included, above 0 to 3600. Default: 60. */
  readonly timeout?: Seconds | undefined;
  /** Repeats of a request after a failure that may pass, 0 to 20. Default: 3. */
  readonly maxRetries?: number | undefined;
  /** Hears of events. What it throws is dropped. */
  readonly onEvent?: ((event: AuthEvent) => void) | undefined;
}

/** Options that are judged already. */
type JudgedOptions = HandoffOptions & Seams & { readonly verify?: boolean | undefined };

/** How the requests of one call of the library are made. */
export interface CallPlan {
  /** For each sign-in and each proof, with {@link CallPlan.left} for its timeout. */
  readonly flight: Required<Pick<MintOptions, "signal" | "clock" | "random">> & Omit<MintOptions, "timeout">;
  /** For the whole call. */
  readonly timeout: Seconds;
  /** What is left of that. */
  readonly left: () => Seconds;
}

/** What holds where nothing else is said. */
export const DEFAULTS = Object.freeze({
  timeout: 60,
  maxRetries: 3,
  /** Scale of the waits between repeats. */
  backoff: 0.3,
});

/** Plans a call, which begins now: the defaults, the deadline, the trust and the keys that its requests share. */
export function planCall(request: AuthRequest, options: JudgedOptions): CallPlan {
  const { timeout = DEFAULTS.timeout, maxRetries = DEFAULTS.maxRetries, verify = true, onEvent } = options;
  const { clock = systemClock, random = Math.random, signal = new AbortController().signal } = options;
  const deadline = clock.monotonic() + timeout * 1000;
  return {
    flight: {
      policy: { maxRetries, backoff: DEFAULTS.backoff, spreadOverload: false },
      userAgent,
      onEvent: quietly(onEvent),
      keys: new KeyCache(clock),
      secureContext: trust(request.ca),
      verify,
      signal,
      clock,
      random,
    },
    timeout,
    left: () => Math.max(0, deadline - clock.monotonic()) / 1000,
  };
}
