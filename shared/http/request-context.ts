import type { SecureContext } from "node:tls";
import type { Clock, Milliseconds, RandomSource, Seconds } from "../clock.ts";
import type { AuthEventListener } from "../events.ts";
import type { Redactor } from "../redact.ts";

/** How often requests are retried, and how long the delays are. */
export interface RetryPolicy {
  /** Maximum retries of each request; 0 means one attempt. */
  readonly maxRetries: number;
  /** Scale of the delays, in seconds. */
  readonly backoff: Seconds;
  /** Whether delays after an overload are spread widely, for jobs that start by the hundred (docs/retries.md). */
  readonly spreadOnOverload: boolean;
}

/** What all requests of a sign-in, a client or a process have in common. */
export interface RequestContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly policy: RetryPolicy;
  /** The User-Agent header (RFC 9110 section 10.1.5). */
  readonly userAgent: string;
  /** What to trust besides Node's defaults; undefined for Node's defaults. */
  readonly secureContext: SecureContext | undefined;
  /** Knows the secrets that must not appear in messages. */
  readonly redactor: Redactor;
  readonly onEvent: AuthEventListener;
  /** Whether connections do not keep the process alive. Callers who wait use `holdProcess`. Default: false. */
  readonly unref?: boolean;
}

/** When one operation must end. */
export interface RequestLimits {
  /** For all requests of the operation with their retries, on `clock.monotonic()`. */
  readonly deadline: Milliseconds;
  readonly signal?: AbortSignal | undefined;
}
