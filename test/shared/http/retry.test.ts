import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { sleep, type Milliseconds } from "../../../shared/clock.ts";
import {
  PACE,
  RETRIED_STATUS,
  tryLimit,
  waitFor,
  withRetries,
  type Pause,
  type RetryPolicy,
  type Verdict,
} from "../../../shared/http/retry.ts";
import type { HttpAnswer } from "../../../shared/http/send.ts";
import { AuthError, type AuthErrorCode, type AuthErrorKind } from "../../../shared/report/errors.ts";
import type { AuthEvent } from "../../../shared/report/events.ts";
import { makeFakeClock } from "../../support/fake-clock.ts";
import * as fc from "../../support/fuzzing.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxRetries: fc.nat(20),
  backoff: fc.double({ min: 0, max: 60, noNaN: true }),
  spreadOverload: fc.boolean(),
});
const times = (max: Milliseconds): fc.Arbitrary<Milliseconds> =>
  fc.oneof(fc.nat(max), fc.double({ min: 0, max, noNaN: true }));

/** A failure as the verdict on a status or a broken connection would hold it. */
const failure = (kind: AuthErrorKind, code: AuthErrorCode): AuthError => new AuthError("it broke.", { kind, code });

// Arithmetic

const LIBRARY: RetryPolicy = { maxRetries: 3, backoff: 0.3, spreadOverload: false };
const HERD: RetryPolicy = { ...LIBRARY, maxRetries: 9, spreadOverload: true };

test("a try gets its share of the time, at most 30 s", () => {
  const rows: readonly (readonly [timeLeft: Milliseconds, triesLeft: number, limit: Milliseconds])[] = [
    [180_000, 3, 30_000],
    [60_000, 3, 15_000],
    [60_000, 0, 30_000],
    [20_000, 0, 20_000],
    [0, 2, 1],
    [-5, 2, 1],
  ];
  for (const [timeLeft, triesLeft, limit] of rows)
    assert.equal(tryLimit({ tries: 1, timeLeft, triesLeft, policy: LIBRARY }), limit);
});

test("where overloads are spread, tries are short at first and long in the end", () => {
  const limits = (policy: RetryPolicy): readonly Milliseconds[] =>
    Array.from({ length: policy.maxRetries + 1 }, (_, made) =>
      tryLimit({ tries: made + 1, triesLeft: policy.maxRetries - made, timeLeft: 3_600_000, policy }),
    );
  assert.deepEqual(limits(HERD), [5000, 7000, 10_000, 15_000, ...Array<number>(6).fill(30_000)]);
  assert.deepEqual(limits({ ...HERD, maxRetries: 1 }), [5000, 30_000]);
  assert.deepEqual(limits({ ...HERD, maxRetries: 0 }), [30_000]);
});

test("the pace of a herd never quickens, and can't be changed", () => {
  assert.ok(Object.isFrozen(PACE));
  for (const part of ["longest", "widest"] as const) {
    const column = PACE.map((step) => step[part]);
    assert.deepEqual(
      column,
      column.toSorted((a, b) => a - b),
    );
    assert.ok(column.every((value) => value > 1000 && value <= 30_000));
  }
});

const pauses: fc.Arbitrary<Pause> = fc.record({
  after: fc.constantFrom("fault", "overload"),
  tries: fc.integer({ min: 1, max: 21 }),
  triesLeft: fc.integer({ min: 1, max: 20 }),
  timeLeft: times(3_600_000),
  floor: fc.oneof(fc.constant(0), times(3_600_000)),
  policy: policies,
  random: random.map((drawn) => () => drawn),
});

test("no wait is shorter than the server asks for, and none takes all the time", () => {
  fc.assert(
    fc.property(pauses, (pause) => {
      const wait = waitFor(pause);
      if (wait === undefined) assert.ok(pause.floor + 1000 > pause.timeLeft, "a useful try would fit");
      else assert.ok(wait >= pause.floor && wait < pause.timeLeft, String(wait));
    }),
    { numRuns: 1000 },
  );
});

