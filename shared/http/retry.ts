import { sleep, type Clock, type Milliseconds, type Random, type Seconds } from "../clock.ts";
import { abortedError, AuthError, type AttemptsEnd } from "../report/errors.ts";
import type { OnEvent, RequestName } from "../report/events.ts";
import { timeSpan } from "../report/time-span.ts";
import { retryAfter } from "./retry-after.ts";
import type { HttpAnswer } from "./send.ts";

/**
 * What an answer means: done, a fault that may pass soon (5xx, a broken connection), an overload that passes
 * only if all who wait spread out (429, 503, no answer), or a failure that a repeat would not change.
 */
export type Verdict<T> =
  | { readonly is: "done"; readonly value: T }
  | { readonly is: "fault" | "overload" | "final"; readonly error: AuthError };

/** The HTTP statuses that are worth a repeat (RFC 9110 section 15, RFC 6585 section 4). All others are final. */
export const RETRIED_STATUS: Readonly<Record<number, "fault" | "overload">> = Object.freeze({
  408: "fault",
  429: "overload",
  500: "fault",
  502: "fault",
  503: "overload",
  504: "fault",
});

/** How often and how patiently to repeat. */
export interface RetryPolicy {
  /** Repeats of each request; 0 is one try. */
  readonly maxRetries: number;
  /** Scale of the waits after a fault, in seconds. */
  readonly backoff: Seconds;
  /** Whether tries and waits keep to {@link PACE}. Otherwise an overload is waited for as a fault. */
  readonly spreadOverload: boolean;
}

/** Waiting for a server's `Retry-After` is worth it only for a try of this length. */
const SHORTEST_TRY: Milliseconds = 1000;

/** A try and the wait after it. */
interface Step {
  /** The try takes no longer, however much time is left. */
  readonly longest: Milliseconds;
  /** The wait after it is no longer, unless the server asks for more; after an overload it is drawn from all of this. */
  readonly widest: Milliseconds;
}

/** The pace of most policies, at every try. */
const UNHURRIED: Step = { longest: 30_000, widest: 30_000 };
/**
 * The pace of a policy that spreads overloads: each try in turn, and the last row for all that follow.
 * Chosen by measuring: see docs/retries.md.
 */
export const PACE: readonly Step[] = Object.freeze([
  // A server that lets the surplus hang will not answer it later. 50 jobs are through in 10 s.
  { longest: 5000, widest: 3000 },
  // Who fails twice is one of hundreds.
  { longest: 7000, widest: 12_000 },
  { longest: 10_000, widest: 16_000 },
  { longest: 15_000, widest: 20_000 },
  // For a server that is slow, or answers late.
  UNHURRIED,
]);
/** Where overloads are spread there are many repeats; those after faults stay quick. */
const WIDEST_AFTER_FAULT: Milliseconds = 5000;

/** Try number `n` of a policy. */
const stepOf = (n: number, { spreadOverload }: RetryPolicy): Step =>
  (spreadOverload ? PACE[n - 1] : undefined) ?? UNHURRIED;

/** How far a request has come. */
export interface Progress {
  /** Which try it is, or was: at least 1. */
  readonly tries: number;
  /** Tries permitted after it. */
  readonly triesLeft: number;
  readonly timeLeft: Milliseconds;
  readonly policy: RetryPolicy;
}

/** How long one try may take, so that every permitted try after it fits as well. */
export function tryLimit({ tries, triesLeft, timeLeft, policy }: Progress): Milliseconds {
  // The last try has nothing to be short for.
  const { longest } = stepOf(triesLeft === 0 ? PACE.length : tries, policy);
  return Math.max(1, Math.min(longest, timeLeft / (triesLeft + 1)));
}

/** What the wait before the next try depends on; at least one is left. */
export interface Pause extends Progress {
  readonly after: "fault" | "overload";
  /** What the server asked for, 0 if nothing. Never cut short. */
  readonly floor: Milliseconds;
  readonly random: Random;
}

