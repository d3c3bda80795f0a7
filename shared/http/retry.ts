import { sleep, type Clock, type Milliseconds, type RandomSource } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { abortedError, AuthError, type AuthErrorCode, type AuthErrorOptions } from "../errors.ts";
import type { RequestName } from "../events.ts";
import type { ConnectionStep } from "./connection.ts";
import { sendRequest, type AttemptOptions, type HttpRequest, type HttpResponse } from "./request.ts";
import type { RequestContext, RequestLimits, RetryPolicy } from "./request-context.ts";

/** Names for the requests in messages. */
export const REQUEST_LABELS: Readonly<Record<RequestName, string>> = Object.freeze({
  token: "token request",
  jwks: "JWKS request",
  api: "API request",
});

/**
 * When to retry: soon after a transient failure (5xx, a lost connection), only after delays that spread the load if the
 * server is overloaded (429, 503, no response), and never after a permanent failure.
 */
export type FailureType = "transient" | "overloaded" | "permanent";

/** A failed attempt. */
export interface Failure {
  readonly type: FailureType;
  readonly error: AuthError;
}

/** The meaning of a response. */
export type Outcome<T> = { readonly type: "success"; readonly value: T } | Failure;

/** How a status is retried. */
interface RetryableStatus {
  readonly type: "transient" | "overloaded";
  /** When the server has not processed the request, so that any method can be retried. Default: never. */
  readonly unprocessed?: "always" | "with Retry-After";
}

/** The status codes that are retried (RFC 9110 section 15, RFC 6585 section 4). */
export const RETRYABLE_STATUS: Readonly<Partial<Record<number, RetryableStatus>>> = Object.freeze({
  408: { type: "transient" },
  429: { type: "overloaded", unprocessed: "always" },
  500: { type: "transient" },
  502: { type: "transient" },
  503: { type: "overloaded", unprocessed: "with Retry-After" },
  504: { type: "transient" },
});

/** Whether the server has not processed the request, according to its response. */
export function isUnprocessed({ status, headers }: Pick<HttpResponse, "status" | "headers">): boolean {
  const unprocessed = RETRYABLE_STATUS[status]?.unprocessed;
  return unprocessed === "always" || (unprocessed !== undefined && headers["retry-after"] !== undefined);
}

interface ScheduleStep {
  /** Maximum duration of the attempt. */
  readonly attemptTimeout: Milliseconds;
  /** Maximum delay after the attempt, in addition to any `Retry-After`. */
  readonly maxDelay: Milliseconds;
}

const DEFAULT_STEP: ScheduleStep = { attemptTimeout: 30_000, maxDelay: 30_000 };

/**
 * The schedule with `spreadOnOverload`: one step per attempt, then the last step for all further attempts. The values
 * are based on measurements (docs/retries.md).
 */
export const BACKOFF_SCHEDULE: readonly ScheduleStep[] = Object.freeze([
  // If an overloaded server leaves a request hanging, it never responds to that request. 50 jobs complete within 10 s.
  { attemptTimeout: 5000, maxDelay: 3000 },
  // After two failures, hundreds of jobs are probably competing for the server.
  { attemptTimeout: 7000, maxDelay: 12_000 },
  { attemptTimeout: 10_000, maxDelay: 16_000 },
  { attemptTimeout: 15_000, maxDelay: 20_000 },
  // This step is for a server that is merely slow.
  DEFAULT_STEP,
]);

/** Maximum delay after a transient failure with `spreadOnOverload`, which permits many retries. */
const MAX_TRANSIENT_DELAY: Milliseconds = 5000;

/** Minimum time that must remain for an attempt after a `Retry-After` delay. */
const MIN_ATTEMPT: Milliseconds = 1000;

const getStep = (attempt: number, { spreadOnOverload }: RetryPolicy): ScheduleStep =>
  (spreadOnOverload ? BACKOFF_SCHEDULE[attempt - 1] : undefined) ?? DEFAULT_STEP;

/** The state of a request's retries. */
export interface RetryState {
  /** The number of the current attempt, starting at 1. */
  readonly attempt: number;
  /** The number of attempts permitted after the current one. */
  readonly attemptsLeft: number;
  readonly timeLeft: Milliseconds;
  readonly policy: RetryPolicy;
}

/**
 * Minimum time limit for an attempt if that much time remains. With a short timeout, attempts that were shorter would all
 * fail if the server is distant or takes a second to respond.
 */
const MIN_ATTEMPT_TIMEOUT: Milliseconds = 2000;

