import { parseInputs } from "../../action/parse-inputs.ts";
import { sleep, type Clock, type Milliseconds, type Random, type Seconds } from "../../shared/clock.ts";
import { withRetries, type RetryPolicy, type Verdict } from "../../shared/http/retry.ts";
import type { HttpAnswer } from "../../shared/http/send.ts";
import { AuthError } from "../../shared/report/errors.ts";

/** One try, which must end within the time given. Throws an AuthError when there is no answer. */
export type Attempt = (timeLimit: Milliseconds) => Promise<HttpAnswer>;

/** What a sign-in needs of the world. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
}

/** A way to sign in. */
export interface Policy {
  readonly name: string;
  /** Whether it is the action's own. */
  readonly ours: boolean;
  /** Resolves when signed in. Throws an AuthError when that failed. */
  readonly signIn: (attempt: Attempt, surroundings: Surroundings) => Promise<void>;
}

/** A policy of others, as numbers. */
interface Pattern {
  readonly name: string;
  readonly longestTry: Milliseconds;
  readonly maxRetries: number;
  /** The wait after so many tries. */
  readonly wait: (tries: number, random: Random) => Milliseconds;
}

/** For all tries and waits of a policy of others. */
const TIMEOUT: Milliseconds = 180_000;

/** urllib3's backoff: nothing at first, then doubling (`Retry.get_backoff_time`). */
const backoff = (tries: number): Milliseconds => (tries === 1 ? 0 : 300 * 2 ** (tries - 1));

const PATTERNS: readonly Pattern[] = [
  { name: "urllib3 `Retry(3, 0.3)`, 30 s each", longestTry: 30_000, maxRetries: 3, wait: backoff },
  {
    name: "the same with full jitter",
    longestTry: 30_000,
    maxRetries: 3,
    wait: (tries, random) => random() * 300 * 2 ** (tries - 1),
  },
  {
    name: "3 retries, 30 s each, waits up to 30 s",
    longestTry: 30_000,
    maxRetries: 3,
    wait: (_tries, random) => random() * 30_000,
  },
  {
    name: "to the deadline, 5 s each, waits up to 30 s",
    longestTry: 5000,
    maxRetries: Number.POSITIVE_INFINITY,
    wait: (_tries, random) => random() * 30_000,
  },
];

const OK = "the sign-in went through";
const busy = (): AuthError => new AuthError("the server is busy.", { kind: "server", code: "server_error" });

const fromPattern = ({ name, longestTry, maxRetries, wait }: Pattern): Policy => ({
  name,
  ours: false,
  signIn: async (attempt, { clock, random }) => {
    const deadline = clock.monotonic() + TIMEOUT;
    for (let tries = 1; ; tries++) {
      const error = await attempt(Math.max(1, Math.min(longestTry, deadline - clock.monotonic()))).then(
        ({ status }) => (status === 200 ? undefined : busy()),
        (failure: unknown) => {
          if (AuthError.isAuthError(failure)) return failure;
          throw failure;
        },
      );
      if (error === undefined) return;
      const pause = wait(tries, random);
      if (tries > maxRetries || clock.monotonic() + pause >= deadline) throw error;
      await sleep(clock, pause, new AbortController().signal);
    }
  },
});

/** The real retry code under a policy of this project. */
export const throughRetries = (name: string, policy: RetryPolicy, timeout: Seconds): Policy => ({
  name,
  ours: true,
  signIn: async (attempt, { clock, random }) => {
    const judge = ({ status }: HttpAnswer): Verdict<string> =>
      status === 200 ? { is: "done", value: OK } : { is: "overload", error: busy() };
    await withRetries(attempt, judge, {
      name: "token request",
      policy,
      deadline: clock.monotonic() + timeout * 1000,
      signal: new AbortController().signal,
      clock,
      random,
      onEvent: () => undefined,
    });
  },
});

const { policy, timeout } = parseInputs(() => "", []).options;

/** What the action does without a word of the user's. */
export const ACTION = throughRetries("this action", policy, timeout);

/** All that are compared. */
export const POLICIES: readonly Policy[] = [...PATTERNS.map(fromPattern), ACTION];