/** How long to wait before the next try; `undefined` when the server's floor leaves no time for one. */
export function waitFor(pause: Pause): Milliseconds | undefined {
  const { after, tries, triesLeft, timeLeft, floor, policy, random } = pause;
  if (timeLeft <= 0 || (floor > 0 && floor + SHORTEST_TRY > timeLeft)) return undefined;
  const { spreadOverload, backoff } = policy;
  const { widest } = stepOf(tries, policy);
  const width =
    after === "overload" && spreadOverload
      ? widest
      : Math.min(backoff * 1000 * 2 ** (tries - 1), spreadOverload ? WIDEST_AFTER_FAULT : widest);
  // One share of the time for this wait, one for each try to come.
  return floor + random() * Math.min(width, (timeLeft - floor) / (triesLeft + 1));
}

/** What {@link withRetries} needs of the world. */
export interface RetryContext {
  readonly name: RequestName;
  readonly policy: RetryPolicy;
  /** When all must be over, on the monotonic clock. */
  readonly deadline: Milliseconds;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: OnEvent;
  /** What a try without an answer means. Default: what may pass is a fault, silence an overload. */
  readonly onFailure?: ((error: AuthError) => RetryFailure) | undefined;
}

/** What a failed try means for the next one. */
export type RetryFailure = "fault" | "overload" | "final";

/**
 * Repeats a request until its answer is judged done or final, tries or time are used up, or `signal` aborts.
 * Every wait is announced as an event before it begins.
 *
 * @param attempt - one try, which must end within the time given (in milliseconds)
 * @param judge - what the answer means
 * @throws AuthError, that of the last try, with the number of tries and what the server asked to wait
 */
export async function withRetries<T>(
  attempt: (timeLimit: Milliseconds) => Promise<HttpAnswer>,
  judge: (answer: HttpAnswer) => Verdict<T>,
  context: RetryContext,
): Promise<T> {
  const { name, policy, deadline, signal, clock, onEvent } = context;
  for (let tries = 1; ; tries++) {
    const triesLeft = policy.maxRetries + 1 - tries;
    const limit = tryLimit({ tries, triesLeft, timeLeft: deadline - clock.monotonic(), policy });
    const { verdict, floor } = await judged(attempt, judge, context, limit);
    if (verdict.is === "done") return verdict.value;
    const { error } = verdict;
    if (verdict.is === "final" || triesLeft === 0) throw error.after(tries, asked(floor));
    const timeLeft = deadline - clock.monotonic();
    const wait = waitFor({ after: verdict.is, tries, triesLeft, timeLeft, floor, policy, random: context.random });
    if (wait === undefined) throw error.after(tries, tooLate(floor, timeLeft));
    onEvent({ type: "wait", level: "debug", request: name, wait, tries, of: policy.maxRetries + 1, error });
    await sleep(clock, wait, signal);
    if (signal.aborted) throw abortedError().after(tries);
  }
}

const meaningOf = (error: AuthError): RetryFailure =>
  error.retryable ? (error.code === "no_answer" ? "overload" : "fault") : "final";

async function judged<T>(
  attempt: (timeLimit: Milliseconds) => Promise<HttpAnswer>,
  judge: (answer: HttpAnswer) => Verdict<T>,
  { name, clock, onFailure = meaningOf }: RetryContext,
  timeLimit: Milliseconds,
): Promise<{ readonly verdict: Verdict<T>; readonly floor: Milliseconds }> {
  let answer: HttpAnswer;
  try {
    answer = await attempt(timeLimit);
  } catch (error) {
    if (!AuthError.isAuthError(error)) throw error;
    return { verdict: { is: onFailure(error), error: error.during(name) }, floor: 0 };
  }
  return { verdict: judge(answer), floor: retryAfter(answer, clock) ?? 0 };
}

/** What the server asked for, for who may come again later. */
const asked = (floor: Milliseconds): AttemptsEnd => (floor > 0 ? { retryAfterMs: floor } : {});

const tooLate = (floor: Milliseconds, timeLeft: Milliseconds): AttemptsEnd => ({
  because:
    floor > 0 ? `the server asks to wait ${timeSpan(floor)}, ${timeSpan(timeLeft)} are left` : "the time is used up",
  ...asked(floor),
});
