import assert from "node:assert/strict";
import { test } from "node:test";
import { AccessToken } from "../../../shared/access-token.ts";
import {
  clampRetryAfter,
  getAttemptTimeout,
  getRenewalDelay,
  getRetryDelay,
  TokenRefresher,
} from "../../../shared/auth-file/refresher.ts";
import type { Milliseconds } from "../../../shared/clock.ts";
import { AuthError, type AuthErrorOptions } from "../../../shared/errors.ts";
import { TokenSource } from "../../../shared/token-source.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { countRuns, fc } from "../../support/fuzzing.ts";
import { createSeededRandom } from "../../support/seeded-random.ts";
import { createSimulatedAuthServer } from "../../support/simulated-auth-server.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LIFETIME = 15 * MINUTE;

interface SetupOptions {
  readonly lifetime?: Milliseconds;
  /** Remaining lifetime of the first token. Default: its whole lifetime. */
  readonly remaining?: Milliseconds;
  readonly seed?: number;
  readonly latency?: Milliseconds;
}

/** Creates a refresher with a simulated clock and server, and the token that readers of its file get. */
function setUp({ lifetime = LIFETIME, remaining = lifetime, seed = 1, latency = 100 }: SetupOptions = {}) {
  const clock = createFakeClock();
  const random = createSeededRandom(seed);
  const server = createSimulatedAuthServer(clock, lifetime, () => latency);
  const tokens = new TokenSource(server.requestToken, { clock, random });
  const first = new AccessToken("first", {
    ...{ lifetime, deadline: clock.elapsed() + remaining, expiresAt: new Date(clock.now() + remaining) },
    ...{ scope: [], tsgIds: [] },
  });
  tokens.adopt(first);
  const file = { token: first, writes: 0, isFull: false };
  const write = (token: AccessToken): Promise<void> => {
    if (file.isFull) return Promise.reject(new AuthError("disk full.", { kind: "file", code: "auth_file_disk_full" }));
    Object.assign(file, { token, writes: file.writes + 1 });
    return Promise.resolve();
  };
  const refresher = new TokenRefresher(tokens, { write, clock, random });
  refresher.start();
  const getRemaining = (): Milliseconds => file.token.remaining(clock) ?? 0;
  return { clock, random, server, tokens, refresher, file, getRemaining };
}

for (const lifetime of [LIFETIME, 20_000])
  test(`renews tokens with a lifetime of ${lifetime / 1000} s about twice per lifetime without a gap`, async () => {
    const { clock, server, refresher, file, getRemaining } = setUp({ lifetime });
    for (let n = 0; n < 500; n++) {
      await clock.advance(lifetime / 10);
      assert.ok(getRemaining() > 0);
    }
    const requests = server.requests.length;
    assert.ok(requests >= 90 && requests <= 115, `${requests} requests in 50 lifetimes`);
    assert.deepEqual(refresher.stats, { renewals: requests, outages: 0, gap: undefined, rejection: undefined });
    assert.equal(file.writes, requests);
    refresher.stop();
    assert.equal(clock.pendingTimers(), 0);
  });

test("always has a valid token if every outage ends before the token expires", async () => {
  const outage = fc.record({
    after: fc.integer({ min: 1000, max: 20 * MINUTE }),
    /** Duration as a fraction of the token's remaining lifetime at the start of the outage. */
    share: fc.double({ min: 0.01, max: 0.8, noNaN: true }),
    mode: fc.constantFrom("unavailable" as const, "hang" as const),
    retryAfter: fc.constantFrom(0, 1000, 20_000),
    fullDisk: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(outage, { maxLength: 8 }), fc.integer({ min: 1, max: 1e6 }), async (outages, seed) => {
      const { clock, server, refresher, file, getRemaining } = setUp({ seed });
      const advance = async (duration: Milliseconds): Promise<void> => {
        for (let passed = 0; passed < duration; passed += 5000) {
          await clock.advance(Math.min(5000, duration - passed));
          assert.ok(getRemaining() > 0, "the file contains a valid token");
          assert.ok((refresher.current?.remaining(clock) ?? 0) > 0, "the current token is valid");
        }
      };
      for (const { after, share, mode, retryAfter, fullDisk } of outages) {
        await advance(after);
        server.mode = mode;
        server.retryAfterMs = retryAfter;
        file.isFull = fullDisk;
        // After the outage, a hanging attempt and the delay that follows it also take time.
        await advance(Math.max(0, getRemaining() * share - 60_000));
        server.mode = "ok";
        file.isFull = false;
        await advance(MINUTE);
      }
      assert.equal(refresher.stats.gap, undefined);
      assert.ok(server.concurrent.max <= 1);
      refresher.stop();
    }),
    { numRuns: countRuns(40) },
  );
});

