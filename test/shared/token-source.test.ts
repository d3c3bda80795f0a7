import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, test } from "node:test";

import { AccessToken } from "../../shared/access-token.ts";
import { sleep, type Clock, type Milliseconds, type Seconds } from "../../shared/clock.ts";
import { AuthError } from "../../shared/errors.ts";
import { isPermanentRejection, TokenSource, type TokenSourceOptions } from "../../shared/token-source.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { countRuns, fc } from "../support/fuzzing.ts";

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
process.on("unhandledRejection", onUnhandled);
after(() => {
  process.off("unhandledRejection", onUnhandled);
  assert.deepEqual(unhandled, []);
});

const MINUTE = 60_000;
const LIFETIME = 15 * MINUTE;

let count = 0;
const issueToken = (clock: Clock, lifetime: Milliseconds | undefined): AccessToken =>
  new AccessToken(`token-${++count}`, {
    expiresAt: undefined,
    deadline: lifetime === undefined ? undefined : clock.elapsed() + lifetime,
    lifetime,
    scope: [],
    tsgIds: [],
  });

const lost = (): AuthError => new AuthError("lost.", { kind: "network", code: "connection_lost" });
const rejected = (): AuthError =>
  new AuthError("rejected.", { kind: "rejected", code: "invalid_client", oauthError: "invalid_client", status: 401 });

interface Setup extends Partial<TokenSourceOptions> {
  /** Lifetime of each token, or null if it is unknown. Default: 15 minutes. */
  readonly lifetime?: Milliseconds | null;
  /** Duration of a request. Default: 0. */
  readonly latency?: Milliseconds;
  /** Returns the error of the n-th request, counted from 0. Default: no error. */
  readonly fail?: (n: number) => Error | undefined;
}

/** Creates a token source with a fake clock, and records the signals of its requests. */
function setUp({ lifetime = LIFETIME, latency = 0, fail = () => undefined, ...options }: Setup = {}) {
  const clock = createFakeClock();
  const requests: AbortSignal[] = [];
  const requestToken = async (signal: AbortSignal): Promise<AccessToken> => {
    const error = fail(requests.push(signal) - 1);
    if (latency > 0) await sleep(clock, latency, signal);
    signal.throwIfAborted();
    if (error) throw error;
    return issueToken(clock, lifetime ?? undefined);
  };
  const source = new TokenSource(requestToken, { buffer: 300, clock, random: () => 0, ...options });
  return { clock, source, requests };
}

const WINDOWS: readonly (readonly [lifetime: Milliseconds, buffer: Milliseconds, margin: Milliseconds])[] = [
  [86_400_000, 300_000, 30_000],
  [900_000, 300_000, 30_000],
  [300_000, 100_000, 30_000],
  [90_000, 30_000, 9000],
  [3000, 1000, 300],
];
for (const [lifetime, buffer, margin] of WINDOWS)
  test(`refreshes a ${lifetime} ms token in the background ${buffer} ms before expiration and discards it ${margin} ms before`, async () => {
    const { clock, source, requests } = setUp({ lifetime });
    const first = await source.getToken();
    await clock.advance(lifetime - buffer - 1);
    assert.equal(await source.getToken(), first);
    assert.deepEqual([source.expiresSoon, requests.length], [false, 1]);
    await clock.advance(1);
    assert.equal(await source.getToken(), first);
    await clock.advance(0);
    assert.deepEqual([source.current === first, requests.length], [false, 2]);

    const late = setUp({ lifetime });
    const expiring = await late.source.getToken();
    await late.clock.advance(lifetime - margin - 1);
    assert.equal(await late.source.getToken(), expiring);
    const idle = setUp({ lifetime });
    const expired = await idle.source.getToken();
    await idle.clock.advance(lifetime - margin);
    assert.deepEqual([idle.source.expiresSoon, idle.source.isExpired], [true, false]);
    assert.notEqual(await idle.source.getToken(), expired);
    assert.equal(idle.requests.length, 2);
  });

