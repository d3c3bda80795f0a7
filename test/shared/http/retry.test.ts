import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { sleep, type Milliseconds } from "../../../shared/clock.ts";
import { AuthError, type AuthErrorCode, type AuthErrorKind } from "../../../shared/errors.ts";
import type { AuthEvent } from "../../../shared/events.ts";
import type { HttpResponse, sendRequest } from "../../../shared/http/request.ts";
import type { RetryPolicy } from "../../../shared/http/request-context.ts";
import {
  BACKOFF_SCHEDULE,
  getAttemptTimeout,
  getRetryDelay,
  parseRetryAfter,
  requestWithRetries,
  RETRYABLE_STATUS,
  type DelayInput,
  type FailureType,
  type Outcome,
} from "../../../shared/http/retry.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { countRuns, fc } from "../../support/fuzzing.ts";
import { createContext, getError, serve } from "./attempts.ts";

const LIBRARY: RetryPolicy = { maxRetries: 3, backoff: 0.3, spreadOnOverload: false };
const ACTION: RetryPolicy = { ...LIBRARY, maxRetries: 9, spreadOnOverload: true };

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const times = (max: Milliseconds): fc.Arbitrary<Milliseconds> =>
  fc.oneof(fc.nat(max), fc.double({ min: 0, max, noNaN: true }));
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxRetries: fc.nat(20),
  backoff: fc.double({ min: 0, max: 60, noNaN: true }),
  spreadOnOverload: fc.boolean(),
});

// Time limits and delays

test("divides the remaining time among the attempts, allowing 2 s to 30 s per attempt", () => {
  const rows: readonly (readonly [timeLeft: Milliseconds, attemptsLeft: number, expected: Milliseconds])[] = [
    [180_000, 3, 30_000],
    [60_000, 3, 15_000],
    [60_000, 0, 30_000],
    [20_000, 0, 20_000],
    [10_000, 9, 2000],
    [1500, 9, 1500],
    [0, 2, 1],
    [-5, 2, 1],
  ];
  for (const [timeLeft, attemptsLeft, expected] of rows)
    assert.equal(getAttemptTimeout({ attempt: 1, timeLeft, attemptsLeft, policy: LIBRARY }), expected);
});

test("uses the scheduled attempt timeouts if the load is spread out, and 30 s for the last attempt", () => {
  const getTimeouts = (policy: RetryPolicy): readonly Milliseconds[] =>
    Array.from({ length: policy.maxRetries + 1 }, (_, n) =>
      getAttemptTimeout({ attempt: n + 1, attemptsLeft: policy.maxRetries - n, timeLeft: 3_600_000, policy }),
    );
  assert.deepEqual(getTimeouts(ACTION), [5000, 7000, 10_000, 15_000, ...Array<number>(6).fill(30_000)]);
  assert.deepEqual(getTimeouts({ ...ACTION, maxRetries: 1 }), [5000, 30_000]);
  assert.deepEqual(getTimeouts({ ...ACTION, maxRetries: 0 }), [30_000]);
});

const input: DelayInput = {
  ...{ reason: "transient", attempt: 1, attemptsLeft: 3, timeLeft: 120_000, retryAfter: 0, policy: ACTION },
  random: () => 0.5,
};
const overloaded: Partial<DelayInput> = { reason: "overloaded" };
const DELAYS: readonly (readonly [what: string, Partial<DelayInput>, expected: Milliseconds | undefined])[] = [
  ["a transient failure", {}, 150],
  ["a second transient failure", { attempt: 2 }, 300],
  ["a third transient failure", { attempt: 3 }, 600],
  ["many transient failures", { attempt: 21 }, 2500],
  ["many transient failures with the library's policy", { attempt: 21, policy: LIBRARY }, 22_500],
  ["an overload", overloaded, 1500],
  ["a second overload", { ...overloaded, attempt: 2 }, 6000],
  ["many overloads", { ...overloaded, attempt: 9 }, 15_000],
  ["an overload with little time left", { ...overloaded, attempt: 2, timeLeft: 8000 }, 1000],
  ["an overload with the library's policy", { ...overloaded, policy: LIBRARY }, 450],
  ["a failure with the library's policy and a random number of 0", { policy: LIBRARY, random: () => 0 }, 300],
  ["a failure with a random number of 0", { random: () => 0 }, 0],
  ["a Retry-After of 20 s", { retryAfter: 20_000 }, 20_150],
  ["a Retry-After longer than all maximum delays", { retryAfter: 100_000 }, 100_150],
  ["a Retry-After that leaves 1 s", { retryAfter: 119_000 }, 119_125],
  ["a Retry-After that leaves less than 1 s", { retryAfter: 119_001 }, undefined],
  ["a failure at the deadline", { timeLeft: 0 }, undefined],
  ["a failure after the deadline", { timeLeft: -1 }, undefined],
];
for (const [what, change, expected] of DELAYS) {
  test(`${expected === undefined ? "does not retry" : `waits ${expected} ms`} after ${what}`, () => {
    assert.equal(getRetryDelay({ ...input, ...change }), expected);
  });
}