/** The time limit for an attempt, short enough that all permitted attempts fit, but at least two seconds. */
export function getAttemptTimeout({ attempt, attemptsLeft, timeLeft, policy }: RetryState): Milliseconds {
  const { attemptTimeout } = attemptsLeft === 0 ? DEFAULT_STEP : getStep(attempt, policy);
  const share = Math.max(MIN_ATTEMPT_TIMEOUT, timeLeft / (attemptsLeft + 1));
  return Math.max(1, Math.min(attemptTimeout, share, timeLeft));
}

/** The values that determine the delay after a failed attempt. */
export interface DelayInput extends RetryState {
  readonly reason: "transient" | "overloaded";
  /** The minimum delay that the server requires; 0 if none. */
  readonly retryAfter: Milliseconds;
  readonly random: RandomSource;
}

/** The delay before the next attempt; undefined if there is no time for another attempt. */
export function getRetryDelay(input: DelayInput): Milliseconds | undefined {
  const { attemptsLeft, timeLeft, retryAfter, policy, random } = input;
  if (timeLeft <= 0 || (retryAfter > 0 && retryAfter + MIN_ATTEMPT > timeLeft)) return undefined;
  // The remaining time is divided equally among this delay and the remaining attempts.
  const width = Math.min(getMaxDelay(input), (timeLeft - retryAfter) / (attemptsLeft + 1));
  // Half of the delay is fixed, so that even the shortest delays add up to those of urllib3's Retry(3, 0.3). If load
  // must be spread, the whole delay is random.
  return retryAfter + width * (policy.spreadOnOverload ? random() : (1 + random()) / 2);
}

function getMaxDelay({ reason, attempt, policy }: DelayInput): Milliseconds {
  const { maxDelay } = getStep(attempt, policy);
  const exponential = policy.backoff * 1000 * 2 ** (attempt - 1);
  if (!policy.spreadOnOverload) return Math.min(2 * exponential, maxDelay);
  return reason === "overloaded" ? maxDelay : Math.min(exponential, MAX_TRANSIENT_DELAY);
}