test("reports an expired token even after a suspension, and regardless of the wall clock", async () => {
  const { clock, source } = setUp();
  assert.deepEqual([source.isExpired, source.expiresSoon, source.current], [true, true, undefined]);
  await source.getToken();
  clock.adjustWallClock(1e9);
  await clock.advance(LIFETIME / 2);
  clock.suspend(LIFETIME / 2 - 1);
  assert.equal(source.isExpired, false);
  clock.suspend(1);
  assert.equal(source.isExpired, true);
});

test("extends the buffer by a random jitter of up to a tenth that is chosen once per token", async () => {
  const draws = [0.999, 0];
  const { clock, source } = setUp({ lifetime: 9_000_000, random: () => draws.shift() ?? assert.fail("a second draw") });
  await source.getToken();
  await clock.advance(9_000_000 - 329_971);
  assert.equal(source.expiresSoon, false);
  await clock.advance(2);
  assert.deepEqual([source.expiresSoon, source.expiresSoon, draws.length], [true, true, 1]);
});

test("does not refresh tokens in the background if the buffer is 0", async () => {
  const { clock, source, requests } = setUp({ buffer: 0 });
  await source.getToken();
  await clock.advance(LIFETIME - 31_000);
  await source.getToken();
  await clock.advance(0);
  assert.equal(requests.length, 1);
});

test("returns a token with an unknown lifetime only to the callers that waited for it", async () => {
  const { clock, source, requests } = setUp({ lifetime: null, latency: 5 });
  const [one, two] = await clock.runUntil(Promise.all([source.getToken(), source.getToken()]));
  assert.equal(one, two);
  assert.notEqual(await clock.runUntil(source.getToken()), one);
  assert.deepEqual([requests.length, source.isExpired], [2, true]);
});

test("respects minTtl, but does not send a request for every call if no token can satisfy it", async () => {
  const { clock, source, requests } = setUp();
  const first = await source.getToken({ minTtl: 600 });
  await clock.advance(5 * MINUTE);
  assert.equal(await source.getToken({ minTtl: 600 }), first);
  await clock.advance(1);
  assert.notEqual(await source.getToken({ minTtl: 600 }), first);
  for (let call = 0; call < 90; call++) {
    await source.getToken({ minTtl: 3600 });
    await clock.advance(1000);
  }
  assert.equal(requests.length, 2);
  await clock.advance(1000);
  await source.getToken({ minTtl: 3600 });
  assert.equal(requests.length, 3);
});

test("makes an adopted token current, and refreshes it like any other token", async () => {
  const { clock, source, requests } = setUp();
  const token = issueToken(clock, LIFETIME);
  source.adopt(token);
  assert.equal(await source.getToken(), token);
  await clock.advance(LIFETIME - 299_000);
  assert.equal(await source.getToken(), token);
  await clock.advance(0);
  assert.deepEqual([requests.length, source.current === token], [1, false]);
});

test("passes each new token to onToken once it is current", async () => {
  const seen: unknown[] = [];
  const { source } = setUp({ onToken: (token) => seen.push(token === source.current) });
  await source.getToken();
  await source.refresh();
  assert.deepEqual(seen, [true, true]);
});

const PAUSES: readonly (readonly [failure: string, error: () => Error, pause: Milliseconds])[] = [
  ["a lost connection", lost, 10_000],
  ["an unexpected exception", () => new TypeError("odd"), 10_000],
  ["a rejection", rejected, 10_000],
  [
    "a Retry-After of 45 s",
    () => new AuthError("busy.", { kind: "rate_limited", code: "rate_limited", retryAfterMs: 45_000 }),
    45_000,
  ],
];
for (const [failure, error, pause] of PAUSES)
  test(`continues to return the token and pauses for ${pause} ms if a background refresh fails with ${failure}`, async () => {
    const { clock, source, requests } = setUp({ fail: (n) => (n === 1 ? error() : undefined) });
    const first = await source.getToken();
    await clock.advance(LIFETIME - 200_000);
    for (const [time, expected] of [
      [0, 2],
      [pause - 1, 2],
      [1, 3],
    ] as const) {
      await clock.advance(time);
      assert.equal(await source.getToken(), first);
      await clock.advance(0);
      assert.equal(requests.length, expected);
    }
    assert.notEqual(source.current, first);
  });