test("never retries earlier than urllib3's Retry(3, 0.3) with the library's policy", () => {
  const delays = [1, 2, 3].map((attempt) =>
    getRetryDelay({ ...input, attempt, attemptsLeft: 4 - attempt, timeLeft: 60_000, policy: LIBRARY, random: () => 0 }),
  );
  // In urllib3 2, the first delay is 0, and later delays are backoff_factor * 2^n.
  const urllib3 = [0, 0.6, 1.2].map((seconds) => seconds * 1000);
  const sum = (list: readonly (number | undefined)[], end: number): number =>
    list.slice(0, end).reduce<number>((total, delay) => total + (delay ?? 0), 0);
  for (const end of [1, 2, 3]) assert.ok(sum(delays, end) >= sum(urllib3, end), delays.join());
});

test("computes delays that respect Retry-After, the remaining time, and the schedule", () => {
  const inputs: fc.Arbitrary<DelayInput> = fc.record({
    reason: fc.constantFrom("transient", "overloaded"),
    attempt: fc.integer({ min: 1, max: 21 }),
    attemptsLeft: fc.integer({ min: 1, max: 20 }),
    timeLeft: times(3_600_000),
    retryAfter: fc.oneof(fc.constant(0), times(3_600_000)),
    policy: policies,
    random: fraction.map((value) => () => value),
  });
  fc.assert(
    fc.property(inputs, (delayInput) => {
      const { retryAfter, timeLeft, attemptsLeft, attempt, reason, policy } = delayInput;
      const delay = getRetryDelay(delayInput);
      if (delay === undefined) {
        assert.ok(timeLeft <= 0 || retryAfter + 1000 > timeLeft);
        return;
      }
      const { maxDelay = 0 } = BACKOFF_SCHEDULE[Math.min(attempt, BACKOFF_SCHEDULE.length) - 1] ?? {};
      const maxima = policy.spreadOnOverload ? (reason === "transient" ? 5000 : maxDelay) : 30_000;
      assert.ok(delay >= retryAfter && delay < timeLeft);
      assert.ok(delay - retryAfter <= Math.min(maxima, (timeLeft - retryAfter) / (attemptsLeft + 1)) + 1e-6);
    }),
    { numRuns: countRuns(1000) },
  );
});

test("keeps the tables of statuses and time limits immutable", () => {
  assert.ok(Object.isFrozen(RETRYABLE_STATUS) && Object.isFrozen(BACKOFF_SCHEDULE));
});

// Retry-After

const NOW = Date.UTC(2026, 0, 31, 12);
const RETRY_AFTER: readonly (readonly [value: string | undefined, expected: Milliseconds | undefined])[] = [
  [undefined, undefined],
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7000],
  ["99999999999999999999", Number.MAX_SAFE_INTEGER],
  ["Sat, 31 Jan 2026 12:02:00 GMT", 120_000],
  ["Saturday, 31-Jan-26 12:02:00 GMT", 120_000],
  ["Sat Jan 31 12:02:00 2026", 120_000],
  ["Sun Feb  1 12:00:00 2026", 86_400_000],
  ["Sat, 31 Jan 2026 11:00:00 GMT", 0],
  ...["", "-1", "1.5", "1e3", "0x10", "soon", "2026-01-31", "1, 2", "Sat, 31 Jan 2026 12:02:00", "Sat, 99 Jan 2026 12:02:00 GMT"].map(
    (value) => [value, undefined] as const,
  ),
]; // prettier-ignore
for (const [value, expected] of RETRY_AFTER) {
  test(`${expected === undefined ? "ignores" : `returns ${expected} ms for`} a Retry-After of ${JSON.stringify(value)}`, () => {
    const headers = value === undefined ? {} : { "retry-after": value };
    assert.equal(parseRetryAfter({ headers, clockOffset: undefined }, createFakeClock(NOW)), expected);
  });
}