test("beyond what the server asks for no wait is longer than 30 s or its share of the time", () => {
  fc.assert(
    fc.property(pauses, (pause) => {
      const wait = waitFor(pause) ?? pause.floor;
      const share = Math.max(0, pause.timeLeft - pause.floor) / (pause.triesLeft + 1);
      assert.ok(wait - pause.floor <= Math.min(30_000, share) + 1e-6);
    }),
    { numRuns: 1000 },
  );
});

test("waits are drawn uniformly from nothing up to a width that chance has no part in", () => {
  fc.assert(
    fc.property(pauses, random, (pause, drawn) => {
      const wait = (chance: number): Milliseconds | undefined => waitFor({ ...pause, random: () => chance });
      const [none = 0, half = 0, some = 0] = [wait(0), wait(0.5), wait(drawn)];
      if (wait(0) !== undefined) assert.equal(none, pause.floor);
      assert.ok(Math.abs(some - none - drawn * 2 * (half - none)) < 1e-3);
    }),
    { numRuns: 1000 },
  );
});

test("where overloads are spread a wait is no wider than its row of the pace, and one after a fault than 5 s", () => {
  fc.assert(
    fc.property(pauses, (pause) => {
      const spread = { ...pause, policy: { ...pause.policy, spreadOverload: true } };
      const { widest } = PACE[Math.min(pause.tries, PACE.length) - 1] ?? { widest: 0 };
      const wait = (waitFor(spread) ?? pause.floor) - pause.floor;
      assert.ok(wait <= (pause.after === "fault" ? 5000 : widest) + 1e-6);
    }),
    { numRuns: 1000 },
  );
});

const pause: Pause = {
  after: "fault",
  tries: 1,
  triesLeft: 3,
  timeLeft: 120_000,
  floor: 0,
  policy: HERD,
  random: () => 0.5,
};
const waits: readonly (readonly [what: string, change: Partial<Pause>, wait: Milliseconds | undefined])[] = [
  ["a first fault is short", {}, 150],
  ["a second fault is twice as long", { tries: 2 }, 300],
  ["a third fault is twice as long again", { tries: 3 }, 600],
  ["a fault after many is bounded", { tries: 21 }, 2500],
  ["a fault after many is bounded less closely where overloads are not spread", { tries: 21, policy: LIBRARY }, 15_000],
  ["a first overload is some seconds wide", { after: "overload" }, 1500],
  ["a second overload is wider", { after: "overload", tries: 2 }, 6000],
  ["an overload after many is as wide as any", { after: "overload", tries: 9 }, 15_000],
  ["an overload with little time has a share of it", { after: "overload", tries: 2, timeLeft: 8000 }, 1000],
  ["an overload counts as a fault where it is not to be spread", { after: "overload", policy: LIBRARY }, 150],
  ["what the server asks for comes on top", { floor: 20_000 }, 20_150],
  ["what the server asks for may be longer than any wait of ours", { floor: 100_000 }, 100_150],
  ["what the server asks for leaves a second for the try", { floor: 119_000 }, 119_125],
  ["chance may make it nothing", { random: () => 0 }, 0],
  ["what the server asks for can't be had", { floor: 120_000 }, undefined],
  ["the time is used up", { timeLeft: 0 }, undefined],
  ["the time is past", { timeLeft: -1 }, undefined],
];
for (const [what, change, wait] of waits) {
  test(`the wait when ${what}: ${wait === undefined ? "none" : `${wait} ms`}`, () => {
    assert.equal(waitFor({ ...pause, ...change }), wait);
  });
}

// The loop, on a clock that costs no time

/** One try as the script has it. */
interface Step {
  /** How much of its time it takes. */
  readonly takes: number;
  readonly outcome: "done" | "fault" | "overload" | "final" | "broken" | "silent" | "untrusted";
  /** `Retry-After` of an answer, in seconds. */
  readonly retryAfter: number | undefined;
}

