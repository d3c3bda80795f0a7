import { systemClock, type Clock, type Random, type Seconds } from "../clock.ts";
import { trust } from "../http/tls.ts";
import type { AuthEvent } from "../report/events.ts";
import { quietly } from "../report/quiet-listener.ts";
import type { AuthRequest } from "../token/auth-request.ts";
import { KeyCache } from "../token/key-cache.ts";
import type { MintOptions } from "../token/prove-token.ts";
import { version } from "../version.ts";

/** Seams for tests, beside the public options. */
export interface Seams {
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Options of a call that say how its requests are made, judged already. */
interface RequestOptions extends Seams {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: Seconds | undefined;
  readonly maxRetries?: number | undefined;
  readonly verify?: boolean | undefined;
  readonly onEvent?: ((event: AuthEvent) => void) | undefined;
}

/** How the requests of one call of the library are made. */
export interface CallPlan {
  /** For each sign-in and each proof, with {@link CallPlan.left} for its timeout. */
  readonly flight: Required<Pick<MintOptions, "signal" | "clock" | "random">> & Omit<MintOptions, "timeout">;
  /** For the whole call. */
  readonly timeout: Seconds;
  /** What is left of that. */
  readonly left: () => Seconds;
}

const TIMEOUT: Seconds = 60;
const MAX_RETRIES = 3;
/** Scale of the waits between repeats, in seconds. */
const BACKOFF: Seconds = 0.3;

/** Plans a call, which begins now: the defaults, the deadline, the trust and the keys that its requests share. */
export function planCall(request: AuthRequest, options: RequestOptions): CallPlan {
  const { timeout = TIMEOUT, maxRetries = MAX_RETRIES, verify = true, onEvent } = options;
  const { clock = systemClock, random = Math.random, signal = new AbortController().signal } = options;
  const deadline = clock.monotonic() + timeout * 1000;
  return {
    flight: {
      policy: { maxRetries, backoff: BACKOFF, spreadOverload: false },
      userAgent: `scm-auth/${version}`,
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