test("compares a Retry-After date with the server's clock", () => {
  const headers = { "retry-after": "Sat, 31 Jan 2026 13:02:00 GMT" };
  assert.equal(parseRetryAfter({ headers, clockOffset: 3_600_000 }, createFakeClock(NOW)), 120_000);
});

// The retry loop with a fake clock

type Result = "success" | FailureType | "connection_lost" | "response_timeout" | "untrusted_certificate";

interface Step {
  readonly result: Result;
  /** Duration of the attempt as a fraction of its timeout. Default: 0. */
  readonly share?: number;
  /** Value of the Retry-After header in seconds. */
  readonly retryAfter?: number | undefined;
}

interface Scenario {
  /** The step for each attempt. The last step applies to all further attempts. */
  readonly steps: readonly Step[];
  readonly policy: RetryPolicy;
  readonly timeout: Milliseconds;
  readonly abortAt?: Milliseconds;
  readonly random?: number;
}

const ERRORS: Readonly<Partial<Record<Result, readonly [AuthErrorKind, AuthErrorCode]>>> = {
  connection_lost: ["network", "connection_lost"],
  response_timeout: ["timeout", "response_timeout"],
  untrusted_certificate: ["network", "untrusted_certificate"],
};

async function run({ steps, policy, timeout, abortAt, random = 0.5 }: Scenario) {
  const clock = createFakeClock();
  const abort = new AbortController();
  if (abortAt !== undefined) {
    clock.setTimeout(() => {
      abort.abort();
    }, abortAt);
  }
  const attempts: { start: Milliseconds; end: Milliseconds; timeoutMs: Milliseconds; step: Step }[] = [];
  const events: (AuthEvent & { readonly at: Milliseconds })[] = [];
  const send: typeof sendRequest = async (_request, _context, { timeoutMs, signal }) => {
    const step = steps[Math.min(attempts.length, steps.length - 1)] ?? { result: "success" };
    const start = clock.passed();
    await sleep(clock, timeoutMs * (step.share ?? 0), signal);
    attempts.push({ start, end: clock.passed(), timeoutMs, step });
    if (signal?.aborted) throw new AuthError("aborted.", { kind: "aborted", code: "aborted" });
    const error = ERRORS[step.result];
    if (error) throw new AuthError("it broke.", { kind: error[0], code: error[1] });
    const headers = step.retryAfter === undefined ? {} : { "retry-after": String(step.retryAfter) };
    return { status: 200, headers, body: step.result, clockOffset: 5 };
  };
  const parse = ({ body }: HttpResponse): Outcome<string> =>
    body === "success"
      ? { type: "success", value: "token" }
      : { type: body as FailureType, error: new AuthError("it broke.", { kind: "server", code: "server_error" }) };
  const onEvent = (event: AuthEvent): void => void events.push({ ...event, at: clock.passed() });
  const context = createContext({ clock, policy, random: () => random, onEvent });
  const request = { method: "POST", url: new URL("https://auth.scm.test/token?secret=1"), headers: {} } as const;
  const limits = { deadline: clock.monotonic() + timeout, signal: abort.signal };
  const work = requestWithRetries(context, { name: "token", request, parse }, limits, send).then(
    (value) => ({ ...value, error: undefined }),
    (error: unknown) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      return { value: undefined, sentAt: undefined, attempts: undefined, error };
    },
  );
  const outcome = await clock.runUntil(work);
  const pendingTimers = clock.pendingTimers() - (abortAt !== undefined && !abort.signal.aborted ? 1 : 0);
  return {
    ...{ sent: attempts, end: clock.passed(), outcome, events, clock },
    retries: events.filter((event) => event.type === "retry"),
    left: pendingTimers + getEventListeners(abort.signal, "abort").length,
  };
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  steps: fc.array(
    fc.record({
      share: fc.oneof(fc.constantFrom(0, 1), fraction),
      result: fc.constantFrom<Result>(
        ...(["success", "permanent", "untrusted_certificate"] as const),
        ...(["transient", "overloaded", "connection_lost", "response_timeout"] as const),
      ),
      retryAfter: fc.option(fc.nat(120), { nil: undefined, freq: 3 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  policy: policies,
  timeout: fc.integer({ min: 1, max: 3600 }).map((seconds) => seconds * 1000),
  random: fraction,
});

/** Tolerance in milliseconds: an attempt always gets 1 ms, and sums of fractions are inexact. */
const GRACE = 1.001;

test("meets the deadline, and makes all permitted attempts unless the server requires delays", async () => {
  const isRetried = ({ result }: Step): boolean => !["success", "permanent", "untrusted_certificate"].includes(result);
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { sent, end, outcome, retries, left } = await run(scenario);
      const maxAttempts = scenario.policy.maxRetries + 1;
      assert.ok(end <= scenario.timeout + GRACE && left === 0);
      for (const { start, timeoutMs } of sent)
        assert.ok(timeoutMs > 0 && timeoutMs <= 30_000 && start + timeoutMs <= scenario.timeout + GRACE);
      assert.ok(sent.length >= 1 && sent.length <= maxAttempts);
      assert.equal(outcome.error?.attempts ?? outcome.attempts, sent.length);
      if (scenario.steps.every((step) => isRetried(step) && step.retryAfter === undefined))
        assert.equal(sent.length, maxAttempts);
      assert.equal(retries.length, sent.length - 1);
      for (const [n, { at, delayMs, attempt }] of retries.entries()) {
        const [before, after] = [sent[n], sent[n + 1]];
        assert.ok(before && after && at === before.end && attempt === n + 1);
        assert.ok(Math.abs(after.start - before.end - delayMs) < 1e-6);
        const retryAfter = ERRORS[before.step.result] ? 0 : (before.step.retryAfter ?? 0) * 1000;
        assert.ok(delayMs >= retryAfter);
      }
    }),
    { numRuns: countRuns(300) },
  );
});