/** A try as it was made, on the clock of the test. */
interface Try {
  readonly start: Milliseconds;
  readonly limit: Milliseconds;
  readonly end: Milliseconds;
  readonly step: Step;
}

const THROWN: Readonly<Partial<Record<Step["outcome"], AuthError>>> = {
  broken: failure("network", "connection_failed"),
  silent: failure("timeout", "no_answer"),
  untrusted: failure("network", "untrusted_certificate"),
};
const RETRIED: ReadonlySet<Step["outcome"]> = new Set(["fault", "overload", "broken", "silent"]);

interface Played {
  readonly tries: readonly Try[];
  readonly waits: readonly (Extract<AuthEvent, { type: "wait" }> & { readonly at: Milliseconds })[];
  /** What came of it. */
  readonly value: string | undefined;
  readonly error: AuthError | undefined;
  readonly end: Milliseconds;
  /** Alarms and listeners left. */
  readonly left: number;
}

interface Play {
  readonly steps: readonly Step[];
  readonly policy: RetryPolicy;
  /** From the start, on the clock of the test. */
  readonly deadline: Milliseconds;
  readonly abortAt?: Milliseconds;
  /** What chance gives, over and over. */
  readonly draws: readonly number[];
}

/** Plays a script against the loop; its last step goes on. */
async function play({ steps, policy, deadline, abortAt, draws }: Play): Promise<Played> {
  const clock = makeFakeClock();
  const abort = new AbortController();
  if (abortAt !== undefined) {
    clock.after(abortAt, () => {
      abort.abort();
    });
  }
  let drawn = 0;
  const tries: Try[] = [];
  const announced: Played["waits"][number][] = [];
  const attempt = async (limit: Milliseconds): Promise<HttpAnswer> => {
    const step = steps[Math.min(tries.length, steps.length - 1)];
    assert.ok(step);
    const start = clock.now();
    await sleep(clock, limit * step.takes, abort.signal);
    tries.push({ start, limit, end: clock.now(), step });
    if (abort.signal.aborted) throw failure("aborted", "aborted");
    const thrown = THROWN[step.outcome];
    if (thrown) throw thrown;
    const headers = step.retryAfter === undefined ? {} : { "retry-after": String(step.retryAfter) };
    return { status: 200, headers, body: step.outcome, clockOffset: undefined };
  };
  const judge = ({ body }: HttpAnswer): Verdict<string> =>
    body === "done"
      ? { is: "done", value: "token" }
      : { is: body as "fault" | "overload" | "final", error: failure("server", "server_error") };
  const work = withRetries(attempt, judge, {
    name: "token request",
    policy,
    deadline: clock.monotonic() + deadline,
    signal: abort.signal,
    clock,
    random: () => draws[drawn++ % draws.length] ?? 0,
    onEvent: (event) => {
      if (event.type === "wait") announced.push({ ...event, at: clock.now() });
    },
  });
  const caught = work.then(
    (value) => ({ value, error: undefined, end: clock.now() }),
    (error: unknown) => {
      assert.ok(AuthError.isAuthError(error), String(error));
      return { value: undefined, error, end: clock.now() };
    },
  );
  const outcome = await clock.runUntil(caught);
  const alarms = clock.sleepers() - (abortAt !== undefined && !abort.signal.aborted ? 1 : 0);
  return { tries, waits: announced, ...outcome, left: alarms + getEventListeners(abort.signal, "abort").length };
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    takes: fc.oneof(fc.constant(1), fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
    outcome: fc.constantFrom(
      ...(["done", "fault", "fault", "overload", "overload", "final", "broken", "silent", "untrusted"] as const),
    ),
    retryAfter: fc.option(fc.nat(120), { nil: undefined, freq: 3 }),
  }),
  { minLength: 1, maxLength: 8 },
);
const plays: fc.Arbitrary<Play> = fc.record({
  steps,
  policy: policies,
  deadline: fc.integer({ min: 1, max: 3600 }).map((seconds) => seconds * 1000),
  draws: fc.array(random, { minLength: 1, maxLength: 8 }),
});