test("rejects all waiting callers with the same error if a request fails, and retries on the next call", async () => {
  const { clock, source, requests } = setUp({ latency: 250, fail: (n) => (n === 0 ? lost() : undefined) });
  const [one, two] = await clock.runUntil(Promise.allSettled([source.getToken(), source.refresh()]));
  assert.ok(one.status === "rejected" && two.status === "rejected");
  assert.equal(one.reason, two.reason);
  await clock.runUntil(source.getToken());
  assert.equal(requests.length, 2);
});

test("repeats a rejection during a pause that doubles from 1 s to 60 s, and resets the pause after a success", async () => {
  let fails = true;
  const { clock, source, requests } = setUp({ fail: () => (fails ? rejected() : undefined) });
  const starts: Milliseconds[] = [];
  let last: unknown;
  for (let time = 0; time < 200_000; time += 500) {
    const before = requests.length;
    const error: unknown = await source.getToken().catch((reason: unknown) => reason);
    assert.equal(error === last, requests.length === before);
    last = error;
    if (requests.length > before) starts.push(clock.passed() / 1000);
    await clock.advance(500);
  }
  assert.deepEqual(starts, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
  fails = false;
  await assert.rejects(source.refresh(), { code: "invalid_client" });
  await clock.advance(MINUTE);
  await source.refresh();
  fails = true;
  await assert.rejects(source.refresh());
  await clock.advance(1000);
  fails = false;
  await source.refresh();
});

const FAILURES: readonly (readonly [what: string, perSecond: number, ConstructorParameters<typeof AuthError>[1]])[] = [
  ["an error page", 1, { kind: "rejected", code: "http_error", status: 403 }],
  ["an untrusted certificate", 1, { kind: "network", code: "untrusted_certificate" }],
  ["a Retry-After", 1, { kind: "rate_limited", code: "rate_limited", status: 429, retryAfterMs: 120_000 }],
  ["a lost connection without retries", 4, { kind: "network", code: "connection_lost" }],
];
for (const [what, perSecond, options] of FAILURES)
  test(`sends at most ${perSecond} requests per second if callers continue to ask after ${what}`, async () => {
    const { clock, source, requests } = setUp({ fail: () => new AuthError("x.", options) });
    for (let time = 0; time < 10_000; time += 10) {
      await assert.rejects(source.getToken(), { code: options.code });
      await clock.advance(10);
    }
    assert.ok(requests.length <= perSecond * 10 && requests.length >= perSecond * 9, `${requests.length} requests`);
  });

const REJECTIONS: readonly (readonly [error: ConstructorParameters<typeof AuthError>[1], permanent: boolean])[] = [
  [{ kind: "rejected", code: "invalid_scope", oauthError: "invalid_scope", status: 400 }, true],
  [{ kind: "rejected", code: "invalid_client", status: 401 }, true],
  [{ kind: "rejected", code: "http_error", status: 401 }, false],
  [{ kind: "config", code: "proxy_url_invalid" }, true],
  [{ kind: "rejected", code: "http_error", status: 403 }, false],
  [{ kind: "rejected", code: "proxy_refused", status: 403 }, false],
  [{ kind: "verification", code: "signing_key_not_found" }, false],
  [{ kind: "network", code: "untrusted_certificate" }, false],
  [{ kind: "server", code: "server_error", oauthError: "server_error" }, false],
];
for (const [options, permanent] of REJECTIONS)
  test(`${permanent ? "considers" : "does not consider"} ${options.code} with ${options.status === undefined ? "no status" : `status ${options.status}`} a permanent rejection`, () => {
    assert.equal(isPermanentRejection(new AuthError("x.", options)), permanent);
  });

test("rejects an aborted caller with the reason as the cause, and returns the token to the others", async () => {
  const { clock, source, requests } = setUp({ latency: 1000 });
  const abort = new AbortController();
  const leaving = source.getToken({ signal: abort.signal });
  const { signal } = new AbortController();
  const staying = source.getToken({ signal });
  const reason = new RangeError("enough");
  abort.abort(reason);
  await assert.rejects(leaving, (error) => AuthError.isAuthError(error) && error.cause === reason);
  assert.equal(clock.passed(), 0);
  assert.equal(await clock.runUntil(staying), source.current);
  assert.deepEqual([requests.length, requests[0]?.aborted], [1, false]);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("aborts a request when no caller waits for it, and starts a new one for the next caller", async () => {
  const { clock, source, requests } = setUp({ latency: 1000 });
  const abort = new AbortController();
  const leaving = [source.getToken({ signal: abort.signal }), source.refresh({ signal: abort.signal })];
  await clock.advance(10);
  abort.abort();
  for (const { status } of await Promise.allSettled(leaving)) assert.equal(status, "rejected");
  assert.equal(requests[0]?.aborted, true);
  await clock.runUntil(source.getToken());
  assert.deepEqual([requests.length, requests[1]?.aborted], [2, false]);
});

test("continues a background refresh when a caller that joined it is aborted", async () => {
  const { clock, source, requests } = setUp({ latency: 1000 });
  const first = await clock.runUntil(source.getToken());
  await clock.advance(LIFETIME - 200_000);
  await source.getToken();
  const abort = new AbortController();
  const joined = source.refresh({ signal: abort.signal });
  abort.abort();
  await assert.rejects(joined, { code: "aborted" });
  await clock.advance(1000);
  assert.deepEqual([requests.length, requests[1]?.aborted, source.current === first], [2, false, false]);
});

test("returns the token to a caller that joined a request even if the first caller is aborted", async () => {
  const { clock, source, requests } = setUp({ latency: 1000 });
  const abort = new AbortController();
  const starting = source.refresh({ signal: abort.signal });
  await clock.advance(10);
  const joined = source.getToken();
  abort.abort();
  await assert.rejects(starting, { code: "aborted" });
  await clock.runUntil(joined);
  assert.equal(requests.length, 1);
});

test("sends no request if the signal is already aborted", async () => {
  const { source, requests } = setUp();
  const signal = AbortSignal.abort("no");
  await assert.rejects(source.getToken({ signal }), { code: "aborted" });
  await assert.rejects(source.refresh({ signal }), { code: "aborted" });
  assert.equal(requests.length, 0);
});

test("does not block later calls if the request function throws synchronously", async () => {
  let calls = 0;
  const clock = createFakeClock();
  const source = new TokenSource(
    () => {
      if (calls++ === 0) throw lost();
      return Promise.resolve(issueToken(clock, LIFETIME));
    },
    { clock, random: () => 0 },
  );
  await assert.rejects(source.getToken());
  await clock.advance(250);
  await source.getToken();
  assert.equal(calls, 2);
});

/** The outcome of a generated request after `latency`. */
interface Response {
  readonly latency: Milliseconds;
  readonly outcome: "token" | "lost" | "rejected" | "odd";
  readonly lifetime: Milliseconds | undefined;
}
type Step =
  | { readonly type: "get"; readonly minTtl?: Seconds; readonly abortAfter?: Milliseconds }
  | { readonly type: "refresh"; readonly abortAfter?: Milliseconds }
  | { readonly type: "advance"; readonly time: Milliseconds }
  | { readonly type: "suspend"; readonly time: Milliseconds };

const lifetimes = fc.oneof(fc.constantFrom(undefined, 0, 1, 30_000, 299_999, 900_000, 86_400_000), fc.nat(2_000_000));
const responses = fc.record({
  latency: fc.oneof(fc.constant(0), fc.nat(90_000)),
  outcome: fc.constantFrom("token", "token", "token", "lost", "rejected", "odd"),
  lifetime: lifetimes,
});
const abortAfter = fc.oneof(fc.constant(0), fc.nat(60_000));
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      { type: fc.constant("get" as const), minTtl: fc.constantFrom(0, 10, 600, 1e6), abortAfter },
      { requiredKeys: ["type"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("refresh" as const), abortAfter }, { requiredKeys: ["type"] }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom("advance", "advance", "suspend"),
      time: fc.oneof(fc.nat(20_000), fc.nat(400_000), fc.nat(100_000_000)),
    }),
  },
);

