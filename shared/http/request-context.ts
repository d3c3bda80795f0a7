import type { SecureContext } from "node:tls";
import type { Clock, Milliseconds, RandomSource, Seconds } from "../clock.ts";
import type { AuthEventListener } from "../events.ts";
import type { Redactor } from "../redact.ts";

/** How often requests are retried, and how long the delays are. */
export interface RetryPolicy {
  /** Maximum number of retries per request; 0 means one attempt. */
  readonly maxRetries: number;
  /** Backoff factor for the delays, in seconds. */
  readonly backoff: Seconds;
  /** Whether delays after an overload are spread widely, for hundreds of jobs that start together (docs/retries.md). */
  readonly spreadOnOverload: boolean;
}

/** The context shared by all requests of a sign-in, a client, or a process. */
export interface RequestContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly policy: RetryPolicy;
  /** The User-Agent header (RFC 9110 section 10.1.5). */
  readonly userAgent: string;
  /** Adds certificates to Node's default CA certificates; undefined to use only the defaults. */
  readonly secureContext: SecureContext | undefined;
  /** Hides secrets in messages. */
  readonly redactor: Redactor;
  readonly onEvent: AuthEventListener;
  /** If true, connections do not keep the process alive, and waiting callers use `holdProcess`. Default: false. */
  readonly unref?: boolean;
}

/** When one operation must end. */
export interface RequestLimits {
  /** When all requests of the operation, including retries, must end, as a `clock.monotonic()` time. */
  readonly deadline: Milliseconds;
  readonly signal?: AbortSignal | undefined;
}