/** The three date formats of RFC 9110 section 5.6.7: IMF-fixdate, RFC 850, asctime. */
const HTTP_DATE =
  /^[A-Z][a-z]{2,8}(, \d\d[ -][A-Z][a-z]{2}[ -](\d\d)?\d\d \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

/**
 * The delay in a `Retry-After` header (RFC 9110 section 10.2.3), at least 0; undefined if the header is missing or
 * invalid. A date is compared with the server's own clock.
 */
export function parseRetryAfter(
  { headers, clockOffset }: Pick<HttpResponse, "headers" | "clockOffset">,
  clock: Clock,
): Milliseconds | undefined {
  const value = headers["retry-after"]?.trim() ?? "";
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, Number.MAX_SAFE_INTEGER);
  if (!HTTP_DATE.test(value)) return undefined;
  // The asctime format has no time zone and means UTC.
  const time = Date.parse(value.endsWith(" GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - (clock.now() + (clockOffset ?? 0)));
}

/** A request and the functions that interpret its responses and errors. */
export interface RequestCall<T> extends Pick<AttemptOptions, "agent" | "maxBodyBytes"> {
  readonly name: RequestName;
  readonly request: HttpRequest;
  readonly parse: (response: HttpResponse) => Outcome<T>;
  /** Determines whether to retry after an error without a response. Default: based on `error.retryable`. */
  readonly classifyError?: (error: AuthError) => FailureType;
  /** Replace the hints of errors without a response. */
  readonly hints?: Readonly<Partial<Record<AuthErrorCode, string>>>;
}

/** The parsed response and when it was requested. */
export interface TimedResult<T> {
  readonly value: T;
  /** When the successful attempt was sent, as a `clock.elapsed()` time. */
  readonly sentAt: Milliseconds;
  readonly clockOffset: Milliseconds | undefined;
  readonly attempts: number;
}

/**
 * Sends a request until it succeeds, fails permanently, or runs out of attempts or time. Emits `request`, `connection`,
 * `response`, and `retry` events.
 *
 * @param send - replaces the network in tests
 * @throws the AuthError from the last attempt, with the number of attempts and the server's `Retry-After`
 */
export async function requestWithRetries<T>(
  context: RequestContext,
  call: RequestCall<T>,
  limits: RequestLimits,
  send: typeof sendRequest = sendRequest,
): Promise<TimedResult<T>> {
  const { clock, policy, random, onEvent } = context;
  const maxAttempts = policy.maxRetries + 1;
  for (let attempt = 1; ; attempt++) {
    const state = { attempt, attemptsLeft: maxAttempts - attempt, policy };
    const timeoutMs = getAttemptTimeout({ ...state, timeLeft: limits.deadline - clock.monotonic() });
    const sentAt = clock.elapsed();
    const attemptLimits = { timeoutMs, signal: limits.signal };
    const { outcome, clockOffset, retryAfter } = await sendOnce(context, call, attempt, attemptLimits, send);
    if (outcome.type === "success") return { value: outcome.value, sentAt, clockOffset, attempts: attempt };
    const { type, error } = outcome;
    if (type === "permanent" || state.attemptsLeft === 0) throw withAttempts(error, attempt, retryAfter);
    const timeLeft = limits.deadline - clock.monotonic();
    const delayMs = getRetryDelay({ ...state, timeLeft, reason: type, retryAfter, random });
    if (delayMs === undefined) throw withAttempts(error, attempt, retryAfter, getReason(retryAfter, timeLeft));
    const failure = error.with(error.description, { attempts: attempt, ...toRetryAfterMs(retryAfter) });
    onEvent({ type: "retry", request: call.name, delayMs, attempt, maxAttempts, error: failure });
    await sleep(clock, delayMs, limits.signal);
    if (limits.signal?.aborted) throw withAttempts(abortedError(limits.signal.reason), attempt, 0);
  }
}

/** Makes one attempt. Returns its outcome and the values of the response headers. */
async function sendOnce<T>(
  context: RequestContext,
  { name, request, agent, maxBodyBytes, parse, classifyError = classifyByDefault, hints = {} }: RequestCall<T>,
  attempt: number,
  limits: Pick<AttemptOptions, "timeoutMs" | "signal">,
  send: typeof sendRequest,
): Promise<Pick<TimedResult<T>, "clockOffset"> & { readonly outcome: Outcome<T>; readonly retryAfter: Milliseconds }> {
  const { clock, policy, onEvent } = context;
  const { method, url } = request;
  const maxAttempts = policy.maxRetries + 1;
  const startedAt = clock.monotonic();
  onEvent({ type: "request", request: name, method, url: url.origin + url.pathname, attempt, maxAttempts });
  const onConnection = (step: ConnectionStep): void => {
    onEvent({ type: "connection", request: name, ...step });
  };
  let response: HttpResponse;
  try {
    response = await send(request, context, { ...limits, agent, maxBodyBytes, onConnection });
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    const outcome = { type: classifyError(error), error: withLabel(error, name, hints[error.code]) };
    return { outcome, clockOffset: undefined, retryAfter: 0 };
  }
  const { status, clockOffset } = response;
  const durationMs = clock.monotonic() - startedAt;
  onEvent({ type: "response", request: name, status, attempt, durationMs, clockOffsetMs: clockOffset });
  return { outcome: parse(response), clockOffset, retryAfter: parseRetryAfter(response, clock) ?? 0 };
}

function classifyByDefault({ retryable, code }: AuthError): FailureType {
  if (!retryable) return "permanent";
  return code === "response_timeout" ? "overloaded" : "transient";
}

/** Adds the name of the request. Configuration errors and aborts do not concern a single request. */
const withLabel = (error: AuthError, name: RequestName, hint = error.hint): AuthError =>
  error.kind === "config" || error.kind === "aborted"
    ? error
    : error.with(`${REQUEST_LABELS[name]}: ${error.description}`, { hint });

/** Omits a delay of 0, as if the server had sent no `Retry-After`. */
export const toRetryAfterMs = (retryAfter: Milliseconds = 0): Pick<AuthErrorOptions, "retryAfterMs"> =>
  retryAfter > 0 ? { retryAfterMs: retryAfter } : {};

function withAttempts(error: AuthError, attempts: number, retryAfter: Milliseconds, reason?: string): AuthError {
  const details = [...(attempts > 1 ? [`${attempts} attempts`] : []), ...(reason === undefined ? [] : [reason])];
  const suffix = ` (${details.join("; ")}).`;
  const description = details.length === 0 ? error.description : error.description.replace(/\.$/, "") + suffix;
  return error.with(description, { attempts, ...toRetryAfterMs(retryAfter) });
}

const getReason = (retryAfter: Milliseconds, timeLeft: Milliseconds): string =>
  retryAfter > 0
    ? `Retry-After is ${formatDuration(retryAfter)}, but the remaining time is only ${formatDuration(timeLeft)}`
    : "timed out";
