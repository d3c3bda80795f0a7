import { sleep, type Clock, type Milliseconds, type RandomSource } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { abortedError, AuthError } from "../errors.ts";
import type { RequestName } from "../events.ts";
import type { ConnectionStep } from "./connection.ts";
import { sendRequest, type AttemptOptions, type HttpRequest, type HttpResponse } from "./request.ts";
import type { RequestContext, RequestLimits, RetryPolicy } from "./request-context.ts";

/** Names of the requests in messages. */
export const REQUEST_LABELS: Readonly<Record<RequestName, string>> = Object.freeze({
  token: "token request",
  jwks: "JWKS request",
  api: "API request",
});

/**
 * Whether to retry: a transient failure soon (5xx, a lost connection), an overloaded server only after delays that
 * spread the load (429, 503, no response), a permanent failure never.
 */
export type FailureType = "transient" | "overloaded" | "permanent";

/** A failed attempt. */
export interface Failure {
  readonly type: FailureType;
  readonly error: AuthError;
}

/** What a response means. */
export type Outcome<T> = { readonly type: "success"; readonly value: T } | Failure;

/** The statuses that are retried (RFC 9110 section 15, RFC 6585 section 4). */
export const RETRYABLE_STATUS: Readonly<Partial<Record<number, "transient" | "overloaded">>> = Object.freeze({
  408: "transient",
  429: "overloaded",
  500: "transient",
  502: "transient",
  503: "overloaded",
  504: "transient",
});

interface ScheduleStep {
  /** Maximum duration of the attempt. */
  readonly attemptTimeout: Milliseconds;
  /** Maximum delay after it, in addition to a `Retry-After`. */
  readonly maxDelay: Milliseconds;
}

const DEFAULT_STEP: ScheduleStep = { attemptTimeout: 30_000, maxDelay: 30_000 };

/** With `spreadOnOverload`: the attempts in order, the last step for all further ones. Measured (docs/retries.md). */
export const BACKOFF_SCHEDULE: readonly ScheduleStep[] = Object.freeze([
  // An overloaded server that lets a request hang does not respond to it later. 50 jobs are done within 10 s.
  { attemptTimeout: 5000, maxDelay: 3000 },
  // After two failures there are probably hundreds of jobs.
  { attemptTimeout: 7000, maxDelay: 12_000 },
  { attemptTimeout: 10_000, maxDelay: 16_000 },
  { attemptTimeout: 15_000, maxDelay: 20_000 },
  // For a server that is only slow.
  DEFAULT_STEP,
]);

/** With `spreadOnOverload` there are many retries, so those after transient failures stay short. */
const MAX_TRANSIENT_DELAY: Milliseconds = 5000;

/** There must be time for an attempt of this length after a `Retry-After`. */
const MIN_ATTEMPT: Milliseconds = 1000;

const getStep = (attempt: number, { spreadOnOverload }: RetryPolicy): ScheduleStep =>
  (spreadOnOverload ? BACKOFF_SCHEDULE[attempt - 1] : undefined) ?? DEFAULT_STEP;

/** Where the retries of a request are. */
export interface RetryState {
  /** The number of the current attempt, from 1. */
  readonly attempt: number;
  /** Attempts permitted after it. */
  readonly attemptsLeft: number;
  readonly timeLeft: Milliseconds;
  readonly policy: RetryPolicy;
}

/** The time limit of an attempt: so short that all permitted attempts fit. */
export function getAttemptTimeout({ attempt, attemptsLeft, timeLeft, policy }: RetryState): Milliseconds {
  const { attemptTimeout } = attemptsLeft === 0 ? DEFAULT_STEP : getStep(attempt, policy);
  return Math.max(1, Math.min(attemptTimeout, timeLeft / (attemptsLeft + 1)));
}

/** What the delay after a failed attempt depends on. */
export interface DelayInput extends RetryState {
  readonly reason: "transient" | "overloaded";
  /** The minimum that the server demands; 0 if none. */
  readonly retryAfter: Milliseconds;
  readonly random: RandomSource;
}

/** The delay before the next attempt; undefined if there is no time for one. */
export function getRetryDelay(input: DelayInput): Milliseconds | undefined {
  const { attemptsLeft, timeLeft, retryAfter, policy, random } = input;
  if (timeLeft <= 0 || (retryAfter > 0 && retryAfter + MIN_ATTEMPT > timeLeft)) return undefined;
  // The delay gets one share of the time, each further attempt another.
  const width = Math.min(getMaxDelay(input), (timeLeft - retryAfter) / (attemptsLeft + 1));
  // Half of it fixed, so that even the shortest delays add up to those of urllib3's Retry(3, 0.3). Where load is to be
  // spread, all of it is random.
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
 * The delay of a `Retry-After` header (RFC 9110 section 10.2.3), at least 0; undefined if there is none or it is
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

/** A request with the meaning of its responses and errors. */
export interface RequestCall<T> extends Pick<AttemptOptions, "agent" | "maxBodyBytes"> {
  readonly name: RequestName;
  readonly request: HttpRequest;
  readonly parse: (response: HttpResponse) => Outcome<T>;
  /** Whether to retry after an error without a response. Default: by `error.retryable`. */
  readonly classifyError?: (error: AuthError) => FailureType;
}

/** The parsed response, and when it was requested. */
export interface TimedResult<T> {
  readonly value: T;
  /** When the successful attempt was sent, on `clock.elapsed()`. */
  readonly sentAt: Milliseconds;
  readonly clockOffset: Milliseconds | undefined;
  readonly attempts: number;
}

/**
 * Sends a request until it succeeds, fails permanently, or attempts or time are used up. Emits `request`, `connection`,
 * `response` and `retry` events.
 *
 * @param send - replaces the network in tests
 * @throws AuthError of the last attempt, with the number of attempts and the server's `Retry-After`
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
    onEvent({ type: "retry", request: call.name, delayMs, attempt, maxAttempts, error });
    await sleep(clock, delayMs, limits.signal);
    if (limits.signal?.aborted) throw withAttempts(abortedError(limits.signal.reason), attempt, 0);
  }
}

/** One attempt: what it means, and what the headers of the response contain. */
async function sendOnce<T>(
  context: RequestContext,
  { name, request, agent, maxBodyBytes, parse, classifyError = classifyByDefault }: RequestCall<T>,
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
    const outcome = { type: classifyError(error), error: withLabel(error, name) };
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

/** Configuration errors and aborts are not about a single request. */
const withLabel = (error: AuthError, name: RequestName): AuthError =>
  error.kind === "config" || error.kind === "aborted"
    ? error
    : error.with(`${REQUEST_LABELS[name]}: ${error.description}`);

function withAttempts(error: AuthError, attempts: number, retryAfter: Milliseconds, reason?: string): AuthError {
  const details = [...(attempts > 1 ? [`${attempts} attempts`] : []), ...(reason === undefined ? [] : [reason])];
  const suffix = ` (${details.join("; ")}).`;
  const description = details.length === 0 ? error.description : error.description.replace(/\.$/, "") + suffix;
  return error.with(description, { attempts, ...(retryAfter > 0 && { retryAfterMs: retryAfter }) });
}

const getReason = (retryAfter: Milliseconds, timeLeft: Milliseconds): string =>
  retryAfter > 0
    ? `Retry-After is ${formatDuration(retryAfter)}, but only ${formatDuration(timeLeft)} are left`
    : "timed out";