test("reports the gap caused by an outage that outlasts the token, and closes it soon after the outage", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { clock, server, refresher, getRemaining } = setUp({ seed });
    const expiresAt = clock.now() + LIFETIME;
    server.mode = "unavailable";
    await clock.advance(HOUR);
    const attempts = server.requests.length;
    assert.ok(attempts > 100 && attempts < 350, `${attempts} attempts in an hour`);
    const { gap } = refresher.stats;
    assert.ok(gap);
    assert.ok(Math.abs(gap.since - expiresAt) < 10);
    const { until, failedAttempts } = gap;
    assert.deepEqual([until, failedAttempts, gap.error?.message], [undefined, attempts, "HTTP error: HTTP 503."]);
    server.mode = "ok";
    await clock.advance(31_000);
    assert.ok(getRemaining() > 0);
    const { renewals, outages, gap: past } = refresher.stats;
    assert.deepEqual([renewals, outages, past?.since], [1, 1, gap.since]);
    assert.ok(past?.until !== undefined && past.until - expiresAt > 45 * MINUTE);
    refresher.stop();
  }
});

test("reports the longest gap and only its own failures", async () => {
  const { clock, server, refresher } = setUp();
  for (const [mode, outage] of [
    ["unavailable", 25 * MINUTE],
    ["ok", HOUR],
    ["unavailable", 40 * MINUTE],
  ] as const) {
    server.mode = mode;
    await clock.advance(outage);
    server.mode = "ok";
    await clock.advance(2 * MINUTE);
    if (mode === "ok") clock.suspend(2 * HOUR);
    await clock.advance(2 * MINUTE);
  }
  const { gap } = refresher.stats;
  assert.deepEqual([gap?.failedAttempts, gap?.error], [0, undefined], "the suspension is the longest");
  refresher.stop();
});

test("reports a gap if the disk is full until after the token expires", async () => {
  const { clock, refresher, file, getRemaining } = setUp();
  file.isFull = true;
  await clock.advance(20 * MINUTE);
  assert.ok((refresher.current?.remaining(clock) ?? 0) > 0, "the token itself is renewed");
  assert.match(refresher.stats.gap?.error?.message ?? "", /disk full/);
  file.isFull = false;
  await clock.advance(31_000);
  assert.ok(getRemaining() > 0);
  assert.equal(file.token, refresher.current);
  refresher.stop();
});

const error = (options: Partial<AuthErrorOptions>): AuthError =>
  new AuthError("no.", { kind: "rejected", code: "http_error", ...options });

for (const [name, thrown, isPermanent] of [
  ["an OAuth error response", error({ oauthError: "invalid_client", code: "invalid_client", status: 401 }), true],
  ["a 401 from the token endpoint", error({ code: "invalid_client", status: 401 }), true],
  ["a 401 from another server", error({ status: 401 }), false],
  ["an invalid proxy variable", error({ kind: "config", code: "proxy_url_invalid" }), true],
  ["a 403 page from a proxy", error({ status: 403 }), false],
  [
    "a 403 response with another error code",
    error({ oauthError: "Forbidden", code: "oauth_error", status: 403 }),
    false,
  ],
  ["a 401 response with another error code", error({ oauthError: "Unknown", code: "oauth_error", status: 401 }), true],
  ["a 404 response", error({ status: 404 }), false],
  ["an HTML page", error({ kind: "protocol", code: "html_response" }), false],
  ["an untrusted certificate", error({ kind: "network", code: "untrusted_certificate" }), false],
  ["an unknown signing key", error({ kind: "verification", code: "signing_key_not_found" }), false],
  ["an unexpected exception", new TypeError("bug"), false],
] as const)
  test(`${isPermanent ? "stops renewing" : "retries"} after ${name}`, async () => {
    const clock = createFakeClock();
    let attempts = 0;
    const tokens = new TokenSource(
      () => {
        attempts++;
        throw thrown;
      },
      { clock, random: () => 0.5 },
    );
    const write = () => Promise.resolve();
    const refresher = new TokenRefresher(tokens, { write, clock, random: () => 0.5 });
    refresher.start();
    await clock.advance(10 * MINUTE);
    assert.equal(attempts === 1, isPermanent, `${attempts} attempts`);
    assert.equal(refresher.rejection !== undefined, isPermanent);
    assert.equal(refresher.stats.rejection !== undefined, isPermanent);
    refresher.requestRenewal();
    await clock.advance(1000);
    if (isPermanent) assert.equal(attempts, 1, "a requested renewal has no effect");
    refresher.stop();
  });