test("ends attempts and delays immediately when it is aborted, and leaves no timers or listeners behind", async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, times(60_000), async (scenario, abortAt) => {
      const undisturbed = await run(scenario);
      const { outcome, end, left, sent } = await run({ ...scenario, abortAt });
      assert.equal(left, 0);
      if (undisturbed.end <= abortAt) assert.equal(end, undisturbed.end);
      else assert.deepEqual([outcome.error?.code, end, outcome.error?.attempts], ["aborted", abortAt, sent.length]);
    }),
    { numRuns: countRuns(300) },
  );
});

const FOUR: Omit<Scenario, "steps"> = { policy: { ...ACTION, maxRetries: 3 }, timeout: 180_000 };

const RESULTS: readonly (readonly [Result, attempts: number, code: string, firstDelay?: Milliseconds])[] = [
  ["success", 1, "token"],
  ["transient", 4, "server_error", 150],
  ["overloaded", 4, "server_error", 1500],
  ["permanent", 1, "server_error"],
  ["connection_lost", 4, "connection_lost", 150],
  ["response_timeout", 4, "response_timeout", 1500],
  ["untrusted_certificate", 1, "untrusted_certificate"],
];
for (const [result, attempts, code, firstDelay] of RESULTS) {
  test(`makes ${attempts} of 4 attempts if the result is ${result}`, async () => {
    const { sent, outcome, retries } = await run({ ...FOUR, steps: [{ result }] });
    assert.deepEqual([sent.length, outcome.value ?? outcome.error.code], [attempts, code]);
    assert.equal(retries[0]?.delayMs, firstDelay);
    assert.equal(outcome.error?.message.endsWith("it broke (4 attempts).") ?? false, attempts === 4);
    assert.equal(outcome.error?.message.includes("error: token request: it broke") ?? false, result in ERRORS);
  });
}