/** What adding up fractions of a millisecond may be off. */
const ROUNDING = 1e-6;
/** A try gets a millisecond even when none is left. */
const GRACE = 1 + ROUNDING;

test("every try fits the deadline, and nothing lasts past it", async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (script) => {
      const { tries, end } = await play(script);
      for (const { start, limit } of tries)
        assert.ok(limit > 0 && limit <= 30_000 && start + limit <= script.deadline + GRACE);
      assert.ok(end <= script.deadline + GRACE, `${end} of ${script.deadline}`);
    }),
    { numRuns: 300 },
  );
});

test("no more tries are made than permitted, and every permitted one when no server asks for a wait", async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (script) => {
      const { tries, error } = await play(script);
      assert.ok(tries.length >= 1 && tries.length <= script.policy.maxRetries + 1);
      if (error) assert.equal(error.attempts, tries.length);
      const unasked = script.steps.every(({ retryAfter }) => retryAfter === undefined);
      const passing = script.steps.every(({ outcome }) => RETRIED.has(outcome));
      if (unasked && passing) assert.equal(tries.length, script.policy.maxRetries + 1);
    }),
    { numRuns: 300 },
  );
});

test("however slow the tries and however unlucky the waits, all permitted tries are made", async () => {
  const slow = { takes: 1, outcome: fc.constantFrom<Step["outcome"]>("silent", "broken", "fault", "overload") };
  await fc.assert(
    fc.asyncProperty(plays, slow.outcome, async (script, outcome) => {
      const { tries } = await play({
        ...script,
        steps: [{ takes: slow.takes, outcome, retryAfter: undefined }],
        draws: [1 - Number.EPSILON],
      });
      assert.equal(tries.length, script.policy.maxRetries + 1);
    }),
  );
});

test("every wait is announced when it begins, and lasts as long as announced and as the server asks", async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (script) => {
      const { tries, waits: announced } = await play(script);
      assert.equal(announced.length, tries.length - 1);
      for (const [n, { at, wait, tries: made, of, request, level }] of announced.entries()) {
        const [before, after] = [tries[n], tries[n + 1]];
        assert.ok(before && after);
        assert.equal(at, before.end);
        assert.ok(Math.abs(after.start - before.end - wait) < ROUNDING);
        const isAnswer = THROWN[before.step.outcome] === undefined;
        const asked = isAnswer ? (before.step.retryAfter ?? 0) * 1000 : 0;
        assert.ok(wait >= asked && after.start - before.end >= asked - ROUNDING);
        assert.deepEqual([made, of, request, level], [n + 1, script.policy.maxRetries + 1, "token request", "debug"]);
      }
    }),
    { numRuns: 300 },
  );
});

test("an abort ends tries and waits at once, and nothing is left behind", async () => {
  await fc.assert(
    fc.asyncProperty(plays, times(60_000), async (script, abortAt) => {
      const undisturbed = await play(script);
      const { error, end, left, tries } = await play({ ...script, abortAt });
      assert.equal(left, 0);
      if (undisturbed.end <= abortAt) assert.equal(end, undisturbed.end);
      else {
        assert.deepEqual([error?.code, end, error?.attempts], ["aborted", abortAt, tries.length]);
        assert.ok(tries.slice(1).every(({ start }) => start < abortAt));
      }
    }),
    { numRuns: 300 },
  );
});

/** Four tries and a chance that is always even. */
const calm = { policy: { ...HERD, maxRetries: 3 }, draws: [0.5] };