test("renews immediately on request, but at most once per second during an outage", async () => {
  const { clock, server, refresher } = setUp({ latency: 10 });
  refresher.requestRenewal();
  await clock.advance(20);
  assert.equal(server.requests.length, 1);
  server.mode = "unavailable";
  for (let n = 0; n < 100; n++) {
    refresher.requestRenewal();
    await clock.advance(100);
  }
  const attempts = server.requests.length - 1;
  assert.ok(attempts >= 8 && attempts <= 11, `${attempts} attempts in 10 s`);
  refresher.stop();
});

test("respects Retry-After between attempts, even for renewals on request", async () => {
  for (const remaining of [LIFETIME, 1]) {
    const { clock, server, refresher } = setUp({ remaining, latency: 10 });
    server.mode = "unavailable";
    server.retryAfterMs = 60_000;
    for (let second = 0; second < 300; second++) {
      refresher.requestRenewal();
      await clock.advance(1000);
    }
    const delays = server.requests.slice(1).map((at, n) => at - (server.requests[n] ?? 0));
    assert.ok(delays.length >= 3);
    assert.ok(
      delays.every((delay) => delay >= 60_000 && delay <= 91_000),
      delays.join(" "),
    );
    refresher.stop();
  }
});

test("renews within a second after the machine resumes, or within a minute if an attempt was in progress", async () => {
  for (const mode of ["ok", "hang"] as const) {
    const { clock, server, refresher, getRemaining } = setUp();
    server.mode = mode;
    if (mode === "hang") refresher.requestRenewal();
    await clock.advance(1500);
    clock.suspend(HOUR);
    server.mode = "ok";
    assert.ok(getRemaining() < 0);
    await clock.advance(mode === "ok" ? 2000 : 60_000);
    assert.ok(getRemaining() > LIFETIME - 65_000, mode);
    const { gap } = refresher.stats;
    assert.ok(gap?.until !== undefined && gap.until - gap.since > 40 * MINUTE);
    if (mode === "ok") assert.deepEqual([gap.failedAttempts, gap.error], [0, undefined]);
    refresher.stop();
  }
});

test("sends the same requests even if the wall clock is changed", async () => {
  const [steady, adjusted] = [setUp(), setUp()];
  for (let hour = 0; hour < 6; hour++) {
    for (const { clock } of [steady, adjusted]) await clock.advance(HOUR);
    adjusted.clock.adjustWallClock(hour % 2 === 0 ? -HOUR : HOUR);
  }
  assert.deepEqual(adjusted.server.requests, steady.server.requests);
  for (const { refresher } of [steady, adjusted]) refresher.stop();
});

test("uses a token that another user of the token source requested", async () => {
  const { clock, tokens, refresher, file } = setUp();
  const token = await clock.runUntil(tokens.refresh());
  await clock.advance(1000);
  assert.equal(file.token, token);
  assert.equal(refresher.stats.renewals, 1);
  refresher.stop();
});

test("aborts the request in progress when it is stopped", async () => {
  const { clock, server, refresher } = setUp();
  server.mode = "hang";
  refresher.requestRenewal();
  await clock.advance(1000);
  assert.equal(server.concurrent.current, 1);
  refresher.stop();
  await clock.advance(1);
  assert.equal(server.concurrent.current, 0);
  assert.equal(clock.pendingTimers(), 0);
});

test("spreads out the renewals by 200 processes that share an old token", async () => {
  const all = Array.from({ length: 200 }, (_, n) => setUp({ remaining: 310_000, seed: n + 1 }));
  const seconds = await Promise.all(
    all.map(async ({ clock, server, refresher }) => {
      const start = clock.monotonic();
      await clock.advance(MINUTE);
      refresher.stop();
      return Math.floor(((server.requests[0] ?? 0) - start) / 1000);
    }),
  );
  const max = Math.max(...seconds.map((one) => seconds.filter((other) => other === one).length));
  assert.ok(max <= 15, `${max} in one second`);
});

test("computes delays within the limits for any token", () => {
  const lifetimes = fc.integer({ min: 1, max: 24 * HOUR });
  fc.assert(
    fc.property(
      lifetimes,
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (lifetime, share, draw) => {
        const remaining = lifetime * share;
        const random = () => draw;
        const retry = getRetryDelay(remaining, random);
        assert.ok(retry >= 250 && retry <= 30_000);
        if (remaining > 2000) assert.ok(retry <= remaining / 8);
        const renewal = getRenewalDelay(lifetime, remaining, random);
        assert.ok(renewal >= 250);
        if (remaining >= lifetime * 0.999 && lifetime > 2000)
          assert.ok(renewal >= lifetime * 0.33 && renewal <= lifetime * 0.67);
        const attempt = getAttemptTimeout(remaining);
        assert.ok(attempt >= 2000 && attempt <= 30_000);
        const retryAfter = clampRetryAfter(Number.MAX_SAFE_INTEGER, remaining);
        assert.equal(retryAfter, remaining <= 0 ? 300_000 : remaining * 0.75);
      },
    ),
  );
});