test("reports requests, responses, and retries as events without the query", async () => {
  const steps: readonly Step[] = [
    { result: "connection_lost" },
    { result: "transient" },
    { result: "success", share: 1 },
  ];
  const { events, outcome, clock } = await run({ ...FOUR, steps });
  const request = { type: "request", request: "token", method: "POST", url: "https://auth.scm.test/token" };
  const response = { type: "response", request: "token", status: 200, clockOffsetMs: 5 };
  assert.deepEqual(
    events.map(({ at: _, ...event }) => ({ ...event, ...("error" in event && { error: event.error.code }) })),
    [
      { ...request, attempt: 1, maxAttempts: 4 },
      { type: "retry", request: "token", delayMs: 150, attempt: 1, maxAttempts: 4, error: "connection_lost" },
      { ...request, attempt: 2, maxAttempts: 4 },
      { ...response, attempt: 2, durationMs: 0 },
      { type: "retry", request: "token", delayMs: 300, attempt: 2, maxAttempts: 4, error: "server_error" },
      { ...request, attempt: 3, maxAttempts: 4 },
      { ...response, attempt: 3, durationMs: 10_000 },
    ],
  );
  assert.deepEqual([outcome.attempts, outcome.sentAt], [3, clock.elapsed() - 10_000]);
});

test("reports in the error why there were no more attempts, and the server's Retry-After", async () => {
  const getSummary = async (steps: readonly Step[], change: Partial<Scenario> = {}) => {
    const { outcome } = await run({ ...FOUR, ...change, steps });
    return [outcome.error?.message, outcome.error?.retryAfterMs];
  };
  const once = { policy: { ...ACTION, maxRetries: 0 } };
  const steps = (retryAfter?: number): readonly Step[] => [{ result: "overloaded", retryAfter }];
  assert.deepEqual(await getSummary(steps(120), { timeout: 60_000 }), [
    "HTTP error: it broke (Retry-After is 2 min, but the remaining time is only 1 min).",
    120_000,
  ]);
  assert.deepEqual(await getSummary([{ result: "transient", share: 5 }], { timeout: 4000 }), [
    "HTTP error: it broke (timed out).",
    undefined,
  ]);
  assert.deepEqual(await getSummary(steps(90), once), ["HTTP error: it broke.", 90_000]);
  assert.deepEqual(await getSummary(steps(), once), ["HTTP error: it broke.", undefined]);
  // The Retry-After from an earlier attempt is ignored.
  const [, retryAfterMs] = await getSummary([...steps(1), { result: "connection_lost" }]);
  assert.equal(retryAfterMs, undefined);
});

test("does not retry after an unexpected exception", async () => {
  const bug = new TypeError("x is not a function");
  const request = { method: "GET", url: new URL("https://a.test/"), headers: {} } as const;
  const call = { name: "jwks", request, parse: (): Outcome<number> => ({ type: "success", value: 1 }) } as const;
  const context = createContext({ policy: LIBRARY });
  const limits = { deadline: performance.now() + 60_000 };
  await assert.rejects(
    requestWithRetries(context, call, limits, () => Promise.reject(bug)),
    bug,
  );
});

test("retries a network request until it succeeds, and reports its connections", async (t) => {
  const server = await serve(t, { body: "{}" });
  const events: AuthEvent[] = [];
  const onEvent = (event: AuthEvent): void => void events.push(event);
  const context = createContext({ policy: { ...LIBRARY, backoff: 0 }, onEvent });
  let left = 2;
  const parse = (): Outcome<string> =>
    left-- > 0
      ? { type: "transient", error: new AuthError("no.", { kind: "server", code: "server_error" }) }
      : { type: "success", value: "yes" };
  const request = { method: "GET", url: new URL(server.tokenUrl), headers: {} } as const;
  const limits = { deadline: performance.now() + 60_000 };
  const { value, attempts } = await requestWithRetries(context, { name: "api", request, parse }, limits);
  assert.deepEqual([value, attempts, server.requests.length], ["yes", 3, 3]);
  const attempt = ["request", "connection", "response"];
  assert.deepEqual(
    events.map(({ type }) => type),
    [...attempt, "retry", ...attempt, "retry", ...attempt],
  );
  const signal = AbortSignal.abort();
  const error = await getError(requestWithRetries(context, { name: "api", request, parse }, { ...limits, signal }));
  assert.deepEqual([error.code, error.message], ["aborted", "Aborted: the caller's signal was aborted."]);
});