/** What one try means for the next: THE table of verdicts. */
const VERDICTS: Readonly<Record<Step["outcome"], readonly [tries: number, code: AuthErrorCode | "token"]>> = {
  done: [1, "token"],
  fault: [4, "server_error"],
  overload: [4, "server_error"],
  final: [1, "server_error"],
  broken: [4, "connection_failed"],
  silent: [4, "no_answer"],
  untrusted: [1, "untrusted_certificate"],
};
for (const [outcome, [count, code]] of Object.entries(VERDICTS) as [Step["outcome"], [number, string]][]) {
  test(`an outcome of "${outcome}" makes ${count} of 4 tries and ends in ${code}`, async () => {
    const script = { takes: 0, outcome, retryAfter: undefined };
    const { tries, value, error } = await play({ ...calm, deadline: 60_000, steps: [script] });
    assert.deepEqual([tries.length, value ?? error?.code], [count, code]);
    assert.equal(error?.message.includes("(4 tries)") ?? false, count === 4);
  });
}

test("silence asks for a wide wait, as an overload does, and a broken connection for a short one", async () => {
  const widest = async (outcome: Step["outcome"]): Promise<number> => {
    const script = [{ takes: 0, outcome, retryAfter: undefined }];
    const { waits: announced } = await play({ ...calm, deadline: 180_000, steps: script });
    return announced[0]?.wait ?? 0;
  };
  assert.deepEqual(
    [await widest("silent"), await widest("overload"), await widest("broken"), await widest("fault")],
    [1500, 1500, 150, 150],
  );
});

test("a wait that the deadline forbids is not begun, and the server's wish is told", async () => {
  const script = [{ takes: 0, outcome: "overload", retryAfter: 120 }] as const;
  const { tries, waits: announced, error, end } = await play({ ...calm, deadline: 60_000, steps: script });
  assert.deepEqual([tries.length, announced.length, end], [1, 0, 0]);
  assert.equal(error?.message, "HTTP error: it broke (the server asks to wait 2 min, 1 min are left).");
  assert.equal(error.retryAfterMs, 120_000);
});

test("a try that lasted past the deadline is the last", async () => {
  const script = [{ takes: 5, outcome: "fault", retryAfter: undefined }] as const;
  const { tries, error } = await play({ ...calm, deadline: 4000, steps: script });
  assert.equal(tries.length, 1);
  assert.equal(error?.message, "HTTP error: it broke (the time is used up).");
});

test("what the server asks for at the last try is told to who may come again later", async () => {
  const asked = (outcome: Step["outcome"], retryAfter?: number) => [{ takes: 0, outcome, retryAfter }];
  const told = async (steps: readonly Step[], maxRetries: number) => {
    const { error } = await play({ ...calm, policy: { ...HERD, maxRetries }, deadline: 600_000, steps });
    return [error?.retryAfterMs, error?.attempts, error?.message];
  };
  assert.deepEqual(await told(asked("overload", 90), 0), [90_000, 1, "HTTP error: it broke."]);
  assert.deepEqual(await told(asked("fault", 90), 1), [90_000, 2, "HTTP error: it broke (2 tries)."]);
  assert.deepEqual(await told(asked("overload"), 0), [undefined, 1, "HTTP error: it broke."]);
  // A try without an answer asks for nothing, whatever one before asked for.
  assert.deepEqual((await told([...asked("fault", 90), ...asked("broken")], 1))[0], undefined);
});

test("what is no AuthError is not taken for a failure of the network", async () => {
  const clock = makeFakeClock();
  const bug = new TypeError("x is not a function");
  const work = withRetries(
    () => Promise.reject(bug),
    () => ({ is: "done", value: 1 }),
    {
      ...{ name: "token request", policy: pause.policy, deadline: clock.monotonic() + 1000, clock },
      ...{ signal: new AbortController().signal, random: () => 0, onEvent: () => undefined },
    },
  );
  await assert.rejects(clock.runUntil(work), bug);
});

test("the statuses worth a repeat are those of the plan, and the table can't be changed", () => {
  const faults = [408, 500, 502, 504].map((status) => [status, "fault"]);
  const overloads = [429, 503].map((status) => [status, "overload"]);
  assert.deepEqual(RETRIED_STATUS, Object.fromEntries([...faults, ...overloads]));
  assert.ok(Object.isFrozen(RETRIED_STATUS));
});