async function checkSchedule(schedule: readonly Step[], script: readonly Response[]): Promise<void> {
  const clock: FakeClock = createFakeClock();
  let requests = 0;
  let waiting = 0;
  let pausedUntil = -Infinity;
  const issued = new Map<AccessToken, Milliseconds>();
  const open = new Set<AbortSignal>();
  const requestToken = async (signal: AbortSignal): Promise<AccessToken> => {
    const { latency, outcome, lifetime } = script[requests++ % script.length] ?? assert.fail();
    assert.ok(clock.monotonic() >= pausedUntil, "no request is sent during the pause after a rejection");
    open.add(signal);
    assert.equal([...open].filter(({ aborted }) => !aborted).length, 1, "one request at a time");
    if (latency > 0) await sleep(clock, latency, signal);
    open.delete(signal);
    if (signal.aborted) throw lost();
    if (outcome === "rejected") pausedUntil = clock.monotonic() + 1000;
    if (outcome !== "token") throw { lost, rejected, odd: () => new TypeError("odd") }[outcome]();
    const token = issueToken(clock, lifetime);
    issued.set(token, clock.passed());
    return token;
  };
  const source = new TokenSource(requestToken, { buffer: 300, clock, random: () => 0 });

  const call = async (step: Extract<Step, { type: "get" | "refresh" }>): Promise<void> => {
    const start = clock.passed();
    const abort = new AbortController();
    if (step.abortAfter !== undefined) clock.setTimeout(abort.abort.bind(abort, "reason"), step.abortAfter);
    const options = step.abortAfter === undefined ? {} : { signal: abort.signal };
    const minTtl = step.type === "get" ? (step.minTtl ?? 0) : 0;
    const current = source.current;
    const remaining = current?.remaining(clock) ?? 0;
    const lifetime = current?.lifetime ?? 0;
    const usable = remaining > Math.min(30_000, lifetime / 10) && remaining >= Math.min(minTtl * 1000, lifetime * 0.9);
    waiting++;
    try {
      const token = await (step.type === "get" ? source.getToken({ ...options, minTtl }) : source.refresh(options));
      assert.ok(!abort.signal.aborted || abort.signal.reason === "reason");
      const issuedAt = issued.get(token) ?? assert.fail("a token that was never issued");
      if (step.type === "get" && usable) assert.deepEqual([token, clock.passed()], [current, start]);
      else assert.ok(issuedAt >= start, "the token is not older than the call");
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      const isAbort = AuthError.isAuthError(error) && error.code === "aborted";
      assert.equal(isAbort, abort.signal.aborted, "the call is aborted if and only if its own signal is aborted");
      if (isAbort) assert.deepEqual([error.cause, clock.passed()], ["reason", start + (step.abortAfter ?? 0)]);
      assert.ok(!(step.type === "get" && usable), "a usable token is returned immediately");
    } finally {
      waiting--;
    }
  };

  const calls: Promise<void>[] = [];
  let permitted = 0;
  for (const step of schedule) {
    if (step.type === "advance") await clock.advance(step.time);
    else if (step.type === "suspend") clock.suspend(step.time);
    else {
      permitted++;
      calls.push(call(step));
    }
    await clock.advance(0);
    if (waiting > 0)
      assert.equal(
        [...open].filter(({ aborted }) => !aborted).length,
        1,
        "waiting callers wait for exactly one request",
      );
    assert.ok(requests <= permitted, "at most one request per call");
    assert.ok(source.isExpired ? source.expiresSoon : source.current !== undefined);
  }
  await clock.runUntil(Promise.all(calls));
  assert.deepEqual(unhandled, []);
}

test("meets its guarantees for every interleaving of calls, failures, and suspensions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { maxLength: 25 }),
      fc.array(responses, { minLength: 1, maxLength: 8 }),
      checkSchedule,
    ),
    { numRuns: countRuns(150) },
  );
});
